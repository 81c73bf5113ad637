/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a leader refuses what can not be done, as soon as it knows, and
 * whoever asked is told why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "raft/node/clock.h"
#include "raft/node/wire.h"
#include "tests/lib/caller.h"
#include "tests/lib/nodetest.h"

/* Far from the 10 s after which a change is given up. */
enum { SOON_MS = 4 * KIT_STEADY_MS };

/* --- Learners ----------------------------------------------------------------
 */

/* n1 alone votes; n2 is to stay a learner, and is there. */
static struct kit_node *GIVEN_LEARNER(struct kit *kit)
{
	struct kit_node *first = &kit->nodes[0];
	struct kit_node *k = &kit->nodes[1];

	first->alone = true;
	kit_start(first);
	assert_true(kit_await_members(first, "n1:voter"));
	assert_int_equal(kit_change(first, NODE_ADD, k->name, NULL, k->address,
				    true),
			 0);
	k->join = first->address;
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:learner"));
	return first;
}

static bool is_silent(const struct node_status *status, uint64_t member)
{
	return clock_ms() - status->members[member].heard > KIT_ELECTION_MS;
}

/* Nothing has changed: it does not become one by itself once it is back. */
static void a_learner_that_is_down_is_not_promoted(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_LEARNER(kit);
	struct kit_node *k = &kit->nodes[1];
	raft_ms asked;

	kit_stop(k);
	assert_true(kit_await_status(leader, is_silent, 1));
	asked = clock_ms();
	assert_int_equal(kit_change(leader, NODE_PROMOTE, "n2", NULL, NULL,
				    false),
			 STATUS_INVALID);
	assert_true(clock_ms() - asked < SOON_MS);
	assert_non_null(strstr(leader->change_text, "n2 does not answer: "));
	assert_null(strstr(leader->change_text, "will be"));

	kit_start(k);
	kit_propose(k, 0, 10, 100);
	assert_all_have(kit, 10);
	assert_true(kit_await_members(k, "n1:voter n2:learner"));
	assert_int_equal(kit_change(k, NODE_PROMOTE, "n2", NULL, NULL, false),
			 0);
	assert_true(kit_await_members(k, "n1:voter n2:voter"));
}

/* --- Binding a name ----------------------------------------------------------
 */

/* Its machine has gone without a word: to the leader its link is up. */
static void a_name_is_not_bound_to_who_was_cut_off(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct kit_node *leader;
	int fd;

	GIVEN_CLUSTER(kit);
	kit_stop(k);
	leader = kit_leader(kit);
	fd = caller_links(k, leader);
	assert_int_equal(
		kit_change(leader, NODE_REMOVE, "n3", NULL, NULL, false), 0);
	assert_int_equal(
		kit_change(leader, NODE_ADD, "n3", NULL, k->address, false), 0);
	assert_true(caller_is_closed(fd)); /* and called again by nobody */

	kit_wipe(k);
	k->join = leader->address;
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:voter n3:voter"));
}

/* --- Handing over ------------------------------------------------------------
 */

/* Not only taken to be there, as all are by a new leader for a while. */
static bool hears(const struct node_status *status, uint64_t voters)
{
	uint64_t answered = 0;

	for (size_t i = 0; i < status->member_count; i++) {
		answered += status->members[i].match > 0 ? 1 : 0;
	}
	return status->raft.role == RAFT_LEADER &&
	       status->raft.voters_heard == voters && answered >= voters;
}

/* Nothing new is taken while the leadership is on its way to nobody. */
static void leadership_does_not_go_to_who_is_silent(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *silent = other_than(kit, leader);
	raft_ms quickest = UINT64_MAX;
	raft_ms asked, took;

	assert_true(kit_await_status(leader, hears, 3));
	kit_stop(silent);
	assert_true(kit_await_status(leader, hears, 2));
	for (int turn = 0; turn < 4; turn++) {
		asked = clock_ms();
		assert_int_equal(kit_change(leader, NODE_TRANSFER, silent->name,
					    NULL, NULL, false),
				 STATUS_INVALID);
		assert_non_null(
			strstr(leader->change_text, "does not answer: "));
		took = clock_ms() - asked;
		quickest = took < quickest ? took : quickest;
	}
	assert_true(quickest < 2 * (raft_ms)kit->election_ms);
	assert_ptr_equal(kit_leader(kit), leader);
}

