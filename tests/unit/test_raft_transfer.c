/* SPDX-License-Identifier: Apache-2.0 */
/* A leader hands over to whom it chooses, and is never stuck in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/solo.h"

#define LOG(...) ((const raft_term[]){__VA_ARGS__, 0})
#define EMPTY ((const raft_term[]){0})

static struct solo s;

static int transfer(raft_id target)
{
	struct raft_event ev = {.kind = RAFT_EV_TRANSFER};

	ev.transfer.target = target;
	return solo_step(&s, ev);
}

static int propose(void)
{
	static const uint32_t size = 10;
	struct raft_event ev = {.kind = RAFT_EV_PROPOSE};

	ev.propose.sizes = &size;
	ev.propose.count = 1;
	return solo_step(&s, ev);
}

static void acknowledge(raft_id from, raft_index match)
{
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = from,
					.term = solo_status(&s).term,
					.pos.index = match,
					.last = match,
					.round = 1});
}

static void save_newest(void)
{
	solo_saved(&s, solo_act(&s, RAFT_DO_SAVE, 0)->save.seq);
}

/* Node 1 leads nodes 1, 2, 3 in T2; its log ends at 2, which 2 has. */
static void given_leader(void)
{
	solo_init(&s, 3, 1, 1, LOG(1));
	solo_lead(&s);
	acknowledge(2, 2);
}

static void timeout_now(raft_id from, raft_term term)
{
	solo_recv(&s, (struct raft_msg){.kind = RAFT_TIMEOUT_NOW,
					.from = from,
					.term = term});
}

static void the_target_is_told_once_it_has_everything(void **state)
{
	(void)state;

	given_leader();
	assert_int_equal(transfer(3), 0);
	assert_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 3, 0));
	assert_int_equal(solo_status(&s).transfer_target, 3);
	assert_true(solo_status(&s).lease_until > s.now);
	acknowledge(3, 2);
	assert_non_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 3, 0));

	assert_int_equal(solo_status(&s).lease_until, 0);
	acknowledge(3, 2);
	assert_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 3, 0)); /* once */
	solo_deinit(&s);
}

static void the_best_is_who_has_most(void **state)
{
	(void)state;

	given_leader();
	assert_int_equal(transfer(0), 0);

	assert_non_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 2, 0));
	solo_deinit(&s);
}

static void the_best_is_heard(void **state)
{
	(void)state;

	given_leader();
	acknowledge(3, 1);
	solo_clock(&s, 599);
	acknowledge(3, 1); /* less, but there */
	solo_clock(&s, 100);
	assert_int_equal(transfer(0), 0);

	assert_int_equal(solo_status(&s).transfer_target, 3);
	solo_deinit(&s);
}

static void nothing_new_is_taken_meanwhile(void **state)
{
	struct raft_event change = {.kind = RAFT_EV_CHANGE};
	const struct raft_members same = {.voter_count = 3,
					  .voters = {1, 2, 3}};
	struct raft_event read = {.kind = RAFT_EV_READ};
	(void)state;

	given_leader();
	transfer(3);
	assert_int_equal(propose(), STATUS_PENDING);
	assert_int_equal(transfer(2), STATUS_PENDING);
	change.change.members = &same;
	assert_int_equal(solo_step(&s, change), STATUS_PENDING);
	assert_int_equal(solo_step(&s, read), 0);

	assert_null(solo_act(&s, RAFT_DO_SAVE, 0));
	solo_deinit(&s);
}

static void refusals_say_why(void **state)
{
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	assert_int_equal(transfer(2), STATUS_NOT_LEADER);
	solo_lead(&s);
	assert_int_equal(transfer(2), STATUS_NOT_READY);
	acknowledge(2, 2);
	assert_int_equal(transfer(1), STATUS_NOT_FOUND);
	assert_int_equal(transfer(9), STATUS_NOT_FOUND);
	solo_deinit(&s);

	solo_init(&s, 1, 1, 0, LOG(1));
	solo_clock(&s, 0);
	solo_saved(&s, 1);
	solo_saved(&s, 2);
	assert_int_equal(transfer(0), STATUS_NOT_FOUND);
	solo_deinit(&s);
}

/* One that ends while it is joint hands over as any other does: its successor
 * needs both majorities, and leaves the joint configuration. */
