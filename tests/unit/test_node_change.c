/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: nodes come and go while the cluster works, each at a command, and
 * nothing that was proposed is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/clock.h"
#include "tests/lib/nodetest.h"

/* --- Given -----------------------------------------------------------------
 */

/* n1 has founded a cluster by itself, and listens. */
static struct kit_node *GIVEN_FOUNDER(struct kit *kit)
{
	struct kit_node *first = &kit->nodes[0];

	first->alone = true;
	kit_start(first);
	assert_true(kit_await_members(first, "n1:voter"));
	return first;
}

static void add(struct kit_node *by, const struct kit_node *k, bool stay)
{
	if (kit_change(by, NODE_ADD, k->name, NULL, k->address, stay) != 0) {
		fail_msg("%s is not added: %s", k->name, by->change_text);
	}
}

static void join(struct kit_node *k, const struct kit_node *at)
{
	k->join = at->address;
	kit_start(k);
}

/* --- Growing and shrinking --------------------------------------------------
 */

static void a_cluster_grows_from_one_to_three_to_five(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);

	kit_propose(first, 0, 2000, 100);
	add(first, &kit->nodes[1], false);
	add(first, &kit->nodes[2], false);
	join(&kit->nodes[1], first);
	join(&kit->nodes[2], first);
	assert_true(kit_await_members(&kit->nodes[1],
				      "n1:voter n2:voter n3:voter"));
	kit_propose(&kit->nodes[1], 2000, 2000, 100);

	/* Asked of any member, and joining at any. */
	add(&kit->nodes[1], &kit->nodes[3], false);
	join(&kit->nodes[3], &kit->nodes[2]);
	add(&kit->nodes[2], &kit->nodes[4], false);
	join(&kit->nodes[4], &kit->nodes[3]);
	kit_propose(&kit->nodes[2], 4000, 1000, 100);

	for (size_t i = 0; i < 5; i++) {
		assert_true(kit_await_members(
			&kit->nodes[i],
			"n1:voter n2:voter n3:voter n4:voter n5:voter"));
	}
	assert_all_have(kit, 5000);
	kit_stop(&kit->nodes[0]);
	kit_stop(&kit->nodes[1]);
	kit_propose(&kit->nodes[4], 5000, 10, 100);
	assert_true(kit_await(&kit->nodes[3], 5010));
}

static void a_cluster_shrinks_from_five_to_three_to_one(void **state)
{
	struct kit *kit = *state;
	struct kit_node *last;

	GIVEN_CLUSTER(kit);
	kit_propose(&kit->nodes[0], 0, 2000, 100);
	for (size_t i = 4; i > 0; i--) {
		struct kit_node *leader = kit_leader(kit);
		struct kit_node *k = &kit->nodes[i];

		kit_propose(&kit->nodes[0], 2000 + 100 * (uint32_t)i, 100, 100);
		assert_int_equal(kit_change(&kit->nodes[0], NODE_REMOVE,
					    k->name, NULL, NULL, false),
				 0);
		assert_true(kit_await_failed(k, "was removed from cluster"));
		kit_stop(k);
		(void)leader;
	}
	last = &kit->nodes[0];
	assert_true(kit_await_members(last, "n1:voter"));
	assert_true(kit_await(last, 2400));
	assert_int_equal(kit_change(last, NODE_REMOVE, "n1", NULL, NULL, false),
			 STATUS_INVALID);
	assert_string_equal(last->change_text, "n1 is the only voter");
	kit_propose(last, 5000, 10, 100);
	assert_true(kit_await(last, 2410));
}

static void a_leader_may_be_removed_and_ends(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_CLUSTER(kit);
	struct kit_node *other = other_than(kit, leader);

	kit_propose(other, 0, 1000, 100);
	assert_int_equal(kit_change(leader, NODE_REMOVE, leader->name, NULL,
				    NULL, false),
			 0);
	assert_true(kit_await_failed(leader, "was removed from cluster"));
	kit_stop(leader);
	kit_propose(other, 1000, 10, 100);
	assert_true(kit_await(other, 1010));

	/* Its data is no way back in. */
	kit_start(leader);
	assert_true(kit_await_failed(leader, "raftfsctl member add"));
	kit_stop(leader);
	kit_propose(other, 1010, 10, 100);
	assert_true(kit_await(other, 1020));
}

