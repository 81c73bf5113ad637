/* SPDX-License-Identifier: Apache-2.0 */
/* Who has lost its log does not vote, until it has all again that may rest on
 * what it once acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/solo.h"

#define LOG(...) ((const raft_term[]){__VA_ARGS__, 0})
#define EMPTY ((const raft_term[]){0})

enum { NUMBER = 77 };

static struct solo s;

/* Node 1 of three begins its repair NUMBER in T5, in which it voted for 3. */
static void given_loss(void)
{
	struct raft_boot boot = {
		.hard = {.term = 5, .vote = 3},
		.members = {.voter_count = 3, .voters = {1, 2, 3}},
		.repair = NUMBER,
	};

	solo_init(&s, 3, 1, 0, EMPTY);
	boot.now = s.now;
	s.core = raft_init(s.core, &s.config, &boot);
}

static void ask(enum raft_msg_kind kind, raft_term term, bool transfer)
{
	solo_recv(&s, (struct raft_msg){.kind = kind,
					.from = 2,
					.term = term,
					.pos = {.term = 5, .index = 9},
					.transfer = transfer});
}

/* A heartbeat, or one entry of T6 after `before`. */
static void append(raft_index before, bool entry, uint64_t repair,
		   raft_index proof)
{
	static const uint32_t size = 10;
	struct raft_run run = {.term = 6, .last = before + 1};
	struct raft_event ev = {.kind = RAFT_EV_RECV};

	ev.recv.msg = (struct raft_msg){
		.kind = RAFT_APPEND,
		.from = 2,
		.to = 1,
		.term = 6,
		.pos = {.term = before > 0 ? 6 : 0, .index = before},
		.last = before + (entry ? 1 : 0),
		.repair = repair,
		.proof = proof,
	};
	ev.recv.runs = &run;
	ev.recv.run_count = entry ? 1 : 0;
	ev.recv.sizes = &size;
	solo_step(&s, ev);
}

static void save_newest(void)
{
	const struct raft_act *act = solo_act(&s, RAFT_DO_SAVE, 0);

	assert_non_null(act);
	solo_saved(&s, act->save.seq);
}

static void it_grants_nothing_and_does_not_stand(void **state)
{
	(void)state;

	given_loss();
	solo_clock(&s, 10 * (raft_ms)s.config.election_ms);
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	assert_int_equal(solo_status(&s).counters.elections_started, 0);
	ask(RAFT_PREVOTE, 9, false);
	assert_true(solo_sent(&s, RAFT_PREVOTE_REPLY, 2, 0)->send.reject);
	ask(RAFT_VOTE, 9, false);
	assert_true(solo_sent(&s, RAFT_VOTE_REPLY, 2, 0)->send.reject);
	ask(RAFT_VOTE, 9, true); /* its leader would have it, too */
	assert_true(solo_sent(&s, RAFT_VOTE_REPLY, 2, 0)->send.reject);
	assert_int_equal(solo_status(&s).term, 5);
	assert_true(solo_status(&s).repairing);
	solo_deinit(&s);
}

static void the_only_voter_does_not_stand_either(void **state)
{
	struct raft_boot boot = {
		.hard = {.term = 5, .vote = 1},
		.members = {.voter_count = 1, .voters = {1}},
		.repair = NUMBER,
	};
	(void)state;

	solo_init(&s, 1, 1, 0, EMPTY);
	boot.now = s.now;
	s.core = raft_init(s.core, &s.config, &boot);
	solo_clock(&s, 10 * (raft_ms)s.config.election_ms);
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	assert_int_equal(solo_status(&s).term, 5);
	solo_deinit(&s);
}

static void leaders_of_lower_terms_repair_nothing(void **state)
{
	(void)state;

	given_loss();
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND,
					.from = 2,
					.term = 4,
					.repair = NUMBER});
	assert_true(solo_sent(&s, RAFT_APPEND_REPLY, 2, 0)->send.reject);
	assert_true(solo_status(&s).repairing);
	solo_deinit(&s);
}

static void row_45_it_is_whole_with_the_proof_on_disk(void **state)
{
	(void)state;

	given_loss();
	append(0, true, NUMBER, 2);
	assert_int_equal(solo_status(&s).proof, 2);
	save_newest();
	append(1, true, NUMBER, 2);
	assert_true(solo_status(&s).repairing); /* not durable yet */
	append(2, false, NUMBER, 2);
	assert_true(solo_status(&s).repairing);
	append(1, true, NUMBER, 2);
	solo_saved(&s, 2);
	append(2, false, NUMBER, 2);
	assert_false(solo_status(&s).repairing);
	assert_int_equal(solo_sent(&s, RAFT_APPEND_REPLY, 2, 0)->send.repair,
			 0);

	solo_clock(&s, 10 * (raft_ms)s.config.election_ms);
	assert_int_equal(solo_status(&s).role, RAFT_PRECANDIDATE);
	solo_deinit(&s);
}

