/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations follow one another one legal step at a time, count from the
 * moment they are appended, and are decided upon by both halves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/solo.h"

#define LOG(...) ((const raft_term[]){__VA_ARGS__, 0})
#define EMPTY ((const raft_term[]){0})
#define POS(t, i) ((struct raft_pos){.term = (t), .index = (i)})
#define MEMBERS(...) (&(const struct raft_members){__VA_ARGS__})
#define VOTERS(...)                                                            \
	.voter_count = sizeof((raft_id[]){__VA_ARGS__}) / sizeof(raft_id),     \
	.voters = {__VA_ARGS__}
#define OUTGOING(...)                                                          \
	.outgoing_count = sizeof((raft_id[]){__VA_ARGS__}) / sizeof(raft_id),  \
	.outgoing = {__VA_ARGS__}
#define LEARNERS(...)                                                          \
	.learner_count = sizeof((raft_id[]){__VA_ARGS__}) / sizeof(raft_id),   \
	.learners = {__VA_ARGS__}

static struct solo s;

static int change(const struct raft_members *members)
{
	struct raft_event ev = {.kind = RAFT_EV_CHANGE};

	ev.change.members = members;
	ev.change.size = 30;
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

static void propose(void)
{
	static const uint32_t size = 10;
	struct raft_event ev = {.kind = RAFT_EV_PROPOSE};

	ev.propose.sizes = &size;
	ev.propose.count = 1;
	assert_int_equal(solo_step(&s, ev), 0);
}

static void save_newest(void)
{
	solo_saved(&s, solo_act(&s, RAFT_DO_SAVE, 0)->save.seq);
}

/* Node 1 leads nodes 1, 2, 3 in T2; (1,1) and its (2,2) are committed. */
static void given_leader(void)
{
	solo_init(&s, 3, 1, 1, LOG(1));
	solo_lead(&s);
	acknowledge(2, 2);
}

/* And {1,2,3} -> {1,2,4} is joint, committed, and saved by 1, 2 and 4. */
static void given_joint(void)
{
	given_leader();
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 4), OUTGOING(1, 2, 3))),
			 0);
	save_newest();
	acknowledge(2, 3);
	assert_int_equal(solo_status(&s).commit, 3);
	acknowledge(4, 3);
}

/* An append of leader 2 in T2 after (1,1), of n entries and these changes. */
static void given_append(const raft_term *entries,
			 const struct raft_change *changes, size_t count)
{
	struct raft_run runs[4];
	uint32_t sizes[8] = {0};
	struct raft_event ev = {.kind = RAFT_EV_RECV};
	size_t n, runs_used = 0;

	for (n = 0; entries[n] != 0; n++) {
		if (runs_used == 0 || runs[runs_used - 1].term != entries[n])
			runs[runs_used++].term = entries[n];
		runs[runs_used - 1].last = 2 + n;
	}
	ev.recv.msg = (struct raft_msg){
		.kind = RAFT_APPEND,
		.from = 2,
		.to = 1,
		.term = entries[n - 1],
		.pos = {1, 1},
		.last = 1 + n,
	};
	ev.recv.runs = runs;
	ev.recv.run_count = runs_used;
	ev.recv.sizes = sizes;
	ev.recv.changes = changes;
	ev.recv.change_count = count;
	solo_step(&s, ev);
}

static void a_change_is_an_entry_and_counts_at_once(void **state)
{
	const struct raft_act *save;
	struct raft_status st;
	(void)state;

	given_leader();
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 4), OUTGOING(1, 2, 3))),
			 0);

	save = solo_act(&s, RAFT_DO_SAVE, 0);
	assert_int_equal(save->save.source, RAFT_FROM_CHANGE);
	assert_int_equal(save->save.keep, 2);
	assert_int_equal(save->save.last, 3);
	assert_int_equal(solo_act(&s, RAFT_DO_MEMBERS, 0)->members.index, 3);
	st = solo_status(&s);
	assert_int_equal(st.members_index, 3);
	assert_false(st.members_committed);
	assert_true(st.joint);
	assert_false(st.leave_due);
	assert_int_equal(st.voters, 4);
	assert_int_equal(st.uncommitted_bytes, 30);
	assert_non_null(solo_sent(&s, RAFT_APPEND, 4, 0));
	solo_deinit(&s);
}