/* It was heard a moment ago, so the transfer begins, and comes to nothing. */
static void who_asked_for_a_transfer_is_told_that_it_failed(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *gone = other_than(kit, leader);
	struct kit_node *by =
		&kit->nodes[2] == leader ? &kit->nodes[1] : &kit->nodes[2];
	raft_ms asked;

	assert_true(kit_await_status(leader, hears, 3));
	kit_stop(gone);
	kit_propose(leader, 0, 10, 100); /* which it does not have */
	asked = clock_ms();
	assert_int_not_equal(kit_change(by, NODE_TRANSFER, gone->name, NULL,
					NULL, false),
			     0);
	assert_true(clock_ms() - asked < SOON_MS);
	assert_non_null(strstr(by->change_text, gone->name));
	assert_ptr_equal(kit_leader(kit), leader);
	kit_propose(by, 10, 10, 100);
	assert_true(kit_await(leader, 20));
}

/* --- A majority that answers -------------------------------------------------
 */

/* With n1 and n2 left and n2 silent, nothing could be committed any more. It
 * has the time of two elections to be heard: a new leader has heard nobody. */
static void a_removal_that_leaves_a_silent_majority_is_refused(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *silent = other_than(kit, leader);
	struct kit_node *alive =
		&kit->nodes[2] == leader || &kit->nodes[2] == silent
			? &kit->nodes[1]
			: &kit->nodes[2];
	raft_ms asked;

	assert_true(kit_await_status(leader, hears, 3));
	kit_stop(silent);
	assert_true(kit_await_status(leader, hears, 2));

	asked = clock_ms();
	assert_int_equal(kit_change(leader, NODE_REMOVE, alive->name, NULL,
				    NULL, false),
			 STATUS_INVALID);
	assert_non_null(strstr(leader->change_text, "1 of the 2 voters"));
	assert_true(clock_ms() - asked >= 2 * (raft_ms)kit->election_ms);
	assert_int_equal(kit_change(leader, NODE_REMOVE, silent->name, NULL,
				    NULL, false),
			 0);

	kit_propose(alive, 0, 100, 100);
	assert_true(kit_await(alive, 100));
	assert_true(kit_await(leader, 100));
}

/* --- Asked again -------------------------------------------------------------
 */

static struct wire_message message;

/* n3 has ended, and its leader knows: it is spoken for by hand. */
static struct kit_node *GIVEN_N3_BY_HAND(struct kit *kit)
{
	struct kit_node *leader;

	/* The test is its quorum at times, and silent for as long as a removal
	 * is put off: the time of two elections, not of all of a call's. */
	kit->election_ms = 1000;
	leader = GIVEN_CLUSTER(kit);
	assert_true(kit_await_status(leader, hears, 3));
	kit_stop(&kit->nodes[2]);
	leader = kit_leader(kit);
	assert_true(kit_await_status(leader, hears, 2));
	return leader;
}

/* n3's way to a node, as of that start of it. */
static int GIVEN_CALL(struct kit *kit, struct kit_node *to, uint64_t boot)
{
	struct buffer hello = {0};
	int fd = caller_dial(to);

	caller_hello_of(&kit->nodes[2], to, boot, 0, &hello);
	caller_say(fd, buffer_bytes(&hello));
	buffer_deinit(&hello);
	return fd;
}

/* And the way back. */
static struct caller_ear GIVEN_EAR(struct kit *kit, struct kit_node *of) {
	struct buffer hello = {0};
	struct caller_ear ear;

	caller_hello(&kit->nodes[2], of, &hello);
	ear = caller_called_by(&kit->nodes[2], of, buffer_bytes(&hello));
	buffer_deinit(&hello);
	return ear;
}

static void
ask_to_remove(int fd, uint64_t number, uint64_t ticket, uint32_t asked,
	      const char *name)
{
	struct wire_change change = {
		.ticket = ticket, .kind = WIRE_CHANGE_REMOVE, .asked = asked};
	struct buffer body = {0};

	strcpy(change.name, name);
	wire_encode_change(&body, &change);
	caller_say_frame(fd, &number, WIRE_CHANGE, &body);
}

