/* SPDX-License-Identifier: Apache-2.0 */
/* Reads are answered once each, and never from the past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/solo.h"

#define LOG(...) ((const raft_term[]){__VA_ARGS__, 0})
#define EMPTY ((const raft_term[]){0})

static struct solo s;

static int read_one(uint64_t ticket, bool lease)
{
	struct raft_event ev = {.kind = RAFT_EV_READ};

	ev.read.ticket = ticket;
	ev.read.lease = lease;
	return solo_step(&s, ev);
}

static void acknowledge(uint64_t round, raft_index match)
{
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 2,
					.term = solo_status(&s).term,
					.pos.index = match,
					.last = match,
					.round = round});
}

/* Node 1 leads three voters in T2; its log is (1,1) (2,2). */
static void given_leader(void)
{
	solo_init(&s, 3, 1, 0, LOG(1));
	solo_lead(&s);
}

static void given_follower(void)
{
	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, (struct raft_pos){1, 1}, 1, EMPTY);
}

static void no_leader_no_read(void **state)
{
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));

	assert_int_equal(read_one(1, true), STATUS_NOT_LEADER);
	solo_deinit(&s);
}

static void reads_gather_for_the_next_round(void **state)
{
	const struct raft_act *act;
	(void)state;

	given_leader();
	acknowledge(1, 2);
	assert_int_equal(read_one(1, false), 0);
	assert_int_equal(solo_sent(&s, RAFT_APPEND, 2, 0)->send.round, 2);
	assert_int_equal(read_one(2, false), 0); /* 2 is under way */
	assert_null(solo_sent(&s, RAFT_APPEND, 2, 0));
	assert_int_equal(read_one(3, false), 0);

	acknowledge(2, 2);
	act = solo_act(&s, RAFT_DO_READ, 0);
	assert_int_equal(act->read.ticket, 1);
	assert_int_equal(act->read.index, 2);
	assert_null(solo_act(&s, RAFT_DO_READ, 1));
	assert_int_equal(solo_sent(&s, RAFT_APPEND, 2, 0)->send.round, 3);

	acknowledge(3, 2);
	assert_int_equal(solo_act(&s, RAFT_DO_READ, 0)->read.ticket, 2);
	assert_int_equal(solo_act(&s, RAFT_DO_READ, 1)->read.ticket, 3);
	solo_deinit(&s);
}

static void the_lease_answers_at_once_but_never_a_strict_read(void **state)
{
	const struct raft_act *act;
	(void)state;

	given_leader();
	acknowledge(1, 2);

	assert_int_equal(read_one(1, true), 0);
	act = solo_act(&s, RAFT_DO_READ, 0);
	assert_int_equal(act->read.status, 0);
	assert_int_equal(act->read.index, 2);
	assert_int_equal(read_one(2, false), 0);
	assert_null(solo_act(&s, RAFT_DO_READ, 0));
	solo_deinit(&s);
}

static void the_lease_ends_exactly(void **state)
{
	raft_ms until;
	(void)state;

	given_leader();
	acknowledge(1, 2);
	until = solo_status(&s).lease_until;
	assert_true(until > s.now && until <= s.now + 500);

	s.now = until - 1;
	read_one(1, true);
	assert_non_null(solo_act(&s, RAFT_DO_READ, 0));
	s.now = until;
	read_one(2, true);
	assert_null(solo_act(&s, RAFT_DO_READ, 0));
	solo_deinit(&s);
}

static void a_lone_voter_always_has_the_lease(void **state)
{
	(void)state;

	solo_init(&s, 1, 1, 0, LOG(1));
	solo_clock(&s, 0);
	solo_saved(&s, 1);
	assert_int_equal(solo_status(&s).lease_until, 0);
	solo_saved(&s, 2);

	assert_true(solo_status(&s).lease_until == UINT64_MAX);
	read_one(1, false);
	assert_int_equal(solo_act(&s, RAFT_DO_READ, 0)->read.index, 2);
	solo_deinit(&s);
}

