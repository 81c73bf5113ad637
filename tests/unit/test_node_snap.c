/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a follower that was away for longer than the log reaches comes
 * back by a snapshot, whatever happens to it, its leader or their connection
 * meanwhile, and never to another state than the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/nodetest.h"

enum {
	MIB = 1 << 20,
	BALLAST = 8,			   /* MiB */
	LONG = LIMIT_LOG_BYTES / MIB + 24, /* entries of a MiB */
};

static int setup(void **state)
{
	struct kit *kit;

	(void)GIVEN_THREE(state);
	kit = *state;
	for (size_t i = 0; i < kit->count; i++) {
		kit->nodes[i].ballast = BALLAST;
	}
	/* So much is written that a shared disk keeps a node waiting. */
	kit->election_ms = KIT_STEADY_MS;
	return 0;
}

static bool has_installed(const struct node_status *status, uint64_t count)
{
	return status->snapshots.installed >= count;
}

static bool has_sent(const struct node_status *status, uint64_t count)
{
	return status->snapshots.sent >= count;
}

static bool has_taken(const struct node_status *status, uint64_t bytes)
{
	return status->snapshots.bytes_taken >= bytes;
}

static bool has_kept(const struct node_status *status, uint64_t bytes)
{
	return status->snapshots.bytes_kept >= bytes;
}

static struct node_snapshots snapshots_of(struct kit_node *k)
{
	return status_of(k).snapshots;
}

/* One of them is down, and the logs of the others begin after all it has. */
static struct kit_node *GIVEN_ONE_AWAY(struct kit *kit,
				       struct kit_node **leader)
{
	struct kit_node *away;

	kit_start_all(kit);
	*leader = kit_leader(kit);
	away = *leader == &kit->nodes[2] ? &kit->nodes[1] : &kit->nodes[2];
	kit_propose(*leader, 0, 100, 8);
	for (size_t i = 0; i < kit->count; i++) {
		assert_true(kit_await(&kit->nodes[i], 100));
	}
	kit_stop(away);
	kit_propose(*leader, 100, LONG, MIB);
	for (size_t i = 0; i < kit->count; i++) {
		struct kit_node *k = &kit->nodes[i];

		if (k->node != NULL) {
			assert_true(kit_await(k, 100 + LONG));
			node_flushed(k->node, kit_index(k));
			assert_true(kit_await_status(k, begins_after,
						     away->applied));
		}
	}
	return away;
}

/* --- The way it goes -------------------------------------------------------
 */

static void a_follower_beyond_the_cut_catches_up(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;
	struct kit_node *away = GIVEN_ONE_AWAY(kit, &leader);

	kit_start(away);
	assert_all_have(kit, 100 + LONG);
	kit_propose(away, 1000, 50, 8);
	assert_all_have(kit, 150 + LONG);

	assert_int_equal(away->loaded, 1);
	assert_int_equal(leader->made, 1);
	assert_true(kit_await_status(leader, has_sent, 1));
	assert_int_equal(snapshots_of(away).installed, 1);
	assert_true(snapshots_of(away).bytes_taken > (uint64_t)BALLAST * MIB);
	assert_true(status_of(away).raft.first > 100 + LONG);

	/* Its log begins after the snapshot at the next start, too. */
	kit_stop(away);
	kit_start(away);
	kit_propose(leader, 2000, 50, 8);
	assert_all_have(kit, 200 + LONG);
	assert_int_equal(away->loaded, 1);
}

static void writes_go_on_while_it_is_sent(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *away;

	kit->snapshot_rate = 2 * MIB; /* so it takes four seconds */
	away = GIVEN_ONE_AWAY(kit, &leader);
	kit_start(away);
	assert_true(kit_await_status(away, has_taken, MIB));
	kit_propose(leader, 1000, 500, 4096);
	assert_true(kit_await(leader, 600 + LONG));
	assert_int_equal(snapshots_of(away).installed, 0);

	assert_all_have(kit, 600 + LONG);
	assert_int_equal(away->loaded, 1);
}

/* --- Members ---------------------------------------------------------------
 */

/* n1 has founded a cluster by itself. */
static struct kit_node *GIVEN_FOUNDER(struct kit *kit)
{
	struct kit_node *first = &kit->nodes[0];

