/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an inode is held while it is open, and pages older than what a
 * request found are dropped once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/mount/handle.h"

static int holds;

void kv_hold(struct kv *kv, uint64_t id)
{
	(void)kv;
	(void)id;
	holds++;
}

void kv_release(struct kv *kv, uint64_t id)
{
	(void)kv;
	(void)id;
	holds--;
}

static void GIVEN_HANDLES(struct handles *h)
{
	holds = 0;
	handles_init(h, NULL);
}

static void an_inode_is_held_from_first_open_to_last_close(void **state)
{
	struct handles h;
	struct handle *a;
	struct handle *b;
	(void)state;

	GIVEN_HANDLES(&h);
	a = handle_new(&h, 7, false, 1);
	b = handle_new(&h, 7, false, 1);
	assert_int_equal(holds, 1);
	handle_unuse(&h, a);
	assert_int_equal(holds, 1);
	handle_unuse(&h, b);

	assert_int_equal(holds, 0);
	handles_deinit(&h);
}

static void what_is_open_at_the_end_is_released(void **state)
{
	struct handles h;
	(void)state;

	GIVEN_HANDLES(&h);
	assert_non_null(handle_new(&h, 7, false, 1));
	assert_non_null(handle_new(&h, 8, true, 0));

	handles_deinit(&h);

	assert_int_equal(holds, 0);
}

static void the_first_version_is_told_without_a_drop(void **state)
{
	struct handles h;
	(void)state;

	GIVEN_HANDLES(&h);
	assert_non_null(handle_new(&h, 7, false, 1));

	assert_false(handles_must_drop(&h, 7, 50));
	assert_false(handles_must_drop(&h, 7, 50));
	handles_deinit(&h);
}

static void a_newer_version_needs_a_drop_until_it_was_made(void **state)
{
	struct handles h;
	(void)state;

	GIVEN_HANDLES(&h);
	assert_non_null(handle_new(&h, 7, false, 1));
	assert_false(handles_must_drop(&h, 7, 50));

	assert_true(handles_must_drop(&h, 7, 51));
	assert_true(handles_must_drop(&h, 7, 51));
	handles_dropped(&h, 7, 51);
	assert_false(handles_must_drop(&h, 7, 51));
	assert_true(handles_must_drop(&h, 7, 52));
	handles_deinit(&h);
}

static void pages_in_doubt_are_dropped_at_the_same_version(void **state)
{
	struct handles h;
	(void)state;

	GIVEN_HANDLES(&h);
	assert_non_null(handle_new(&h, 7, false, 1));
	assert_false(handles_must_drop(&h, 7, 50));

	handles_doubt(&h, 7);

	assert_true(handles_must_drop(&h, 7, 50));
	handles_deinit(&h);
}

static void an_inode_that_is_not_open_needs_no_drop(void **state)
{
	struct handles h;
	(void)state;

	GIVEN_HANDLES(&h);

	assert_false(handles_must_drop(&h, 7, 50));
	handles_deinit(&h);
}

static void an_open_under_way_is_known_by_its_thread(void **state)
{
	struct handles h;
	struct handle *a;
	(void)state;

	GIVEN_HANDLES(&h);
	a = handle_new(&h, 7, false, 11);

	assert_null(handles_opening(&h, 7, 12));
	assert_null(handles_opening(&h, 8, 11));
	assert_ptr_equal(handles_opening(&h, 7, 11), a);
	assert_null(handles_opening(&h, 7, 11));
	handles_deinit(&h);
}

/* open(), then truncate(2) by name: that is no O_TRUNC. */
static void a_walk_by_the_same_thread_ends_the_open(void **state)
{
	struct handles h;
	(void)state;

	GIVEN_HANDLES(&h);
	assert_non_null(handle_new(&h, 7, false, 11));

	handles_walked(&h, 7, 11);

	assert_null(handles_opening(&h, 7, 11));
	handles_deinit(&h);
}

static void a_walk_by_another_thread_does_not(void **state)
{
	struct handles h;
	(void)state;

	GIVEN_HANDLES(&h);
	assert_non_null(handle_new(&h, 7, false, 11));

	handles_walked(&h, 7, 12);

	assert_non_null(handles_opening(&h, 7, 11));
	handles_deinit(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_inode_is_held_from_first_open_to_last_close),
		cmocka_unit_test(what_is_open_at_the_end_is_released),
		cmocka_unit_test(the_first_version_is_told_without_a_drop),
		cmocka_unit_test(
			a_newer_version_needs_a_drop_until_it_was_made),
		cmocka_unit_test(
			pages_in_doubt_are_dropped_at_the_same_version),
		cmocka_unit_test(an_inode_that_is_not_open_needs_no_drop),
		cmocka_unit_test(an_open_under_way_is_known_by_its_thread),
		cmocka_unit_test(a_walk_by_the_same_thread_ends_the_open),
		cmocka_unit_test(a_walk_by_another_thread_does_not),
	};

	return cmocka_run_group_tests_name("mount/handle", tests, NULL, NULL);
}
