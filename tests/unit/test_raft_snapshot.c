/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot takes the place of a log, and of nothing that is committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/solo.h"

#define LOG(...) ((const raft_term[]){__VA_ARGS__, 0})
#define EMPTY ((const raft_term[]){0})
#define POS(t, i) ((struct raft_pos){.term = (t), .index = (i)})

static struct solo s;
static const struct raft_change voters_123 = {
	.index = 1, .members = {.voter_count = 3, .voters = {1, 2, 3}}};
static const struct raft_change voters_1234 = {
	.index = 3, .members = {.voter_count = 4, .voters = {1, 2, 3, 4}}};

/* A snapshot of leader 2 in `term` that ends at pos is staged. */
static int received(raft_term term, struct raft_pos pos,
		    const struct raft_change *change)
{
	struct raft_event ev = {.kind = RAFT_EV_SNAP_RECEIVED};

	ev.snap_received.from = 2;
	ev.snap_received.term = term;
	ev.snap_received.pos = pos;
	ev.snap_received.change = change;
	return solo_step(&s, ev);
}

static void loaded(struct raft_pos pos)
{
	struct raft_event ev = {.kind = RAFT_EV_SNAP_LOADED};

	ev.snap_loaded.pos = pos;
	solo_step(&s, ev);
}

static void sent(raft_id peer, raft_index index, bool ok)
{
	struct raft_event ev = {.kind = RAFT_EV_SNAP_SENT};

	ev.snap_sent.peer = peer;
	ev.snap_sent.index = index;
	ev.snap_sent.ok = ok;
	solo_step(&s, ev);
}

/* Node 1 leads in T2; its log is cut after 3 of (1,1) (1,2) (1,3) (2,4), which
 * node 2 has too; node 3 has refused a probe. */
static void given_leader_with_a_cut_log(void)
{
	struct raft_event ev = {.kind = RAFT_EV_APPLIED};

	solo_init(&s, 3, 1, 3, LOG(1, 1, 1));
	solo_lead(&s);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 2,
					.term = 2,
					.pos.index = 4,
					.last = 4,
					.round = 1});
	ev.applied.index = 4;
	solo_step(&s, ev);
	ev.kind = RAFT_EV_COMPACTED;
	ev.compacted.index = 3;
	ev.compacted.term = 1;
	solo_step(&s, ev);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 2,
					.last = 3,
					.round = 1,
					.reject = true});
}

static const char *state_of(raft_id id)
{
	static struct raft_peer_status peer;

	assert_int_equal(raft_peer(s.core, id, &peer), 0);
	return peer.state;
}

static void what_is_cut_away_is_sent_as_a_snapshot_once(void **state)
{
	(void)state;

	given_leader_with_a_cut_log();

	assert_int_equal(solo_act(&s, RAFT_DO_SEND_SNAP, 0)->send_snap.to, 3);
	assert_string_equal(state_of(3), "snapshot");
	solo_clock(&s, 100); /* heartbeats go on, at the base */
	assert_int_equal(solo_sent(&s, RAFT_APPEND, 3, 0)->send.pos.index, 3);
	assert_null(solo_act(&s, RAFT_DO_SEND_SNAP, 0));
	solo_deinit(&s);
}

static void after_the_snapshot_its_end_is_probed(void **state)
{
	const struct raft_act *append;
	struct raft_peer_status peer;
	(void)state;

	given_leader_with_a_cut_log();
	sent(3, 4, true);

	append = solo_sent(&s, RAFT_APPEND, 3, 0);
	assert_int_equal(append->send.pos.index, 4);
	assert_int_equal(append->send.last, 4);
	assert_int_equal(raft_peer(s.core, 3, &peer), 0);
	assert_string_equal(peer.state, "probe");
	assert_int_equal(peer.match, 0); /* only an acceptance is a match */
	solo_deinit(&s);
}

static void a_failed_snapshot_is_repeated_later(void **state)
{
	raft_ms since;
	(void)state;

	given_leader_with_a_cut_log();
	sent(3, 0, false);
	assert_null(solo_act(&s, RAFT_DO_SEND_SNAP, 0));
	for (since = s.now; s.now < since + 599;) {
		solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
						.from = 2,
						.term = 2,
						.pos.index = 4,
						.last = 4});
		solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
						.from = 3,
						.term = 2,
						.last = 3,
						.reject = true});
		solo_clock(&s, 1);
		assert_null(solo_act(&s, RAFT_DO_SEND_SNAP, 0));
	}

	solo_clock(&s, 1);
	assert_int_equal(solo_act(&s, RAFT_DO_SEND_SNAP, 0)->send_snap.to, 3);
	solo_deinit(&s);
}

