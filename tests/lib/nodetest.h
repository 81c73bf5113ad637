/* SPDX-License-Identifier: Apache-2.0 */
/* nodetest.h - what tests with whole nodes (nodekit.h) have in common: set-ups
 * and the end of them, what is demanded, conditions to wait for. */
#ifndef TESTS_LIB_NODETEST_H
#define TESTS_LIB_NODETEST_H

#include "tests/lib/nodekit.h"

/* cmocka's set-ups: *state is a kit of so many nodes, of which none runs. */
int GIVEN_ONE(void **state);
int GIVEN_TWO(void **state);
int GIVEN_THREE(void **state);
int GIVEN_FOUR(void **state);
int GIVEN_FIVE(void **state);
int kit_teardown(void **state);

#define KIT_TEST(given, name)                                                  \
	cmocka_unit_test_setup_teardown(name, given, kit_teardown)

/* All nodes of the kit are voters of one cluster, which has this leader. */
struct kit_node *GIVEN_CLUSTER(struct kit *kit);
/* The same, for a test whose leader is to stay: KIT_STEADY_MS. */
struct kit_node *GIVEN_STEADY(struct kit *kit);
/* n1 or n2, whichever it is not. */
struct kit_node *other_than(struct kit *kit, const struct kit_node *k);
/* All that run have applied so much, and the same. */
void assert_all_have(struct kit *kit, size_t count);

struct node_status status_of(const struct kit_node *k);
/* For kit_await_status(). */
bool begins_after(const struct node_status *status, uint64_t index);
bool has_links(const struct node_status *status, uint64_t members);
bool has_applied_all(const struct node_status *status, uint64_t unused);
bool has_failed(const struct node_status *status, uint64_t snapshots);

#endif
