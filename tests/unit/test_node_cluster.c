/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: whole nodes found a cluster, agree on one sequence whoever
 * proposes, and go on through the loss and return of any one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/nodetest.h"

static void a_single_node_commits_alone_and_replays(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[0];
	struct node_identity first, second;
	const struct node_state empty = {0};
	struct buffer problem = {0};
	raft_index base, commit, last;

	kit_start(k);
	node_identity(k->node, &first);
	kit_propose(k, 0, 500, 100);
	assert_true(kit_await(k, 500));
	kit_stop(k);

	kit_forget(k);
	assert_int_equal(kit_open(k, &problem), 0);
	node_log(k->node, &base, &commit, &last); /* before it adds to it */
	assert_int_equal(base, 0);
	assert_int_equal(commit, 502);
	assert_int_equal(last, 502);
	node_identity(k->node, &second);
	assert_int_equal(node_start(k->node, &empty), 0);
	assert_true(kit_await(k, 500));
	assert_int_equal(first.self, second.self);
	assert_int_equal(first.boot, 1);
	assert_int_equal(second.boot, 2);
	assert_memory_equal(first.cluster, second.cluster, 16);
}

static void every_node_may_propose_and_all_get_one_sequence(void **state)
{
	struct kit *kit = *state;

	kit_start_all(kit);
	for (uint32_t i = 0; i < 3; i++) {
		kit_propose(&kit->nodes[i], 1000 * i, 1000, 128);
	}

	assert_all_have(kit, 3000);
}

static void entries_of_a_mebibyte_travel_from_a_follower(void **state)
{
	struct kit *kit = *state;

	kit_start_all(kit);
	kit_propose(other_than(kit, kit_leader(kit)), 0, 24, LIMIT_WRITE_BYTES);

	assert_all_have(kit, 24);
}

static void the_loss_of_the_leader_is_survived(void **state)
{
	struct kit *kit = *state;
	struct kit_node *old, *leader;

	kit_start_all(kit);
	old = kit_leader(kit);
	kit_propose(old, 0, 300, 128);
	assert_all_have(kit, 300);

	kit_stop(old);
	leader = kit_leader(kit);
	assert_ptr_not_equal(leader, old);
	kit_propose(leader, 300, 300, 128);
	assert_true(kit_await(leader, 600));

	kit_forget(old);
	kit_start(old);
	assert_all_have(kit, 600);
}

static void proposals_under_way_when_the_leader_goes_are_not_lost(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k;

	kit_start_all(kit);
	leader = kit_leader(kit);
	k = other_than(kit, leader);
	kit_propose(k, 0, 20000, 256);
	assert_true(kit_await(k, 100));

	kit_stop(leader);

	assert_true(kit_await(k, 20000));
	kit_start(leader);
	assert_all_have(kit, 20000);
}

static void a_follower_that_was_away_catches_up(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *away;

	kit_start_all(kit);
	leader = kit_leader(kit);
	away = other_than(kit, leader);
	kit_stop(away);
	kit_propose(leader, 0, 10000, 1000);
	assert_true(kit_await(leader, 10000));

	kit_start(away);

	assert_all_have(kit, 10000);
}

static void
without_a_quorum_nothing_commits_and_the_status_says_so(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;
	struct node_status status;
	raft_index index;

	kit_start_all(kit);
	leader = kit_leader(kit);
	for (size_t i = 0; i < 3; i++) {
		if (&kit->nodes[i] != leader) {
			kit_stop(&kit->nodes[i]);
		}
	}

	assert_true(
		kit_await_waiting(leader, "no quorum: 1 of 3 voters heard"));
	node_status(leader->node, &status);
	assert_int_equal(status.raft.leader, 0);
	assert_false(node_lease(leader->node, &index));
	kit_propose(leader, 0, 1, 8);
	assert_int_equal(kit_read(leader, false, &index), STATUS_NOT_LEADER);
	assert_int_equal(kit_applied(leader), 0);

	kit_start(other_than(kit, leader));
	assert_true(kit_await(leader, 1));
	node_status(kit_leader(kit)->node, &status);
	assert_string_equal(status.waiting, "");
}