static void a_proof_for_another_life_proves_nothing(void **state)
{
	(void)state;

	given_loss();
	append(0, true, 0, 0);
	save_newest();
	append(1, false, NUMBER - 1, 1);
	assert_true(solo_status(&s).repairing);
	assert_int_equal(solo_sent(&s, RAFT_APPEND_REPLY, 2, 0)->send.repair,
			 NUMBER);
	append(1, false, NUMBER, 1);
	assert_false(solo_status(&s).repairing);
	solo_deinit(&s);
}

/* --- The leader's side --------------------------------------------------- */

static void reply(raft_id from, raft_index match, uint64_t repair, bool reject)
{
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = from,
					.term = solo_status(&s).term,
					.pos.index = reject ? 0 : match,
					.last = match,
					.reject = reject,
					.repair = repair,
					.round = 1});
}

static struct raft_peer_status peer(raft_id id)
{
	struct raft_peer_status p = {.id = 0};

	assert_int_equal(raft_peer(s.core, id, &p), 0);
	return p;
}

static raft_seq propose(void)
{
	static const uint32_t size = 10;
	struct raft_event ev = {.kind = RAFT_EV_PROPOSE};

	ev.propose.sizes = &size;
	ev.propose.count = 1;
	assert_int_equal(solo_step(&s, ev), 0);
	return solo_act(&s, RAFT_DO_SAVE, 0)->save.seq;
}

static void what_it_had_counts_no_more(void **state)
{
	raft_seq save;
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	solo_lead(&s);	  /* entry 2 */
	save = propose(); /* 3, not saved here yet */
	reply(2, 3, 0, false);
	assert_int_equal(solo_status(&s).commit, 2);
	reply(2, 3, NUMBER, true); /* it has lost it ... */
	assert_true(peer(2).repairing);
	assert_int_equal(peer(2).match, 0);
	reply(3, 3, 0, false);
	assert_int_equal(solo_status(&s).commit, 2); /* ... so one has it */
	solo_saved(&s, save);
	assert_int_equal(solo_status(&s).commit, 3);
	reply(2, 3, NUMBER, false); /* there once more */
	assert_int_equal(peer(2).match, 3);
	reply(2, 3, 0, false);
	assert_false(peer(2).repairing);
	assert_int_equal(peer(2).match, 3);
	solo_deinit(&s);
}

static void the_proof_is_the_log_as_of_the_first_word(void **state)
{
	const struct raft_act *act;
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	solo_lead(&s); /* entry 2 */
	reply(3, 2, 0, false);
	reply(2, 2, NUMBER, true);
	(void)propose(); /* 3 is not part of it */
	reply(2, 1, NUMBER, false);
	act = solo_sent(&s, RAFT_APPEND, 2, 0);
	assert_non_null(act);
	assert_int_equal(act->send.repair, NUMBER);
	assert_int_equal(act->send.proof, 2);

	reply(2, 2, NUMBER + 1, true); /* it has been lost again */
	act = solo_sent(&s, RAFT_APPEND, 2, 0);
	assert_non_null(act);
	assert_int_equal(act->send.repair, NUMBER + 1);
	assert_int_equal(act->send.proof, 3);
	solo_deinit(&s);
}

static void nobody_hands_over_to_it(void **state)
{
	struct raft_event ev = {.kind = RAFT_EV_TRANSFER};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	solo_lead(&s);
	reply(3, 1, 0, false);
	reply(2, 2, NUMBER, false); /* it has more, and is no better for it */
	ev.transfer.target = 2;
	assert_int_equal(solo_step(&s, ev), STATUS_NOT_FOUND);
	ev.transfer.target = 0;
	assert_int_equal(solo_step(&s, ev), 0);
	assert_int_equal(solo_status(&s).transfer_target, 3);
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grants_nothing_and_does_not_stand),
		cmocka_unit_test(the_only_voter_does_not_stand_either),
		cmocka_unit_test(leaders_of_lower_terms_repair_nothing),
		cmocka_unit_test(row_45_it_is_whole_with_the_proof_on_disk),
		cmocka_unit_test(a_proof_for_another_life_proves_nothing),
		cmocka_unit_test(what_it_had_counts_no_more),
		cmocka_unit_test(the_proof_is_the_log_as_of_the_first_word),
		cmocka_unit_test(nobody_hands_over_to_it),
	};

	return cmocka_run_group_tests_name("raft/repair", tests, NULL, NULL);
}