static void a_joint_commit_needs_both_halves(void **state)
{
	(void)state;

	given_leader();
	change(MEMBERS(VOTERS(1, 4, 5), OUTGOING(1, 2, 3)));
	save_newest();
	acknowledge(2, 3);
	assert_int_equal(solo_status(&s).commit, 2);
	acknowledge(3, 3);
	assert_int_equal(solo_status(&s).commit, 2);

	acknowledge(5, 3);
	assert_int_equal(solo_status(&s).commit, 3);
	assert_true(solo_status(&s).leave_due);
	solo_deinit(&s);
}

static void a_joint_lease_and_round_need_both_halves(void **state)
{
	struct raft_event read = {.kind = RAFT_EV_READ};
	(void)state;

	given_leader();
	assert_true(solo_status(&s).lease_until > s.now);
	change(MEMBERS(VOTERS(4, 5, 6), OUTGOING(1, 2, 3)));
	assert_int_equal(solo_status(&s).lease_until, 0);
	solo_step(&s, read); /* waits for a round that 2 alone confirms */
	acknowledge(2, 3);
	assert_null(solo_act(&s, RAFT_DO_READ, 0));
	acknowledge(4, 0);
	assert_int_equal(solo_status(&s).lease_until, 0);
	acknowledge(5, 0);
	assert_true(solo_status(&s).lease_until > s.now);
	solo_deinit(&s);
}

static void a_joint_leader_needs_to_hear_both_halves(void **state)
{
	raft_ms end;
	(void)state;

	given_leader();
	change(MEMBERS(VOTERS(4, 5, 6), OUTGOING(1, 2, 3)));
	end = s.now + 600;
	while (s.now < end) {
		assert_int_equal(solo_status(&s).role, RAFT_LEADER);
		solo_clock(&s, 50);
		acknowledge(2, 2);
		acknowledge(3, 2);
	}

	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	solo_deinit(&s);
}

static void a_joint_candidate_needs_both_halves(void **state)
{
	const struct raft_change joint = {
		3, {VOTERS(1, 4, 5), OUTGOING(1, 2, 3), LEARNERS(6)}};
	struct raft_msg reply = {.kind = RAFT_PREVOTE_REPLY};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1, 1), &joint, 1);
	save_newest();
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	assert_non_null(solo_sent(&s, RAFT_PREVOTE, 2, 0));
	assert_non_null(solo_sent(&s, RAFT_PREVOTE, 5, 0));
	assert_null(solo_sent(&s, RAFT_PREVOTE, 6, 0));
	reply.term = 2;
	for (reply.from = 2; reply.from <= 3; reply.from++)
		solo_recv(&s, reply);
	assert_int_equal(solo_status(&s).role, RAFT_PRECANDIDATE);
	reply.from = 6; /* a learner says what it likes */
	solo_recv(&s, reply);
	assert_int_equal(solo_status(&s).role, RAFT_PRECANDIDATE);
	reply.from = 4;
	solo_recv(&s, reply);

	assert_int_equal(solo_status(&s).role, RAFT_CANDIDATE);
	solo_deinit(&s);
}

static void one_refusing_half_ends_a_campaign(void **state)
{
	const struct raft_change joint = {3,
					  {VOTERS(1, 4, 5), OUTGOING(1, 2, 3)}};
	struct raft_msg reply = {
		.kind = RAFT_PREVOTE_REPLY, .term = 2, .reject = true};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1, 1), &joint, 1);
	save_newest();
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	for (reply.from = 4; reply.from <= 5; reply.from++)
		solo_recv(&s, reply);

	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	solo_deinit(&s);
}