/* It need not hear of its end by the log. */
static void who_asks_for_its_own_removal_is_told(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_CLUSTER(kit);
	struct kit_node *other = other_than(kit, leader);
	char text[32];

	assert_int_equal(kit_change(other, NODE_REMOVE, other->name, NULL, NULL,
				    false),
			 0);
	(void)snprintf(text, sizeof text, "%s is removed", other->name);
	assert_string_equal(other->change_text, text);
	assert_true(kit_await_failed(other, "was removed from cluster"));
}

static void a_removed_node_that_is_added_again_comes_back(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct kit_node *first = &kit->nodes[0];

	GIVEN_CLUSTER(kit);
	assert_int_equal(
		kit_change(first, NODE_REMOVE, "n3", NULL, NULL, false), 0);
	assert_true(kit_await_failed(k, "was removed"));
	kit_stop(k);
	add(first, k, false);
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:voter n3:voter"));
	kit_propose(k, 0, 10, 100);
	assert_all_have(kit, 10);
}

static bool is_founded(const struct node_status *status, uint64_t argument)
{
	(void)argument;
	return status->founded;
}

static bool has_entries(const struct node_status *status, uint64_t count)
{
	return status->raft.last >= count;
}

/* Its log begins long before it was a member, so does what it knows. */
static void a_newcomer_may_be_restarted_at_any_time(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *k = &kit->nodes[1];

	kit_propose(first, 0, 50000, 100);
	assert_true(kit_await(first, 50000));
	add(first, k, false);
	join(k, first);
	assert_true(kit_await_status(k, is_founded, 0));
	kit_stop(k);
	for (uint64_t last = 1; last < 20000; last *= 20) {
		kit_start(k);
		assert_true(kit_await_status(k, has_entries, last));
		kit_stop(k);
	}
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:voter"));
	assert_all_have(kit, 50000);
}

/* --- Learners ----------------------------------------------------------------
 */

/* The second member, and it has said so. */
static bool has_all(const struct node_status *status, uint64_t index)
{
	return status->members[1].match >= index;
}

static void
a_learner_reads_and_writes_and_stays_one_until_promoted(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first, *k = &kit->nodes[1];
	raft_index index;

	kit->election_ms = KIT_STEADY_MS;
	first = GIVEN_FOUNDER(kit);
	kit_propose(first, 0, 500, 100);
	add(first, k, true);
	assert_true(kit_await_members(first, "n1:voter n2:invited"));
	join(k, first);
	assert_true(kit_await_members(k, "n1:voter n2:learner"));
	kit_propose(k, 500, 500, 100);
	assert_all_have(kit, 1000);
	assert_int_equal(kit_read(k, false, &index), 0);

	/* One voter is enough: the learner counts for nothing. */
	kit_stop(k);
	kit_propose(first, 1000, 10, 100);
	assert_true(kit_await(first, 1010));
	index = kit_index(first);
	kit_start(k);
	assert_true(kit_await_status(first, has_all, index));

	assert_int_equal(kit_change(k, NODE_PROMOTE, "n2", NULL, NULL, false),
			 0);
	assert_string_equal(k->change_text, "n2 is a voter");
	assert_true(kit_await_members(first, "n1:voter n2:voter"));
}

/* --- Replacing
 * ---------------------------------------------------------------- */