static void reads_see_what_was_written_before(void **state)
{
	struct kit *kit = *state;
	raft_index index, lease;
	struct kit_node *leader = GIVEN_STEADY(kit);

	kit_propose(leader, 0, 100, 8);
	assert_true(kit_await(leader, 100));

	for (size_t i = 0; i < 3; i++) {
		struct kit_node *k = &kit->nodes[i];

		assert_int_equal(kit_read(k, false, &index), 0);
		assert_true(index >= 102); /* founding, no-op, 100 */
		assert_int_equal(kit_read(k, true, &index), 0);
		assert_true(index >= 102);
		assert_int_equal(node_lease(k->node, &lease), k == leader);
	}
}

/* The lease ends some time before the leader notes that it is alone: in between
 * nothing but the clock says so. */
static void an_ended_lease_is_false_and_leaves_the_index_alone(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;
	struct node_status status;
	raft_index index;
	bool leased;

	kit_start_all(kit);
	leader = kit_leader(kit);
	for (size_t i = 0; i < kit->count; i++) {
		if (&kit->nodes[i] != leader) {
			kit_stop(&kit->nodes[i]);
		}
	}

	do {
		index = 777777;
		leased = node_lease(leader->node, &index);
		assert_int_equal(index != 777777, leased);
		node_status(leader->node, &status);
	} while (leased || status.raft.role == RAFT_LEADER);
}

static void messages_reach_members_and_itself(void **state)
{
	struct kit *kit = *state;
	struct kit_node *a = &kit->nodes[0], *b = &kit->nodes[1];

	kit_start_all(kit);
	kit_leader(kit);

	node_send(a->node, b->id, bytes_of_text("hello"));
	node_send(a->node, a->id, bytes_of_text("me"));

	assert_int_equal(kit_await_message(b, a->id), 5);
	assert_int_equal(kit_await_message(a, a->id), 2);
}

static bool has_committed(const struct node_status *status, uint64_t index)
{
	return status->raft.commit >= index;
}

/* N4: deliveries stop at the bound and go on when the state has moved. */
static void a_slow_state_is_not_flooded(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[0];
	size_t most = (size_t)LIMIT_UNAPPLIED_BYTES / LIMIT_WRITE_BYTES;

	k->holding = true;
	kit_start(k);
	kit_propose(k, 0, 100, LIMIT_WRITE_BYTES);
	assert_true(kit_await(k, most / 2));
	assert_true(kit_await_status(k, has_committed, 102));
	assert_true(kit_applied(k) <= most + 5);

	kit_catch_up(k);

	assert_true(kit_await(k, 100));
}

static void what_all_have_flushed_is_cut_from_the_log(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[0];
	raft_index first;

	kit_start(k);
	kit_propose(k, 0, 20000, 2048);
	assert_true(kit_await(k, 20000));
	node_flushed(k->node, 20000);

	assert_true(kit_await_status(k, begins_after, 4096));
	first = status_of(k).raft.first;
	assert_true(first > 4097 && first < 20000 - 4096 + 4);
	kit_stop(k);
	kit_start(k);
	kit_propose(k, 20000, 10, 8);
	assert_true(kit_await(k, 20010));
}

static bool is_bounded(const struct node_status *status, uint64_t bytes)
{
	return status->log_bytes <= bytes;
}

/* Row 51, the other half: who is away does not fill the disk. */
static void the_log_stays_bounded_while_a_member_is_away(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[0];
	struct node_status status;
	uint32_t count = LIMIT_LOG_BYTES / LIMIT_WRITE_BYTES + 32;

	/* So much is written that a shared disk keeps a node waiting. */
	kit->election_ms = KIT_STEADY_MS;
	kit_start(k);
	kit_start(&kit->nodes[1]);
	kit_start(&kit->nodes[2]);
	kit_propose(k, 0, 10, 8);
	assert_all_have(kit, 10);
	kit_stop(&kit->nodes[2]);
	kit_propose(k, 10, count, LIMIT_WRITE_BYTES);
	assert_true(kit_await(k, 10 + count));
	/* On a slow disk some were offered twice. */
	assert_true(kit_await_status(k, has_applied_all, 0));
	node_status(k->node, &status);
	node_flushed(k->node, status.raft.applied);

	/* And the segment in use. */
	assert_true(kit_await_status(k, is_bounded,
				     LIMIT_LOG_BYTES + LIMIT_SEGMENT_BYTES));
	assert_true(kit_await_status(k, begins_after, 13));
}