	first->alone = true;
	kit_start(first);
	assert_true(kit_await_members(first, "n1:voter"));
	return first;
}

static void add(struct kit_node *by, struct kit_node *k, bool stay)
{
	assert_int_equal(
		kit_change(by, NODE_ADD, k->name, NULL, k->address, stay), 0);
	k->join = by->address;
	kit_start(k);
}

static void write_beyond_the_log(struct kit_node *k, raft_index has)
{
	size_t count = kit_applied(k);

	kit_propose(k, (uint32_t)count, LONG, MIB);
	assert_true(kit_await(k, count + LONG));
	node_flushed(k->node, kit_index(k));
	assert_true(kit_await_status(k, begins_after, has));
}

static void a_newcomer_gets_what_the_log_has_not(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *k = &kit->nodes[1];

	write_beyond_the_log(first, 1);
	add(first, k, false);

	assert_true(kit_await_members(k, "n1:voter n2:voter"));
	kit_propose(k, 1000, 10, 8);
	assert_all_have(kit, LONG + 10);
	assert_int_equal(k->loaded, 1);

	/* What it knows of the cluster is in its state. */
	kit_stop(k);
	kit_start(k);
	kit_propose(k, 2000, 10, 8);
	assert_all_have(kit, LONG + 20);
}

/* Rows 34 and 35: the configurations of the old log are gone with it. */
static void who_was_away_has_the_members_of_the_snapshot(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *away = &kit->nodes[1], *third = &kit->nodes[2];

	add(first, away, true);
	assert_true(kit_await_members(away, "n1:voter n2:learner"));
	kit_propose(first, 0, 10, 8);
	assert_true(kit_await(away, 10));
	kit_stop(away);
	add(first, third, false);
	assert_true(kit_await_members(first, "n1:voter n2:learner n3:voter"));
	write_beyond_the_log(first, away->applied);
	kit_start(away);

	assert_true(kit_await_members(away, "n1:voter n2:learner n3:voter"));
	kit_propose(away, 1000, 10, 8);
	assert_all_have(kit, 10 + LONG + 10);
	assert_int_equal(away->loaded, 1);
}

/* --- The rate --------------------------------------------------------------
 */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void the_rate_is_kept(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *away;
	double began;

	kit->snapshot_rate = 4 * MIB;
	away = GIVEN_ONE_AWAY(kit, &leader);
	began = seconds();
	kit_start(away);
	assert_all_have(kit, 100 + LONG);

	assert_true(seconds() - began > 0.9 * BALLAST / 4);
}

/* --- What goes wrong -------------------------------------------------------
 */

static void a_transfer_that_was_cut_is_gone_on_with(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *away;
	struct node_snapshots sent;

	kit->snapshot_rate = MIB; /* so it is under way yet */
	away = GIVEN_ONE_AWAY(kit, &leader);
	kit_start(away);
	assert_true(kit_await_status(away, has_taken, 5 * MIB));
	kit_stop(away);
	assert_int_equal(away->loaded, 0);
	assert_true(kit_await_status(leader, has_failed, 1));
	kit_start(away);
	assert_all_have(kit, 100 + LONG);

	/* What it had it was not sent again. */
	assert_true(kit_await_status(leader, has_sent, 1));
	sent = snapshots_of(leader);
	assert_true(sent.bytes_kept >= 4 * MIB);
	assert_true(sent.bytes_sent < (uint64_t)(BALLAST + 5) * MIB);
	assert_int_equal(away->loaded, 1);
}

/* The other node's snapshot has most files in common with the first one's. */
static void a_new_leader_goes_on_where_the_old_one_was(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *away, *other;

	/* So slow that it is under way yet when its leader has handed over. */
	kit->snapshot_rate = MIB;
	away = GIVEN_ONE_AWAY(kit, &leader);
	kit_start(away);
	assert_true(kit_await_status(away, has_taken, 5 * MIB));
	kit_stop(leader);
	other = kit_leader(kit);
	assert_ptr_not_equal(other, away);
	assert_all_have(kit, 100 + LONG);

	assert_true(kit_await_status(other, has_sent, 1));
	assert_true(snapshots_of(other).bytes_kept >= 4 * MIB);
	assert_int_equal(away->loaded, 1);
	kit_start(leader);
	kit_propose(leader, 1000, 10, 8);
	assert_all_have(kit, 110 + LONG);
}