static void a_wiped_node_is_replaced_under_its_name(void **state)
{
	struct node_status status;
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct kit_node *first = &kit->nodes[0];

	GIVEN_CLUSTER(kit);
	kit_propose(first, 0, 500, 100);
	assert_all_have(kit, 500);
	kit_stop(k);
	kit_wipe(k);
	kit_start(k); /* as it was started before: with --peers */
	assert_true(kit_await_failed(k, "raftfsctl member replace n3 n3"));
	kit_stop(k);
	assert_int_equal(kit_change(first, NODE_REPLACE, "n3", "n3", k->address,
				    false),
			 0);

	kit_start(k);

	assert_true(kit_await_members(k, "n1:voter n2:voter n3:voter"));
	assert_all_have(kit, 500);
	node_status(k->node, &status);
	assert_int_equal(status.bad_frames, 0); /* it is where n3 was */
	kit_stop(first);
	kit_propose(k, 500, 10, 100);
	assert_true(kit_await(k, 510));
}

static void a_dead_node_is_replaced_by_another_name(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *third = &kit->nodes[2];

	add(first, &kit->nodes[1], false);
	join(&kit->nodes[1], first);
	assert_true(kit_await_members(first, "n1:voter n2:voter"));
	add(first, third, false);
	join(third, first);
	assert_true(kit_await_members(first, "n1:voter n2:voter n3:voter"));
	kit_stop(&kit->nodes[1]);
	assert_int_equal(kit_change(third, NODE_REPLACE, "n4", "n2",
				    kit->nodes[3].address, false),
			 0);

	join(&kit->nodes[3], third);

	assert_true(kit_await_members(first, "n1:voter n3:voter n4:voter"));
	kit_propose(&kit->nodes[3], 0, 10, 100);
	assert_true(kit_await(first, 10));
	kit_start(&kit->nodes[1]);
	assert_true(kit_await_failed(&kit->nodes[1], "was removed"));
}

/* --- Addresses
 * ------------------------------------------------------------------ */

static void a_member_that_moved_is_called_there(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *k = &kit->nodes[1];

	add(first, k, false);
	join(k, first);
	assert_true(kit_await_members(k, "n1:voter n2:voter"));
	assert_int_equal(kit_change(k, NODE_ADDRESS, "n2", NULL,
				    kit->nodes[2].address, false),
			 0);
	kit_stop(k);
	kit_start(k); /* listens where the configuration has it */
	kit_leader(kit);
	kit_propose(first, 0, 10, 100);
	assert_true(kit_await(k, 10));
	assert_int_equal(kit_change(k, NODE_ADD, "n3", NULL, k->address, false),
			 0); /* that place is free again */
}

/* --- Who is denied
 * --------------------------------------------------------------- */

static void who_was_not_added_is_told_the_command(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *k = &kit->nodes[1];

	join(k, first);
	assert_true(kit_await_failed(k, "raftfsctl member add n2"));
	kit_stop(k);
	add(first, k, false);
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:voter"));
}

static void who_can_not_listen_where_it_was_added_does_not_join(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *k = &kit->nodes[1];

	assert_int_equal(kit_change(first, NODE_ADD, "n2", NULL, "192.0.2.1:7",
				    false),
			 0);
	join(k, first);
	assert_true(kit_await_failed(k, "cannot listen on 192.0.2.1:7"));
	kit_stop(k);
	assert_int_equal(kit_change(first, NODE_ADDRESS, "n2", NULL, k->address,
				    false),
			 0);
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:voter"));
}

static void a_member_of_another_cluster_does_not_join(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	struct kit_node *k = &kit->nodes[1];

	k->alone = true;
	kit_start(k);
	assert_true(kit_await_members(k, "n2:voter"));
	kit_stop(k);
	k->alone = false;
	add(first, k, false);

	join(k, first);

	assert_true(kit_await_failed(k, "give another --data to join"));
	kit_propose(first, 0, 10, 100);
	assert_true(kit_await(first, 10));
}

/* --- Troubles
 * ---------------------------------------------------------------------- */

static bool is_joint(const struct node_status *status, uint64_t argument)
{
	return status->raft.joint == (argument != 0);
}