/* Row 37. */
static void one_half_of_one_voter_is_no_only_voter(void **state)
{
	const struct raft_change joint = {2, {VOTERS(1), OUTGOING(1, 2, 3)}};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1), &joint, 1);
	save_newest();
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);

	assert_int_equal(solo_status(&s).role, RAFT_PRECANDIDATE);
	solo_deinit(&s);
}

static void only_legal_successors_are_taken(void **state)
{
	const struct raft_members many = {
		.voter_count = LIMIT_VOTERS + 1,
		.voters = {1, 2, 3, 4, 5, 6, 7, 8, 9},
		.outgoing_count = 3,
		.outgoing = {1, 2, 3},
	};
	(void)state;

	given_leader();
	/* Voters only by joint consensus, from the voters of now. */
	assert_int_equal(change(MEMBERS(VOTERS(1, 2))), STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 3, 4))), STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2), OUTGOING(1, 2))),
			 STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2), OUTGOING(1, 2, 4))),
			 STATUS_INVALID);
	/* And sound in themselves. */
	assert_int_equal(change(MEMBERS(OUTGOING(1, 2, 3))), STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 3, 2))), STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 2), OUTGOING(1, 2, 3))),
			 STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(0, 1), OUTGOING(1, 2, 3))),
			 STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 3), LEARNERS(3))),
			 STATUS_INVALID);
	assert_int_equal(
		change(MEMBERS(VOTERS(1, 2), OUTGOING(1, 2, 3), LEARNERS(3))),
		STATUS_INVALID);
	assert_int_equal(change(&many), STATUS_INVALID);

	assert_null(solo_act(&s, RAFT_DO_SAVE, 0));
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 3), LEARNERS(4, 7))), 0);
	solo_deinit(&s);
}

static void a_joint_one_is_left_for_its_own_voters(void **state)
{
	(void)state;

	given_joint();
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 3))), STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 5), OUTGOING(1, 2, 4))),
			 STATUS_INVALID);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 4), OUTGOING(1, 2, 3))),
			 STATUS_INVALID);

	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 4), LEARNERS(3))), 0);
	assert_false(solo_status(&s).joint);
	solo_deinit(&s);
}

/* Rows 30, 32, 38. */
static void one_gate_for_every_change(void **state)
{
	const struct raft_members *next = MEMBERS(VOTERS(1, 2, 3), LEARNERS(4));
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	assert_int_equal(change(next), STATUS_NOT_LEADER);
	solo_lead(&s);
	assert_int_equal(change(next), STATUS_NOT_READY);
	acknowledge(2, 2);
	assert_int_equal(change(next), 0);
	save_newest();
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 3))), STATUS_PENDING);
	acknowledge(2, 3);

	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 3))), 0);
	solo_deinit(&s);
}

static void changes_count_against_the_bytes_allowed(void **state)
{
	const uint32_t sizes[] = {10000};
	struct raft_event ev = {.kind = RAFT_EV_PROPOSE};
	(void)state;

	given_leader();
	ev.propose.sizes = sizes;
	ev.propose.count = 1;
	assert_int_equal(solo_step(&s, ev), 0);

	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 3), LEARNERS(4))),
			 STATUS_FULL);
	solo_deinit(&s);
}

static void what_a_change_makes_a_majority_is_committed_at_once(void **state)
{
	(void)state;

	solo_init(&s, 2, 1, 1, LOG(1));
	solo_lead(&s);
	acknowledge(2, 2);
	assert_int_equal(change(MEMBERS(VOTERS(1), OUTGOING(1, 2))), 0);
	save_newest();
	acknowledge(2, 3);
	propose();
	save_newest();
	assert_int_equal(solo_status(&s).commit, 3);
	assert_int_equal(change(MEMBERS(VOTERS(1))), 0);
	assert_int_equal(solo_status(&s).commit, 4);
	assert_null(solo_sent(&s, RAFT_APPEND, 2, 0)); /* it is gone */
	save_newest();

	assert_int_equal(solo_status(&s).commit, 5);
	assert_true(solo_status(&s).lease_until == UINT64_MAX);
	solo_deinit(&s);
}