/* It neither votes nor follows until it has loaded what it got. */
static void the_leader_may_change_while_it_is_loaded(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;
	struct kit_node *away = GIVEN_ONE_AWAY(kit, &leader);

	kit_hold_load(away);
	kit_start(away);
	assert_true(kit_await_load(away));
	kit_stop(leader);
	kit_start(leader);
	kit_propose(leader, 1000, 10, 8);
	assert_true(kit_await(leader, 110 + LONG));
	assert_int_equal(snapshots_of(away).installed, 0);
	kit_release_load(away);

	assert_all_have(kit, 110 + LONG);
	assert_true(kit_await_status(away, has_installed, 1));
	kit_propose(away, 2000, 10, 8);
	assert_all_have(kit, 120 + LONG);
}

/* The state is the snapshot's then, the log may be the old one. */
static void a_stop_while_it_is_loaded_is_mended(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;
	struct kit_node *away = GIVEN_ONE_AWAY(kit, &leader);

	kit_hold_load(away);
	kit_start(away);
	assert_true(kit_await_load(away));
	kit_stop(away); /* lets it go on, and waits for it */
	assert_int_equal(away->loaded, 1);
	kit_start(away);

	assert_all_have(kit, 100 + LONG);
	kit_propose(away, 1000, 10, 8);
	assert_all_have(kit, 110 + LONG);
	assert_int_equal(away->loaded, 1);
}

/* --- Crashes ---------------------------------------------------------------
 */

/* Put a copy of the folder, made by the kit, in the folder's place. */
static void go_back_to(struct kit_node *k, const char *copy)
{
	char *command = mem_printf("rm -r '%s' && mv '%s/%s' '%s'", k->folder,
				   k->kit->root, copy, k->folder);

	assert_int_equal(system(command), 0);
	mem_free(command);
}

static void a_crash_before_the_state_is_replaced_is_mended(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;
	struct kit_node *away = GIVEN_ONE_AWAY(kit, &leader);

	away->keep_before = "kept";
	kit_start(away);
	assert_all_have(kit, 100 + LONG);
	kit_stop(away);
	away->keep_before = NULL;
	go_back_to(away, "kept");
	kit_forget(away);

	/* It has its old log, and all of the snapshot staged. */
	kit_start(away);
	assert_all_have(kit, 100 + LONG);
	assert_int_equal(away->loaded, 2);
	assert_true(
		kit_await_status(leader, has_kept, (uint64_t)BALLAST * MIB));
	kit_propose(away, 1000, 10, 8);
	assert_all_have(kit, 110 + LONG);
}

static void a_crash_between_state_and_log_is_mended(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;
	struct kit_node *away = GIVEN_ONE_AWAY(kit, &leader);
	raft_index installed;

	away->keep_after = "kept";
	kit_start(away);
	assert_all_have(kit, 100 + LONG);
	kit_stop(away);
	away->keep_after = NULL;
	installed = away->installed.index;
	assert_int_equal(installed, away->applied);
	go_back_to(away, "kept");

	/* The state is the snapshot's, the log the old one. */
	kit_start(away);
	assert_true(kit_await_status(away, begins_after, installed - 1));
	kit_propose(away, 1000, 10, 8);
	assert_all_have(kit, 110 + LONG);
	assert_int_equal(away->loaded, 1);
}

#define TEST(name) KIT_TEST(setup, name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_follower_beyond_the_cut_catches_up),
		TEST(writes_go_on_while_it_is_sent),
		TEST(a_newcomer_gets_what_the_log_has_not),
		TEST(who_was_away_has_the_members_of_the_snapshot),
		TEST(the_rate_is_kept),
		TEST(a_transfer_that_was_cut_is_gone_on_with),
		TEST(a_new_leader_goes_on_where_the_old_one_was),
		TEST(the_leader_may_change_while_it_is_loaded),
		TEST(a_stop_while_it_is_loaded_is_mended),
		TEST(a_crash_before_the_state_is_replaced_is_mended),
		TEST(a_crash_between_state_and_log_is_mended),
	};

	return cmocka_run_group_tests_name("raft/node/snap", tests, NULL, NULL);
}