/* Both halves are counted after a restart too (row 37). */
static void a_joint_configuration_outlives_restarts(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *other = other_than(kit, leader);
	char voters[16];

	kit_stop(other);
	kit_change_begin(leader, NODE_REMOVE, other->name, NULL, NULL, false);
	assert_true(kit_await_status(leader, is_joint, true));
	kit_stop(leader);
	assert_int_equal(kit_change_end(leader), STATUS_UNKNOWN);
	kit_start(leader);
	assert_true(kit_await_status(leader, is_joint, true));
	assert_true(kit_await_waiting(leader, "1 of 2 voters heard"));
	kit_propose(leader, 0, 10, 100);

	kit_start(other);

	assert_true(kit_await(leader, 10));
	(void)snprintf(voters, sizeof voters, "%s:voter", leader->name);
	assert_true(kit_await_members(leader, voters));
	assert_true(kit_await_failed(other, "was removed"));
}

static void a_change_outlives_the_leader_it_was_asked_of(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_CLUSTER(kit);
	struct kit_node *other = other_than(kit, leader);
	int rc;

	kit_change_begin(other, NODE_ADD, "n9", NULL, "127.0.0.1:9", true);
	kit_stop(leader);

	rc = kit_change_end(other);

	if (rc != 0) {
		fail_msg("%d %s", rc, other->change_text);
	}
	assert_true(kit_await_members(other,
				      "n1:voter n2:voter n3:voter n9:invited"));
}

static void without_a_leader_a_change_is_given_up(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *other = other_than(kit, leader);
	raft_ms asked;

	kit_stop(leader);
	asked = clock_ms();
	assert_int_equal(kit_change(other, NODE_REMOVE, leader->name, NULL,
				    NULL, false),
			 STATUS_TIMED_OUT);
	assert_non_null(strstr(other->change_text, "no quorum: 1 of 2"));
	assert_true(clock_ms() - asked < LIMIT_TIMEOUT_MS + 3000);

	/* From then on it is known, until a leader is. */
	asked = clock_ms();
	assert_int_equal(kit_change(other, NODE_TRANSFER, NULL, NULL, NULL,
				    false),
			 STATUS_TIMED_OUT);
	assert_non_null(strstr(other->change_text, "no quorum: 1 of 2"));
	assert_true(clock_ms() - asked < LIMIT_TIMEOUT_MS / 2);
	kit_start(leader);
	assert_non_null(kit_leader(kit));
	assert_int_equal(kit_change(other, NODE_ADD, "n9", NULL, "127.0.0.1:9",
				    false),
			 0);
}

/* Whenever it comes: who asked need not wait for it. */
static void an_invited_one_is_promoted_beforehand(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = GIVEN_FOUNDER(kit);
	raft_ms asked = clock_ms();

	add(first, &kit->nodes[1], true);
	assert_int_equal(
		kit_change(first, NODE_PROMOTE, "n2", NULL, NULL, false), 0);
	assert_string_equal(
		first->change_text,
		"n2 will be a voter as soon as it has come and caught up");
	assert_true(clock_ms() - asked < LIMIT_TIMEOUT_MS);
	join(&kit->nodes[1], first);
	assert_true(kit_await_members(first, "n1:voter n2:voter"));
}

/* --- Handing over
 * --------------------------------------------------------------------- */

static void leadership_goes_where_it_is_wanted(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *other = other_than(kit, leader);

	kit_propose(leader, 0, 1000, 100);
	assert_int_equal(kit_change(other, NODE_TRANSFER, other->name, NULL,
				    NULL, false),
			 0);
	assert_ptr_equal(kit_leader(kit), other);
	assert_int_equal(
		kit_change(other, NODE_TRANSFER, NULL, NULL, NULL, false), 0);
	assert_ptr_not_equal(kit_leader(kit), other);
	assert_int_equal(kit_change(other, NODE_TRANSFER, "n8", NULL, NULL,
				    false),
			 STATUS_NOT_FOUND);
	assert_all_have(kit, 1000);
}

static bool has_another(const struct node_status *status, uint64_t not_this)
{
	return status->raft.leader != 0 && status->raft.leader != not_this;
}