static void a_joint_configuration_is_handed_over(void **state)
{
	struct raft_event change = {.kind = RAFT_EV_CHANGE};
	const struct raft_members next = {
		.voter_count = 2,
		.voters = {1, 2},
		.outgoing_count = 3,
		.outgoing = {1, 2, 3},
	};
	(void)state;

	given_leader();
	acknowledge(3, 2);
	change.change.members = &next;
	assert_int_equal(solo_step(&s, change), 0);
	save_newest();
	assert_int_equal(transfer(3), STATUS_NOT_FOUND); /* it goes */
	assert_int_equal(transfer(0), 0);
	assert_int_equal(solo_status(&s).transfer_target, 2);
	assert_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 2, 0));
	acknowledge(2, 3);

	assert_non_null(solo_sent(&s, RAFT_TIMEOUT_NOW, 2, 0));
	/* It is committed, and left by who leads next. */
	assert_int_equal(solo_status(&s).commit, 3);
	assert_false(solo_status(&s).leave_due);
	solo_deinit(&s);
}

static void a_learner_is_no_target(void **state)
{
	struct raft_event change = {.kind = RAFT_EV_CHANGE};
	const struct raft_members next = {
		.voter_count = 3,
		.voters = {1, 2, 3},
		.learner_count = 1,
		.learners = {4},
	};
	(void)state;

	given_leader();
	change.change.members = &next;
	assert_int_equal(solo_step(&s, change), 0);

	assert_int_equal(transfer(4), STATUS_NOT_FOUND);
	solo_deinit(&s);
}

/* Row 60. */
static void it_is_given_up_after_an_election_time(void **state)
{
	raft_ms until;
	(void)state;

	given_leader();
	transfer(3);
	until = s.now + 600;
	while (raft_deadline(s.core) < until) {
		s.now = raft_deadline(s.core);
		solo_clock(&s, 0);
		acknowledge(2, 2);
		assert_int_equal(propose(), STATUS_PENDING);
	}
	assert_int_equal(raft_deadline(s.core), until);
	s.now = until;
	solo_clock(&s, 0);

	assert_int_equal(solo_status(&s).role, RAFT_LEADER);
	assert_int_equal(solo_status(&s).transfer_target, 0);
	assert_int_equal(propose(), 0);
	solo_deinit(&s);
}

static void it_is_given_up_in_time_though_nobody_woke_us(void **state)
{
	(void)state;

	given_leader();
	transfer(3);
	solo_clock(&s, 300);
	acknowledge(2, 2);
	s.now += 300;

	assert_int_equal(propose(), 0);
	solo_deinit(&s);
}

static void it_ends_with_the_targets_link(void **state)
{
	struct raft_event link = {.kind = RAFT_EV_LINK, .link.peer = 2};
	(void)state;

	given_leader();
	transfer(3);
	solo_step(&s, link);
	assert_int_equal(solo_status(&s).transfer_target, 3);
	link.link.peer = 3;
	solo_step(&s, link);

	assert_int_equal(solo_status(&s).transfer_target, 0);
	assert_true(solo_status(&s).lease_until > s.now); /* nobody was told */
	solo_deinit(&s);
}

/* Row 58. */
static void the_lease_does_not_come_back_in_this_term(void **state)
{
	struct raft_event read = {.kind = RAFT_EV_READ, .read.lease = true};
	struct raft_event link = {.kind = RAFT_EV_LINK, .link.peer = 2};
	const struct raft_act *append;
	(void)state;

	given_leader();
	transfer(2);
	solo_step(&s, link);
	assert_int_equal(solo_status(&s).transfer_target, 0);
	acknowledge(3, 2);
	solo_step(&s, read);
	assert_null(solo_act(&s, RAFT_DO_READ, 0));
	append = solo_sent(&s, RAFT_APPEND, 3, 0);
	assert_int_equal(append->send.round, 2); /* it asks */
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 2,
					.pos.index = 2,
					.last = 2,
					.round = 2});

	assert_non_null(solo_act(&s, RAFT_DO_READ, 0));
	assert_int_equal(solo_status(&s).lease_until, 0);
	solo_deinit(&s);
}

static void the_next_term_has_its_own_lease(void **state)
{
	(void)state;

	given_leader();
	transfer(2);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 3,
					.reject = true});
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	assert_int_equal(solo_status(&s).transfer_target, 0);
	solo_saved(&s, solo_act(&s, RAFT_DO_SAVE, 0)->save.seq);
	solo_lead(&s);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 2,
					.term = 4,
					.pos.index = 3,
					.last = 3,
					.round = 2});

	assert_int_equal(propose(), 0);
	assert_true(solo_status(&s).lease_until > s.now);
	solo_deinit(&s);
}

