/* SPDX-License-Identifier: Apache-2.0 */
/* Who leads, who may, and who stops (Raft 5.2, thesis 6.2, 9.6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/solo.h"

#define LOG(...) ((const raft_term[]){__VA_ARGS__, 0})
#define EMPTY ((const raft_term[]){0})

static struct solo s;

static struct raft_msg vote(raft_id from, raft_term term)
{
	return (struct raft_msg){
		.kind = RAFT_VOTE, .from = from, .term = term, .pos = {9, 9}};
}

/* Timeouts are drawn from [election_ms, 2 * election_ms). */
static void timeouts_lie_between_one_and_two_election_times(void **state)
{
	raft_ms least = UINT64_MAX, most = 0, timeout;
	int i;
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	for (i = 0; i < 2000; i++) {
		s.now = raft_deadline(s.core);
		solo_clock(&s, 0);
		timeout = raft_deadline(s.core) - s.now;
		least = timeout < least ? timeout : least;
		most = timeout > most ? timeout : most;
	}

	assert_in_range(least, 600, 610);
	assert_in_range(most, 1190, 1199);
	assert_int_equal(solo_status(&s).term, 1); /* pre-votes only */
	solo_deinit(&s);
}

static void a_promise_outlives_a_change_of_term(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 0, EMPTY);
	solo_append(&s, 2, (struct raft_pos){0, 0}, 0, EMPTY);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 5,
					.reject = true});
	assert_int_equal(solo_status(&s).leader, 0);
	solo_recv(&s, vote(3, 6));

	assert_true(solo_sent(&s, RAFT_VOTE_REPLY, 3, 0)->send.reject);
	assert_int_equal(solo_status(&s).term, 5);
	solo_recv(&s, vote(2, 6)); /* the leader itself may ask */
	assert_false(solo_sent(&s, RAFT_VOTE_REPLY, 2, 0)->send.reject);
	solo_deinit(&s);
}

static void a_grant_waits_for_its_save(void **state)
{
	const struct raft_act *save, *reply;
	raft_seq seq;
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	solo_recv(&s, vote(3, 4));

	save = solo_act(&s, RAFT_DO_SAVE, 0);
	assert_int_equal(save->save.hard.term, 4);
	assert_int_equal(save->save.hard.vote, 3);
	seq = save->save.seq;
	reply = solo_sent(&s, RAFT_VOTE_REPLY, 3, 0);
	assert_false(reply->send.reject);
	assert_int_equal(reply->after, seq);

	solo_recv(&s, vote(3, 4)); /* asked again: the same, saved or not */
	reply = solo_sent(&s, RAFT_VOTE_REPLY, 3, 0);
	assert_false(reply->send.reject);
	assert_int_equal(reply->after, seq);
	solo_deinit(&s);
}

static void a_leader_resigns_when_its_quorum_is_silent(void **state)
{
	raft_ms since;
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	solo_lead(&s);
	since = s.now;
	while (solo_status(&s).role == RAFT_LEADER) {
		assert_true(s.now < since + 600);
		s.now = raft_deadline(s.core);
		solo_clock(&s, 0);
	}

	assert_int_equal(s.now, since + 600);
	assert_int_equal(solo_act(&s, RAFT_DO_ROLE, 0)->role.reason,
			 RAFT_BECAUSE_NO_QUORUM);
	assert_null(solo_sent(&s, RAFT_APPEND, 2, 0));
	solo_deinit(&s);
}

static void a_paused_leader_takes_no_proposal(void **state)
{
	const uint32_t size = 1;
	struct raft_event ev = {.kind = RAFT_EV_PROPOSE};
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	solo_lead(&s);
	ev.propose.sizes = &size;
	ev.propose.count = 1;
	s.now += 600;

	assert_int_equal(solo_step(&s, ev), STATUS_NOT_LEADER);
	assert_null(solo_act(&s, RAFT_DO_SAVE, 0));
	solo_deinit(&s);
}

static void a_stalled_disk_grants_no_prevote_and_does_not_stand(void **state)
{
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	solo_append(&s, 2, (struct raft_pos){0, 0}, 0, EMPTY);
	solo_clock(&s, 4000);
	assert_true(solo_status(&s).disk_stalled);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_PREVOTE,
					.from = 3,
					.term = 9,
					.pos = {9, 9}});

	assert_true(solo_sent(&s, RAFT_PREVOTE_REPLY, 3, 0)->send.reject);
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	solo_saved(&s, 1);
	assert_false(solo_status(&s).disk_stalled);
	solo_deinit(&s);
}

/* Row 13: it may be a member that does not know it yet. */
static void an_observer_votes_and_follows_but_does_not_stand(void **state)
{
	struct raft_boot boot = {.now = 1000, .fresh = true};
	const struct raft_act *reply;
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	boot.members.voter_count = 2;
	boot.members.voters[0] = 2;
	boot.members.voters[1] = 3;
	s.core = raft_init(s.core, &s.config, &boot);
	solo_recv(&s, vote(3, 4));
	reply = solo_sent(&s, RAFT_VOTE_REPLY, 3, 0);
	assert_false(reply->send.reject);
	assert_int_equal(reply->after, 1);
	solo_append(&s, 4, (struct raft_pos){0, 0}, 0, LOG(4));
	reply = solo_sent(&s, RAFT_APPEND_REPLY, 2, 1);
	assert_int_equal(reply->send.pos.index, 1);

	assert_int_equal(solo_status(&s).leader, 2);
	solo_saved(&s, 2);
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	assert_int_equal(solo_status(&s).leader, 0); /* lost, but no more */
	assert_true(raft_deadline(s.core) == UINT64_MAX);
	solo_deinit(&s);
}

/* A grant, an acknowledgement, a read of somebody who is no member. */
static void answers_of_strangers_do_not_count(void **state)
{
	const enum raft_msg_kind kinds[] = {RAFT_PREVOTE_REPLY, RAFT_VOTE_REPLY,
					    RAFT_APPEND_REPLY, RAFT_READ,
					    RAFT_READ_REPLY};
	size_t i;
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	for (i = 0; i < COUNT_OF(kinds); i++)
		solo_recv(&s, (struct raft_msg){.kind = kinds[i],
						.from = 9,
						.term = 4,
						.pos.term = 7,
						.reject = true});

	assert_int_equal(s.out.count, 0);
	assert_int_equal(solo_status(&s).term, 1);
	assert_int_equal(solo_status(&s).counters.messages_ignored, i);
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			timeouts_lie_between_one_and_two_election_times),
		cmocka_unit_test(a_promise_outlives_a_change_of_term),
		cmocka_unit_test(a_grant_waits_for_its_save),
		cmocka_unit_test(a_leader_resigns_when_its_quorum_is_silent),
		cmocka_unit_test(a_paused_leader_takes_no_proposal),
		cmocka_unit_test(
			a_stalled_disk_grants_no_prevote_and_does_not_stand),
		cmocka_unit_test(
			an_observer_votes_and_follows_but_does_not_stand),
		cmocka_unit_test(answers_of_strangers_do_not_count),
	};

	return cmocka_run_group_tests_name("raft/election", tests, NULL, NULL);
}