/* The others never were without a leader for an election's time. */
static void a_leader_hands_over_before_it_ends(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *other = other_than(kit, leader);
	struct node_status before, after;
	raft_ms ended;

	node_status(other->node, &before);
	kit_stop(leader);
	ended = clock_ms();

	assert_true(kit_await_status(other, has_another, leader->id));
	assert_true(clock_ms() - ended < kit->election_ms);
	node_status(other->node, &after);
	assert_int_equal(after.raft.term, before.raft.term + 1);
}

struct hand_over {
	struct kit_node *from, *to;
};

/* Ask again and again, as kv does: who has not saved lately is far behind. */
static bool hands_over(const struct node_status *status, uint64_t argument)
{
	const struct hand_over *h = (const void *)(uintptr_t)argument;

	if (status->raft.leader != h->to->id) {
		node_hand_over(h->from->node, h->to->id);
	}
	return status->raft.leader == h->to->id;
}

/* As kv asks for, when its disk is nearly full. */
static void a_leader_hands_over_when_it_is_told_to(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *other = other_than(kit, leader);
	const struct hand_over h = {leader, other};

	kit_propose(leader, 0, 1000, 100);

	assert_true(kit_await_status(leader, hands_over, (uintptr_t)&h));
	node_hand_over(leader->node, leader->id); /* it does not lead */
	assert_all_have(kit, 1000);
	assert_ptr_equal(kit_leader(kit), other);
}

/* For as long as that takes nothing new would be taken. */
static void a_leader_does_not_hand_over_to_who_is_away(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
	struct kit_node *other = other_than(kit, leader);
	struct node_status status;
	raft_index index;

	kit_stop(other);
	kit_propose(leader, 0, 1000, 100);
	assert_true(kit_await(leader, 1000));
	node_hand_over(leader->node, other->id);
	for (int turns = 0; turns < 2; turns++) {
		assert_int_equal(kit_read(leader, true, &index), 0);
	}

	node_status(leader->node, &status);
	assert_string_equal(status.transfer, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_FIVE, a_cluster_grows_from_one_to_three_to_five),
		KIT_TEST(GIVEN_FIVE,
			 a_cluster_shrinks_from_five_to_three_to_one),
		KIT_TEST(GIVEN_THREE, a_leader_may_be_removed_and_ends),
		KIT_TEST(GIVEN_THREE, who_asks_for_its_own_removal_is_told),
		KIT_TEST(GIVEN_THREE,
			 a_removed_node_that_is_added_again_comes_back),
		KIT_TEST(GIVEN_TWO, a_newcomer_may_be_restarted_at_any_time),
		KIT_TEST(
			GIVEN_TWO,
			a_learner_reads_and_writes_and_stays_one_until_promoted),
		KIT_TEST(GIVEN_THREE, a_wiped_node_is_replaced_under_its_name),
		KIT_TEST(GIVEN_FIVE, a_dead_node_is_replaced_by_another_name),
		KIT_TEST(GIVEN_THREE, a_member_that_moved_is_called_there),
		KIT_TEST(GIVEN_TWO, who_was_not_added_is_told_the_command),
		KIT_TEST(GIVEN_TWO,
			 who_can_not_listen_where_it_was_added_does_not_join),
		KIT_TEST(GIVEN_TWO, a_member_of_another_cluster_does_not_join),
		KIT_TEST(GIVEN_TWO, a_joint_configuration_outlives_restarts),
		KIT_TEST(GIVEN_THREE,
			 a_change_outlives_the_leader_it_was_asked_of),
		KIT_TEST(GIVEN_TWO, without_a_leader_a_change_is_given_up),
		KIT_TEST(GIVEN_TWO, an_invited_one_is_promoted_beforehand),
		KIT_TEST(GIVEN_THREE, leadership_goes_where_it_is_wanted),
		KIT_TEST(GIVEN_THREE, a_leader_hands_over_before_it_ends),
		KIT_TEST(GIVEN_THREE, a_leader_hands_over_when_it_is_told_to),
		KIT_TEST(GIVEN_THREE,
			 a_leader_does_not_hand_over_to_who_is_away),
	};

	return cmocka_run_group_tests_name("raft/node/change", tests, NULL,
					   NULL);
}
