/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: the tail keeps what is not durable, and no more than its bounds
 * of the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/node/tail.h"

static void GIVEN_APPENDED(struct tail *t, raft_index first, raft_index last,
			   raft_term term)
{
	for (raft_index i = first; i <= last; i++) {
		struct entry *e = entry_new(ENTRY_COMMAND, "12345678", 8);

		e->index = i;
		e->term = term;
		tail_append(t, e);
		entry_unref(e);
	}
}

static void entries_are_found_by_index(void **state)
{
	struct tail t;
	(void)state;

	tail_init(&t, 10, 1 << 20, 1 << 20);
	GIVEN_APPENDED(&t, 11, 5000, 1);

	assert_null(tail_get(&t, 10));
	assert_int_equal(tail_get(&t, 11)->index, 11);
	assert_int_equal(tail_get(&t, 5000)->index, 5000);
	assert_null(tail_get(&t, 5001));
	assert_int_equal(tail_last(&t), 5000);
	tail_deinit(&t);
}

static void a_truncated_suffix_is_replaced(void **state)
{
	struct tail t;
	(void)state;

	tail_init(&t, 0, 1 << 20, 1 << 20);
	GIVEN_APPENDED(&t, 1, 5, 1);

	tail_truncate(&t, 3);
	GIVEN_APPENDED(&t, 4, 4, 2);

	assert_int_equal(tail_get(&t, 3)->term, 1);
	assert_int_equal(tail_get(&t, 4)->term, 2);
	assert_null(tail_get(&t, 5));
	tail_deinit(&t);
}

static void truncation_below_what_is_held_starts_again_there(void **state)
{
	struct tail t;
	(void)state;

	tail_init(&t, 100, 1 << 20, 1 << 20);
	GIVEN_APPENDED(&t, 101, 103, 1);

	tail_truncate(&t, 90);
	GIVEN_APPENDED(&t, 91, 91, 2);

	assert_int_equal(tail_get(&t, 91)->term, 2);
	assert_int_equal(tail_last(&t), 91);
	tail_deinit(&t);
}

static void the_oldest_go_first_and_only_while_over_the_bound(void **state)
{
	struct tail t;
	(void)state;

	tail_init(&t, 0, 1 << 20, 100);
	GIVEN_APPENDED(&t, 1, 150, 1);

	tail_trim(&t, 150);

	assert_null(tail_get(&t, 50));
	assert_non_null(tail_get(&t, 51));
	assert_int_equal(t.count, 100);
	tail_deinit(&t);
}

static void what_is_not_durable_is_never_let_go(void **state)
{
	struct tail t;
	(void)state;

	tail_init(&t, 0, 1, 1);
	GIVEN_APPENDED(&t, 1, 10, 1);

	tail_trim(&t, 7);

	assert_null(tail_get(&t, 7));
	assert_non_null(tail_get(&t, 8));
	tail_deinit(&t);
}

static void bytes_are_counted_back_to_zero(void **state)
{
	struct tail t;
	(void)state;

	tail_init(&t, 0, 1, 1 << 20);
	GIVEN_APPENDED(&t, 1, 10, 1);
	assert_true(t.bytes > 80);

	tail_truncate(&t, 5);
	tail_trim(&t, 5);

	assert_int_equal(t.bytes, 0);
	assert_int_equal(tail_last(&t), 5);
	tail_deinit(&t);
}

static void an_entry_in_use_elsewhere_survives_its_eviction(void **state)
{
	struct tail t;
	struct entry *e;
	(void)state;

	tail_init(&t, 0, 1, 1);
	GIVEN_APPENDED(&t, 1, 2, 1);
	e = entry_ref(tail_get(&t, 1));

	tail_trim(&t, 2);

	assert_null(tail_get(&t, 1));
	assert_int_equal(e->index, 1);
	entry_unref(e);
	tail_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_by_index),
		cmocka_unit_test(a_truncated_suffix_is_replaced),
		cmocka_unit_test(
			truncation_below_what_is_held_starts_again_there),
		cmocka_unit_test(
			the_oldest_go_first_and_only_while_over_the_bound),
		cmocka_unit_test(what_is_not_durable_is_never_let_go),
		cmocka_unit_test(bytes_are_counted_back_to_zero),
		cmocka_unit_test(
			an_entry_in_use_elsewhere_survives_its_eviction),
	};

	return cmocka_run_group_tests_name("raft/node/tail", tests, NULL, NULL);
}