static void who_stays_keeps_what_is_known_of_it(void **state)
{
	struct raft_peer_status peer;
	(void)state;

	given_joint();
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 4), LEARNERS(3))), 0);

	assert_int_equal(raft_peer(s.core, 4, &peer), 0);
	assert_int_equal(peer.match, 3);
	assert_string_equal(peer.state, "replicate");
	assert_int_equal(raft_peer(s.core, 3, &peer), 0);
	assert_true(peer.learner);
	save_newest();
	acknowledge(2, 4);
	assert_int_equal(change(MEMBERS(VOTERS(1, 2, 4))), 0);
	assert_int_equal(raft_peer(s.core, 3, &peer), STATUS_NOT_FOUND);
	solo_deinit(&s);
}

static void a_follower_takes_the_newest_of_a_message(void **state)
{
	const struct raft_change changes[] = {
		{2, {VOTERS(1, 2, 3), LEARNERS(4)}},
		{4, {VOTERS(1, 2, 4), OUTGOING(1, 2, 3)}},
	};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1, 1, 1), changes, 2);

	assert_int_equal(solo_act(&s, RAFT_DO_MEMBERS, 0)->members.index, 4);
	assert_null(solo_act(&s, RAFT_DO_MEMBERS, 1));
	assert_int_equal(raft_members(s.core)->outgoing_count, 3);
	solo_deinit(&s);
}

static void a_copy_of_a_message_changes_nothing(void **state)
{
	const struct raft_change joint = {2,
					  {VOTERS(1, 2, 4), OUTGOING(1, 2, 3)}};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1, 1), &joint, 1);
	given_append(LOG(1), &joint, 1);

	assert_null(solo_act(&s, RAFT_DO_MEMBERS, 0));
	assert_int_equal(solo_status(&s).members_index, 2);
	solo_deinit(&s);
}

/* Row 33: the one before is back, and what then comes at the same index is
 * another one. */
static void a_truncated_configuration_is_out_of_force(void **state)
{
	const struct raft_change first = {2,
					  {VOTERS(1, 2, 4), OUTGOING(1, 2, 3)}};
	const struct raft_change second = {2, {VOTERS(1, 2, 3), LEARNERS(9)}};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1), &first, 1);
	given_append(LOG(2), NULL, 0);
	assert_int_equal(solo_act(&s, RAFT_DO_MEMBERS, 0)->members.index, 0);
	assert_int_equal(raft_members(s.core)->outgoing_count, 0);
	assert_int_equal(raft_members(s.core)->voter_count, 3);
	given_append(LOG(3), &first, 1);
	given_append(LOG(4), &second, 1);

	assert_int_equal(solo_act(&s, RAFT_DO_MEMBERS, 0)->members.index, 2);
	assert_int_equal(raft_members(s.core)->outgoing_count, 0);
	assert_int_equal(raft_members(s.core)->learners[0], 9);
	solo_deinit(&s);
}

/* The one before the newest is committed: no leader can cut it. */
static void no_message_cuts_two_configurations(void **state)
{
	const struct raft_change changes[] = {
		{2, {VOTERS(1, 2, 3), LEARNERS(4)}},
		{3, {VOTERS(1, 2, 4), OUTGOING(1, 2, 3)}},
	};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1, 1), changes, 2);
	given_append(LOG(2), NULL, 0);

	assert_int_equal(solo_status(&s).last, 3);
	assert_int_equal(solo_status(&s).counters.messages_ignored, 1);
	solo_deinit(&s);
}