static void who_is_told_stands_at_once_and_says_so(void **state)
{
	const struct raft_act *vote;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, (struct raft_pos){1, 1}, 1, EMPTY);
	timeout_now(2, 2);

	assert_int_equal(solo_status(&s).role, RAFT_CANDIDATE);
	assert_int_equal(solo_status(&s).term, 3);
	assert_int_equal(solo_act(&s, RAFT_DO_ROLE, 0)->role.reason,
			 RAFT_BECAUSE_TRANSFER);
	vote = solo_sent(&s, RAFT_VOTE, 3, 0);
	assert_true(vote->send.transfer);
	assert_int_equal(vote->after, solo_act(&s, RAFT_DO_SAVE, 0)->save.seq);
	assert_null(solo_sent(&s, RAFT_PREVOTE, 3, 0));
	solo_deinit(&s);
}

/* If it fails it asks like anyone. */
static void the_right_to_be_helped_ends_with_the_election(void **state)
{
	const struct raft_act *vote;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, (struct raft_pos){1, 1}, 1, EMPTY);
	timeout_now(2, 2);
	save_newest();
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	assert_false(solo_sent(&s, RAFT_PREVOTE, 3, 0)->send.transfer);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_PREVOTE_REPLY,
					.from = 3,
					.term = 4});

	vote = solo_sent(&s, RAFT_VOTE, 3, 0);
	assert_false(vote->send.transfer);
	solo_deinit(&s);
}

static void only_its_leader_can_tell_it(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	timeout_now(2, 2); /* which leader? */
	solo_append(&s, 2, (struct raft_pos){1, 1}, 1, EMPTY);
	timeout_now(3, 2);
	timeout_now(2, 1);

	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	assert_int_equal(solo_status(&s).counters.messages_ignored, 3);
	solo_deinit(&s);
}

static void waiting_reads_of_the_target_are_answered(void **state)
{
	struct raft_event read = {.kind = RAFT_EV_READ};
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, (struct raft_pos){1, 1}, 1, EMPTY);
	solo_step(&s, read);
	timeout_now(2, 2);

	assert_int_equal(solo_act(&s, RAFT_DO_READ, 0)->read.status,
			 STATUS_NOT_LEADER);
	solo_deinit(&s);
}

/* Row 59: nobody refuses because it has heard a leader, or has just started. */
static void a_vote_of_a_transfer_is_no_breach_of_promise(void **state)
{
	struct raft_msg vote = {
		.kind = RAFT_VOTE, .from = 3, .term = 3, .pos = {1, 1}};
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, (struct raft_pos){1, 1}, 1, EMPTY);
	solo_recv(&s, vote);
	assert_true(solo_sent(&s, RAFT_VOTE_REPLY, 3, 0)->send.reject);
	vote.transfer = true;
	solo_recv(&s, vote);
	assert_false(solo_sent(&s, RAFT_VOTE_REPLY, 3, 0)->send.reject);

	vote.kind = RAFT_PREVOTE; /* there is no such thing */
	vote.term = 4;
	solo_append(&s, 3, (struct raft_pos){1, 1}, 1, EMPTY);
	solo_recv(&s, vote);
	assert_true(solo_sent(&s, RAFT_PREVOTE_REPLY, 3, 0)->send.reject);
	solo_deinit(&s);
}

static void but_the_log_must_be_complete_and_the_vote_free(void **state)
{
	struct raft_msg vote = {.kind = RAFT_VOTE,
				.from = 3,
				.term = 3,
				.pos = {1, 1},
				.transfer = true};
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1, 2));
	solo_recv(&s, vote);
	assert_true(solo_sent(&s, RAFT_VOTE_REPLY, 3, 0)->send.reject);
	solo_deinit(&s);

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_recv(&s, vote);
	vote.from = 2;
	solo_recv(&s, vote);
	assert_true(solo_sent(&s, RAFT_VOTE_REPLY, 2, 0)->send.reject);
	solo_deinit(&s);
}

/* Row 40: {1,2,3} -> {2,3}. */
static void given_removed_leader(void)
{
	struct raft_event change = {.kind = RAFT_EV_CHANGE};
	struct raft_members next = {
		.voter_count = 2,
		.voters = {2, 3},
		.outgoing_count = 3,
		.outgoing = {1, 2, 3},
	};

	given_leader();
	acknowledge(3, 2);
	change.change.members = &next;
	assert_int_equal(solo_step(&s, change), 0);
	save_newest();
	acknowledge(2, 3);
	acknowledge(3, 3);
	next.outgoing_count = 0;
	assert_int_equal(solo_step(&s, change), 0);
	save_newest();
	acknowledge(2, 4);
	assert_int_equal(solo_status(&s).commit, 3); /* 1 does not count */
	assert_int_equal(solo_status(&s).role, RAFT_LEADER);
}

