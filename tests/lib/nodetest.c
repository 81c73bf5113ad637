/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/nodetest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static int given(void **state, size_t count)
{
	struct kit *kit = mem_alloc(sizeof *kit);

	kit_init(kit, count);
	*state = kit;
	return 0;
}

int GIVEN_ONE(void **state)
{
	return given(state, 1);
}

int GIVEN_TWO(void **state)
{
	return given(state, 2);
}

int GIVEN_THREE(void **state)
{
	return given(state, 3);
}

int GIVEN_FOUR(void **state)
{
	return given(state, 4);
}

int GIVEN_FIVE(void **state)
{
	return given(state, 5);
}

int kit_teardown(void **state)
{
	kit_deinit(*state);
	mem_free(*state);
	return 0;
}

struct kit_node *GIVEN_CLUSTER(struct kit *kit)
{
	kit_start_all(kit);
	return kit_leader(kit);
}

struct kit_node *GIVEN_STEADY(struct kit *kit)
{
	kit->election_ms = KIT_STEADY_MS;
	return GIVEN_CLUSTER(kit);
}

struct kit_node *other_than(struct kit *kit, const struct kit_node *k)
{
	return k == &kit->nodes[0] ? &kit->nodes[1] : &kit->nodes[0];
}

void assert_all_have(struct kit *kit, size_t count)
{
	for (size_t i = 0; i < kit->count; i++) {
		if (kit->nodes[i].node != NULL) {
			assert_true(kit_await(&kit->nodes[i], count));
			assert_true(kit_agree(&kit->nodes[0], &kit->nodes[i]));
		}
	}
}

struct node_status status_of(const struct kit_node *k)
{
	struct node_status status;

	node_status(k->node, &status);
	return status;
}

bool begins_after(const struct node_status *status, uint64_t index)
{
	return status->raft.first > index + 1;
}

bool has_links(const struct node_status *status, uint64_t members)
{
	uint64_t linked = 0;

	for (size_t i = 0; i < status->member_count; i++) {
		linked += status->members[i].connected ? 1 : 0;
	}
	return linked == members;
}

bool has_applied_all(const struct node_status *status, uint64_t unused)
{
	(void)unused;
	return status->raft.applied == status->raft.last;
}

bool has_failed(const struct node_status *status, uint64_t snapshots)
{
	return status->snapshots.failed >= snapshots;
}