static void unsound_configurations_are_ignored(void **state)
{
	const struct raft_change none = {2, {.voter_count = 0}};
	const struct raft_change outside = {9, {VOTERS(1, 2, 3)}};
	const struct raft_change twice[] = {{2, {VOTERS(1, 2, 3)}},
					    {2, {VOTERS(1, 2)}}};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	given_append(LOG(1), &none, 1);
	given_append(LOG(1), &outside, 1);
	given_append(LOG(1), twice, 2);

	assert_int_equal(solo_status(&s).last, 1);
	assert_int_equal(solo_status(&s).counters.messages_ignored, 3);
	solo_deinit(&s);
}

/* Row 40: it may hold the only copy of the last configuration. */
static void who_is_removed_stands_until_that_is_committed(void **state)
{
	const struct raft_change without = {2, {VOTERS(2, 3)}};
	struct raft_boot boot = {
		.now = 1000,
		.hard.term = 1,
		.members = without.members,
		.members_index = 2,
		.before = {1, {VOTERS(2, 3), OUTGOING(1, 2, 3)}},
		.runs = &(const struct raft_run){1, 2},
		.run_count = 1,
		.commit = 1,
		.applied = 1,
		.fresh = true,
	};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	s.core = raft_init(s.core, &s.config, &boot);
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	assert_int_equal(solo_status(&s).role, RAFT_PRECANDIDATE);
	assert_non_null(solo_sent(&s, RAFT_PREVOTE, 2, 0));

	boot.commit = 2;
	s.core = raft_init(s.core, &s.config, &boot);
	assert_true(raft_deadline(s.core) == UINT64_MAX);
	solo_deinit(&s);
}

static void
its_own_grant_is_no_vote_of_a_candidate_that_is_removed(void **state)
{
	struct raft_boot boot = {
		.now = 1000,
		.hard.term = 1,
		.members = {VOTERS(2, 3)},
		.members_index = 2,
		.before = {1, {VOTERS(2, 3), OUTGOING(1, 2, 3)}},
		.runs = &(const struct raft_run){1, 2},
		.run_count = 1,
		.commit = 1,
		.applied = 1,
		.fresh = true,
	};
	struct raft_msg reply = {
		.kind = RAFT_PREVOTE_REPLY, .from = 2, .term = 2};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	s.core = raft_init(s.core, &s.config, &boot);
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	solo_recv(&s, reply); /* one of two */
	assert_int_equal(solo_status(&s).role, RAFT_PRECANDIDATE);
	reply.from = 3;
	solo_recv(&s, reply);

	assert_int_equal(solo_status(&s).role, RAFT_CANDIDATE);
	solo_deinit(&s);
}

static void boot_knows_the_configurations_of_the_log(void **state)
{
	struct raft_boot boot = {
		.now = 1000,
		.hard.term = 1,
		.members = {VOTERS(1, 2, 4), OUTGOING(1, 2, 3)},
		.members_index = 2,
		.before = {1, {VOTERS(1, 2, 3)}},
		.runs = &(const struct raft_run){1, 2},
		.run_count = 1,
		.commit = 1,
		.applied = 1,
	};
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	s.core = raft_init(s.core, &s.config, &boot);
	assert_true(solo_status(&s).joint);
	given_append(LOG(2), NULL, 0);

	assert_int_equal(solo_act(&s, RAFT_DO_MEMBERS, 0)->members.index, 1);
	assert_false(solo_status(&s).joint);
	solo_deinit(&s);
}

/* Row 63, for one that has become the only voter: the leader before it may
 * still answer reads by the lease that it acknowledged. */