static void a_removed_leader_tells_hands_over_and_resigns(void **state)
{
	size_t i, told = 0, timeout = 0;
	(void)state;

	given_removed_leader();
	acknowledge(3, 4);

	assert_int_equal(solo_status(&s).commit, 4);
	for (i = 0; i < s.out.count; i++) {
		const struct raft_msg *m = &s.out.acts[i].send;

		if (s.out.acts[i].kind != RAFT_DO_SEND)
			continue;
		told += m->kind == RAFT_APPEND && m->commit == 4 &&
			timeout == 0;
		timeout += m->kind == RAFT_TIMEOUT_NOW;
	}
	assert_int_equal(told, 2);
	assert_int_equal(timeout, 1);
	assert_int_equal(solo_act(&s, RAFT_DO_ROLE, 0)->role.reason,
			 RAFT_BECAUSE_REMOVED);
	assert_true(raft_deadline(s.core) == UINT64_MAX);
	solo_deinit(&s);
}

static void a_removed_leader_waits_for_a_laggard_but_not_for_ever(void **state)
{
	raft_ms until;
	(void)state;

	given_removed_leader();
	assert_int_equal(propose(), 0); /* 5 */
	save_newest();
	acknowledge(3, 4);
	assert_int_equal(solo_status(&s).role, RAFT_LEADER);
	assert_int_not_equal(solo_status(&s).transfer_target, 0);
	assert_int_equal(propose(), STATUS_PENDING);
	assert_int_equal(transfer(2), STATUS_PENDING);
	until = s.now + 600;
	while (solo_status(&s).role == RAFT_LEADER) {
		assert_true(s.now < until);
		s.now = raft_deadline(s.core);
		solo_clock(&s, 0);
		if (s.now < until) {
			acknowledge(2, 4);
			acknowledge(3, 4);
		}
	}

	assert_int_equal(s.now, until);
	assert_int_equal(solo_act(&s, RAFT_DO_ROLE, 0)->role.reason,
			 RAFT_BECAUSE_REMOVED);
	solo_deinit(&s);
}

static void a_removed_leaders_followers_read_and_stand(void **state)
{
	struct raft_event read = {.kind = RAFT_EV_READ};
	struct raft_boot boot = {
		.now = 1000,
		.hard.term = 2,
		.members = {.voter_count = 2, .voters = {1, 3}},
		.members_index = 1,
		.runs = &(const struct raft_run){2, 1},
		.run_count = 1,
		.commit = 1,
		.applied = 1,
		.fresh = true,
	};
	struct raft_msg reply = {
		.kind = RAFT_READ_REPLY, .from = 2, .term = 2, .pos.index = 1};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	s.core = raft_init(s.core, &s.config, &boot);
	solo_append(&s, 2, (struct raft_pos){2, 1}, 1, EMPTY);
	solo_step(&s, read);
	reply.round = solo_sent(&s, RAFT_READ, 2, 0)->send.round;
	solo_recv(&s, reply);
	assert_int_equal(solo_act(&s, RAFT_DO_READ, 0)->read.index, 1);
	timeout_now(2, 2);

	assert_int_equal(solo_status(&s).role, RAFT_CANDIDATE);
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_target_is_told_once_it_has_everything),
		cmocka_unit_test(the_best_is_who_has_most),
		cmocka_unit_test(the_best_is_heard),
		cmocka_unit_test(nothing_new_is_taken_meanwhile),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(a_joint_configuration_is_handed_over),
		cmocka_unit_test(a_learner_is_no_target),
		cmocka_unit_test(it_is_given_up_after_an_election_time),
		cmocka_unit_test(it_is_given_up_in_time_though_nobody_woke_us),
		cmocka_unit_test(it_ends_with_the_targets_link),
		cmocka_unit_test(the_lease_does_not_come_back_in_this_term),
		cmocka_unit_test(the_next_term_has_its_own_lease),
		cmocka_unit_test(who_is_told_stands_at_once_and_says_so),
		cmocka_unit_test(the_right_to_be_helped_ends_with_the_election),
		cmocka_unit_test(only_its_leader_can_tell_it),
		cmocka_unit_test(waiting_reads_of_the_target_are_answered),
		cmocka_unit_test(a_vote_of_a_transfer_is_no_breach_of_promise),
		cmocka_unit_test(
			but_the_log_must_be_complete_and_the_vote_free),
		cmocka_unit_test(a_removed_leader_tells_hands_over_and_resigns),
		cmocka_unit_test(
			a_removed_leader_waits_for_a_laggard_but_not_for_ever),
		cmocka_unit_test(a_removed_leaders_followers_read_and_stand),
	};

	return cmocka_run_group_tests_name("raft/transfer", tests, NULL, NULL);
}