static void nobody_sends_to_who_is_silent(void **state)
{
	const struct raft_msg from_2 = {.kind = RAFT_APPEND_REPLY,
					.from = 2,
					.term = 2,
					.pos.index = 4,
					.last = 4};
	const struct raft_msg from_3 = {.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 2,
					.last = 3,
					.reject = true};
	int i;
	(void)state;

	given_leader_with_a_cut_log();
	sent(3, 0, false);
	for (i = 0; i < 20; i++) {
		solo_clock(&s, 100);
		assert_null(solo_act(&s, RAFT_DO_SEND_SNAP, 0));
		solo_recv(&s, from_2);
		assert_null(solo_act(&s, RAFT_DO_SEND_SNAP, 0));
	}
	solo_recv(&s, from_3);

	assert_int_equal(solo_act(&s, RAFT_DO_SEND_SNAP, 0)->send_snap.to, 3);
	solo_deinit(&s);
}

static void a_lost_link_begins_no_second_snapshot(void **state)
{
	struct raft_event link = {.kind = RAFT_EV_LINK, .link.peer = 3};
	(void)state;

	given_leader_with_a_cut_log();
	solo_step(&s, link);
	link.link.up = true;
	solo_step(&s, link);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 2,
					.last = 4,
					.round = 1,
					.reject = true});
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
					.from = 3,
					.term = 2,
					.last = 3,
					.round = 1,
					.reject = true});

	assert_string_equal(state_of(3), "snapshot");
	assert_null(solo_act(&s, RAFT_DO_SEND_SNAP, 0));
	solo_deinit(&s);
}

/* Row 51: the log was cut further while the snapshot was on its way. */
static void a_snapshot_before_the_base_is_followed_by_another(void **state)
{
	(void)state;

	given_leader_with_a_cut_log();
	sent(3, 2, true);

	assert_int_equal(solo_act(&s, RAFT_DO_SEND_SNAP, 0)->send_snap.to, 3);
	solo_deinit(&s);
}

static void the_end_of_an_unknown_transfer_means_nothing(void **state)
{
	(void)state;

	given_leader_with_a_cut_log();
	sent(2, 1, true);
	sent(9, 1, true);

	assert_string_equal(state_of(2), "replicate");
	assert_string_equal(state_of(3), "snapshot");
	solo_deinit(&s);
}

static void loading_waits_for_every_save(void **state)
{
	const struct raft_act *save, *load;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, POS(1, 1), 1, LOG(2));
	assert_int_equal(received(3, POS(3, 9), &voters_1234), 0);

	save = solo_act(&s, RAFT_DO_SAVE, 0); /* of term 3 */
	load = solo_act(&s, RAFT_DO_LOAD_SNAP, 0);
	assert_int_equal(load->load_snap.pos.index, 9);
	assert_int_equal(load->after, save->save.seq);
	assert_true(solo_status(&s).loading);
	assert_int_equal(solo_status(&s).commit, 1);
	assert_int_equal(solo_status(&s).leader, 2);
	solo_deinit(&s);
}

/* Row 48: entry 2 is another than the snapshot's last. */
static void a_loaded_snapshot_is_the_whole_log(void **state)
{
	struct raft_status st;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1, 1, 1, 1));
	received(2, POS(2, 3), &voters_1234);
	loaded(POS(2, 3));

	st = solo_status(&s);
	assert_int_equal(st.first, 4);
	assert_int_equal(st.last, 3);
	assert_int_equal(st.saved, 3);
	assert_int_equal(st.commit, 3);
	assert_int_equal(st.applied, 3);
	assert_false(st.loading);
	assert_int_equal(solo_act(&s, RAFT_DO_MEMBERS, 0)->members.index, 3);
	assert_int_equal(raft_members(s.core)->voter_count, 4);
	solo_append(&s, 2, POS(2, 3), 4, LOG(2));
	assert_int_equal(solo_status(&s).last, 4);
	assert_int_equal(solo_act(&s, RAFT_DO_APPLY, 0)->apply.first, 4);
	solo_deinit(&s);
}

/* Row 49. */
static void what_is_committed_is_not_loaded_again(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 3, LOG(1, 2, 2, 2));
	assert_int_equal(received(2, POS(2, 3), &voters_123), 0);

	assert_null(solo_act(&s, RAFT_DO_LOAD_SNAP, 0));
	assert_int_equal(solo_status(&s).last, 4);
	solo_deinit(&s);
}

static void a_log_that_agrees_is_kept_and_committed(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1, 2, 2, 2));
	assert_int_equal(received(2, POS(2, 3), &voters_123), 0);

	assert_null(solo_act(&s, RAFT_DO_LOAD_SNAP, 0));
	assert_int_equal(solo_status(&s).last, 4);
	assert_int_equal(solo_status(&s).commit, 3);
	assert_int_equal(solo_act(&s, RAFT_DO_APPLY, 0)->apply.last, 3);
	solo_deinit(&s);
}

static void a_snapshot_of_no_leader_of_ours_is_refused(void **state)
{
	const struct raft_change none = {.index = 0};
	(void)state;

	solo_init(&s, 3, 5, 1, LOG(1));
	assert_int_equal(received(4, POS(4, 3), &voters_123),
			 STATUS_NOT_LEADER);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND,
					.from = 3,
					.term = 5,
					.pos = {1, 1},
					.last = 1});
	assert_int_equal(received(5, POS(5, 3), &voters_123),
			 STATUS_NOT_LEADER);
	assert_int_equal(received(6, POS(7, 3), &voters_123), STATUS_INVALID);
	assert_int_equal(received(6, POS(6, 3), &none), STATUS_INVALID);
	assert_int_equal(received(6, POS(6, 0), &voters_123), STATUS_INVALID);
	assert_int_equal(received(6, POS(6, 2), &voters_1234), STATUS_INVALID);

	assert_false(solo_status(&s).loading);
	assert_int_equal(solo_status(&s).term, 5);
	solo_deinit(&s);
}

