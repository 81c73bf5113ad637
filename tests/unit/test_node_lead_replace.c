/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a leader replaces nobody that runs by another of its name, replaces
 * whoever has just ended, and takes back an invitation without the member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/caller.h"
#include "tests/lib/nodetest.h"

/* --- Given ------------------------------------------------------------------
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

/* --- Replacing --------------------------------------------------------------
 */

static void who_runs_is_not_replaced_under_its_name(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_STEADY(kit);
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
	struct kit_node *first = &kit->nodes[0];
	struct kit_node *k = &kit->nodes[1];

	first->alone = true;
	kit_start(first);
	assert_true(kit_await_members(first, "n1:voter"));
	assert_int_equal(
		kit_change(first, NODE_ADD, "n2", NULL, k->address, true), 0);
	k->join = first->address;
	kit_start(k);
	assert_true(kit_await_members(k, "n1:voter n2:learner"));

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
	int fd;

	GIVEN_CLUSTER(kit);
	kit_stop(k);
	leader = kit_leader(kit);
	fd = caller_links(k, leader);
	kit_wipe(k);

	assert_int_equal(replace(leader, k, k), 0);

	k->join = leader->address;
	kit_start(k);
	assert_true(kit_await_members(k, THREE));
	close(fd);
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

/* --- Invitations ------------------------------------------------------------
 */

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
		KIT_TEST(GIVEN_THREE, who_runs_is_not_replaced_under_its_name),
		KIT_TEST(GIVEN_TWO, a_learner_that_runs_is_not_replaced_either),
		KIT_TEST(GIVEN_THREE, who_has_just_ended_is_replaced),
		KIT_TEST(GIVEN_THREE, who_runs_may_be_replaced_by_another_name),
		KIT_TEST(GIVEN_THREE,
			 an_invitation_is_taken_back_without_the_member),
	};

	return cmocka_run_group_tests_name("raft/node/lead", tests, NULL, NULL);
}