static void lost_leadership_answers_every_read(void **state)
{
	size_t i;
	(void)state;

	given_leader();
	acknowledge(1, 2);
	for (i = 0; i < LIMIT_READS; i++)
		assert_int_equal(read_one(i, false), 0);
	assert_int_equal(read_one(99, false), STATUS_FULL);
	solo_recv(&s,
		  (struct raft_msg){
			  .kind = RAFT_READ, .from = 3, .term = 2, .round = 7});
	solo_clock(&s, 700);

	for (i = 0; i < LIMIT_READS; i++)
		assert_int_equal(solo_act(&s, RAFT_DO_READ, i)->read.status,
				 STATUS_NO_QUORUM);
	assert_null(solo_act(&s, RAFT_DO_READ, i));
	assert_true(solo_sent(&s, RAFT_READ_REPLY, 3, 0)->send.reject);
	solo_deinit(&s);
}

static void a_follower_asks_once_for_all_that_gathered(void **state)
{
	struct raft_msg reply = {
		.kind = RAFT_READ_REPLY, .from = 2, .term = 2, .pos.index = 1};
	const struct raft_act *ask;
	(void)state;

	given_follower();
	read_one(1, true);
	ask = solo_sent(&s, RAFT_READ, 2, 0);
	assert_true(ask->send.lease);
	reply.round = ask->send.round;
	read_one(2, true);
	assert_null(solo_sent(&s, RAFT_READ, 2, 0));
	read_one(3, false);

	solo_recv(&s, reply);
	assert_int_equal(solo_act(&s, RAFT_DO_READ, 0)->read.ticket, 1);
	assert_null(solo_act(&s, RAFT_DO_READ, 1));
	ask = solo_sent(&s, RAFT_READ, 2, 0);
	assert_false(ask->send.lease); /* one of them is strict */

	solo_recv(&s, reply); /* a copy of the old answer */
	assert_null(solo_act(&s, RAFT_DO_READ, 0));
	solo_deinit(&s);
}

static void a_follower_repeats_a_lost_request(void **state)
{
	uint64_t number;
	(void)state;

	given_follower();
	read_one(1, false);
	number = solo_sent(&s, RAFT_READ, 2, 0)->send.round;
	assert_int_equal(raft_deadline(s.core), s.now + 100);
	solo_clock(&s, 99);
	assert_null(solo_sent(&s, RAFT_READ, 2, 0));
	solo_clock(&s, 1);

	assert_true(solo_sent(&s, RAFT_READ, 2, 0)->send.round == number);
	solo_deinit(&s);
}

static void another_leader_ends_a_followers_reads(void **state)
{
	const struct raft_act *act;
	(void)state;

	given_follower();
	read_one(1, false);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND,
					.from = 3,
					.term = 3,
					.pos = {1, 1},
					.last = 1});

	act = solo_act(&s, RAFT_DO_READ, 0);
	assert_int_equal(act->read.status, STATUS_NOT_LEADER);
	assert_null(solo_act(&s, RAFT_DO_READ, 1));
	solo_deinit(&s);
}

static void a_repeated_request_is_held_once(void **state)
{
	const struct raft_msg ask = {
		.kind = RAFT_READ, .from = 3, .term = 2, .round = 7};
	(void)state;

	given_leader();
	acknowledge(1, 2);
	solo_recv(&s, ask);
	assert_int_equal(solo_sent(&s, RAFT_APPEND, 2, 0)->send.round, 2);
	solo_recv(&s, ask);
	acknowledge(2, 2);

	assert_int_equal(solo_sent(&s, RAFT_READ_REPLY, 3, 0)->send.round, 7);
	assert_null(solo_sent(&s, RAFT_READ_REPLY, 3, 1));
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_leader_no_read),
		cmocka_unit_test(reads_gather_for_the_next_round),
		cmocka_unit_test(
			the_lease_answers_at_once_but_never_a_strict_read),
		cmocka_unit_test(the_lease_ends_exactly),
		cmocka_unit_test(a_lone_voter_always_has_the_lease),
		cmocka_unit_test(lost_leadership_answers_every_read),
		cmocka_unit_test(a_follower_asks_once_for_all_that_gathered),
		cmocka_unit_test(a_follower_repeats_a_lost_request),
		cmocka_unit_test(another_leader_ends_a_followers_reads),
		cmocka_unit_test(a_repeated_request_is_held_once),
	};

	return cmocka_run_group_tests_name("raft/read", tests, NULL, NULL);
}
