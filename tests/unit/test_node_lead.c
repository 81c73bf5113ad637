/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a leader refuses what can not be done, as soon as it knows, and
 * whoever asked is told why; it replaces whoever has just ended, and takes back
 * an invitation without the member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "raft/node/clock.h"
#include "tests/lib/caller.h"
#include "tests/lib/nodetest.h"

/* Far from the 10 s after which a change is given up. */
enum { SOON_MS = 10 * KIT_ELECTION_MS };

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
	struct buffer hello = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	kit_stop(k);
	leader = kit_leader(kit);
	fd = caller_dial(leader);
	caller_hello(k, leader, &hello);
	caller_say(fd, buffer_bytes(&hello));
	assert_int_equal(
		kit_change(leader, NODE_REMOVE, "n3", NULL, NULL, false), 0);
	assert_int_equal(
		kit_change(leader, NODE_ADD, "n3", NULL, k->address, false), 0);
	assert_true(caller_is_closed(fd)); /* and called again by nobody */

	kit_wipe(k);
	k->join = leader->address;
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:voter n3:voter"));
	buffer_deinit(&hello);
}

/* --- Handing over ------------------------------------------------------------
 */

static bool hears(const struct node_status *status, uint64_t voters)
{
	return status->raft.role == RAFT_LEADER &&
	       status->raft.voters_heard == voters;
}

/* Nothing new is taken while the leadership is on its way to nobody. */
static void leadership_does_not_go_to_who_is_silent(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_CLUSTER(kit);
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
	assert_true(quickest < 2 * (raft_ms)KIT_ELECTION_MS);
	assert_ptr_equal(kit_leader(kit), leader);
}

/* It was heard a moment ago, so the transfer begins, and comes to nothing. */
static void who_asked_for_a_transfer_is_told_that_it_failed(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_CLUSTER(kit);
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
	struct kit_node *leader = GIVEN_CLUSTER(kit);
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
	assert_true(clock_ms() - asked >= 2 * (raft_ms)KIT_ELECTION_MS);
	assert_int_equal(kit_change(leader, NODE_REMOVE, silent->name, NULL,
				    NULL, false),
			 0);

	kit_propose(alive, 0, 100, 100);
	assert_true(kit_await(alive, 100));
	assert_true(kit_await(leader, 100));
}

/* --- Replacing, and invitations
 * -----------------------------------------------
 */

#define THREE "n1:voter n2:voter n3:voter"

static int replace(struct kit_node *by, const struct kit_node *old,
		   const struct kit_node *k)
{
	return kit_change(by, NODE_REPLACE, k->name, old->name, k->address,
			  false);
}

static int take_away(struct kit_node *by, const char *name)
{
	return kit_change(by, NODE_REMOVE, name, NULL, NULL, false);
}

static void assert_runs(struct kit_node *by, const struct kit_node *k)
{
	char line[96];

	assert_int_equal(replace(by, k, k), STATUS_BUSY);
	(void)snprintf(line, sizeof line,
		       "%s is running and answers: stop it first, or remove it",
		       k->name);
	assert_string_equal(by->change_text, line);
}

/* n3 was invited in its own place, and has come back with all its data. */
static struct kit_node *GIVEN_INVITED_AND_RUNNING(struct kit *kit)
{
	struct kit_node *k = &kit->nodes[2];

	GIVEN_CLUSTER(kit);
	kit_stop(k);
	assert_int_equal(replace(kit_leader(kit), k, k), 0);
	kit_start(k);
	for (size_t i = 0; i < 3; i++) {
		assert_true(kit_await_members(
			&kit->nodes[i],
			"n1:voter n2:voter n3:voter n3:invited"));
	}
	return k;
}

static void who_runs_is_not_replaced_under_its_name(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_CLUSTER(kit);
	struct kit_node *other = other_than(kit, leader);

	assert_runs(leader, leader);
	assert_runs(other, leader);
	assert_runs(leader, other);
	assert_runs(other, other);

	assert_true(kit_await_members(leader, THREE));
	assert_true(kit_await_members(other, THREE));
}

static void a_learner_that_runs_is_not_replaced_either(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_LEARNER(kit);
	struct kit_node *k = &kit->nodes[1];

	assert_runs(first, k);

	kit_stop(k);
	kit_wipe(k);
	assert_int_equal(replace(first, k, k), 0);
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:learner"));
}

/* Heard a moment ago, as one that was killed; the leader's link is up, as to a
 * machine that has lost its power. */
static void who_has_just_ended_is_replaced(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct kit_node *leader;
	struct buffer hello = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	kit_stop(k);
	leader = kit_leader(kit);
	fd = caller_dial(leader);
	caller_hello(k, leader, &hello);
	caller_say(fd, buffer_bytes(&hello));
	kit_wipe(k);

	assert_int_equal(replace(leader, k, k), 0);

	k->join = leader->address;
	kit_start(k);
	assert_true(kit_await_members(k, THREE));
	close(fd);
	buffer_deinit(&hello);
}

/* It goes when the other one has come: no vote is missed on the way. */
static void who_runs_may_be_replaced_by_another_name(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = &kit->nodes[0];
	struct kit_node *old = &kit->nodes[1];
	struct kit_node *k = &kit->nodes[2];

	first->alone = true;
	kit_start(first);
	assert_true(kit_await_members(first, "n1:voter"));
	assert_int_equal(kit_change(first, NODE_ADD, "n2", NULL, old->address,
				    false),
			 0);
	old->join = k->join = first->address;
	kit_start(old);
	assert_true(kit_await_members(old, "n1:voter n2:voter"));

	assert_int_equal(replace(first, old, k), 0);

	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n3:voter"));
	assert_true(kit_await_failed(old, "was removed"));
}

static void an_invitation_is_taken_back_without_the_member(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = GIVEN_INVITED_AND_RUNNING(kit);
	struct kit_node *leader = kit_leader(kit);

	assert_int_equal(take_away(other_than(kit, leader), "n3"), 0);
	assert_string_equal(
		other_than(kit, leader)->change_text,
		"the invitation of n3 is taken back; n3 itself stays a voter, "
		"which the same command removes");
	assert_true(kit_await_members(leader, THREE));
	assert_true(kit_await_members(k, THREE));
	kit_propose(k, 0, 10, 100);
	assert_all_have(kit, 10);

	assert_int_equal(take_away(&kit->nodes[0], "n3"), 0);
	assert_string_equal(kit->nodes[0].change_text, "n3 is removed");
	assert_true(kit_await_failed(k, "was removed"));
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
		KIT_TEST(GIVEN_THREE, who_runs_is_not_replaced_under_its_name),
		KIT_TEST(GIVEN_TWO, a_learner_that_runs_is_not_replaced_either),
		KIT_TEST(GIVEN_THREE, who_has_just_ended_is_replaced),
		KIT_TEST(GIVEN_THREE, who_runs_may_be_replaced_by_another_name),
		KIT_TEST(GIVEN_THREE,
			 an_invitation_is_taken_back_without_the_member),
	};

	return cmocka_run_group_tests_name("raft/node/lead", tests, NULL, NULL);
}
