/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes of recent entries are known, older ones are taken for large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/sizes.h"

static struct sizes z;

static void what_is_unknown_counts_as_the_largest(void **state)
{
	(void)state;

	sizes_init(&z, 3);
	sizes_append(&z, 4, 10);
	sizes_append(&z, 5, 20);

	assert_int_equal(sizes_at(&z, 3), LIMIT_ENTRY_BYTES);
	assert_int_equal(sizes_at(&z, 4), 10);
	assert_int_equal(sizes_sum(&z, 3, 5), 30);
	assert_int_equal(sizes_sum(&z, 2, 5), LIMIT_ENTRY_BYTES + 30);
	assert_int_equal(sizes_sum(&z, 1, 2), LIMIT_ENTRY_BYTES);
	assert_int_equal(sizes_sum(&z, 5, 5), 0);
}

static void the_ring_forgets_the_oldest(void **state)
{
	raft_index i;
	(void)state;

	sizes_init(&z, 0);
	for (i = 1; i <= SIZES_MAX + 2; i++)
		sizes_append(&z, i, 1);

	assert_int_equal(sizes_at(&z, 2), LIMIT_ENTRY_BYTES);
	assert_int_equal(sizes_at(&z, 3), 1);
	assert_int_equal(sizes_sum(&z, 2, SIZES_MAX + 2), SIZES_MAX);
}

/* After a truncation a slot may hold the size of an entry that is gone. */
static void a_forgotten_size_stays_forgotten(void **state)
{
	raft_index i;
	(void)state;

	sizes_init(&z, 0);
	for (i = 1; i <= SIZES_MAX + 5; i++)
		sizes_append(&z, i, 7);
	sizes_append(&z, 100, 9);

	assert_int_equal(sizes_at(&z, 5), LIMIT_ENTRY_BYTES);
	assert_int_equal(sizes_at(&z, 100), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_unknown_counts_as_the_largest),
		cmocka_unit_test(the_ring_forgets_the_oldest),
		cmocka_unit_test(a_forgotten_size_stays_forgotten),
	};

	return cmocka_run_group_tests_name("raft/sizes", tests, NULL, NULL);
}
