/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a member listens where its cluster calls it, whatever its --peers
 * says, and its peers call it there; where it does not, it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/nodetest.h"

/* A cluster of n1, n2, n3; the fourth's address is free. n2 is stopped, and
 * the cluster has been told that it is elsewhere now. */
static struct kit_node *GIVEN_MOVED_N2(struct kit *kit, const char *to)
{
	struct kit_node *k = &kit->nodes[1];

	kit->count = 3;
	GIVEN_CLUSTER(kit);
	kit_stop(k);
	assert_int_equal(kit_change(kit_leader(kit), NODE_ADDRESS, "n2", NULL,
				    to, false),
			 0);
	return k;
}

static bool is_elsewhere(const struct node_status *status, uint64_t unused)
{
	(void)unused;
	return status->elsewhere[0] != 0;
}

static void a_member_listens_where_its_cluster_calls_it(void **state)
{
	struct kit *kit = *state;
	const char *to = kit->nodes[3].address;
	struct kit_node *k = GIVEN_MOVED_N2(kit, to);

	kit_start(k); /* by the entries that it missed, it learns it */
	assert_true(kit_await_status(k, is_elsewhere, 0));
	assert_string_equal(status_of(k).listens, k->address);
	assert_string_equal(status_of(k).elsewhere, to);
	kit_stop(k);
	kit_start(k);

	assert_string_equal(status_of(k).listens, to);
	assert_true(kit_await_status(k, has_links, 3));
	assert_string_equal(status_of(k).elsewhere, "");
	kit_propose(k, 0, 10, 8);
	assert_all_have(kit, 10);
}

/* Their --peers has it where it was when the cluster was founded. */
static void peers_that_were_given_the_old_address_call_the_new_one(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = GIVEN_MOVED_N2(kit, kit->nodes[3].address);

	kit_start(k);
	assert_true(kit_await_status(k, is_elsewhere, 0));
	kit_stop(k);
	kit_start(k);
	kit_stop(&kit->nodes[0]);
	kit_start(&kit->nodes[0]);
	kit_stop(&kit->nodes[2]); /* n1 and n2 are the quorum */

	kit_propose(&kit->nodes[0], 0, 10, 8);
	assert_true(kit_await(k, 10));
}

static void what_is_asked_for_by_itself_wins_and_is_said(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = GIVEN_MOVED_N2(kit, kit->nodes[3].address);

	kit_start(k);
	assert_true(kit_await_status(k, is_elsewhere, 0));
	kit_stop(k);
	k->listen = k->address;
	kit_start(k);

	assert_true(kit_await_status(k, is_elsewhere, 0));
	assert_string_equal(status_of(k).listens, k->address);
	assert_string_equal(status_of(k).elsewhere, kit->nodes[3].address);
	assert_true(kit_await_status(k, has_links, 3));
}

/* Its machine was given another one, and only --peers knows yet. */
static void an_address_of_no_machine_here_gives_way_to_peers(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = GIVEN_MOVED_N2(kit, "192.0.2.1:7420");

	kit_start(k);
	assert_true(kit_await_status(k, is_elsewhere, 0));
	kit_stop(k);
	kit_start(k);

	assert_true(kit_await_status(k, is_elsewhere, 0));
	assert_string_equal(status_of(k).listens, k->address);
	assert_string_equal(status_of(k).elsewhere, "192.0.2.1:7420");
}

/* A member address that another one gave must not open it to the network. */
static void who_listens_on_loopback_only_is_not_called_beyond(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = GIVEN_MOVED_N2(kit, "0.0.0.0:7");
	struct buffer problem = {0};

	kit->only_loopback = true;
	kit_start(k); /* it learns of it */
	assert_true(kit_await_status(k, is_elsewhere, 0));
	kit_stop(k);

	assert_int_equal(kit_open(k, &problem), STATUS_DENIED);
	assert_non_null(strstr(buffer_text(&problem), "say --insecure"));
	buffer_deinit(&problem);
	k->node = NULL;
}

/* What the invitation says is what works. */
static void an_invitation_says_how_to_start_it(void **state)
{
	struct kit *kit = *state;
	const struct kit_node *first = &kit->nodes[0];
	struct kit_node *k = &kit->nodes[0];
	struct buffer line = {0};

	kit->count = 3;
	GIVEN_CLUSTER(kit);
	buffer_printf(&line,
		      "n4 is invited; start it: raftfs --id n4 --join "
		      "%s ...",
		      first->address);
	assert_int_equal(kit_change(k, NODE_ADD, "n4", NULL,
				    kit->nodes[3].address, false),
			 0);
	assert_string_equal(k->change_text, buffer_text(&line));

	buffer_reset(&line);
	buffer_printf(&line,
		      "n5 is invited; start it: raftfs --id n5 "
		      "--insecure --join %s ...",
		      first->address);
	assert_int_equal(
		kit_change(k, NODE_ADD, "n5", NULL, "192.0.2.1:7420", true), 0);
	assert_string_equal(k->change_text, buffer_text(&line));

	kit_stop(&kit->nodes[2]);
	kit_leader(kit);
	buffer_reset(&line);
	buffer_printf(&line,
		      "n3 is invited; start it as before, or: raftfs "
		      "--id n3 --join %s ...",
		      first->address);
	assert_int_equal(kit_change(k, NODE_REPLACE, "n3", "n3",
				    kit->nodes[2].address, false),
			 0);
	assert_string_equal(k->change_text, buffer_text(&line));
	buffer_deinit(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_FOUR,
			 a_member_listens_where_its_cluster_calls_it),
		KIT_TEST(GIVEN_FOUR,
			 who_listens_on_loopback_only_is_not_called_beyond),
		KIT_TEST(
			GIVEN_FOUR,
			peers_that_were_given_the_old_address_call_the_new_one),
		KIT_TEST(GIVEN_FOUR,
			 what_is_asked_for_by_itself_wins_and_is_said),
		KIT_TEST(GIVEN_FOUR,
			 an_address_of_no_machine_here_gives_way_to_peers),
		KIT_TEST(GIVEN_FOUR, an_invitation_says_how_to_start_it),
	};

	return cmocka_run_group_tests_name("raft/node/listen", tests, NULL,
					   NULL);
}