static const struct wire_changed *hear_answer(struct caller_ear *ear)
{
	struct bytes body;

	assert_true(caller_hears(ear, WIRE_CHANGED, &body));
	assert_int_equal(wire_decode(body, WIRE_CHANGED, &message), 0);
	return &message.changed;
}

/* X1: else the one is refused, and the other carried out a moment later. */
static void who_asks_again_is_answered_once(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_N3_BY_HAND(kit);
	const char *other = other_than(kit, leader)->name;
	int fd = GIVEN_CALL(kit, leader, 1);
	struct caller_ear ear = GIVEN_EAR(kit, leader);

	ask_to_remove(fd, 1, 5, 0, other);
	ask_to_remove(fd, 2, 5, 1, other);

	assert_int_equal(hear_answer(&ear)->ticket, 5);
	assert_int_equal(message.changed.status, STATUS_INVALID);
	assert_int_equal(message.changed.asked, 1);

	ask_to_remove(fd, 3, 6, 0, "n9");

	assert_int_equal(hear_answer(&ear)->ticket, 6);
	caller_ends(&ear);
	close(fd);
}

/* Their tickets may be the same. */
static void what_an_earlier_start_asked_for_is_forgotten(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_N3_BY_HAND(kit);
	int old = GIVEN_CALL(kit, leader, 1);
	struct caller_ear ear = GIVEN_EAR(kit, leader);
	int fd;

	ask_to_remove(old, 1, 5, 0, other_than(kit, leader)->name);
	fd = GIVEN_CALL(kit, leader, 2);
	ask_to_remove(fd, 1, 6, 0, "n9");

	assert_int_equal(hear_answer(&ear)->ticket, 6);
	assert_true(caller_is_closed(old));
	caller_ends(&ear);
	close(fd);
}

/* What it proposes after it has asked comes later. */
static uint64_t GIVEN_ASKED(struct kit_node *k)
{
	uint64_t ticket =
		kit_change_begin(k, NODE_REMOVE, k->name, NULL, NULL, false);

	kit_propose(k, 0, 10, 100);
	assert_true(kit_await(k, 10));
	return ticket;
}

static void an_answer_to_an_earlier_question_is_not_taken(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_N3_BY_HAND(kit);
	struct kit_node *k = other_than(kit, leader);
	struct wire_changed changed = {.status = STATUS_INVALID, .asked = 7};
	int fd = GIVEN_CALL(kit, k, 1);
	struct buffer body = {0};
	uint64_t number = 1;

	changed.ticket = GIVEN_ASKED(k);
	strcpy(changed.text, "of another time");
	wire_encode_changed(&body, &changed);
	caller_say_frame(fd, &number, WIRE_CHANGED, &body);

	assert_int_equal(kit_change_end(k), STATUS_INVALID);
	assert_non_null(strstr(k->change_text, "only 1 of the 2 voters"));
	close(fd);
}

/* X1: one that lags may have a configuration of before it was made otherwise,
 * which looks as if it were done. */
static void what_is_done_is_not_seen_in_an_earlier_configuration(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_N3_BY_HAND(kit);
	struct kit_node *k = other_than(kit, leader);
	struct wire_changed changed = {.index = 1000000};
	raft_ms asked = clock_ms();
	int fd = GIVEN_CALL(kit, k, 1);
	struct buffer body = {0};
	uint64_t number = 1;

	kit_change_begin(leader, NODE_REMOVE, k->name, NULL, NULL, false);
	kit_propose(leader, 0, 10, 100); /* later: so that comes first */
	assert_true(kit_await(leader, 10));
	changed.ticket = kit_change_begin(k, NODE_ADDRESS, "n3", NULL,
					  kit->nodes[2].address, false);
	kit_propose(k, 10, 10, 100);
	assert_true(kit_await(k, 20));
	wire_encode_changed(&body, &changed);
	caller_say_frame(fd, &number, WIRE_CHANGED, &body);

	assert_int_equal(kit_change_end(k), 0); /* the leader's own answer */
	assert_true(clock_ms() - asked >= 2 * (raft_ms)kit->election_ms);
	assert_int_equal(kit_change_end(leader), STATUS_INVALID); /* first */
	close(fd);
}

/* --- A leader of which nothing is committed yet ------------------------------
 */

/* n3 by hand, of one that has its disk stand still: it votes, and holds what it
 * is sent, but has saved nothing after this entry. */