static bool is_linked(const struct node_status *status, uint64_t argument)
{
	(void)argument;
	return status->members[1].connected;
}

/* Somebody empties its folder while the others still wait for a third. */
static void a_founder_may_come_back_as_another_before_the_founding(void **state)
{
	struct kit *kit = *state;

	kit_start(&kit->nodes[0]);
	kit_start(&kit->nodes[1]);
	assert_true(kit_await_status(&kit->nodes[0], is_linked, 0));

	kit_stop(&kit->nodes[1]);
	kit_wipe(&kit->nodes[1]);
	kit_start(&kit->nodes[1]);
	assert_true(kit_await_status(&kit->nodes[0], is_linked, 0));
	kit_start(&kit->nodes[2]);

	kit_propose(&kit->nodes[1], 0, 10, 100);
	assert_all_have(kit, 10);
}

/* F2: a crash between receiving the record and saving it. */
static void a_member_that_missed_the_founding_is_handed_it_again(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	char *command =
		mem_printf("cp %s/identity %s/kept", k->folder, kit->root);

	kit_start(k);
	assert_true(kit_await_waiting(k, "not founded yet, waiting for n1"));
	assert_int_equal(system(command), 0);
	mem_free(command);
	kit_start(&kit->nodes[0]);
	kit_start(&kit->nodes[1]);
	kit_propose(&kit->nodes[0], 0, 10, 8);
	assert_all_have(kit, 10);
	for (size_t i = 0; i < 3; i++) {
		kit_stop(&kit->nodes[i]);
	}
	kit_forget(k);
	command = mem_printf("rm -r %s/log && cp %s/kept %s/identity",
			     k->folder, kit->root, k->folder);
	assert_int_equal(system(command), 0);
	mem_free(command);

	kit_start_all(kit);

	assert_all_have(kit, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_ONE, a_single_node_commits_alone_and_replays),
		KIT_TEST(GIVEN_THREE,
			 every_node_may_propose_and_all_get_one_sequence),
		KIT_TEST(GIVEN_THREE,
			 entries_of_a_mebibyte_travel_from_a_follower),
		KIT_TEST(GIVEN_THREE, the_loss_of_the_leader_is_survived),
		KIT_TEST(GIVEN_THREE,
			 proposals_under_way_when_the_leader_goes_are_not_lost),
		KIT_TEST(GIVEN_THREE, a_follower_that_was_away_catches_up),
		KIT_TEST(
			GIVEN_THREE,
			without_a_quorum_nothing_commits_and_the_status_says_so),
		KIT_TEST(GIVEN_THREE, reads_see_what_was_written_before),
		KIT_TEST(GIVEN_THREE,
			 an_ended_lease_is_false_and_leaves_the_index_alone),
		KIT_TEST(GIVEN_THREE, messages_reach_members_and_itself),
		KIT_TEST(GIVEN_ONE, a_slow_state_is_not_flooded),
		KIT_TEST(GIVEN_ONE, what_all_have_flushed_is_cut_from_the_log),
		KIT_TEST(GIVEN_THREE,
			 the_log_stays_bounded_while_a_member_is_away),
		KIT_TEST(
			GIVEN_THREE,
			a_founder_may_come_back_as_another_before_the_founding),
		KIT_TEST(GIVEN_THREE,
			 a_member_that_missed_the_founding_is_handed_it_again),
	};

	return cmocka_run_group_tests_name("raft/node/cluster", tests, NULL,
					   NULL);
}