static void a_leader_takes_no_snapshot(void **state)
{
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	solo_lead(&s);

	assert_int_equal(received(2, POS(2, 9), &voters_123),
			 STATUS_NOT_LEADER);
	solo_deinit(&s);
}

static void one_is_loaded_at_a_time(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	received(2, POS(2, 5), &voters_123);

	assert_int_equal(received(2, POS(2, 6), &voters_123), STATUS_PENDING);
	assert_null(solo_act(&s, RAFT_DO_LOAD_SNAP, 0));
	loaded(POS(2, 5));
	assert_int_equal(received(2, POS(2, 6), &voters_123), 0);
	assert_non_null(solo_act(&s, RAFT_DO_LOAD_SNAP, 0));
	solo_deinit(&s);
}

/* Row 54, and no vote: nothing may be saved meanwhile. */
static void who_loads_neither_stands_nor_votes_nor_saves(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	received(2, POS(2, 5), &voters_123);
	solo_clock(&s, 5000);
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_PREVOTE,
					.from = 3,
					.term = 9,
					.pos = {9, 9}});
	assert_true(solo_sent(&s, RAFT_PREVOTE_REPLY, 3, 0)->send.reject);
	solo_recv(&s, (struct raft_msg){.kind = RAFT_VOTE,
					.from = 3,
					.term = 9,
					.pos = {9, 9},
					.transfer = true});
	assert_true(solo_sent(&s, RAFT_VOTE_REPLY, 3, 0)->send.reject);
	assert_null(solo_act(&s, RAFT_DO_SAVE, 0));
	solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND,
					.from = 3,
					.term = 9,
					.pos = {1, 1},
					.last = 1});
	assert_int_equal(s.out.count, 0);
	solo_append(&s, 2, POS(1, 1), 1, LOG(2));

	assert_null(solo_act(&s, RAFT_DO_SAVE, 0));
	assert_int_equal(solo_status(&s).last, 1);
	assert_int_equal(solo_status(&s).term, 2);
	loaded(POS(2, 5));
	assert_true(raft_deadline(s.core) >= s.now + 600);
	solo_deinit(&s);
}

/* Else the leader of two, one of which is loading, would resign. */
static void who_loads_is_heard_by_its_leader(void **state)
{
	const struct raft_act *reply;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	received(2, POS(2, 5), &voters_123);
	solo_append(&s, 2, POS(2, 5), 6, LOG(2));

	reply = solo_sent(&s, RAFT_APPEND_REPLY, 2, 0);
	assert_true(reply->send.reject);
	assert_int_equal(reply->send.round, 1);
	assert_int_equal(reply->send.last, 5);
	solo_deinit(&s);
}

static void a_candidate_follows_whoever_sent_the_snapshot(void **state)
{
	(void)state;

	solo_init(&s, 3, 1, 1, LOG(1));
	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	assert_int_equal(solo_status(&s).role, RAFT_PRECANDIDATE);

	assert_int_equal(received(1, POS(1, 5), &voters_123), 0);
	assert_int_equal(solo_status(&s).role, RAFT_FOLLOWER);
	assert_int_equal(solo_status(&s).leader, 2);
	assert_true(solo_status(&s).loading);
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_cut_away_is_sent_as_a_snapshot_once),
		cmocka_unit_test(after_the_snapshot_its_end_is_probed),
		cmocka_unit_test(a_failed_snapshot_is_repeated_later),
		cmocka_unit_test(nobody_sends_to_who_is_silent),
		cmocka_unit_test(a_lost_link_begins_no_second_snapshot),
		cmocka_unit_test(
			a_snapshot_before_the_base_is_followed_by_another),
		cmocka_unit_test(the_end_of_an_unknown_transfer_means_nothing),
		cmocka_unit_test(loading_waits_for_every_save),
		cmocka_unit_test(a_loaded_snapshot_is_the_whole_log),
		cmocka_unit_test(what_is_committed_is_not_loaded_again),
		cmocka_unit_test(a_log_that_agrees_is_kept_and_committed),
		cmocka_unit_test(a_snapshot_of_no_leader_of_ours_is_refused),
		cmocka_unit_test(a_leader_takes_no_snapshot),
		cmocka_unit_test(one_is_loaded_at_a_time),
		cmocka_unit_test(who_loads_neither_stands_nor_votes_nor_saves),
		cmocka_unit_test(who_loads_is_heard_by_its_leader),
		cmocka_unit_test(a_candidate_follows_whoever_sent_the_snapshot),
	};

	return cmocka_run_group_tests_name("raft/snapshot", tests, NULL, NULL);
}