struct stalled {
	int fd;
	uint64_t number;
	struct caller_ear ear;
	raft_index saved;
};

/* Until a message of the core has come. */
static const struct raft_msg *hear_core(struct stalled *s)
{
	struct bytes body;

	assert_true(caller_hears(&s->ear, WIRE_CORE, &body));
	assert_int_equal(wire_decode(body, WIRE_CORE, &message), 0);
	return &message.core;
}

/* Yes, to what was heard last. */
static void say_core(struct stalled *s)
{
	const struct raft_msg *m = &message.core;
	struct raft_msg reply = {.from = m->to, .to = m->from, .term = m->term};
	struct buffer body = {0};

	switch (m->kind) {
	case RAFT_PREVOTE:
		reply.kind = RAFT_PREVOTE_REPLY;
		break;
	case RAFT_VOTE:
		reply.kind = RAFT_VOTE_REPLY;
		break;
	default:
		assert_int_equal(m->kind, RAFT_APPEND);
		reply.kind = RAFT_APPEND_REPLY;
		reply.pos.index = m->last < s->saved ? m->last : s->saved;
		reply.last = m->last;
		reply.round = m->round;
	}
	wire_encode_core(&body, &reply, NULL, 0);
	caller_say_frame(s->fd, &s->number, WIRE_CORE, &body);
}

/* The vote of n3 makes it one, and the disk of n3 keeps its first entry from
 * being committed. */
static struct stalled GIVEN_NEW_LEADER(struct kit *kit) {
	struct kit_node *old = GIVEN_N3_BY_HAND(kit);
	struct kit_node *k = other_than(kit, old);
	struct stalled s = {.fd = GIVEN_CALL(kit, k, 1), .number = 1};

	s.ear = GIVEN_EAR(kit, k);
	kit_stop(old);
	while (hear_core(&s)->kind != RAFT_APPEND) {
		say_core(&s);
	}
	s.saved = message.core.pos.index;
	say_core(&s);
	return s;
}

/* X1: what an earlier leader began of it may be in other logs, and be committed
 * yet. Its log says nothing about that before it has committed an entry. */
static void
a_new_leader_refuses_nothing_before_its_first_commit(void **state)
{
	struct kit *kit = *state;
	struct stalled n3 = GIVEN_NEW_LEADER(kit);

	ask_to_remove(n3.fd, n3.number++, 5, 0, "n9");
	ask_to_remove(n3.fd, n3.number++, 6, 1, "n9");
	for (int heartbeat = 0; heartbeat < 5; heartbeat++) {
		hear_core(&n3); /* an answer before it would be missed below */
		say_core(&n3);
	}
	n3.saved = UINT64_MAX;
	hear_core(&n3);
	say_core(&n3);

	assert_int_equal(hear_answer(&n3.ear)->ticket, 5);
	assert_int_equal(message.changed.status, STATUS_NOT_FOUND);
	assert_int_equal(hear_answer(&n3.ear)->ticket, 6);
	assert_int_equal(message.changed.status, 0);
	caller_ends(&n3.ear);
	close(n3.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_TWO, a_learner_that_is_down_is_not_promoted),
		KIT_TEST(GIVEN_THREE, a_name_is_not_bound_to_who_was_cut_off),
		KIT_TEST(GIVEN_THREE, leadership_does_not_go_to_who_is_silent),
		KIT_TEST(GIVEN_THREE,
			 who_asked_for_a_transfer_is_told_that_it_failed),
		KIT_TEST(GIVEN_THREE,
			 a_removal_that_leaves_a_silent_majority_is_refused),
		KIT_TEST(GIVEN_THREE, who_asks_again_is_answered_once),
		KIT_TEST(GIVEN_THREE,
			 what_an_earlier_start_asked_for_is_forgotten),
		KIT_TEST(GIVEN_THREE,
			 an_answer_to_an_earlier_question_is_not_taken),
		KIT_TEST(GIVEN_THREE,
			 a_new_leader_refuses_nothing_before_its_first_commit),
		KIT_TEST(GIVEN_THREE,
			 what_is_done_is_not_seen_in_an_earlier_configuration),
	};

	return cmocka_run_group_tests_name("raft/node/lead", tests, NULL, NULL);
}