static void who_became_the_only_voter_waits_after_a_restart(void **state)
{
	struct raft_run runs[] = {{2, 9}, {3, 12}};
	struct raft_boot boot = {
		.now = 1000,
		.hard = {2, 1},
		.members = {VOTERS(1)},
		.members_index = 9,
		.before = {8, {VOTERS(1), OUTGOING(1, 2)}},
		.runs = runs,
		.run_count = 1,
		.commit = 8,
		.applied = 8,
	};
	(void)state;

	solo_init(&s, 1, 1, 1, LOG(1));
	s.core = raft_init(s.core, &s.config, &boot);
	assert_true(raft_deadline(s.core) >= 1600);

	/* It has led since, in T3: the log shows it. */
	boot.hard.term = 3;
	boot.run_count = 2;
	s.core = raft_init(s.core, &s.config, &boot);
	assert_int_equal(raft_deadline(s.core), 1000);

	/* Or another has, for all the log shows. */
	boot.hard.vote = 2;
	s.core = raft_init(s.core, &s.config, &boot);
	assert_true(raft_deadline(s.core) >= 1600);
	solo_deinit(&s);
}

/* It follows a leader that it makes a majority for: every save of its own must
 * not make it stand. */
static void an_only_voter_does_not_stand_against_its_leader(void **state)
{
	const struct raft_change alone = {3, {VOTERS(1)}};
	(void)state;

	solo_init(&s, 2, 1, 1, LOG(1));
	given_append(LOG(1, 1), &alone, 1);
	save_newest();
	solo_clock(&s, 0);
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	assert_true(raft_deadline(s.core) >= s.now + 600);

	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	assert_int_equal(solo_status(&s).role, RAFT_CANDIDATE);
	solo_deinit(&s);
}

/* Nor by a save after its leader is forgotten: the promise is not. */
static void an_only_voter_keeps_its_promise(void **state)
{
	const struct raft_change alone = {3, {VOTERS(1), LEARNERS(3)}};
	struct raft_status st;
	(void)state;

	solo_init(&s, 2, 1, 1, LOG(1));
	given_append(LOG(1, 1), &alone, 1);
	save_newest();
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 7,
					.reject = true});
	save_newest();
	solo_clock(&s, 0);

	st = solo_status(&s);
	assert_int_equal(st.term, 7);
	assert_int_equal(st.leader, 0);
	assert_int_equal(st.role, RAFT_FOLLOWER);
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_an_entry_and_counts_at_once),
		cmocka_unit_test(a_joint_commit_needs_both_halves),
		cmocka_unit_test(a_joint_lease_and_round_need_both_halves),
		cmocka_unit_test(a_joint_leader_needs_to_hear_both_halves),
		cmocka_unit_test(a_joint_candidate_needs_both_halves),
		cmocka_unit_test(one_refusing_half_ends_a_campaign),
		cmocka_unit_test(one_half_of_one_voter_is_no_only_voter),
		cmocka_unit_test(only_legal_successors_are_taken),
		cmocka_unit_test(a_joint_one_is_left_for_its_own_voters),
		cmocka_unit_test(one_gate_for_every_change),
		cmocka_unit_test(changes_count_against_the_bytes_allowed),
		cmocka_unit_test(
			what_a_change_makes_a_majority_is_committed_at_once),
		cmocka_unit_test(who_stays_keeps_what_is_known_of_it),
		cmocka_unit_test(a_follower_takes_the_newest_of_a_message),
		cmocka_unit_test(a_copy_of_a_message_changes_nothing),
		cmocka_unit_test(a_truncated_configuration_is_out_of_force),
		cmocka_unit_test(no_message_cuts_two_configurations),
		cmocka_unit_test(unsound_configurations_are_ignored),
		cmocka_unit_test(who_is_removed_stands_until_that_is_committed),
		cmocka_unit_test(
			its_own_grant_is_no_vote_of_a_candidate_that_is_removed),
		cmocka_unit_test(boot_knows_the_configurations_of_the_log),
		cmocka_unit_test(
			who_became_the_only_voter_waits_after_a_restart),
		cmocka_unit_test(
			an_only_voter_does_not_stand_against_its_leader),
		cmocka_unit_test(an_only_voter_keeps_its_promise),
	};

	return cmocka_run_group_tests_name("raft/change", tests, NULL, NULL);
}
