/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: what was marked is known after the process was killed, and after
 * a power cut the mark is never more than was marked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/node/mark.h"
#include "tests/lib/faultdisk.h"

static void a_new_folder_has_marked_nothing(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct mark m;
	(void)state;

	assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);

	assert_int_equal(m.index, 0);
	mark_close(&m);
	faultdisk_free(f);
}

static void a_mark_outlives_the_process(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct mark m;
	(void)state;

	assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);
	mark_set(&m, 7);
	mark_set(&m, 9);
	mark_close(&m);

	faultdisk_restart(f);
	assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);

	assert_int_equal(m.index, 9);
	mark_close(&m);
	faultdisk_free(f);
}

static void a_mark_never_goes_back(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct mark m;
	(void)state;

	assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);
	mark_set(&m, 9);
	mark_set(&m, 7);
	mark_close(&m);

	assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);

	assert_int_equal(m.index, 9);
	mark_close(&m);
	faultdisk_free(f);
}

static void a_log_begun_anew_has_marked_nothing(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct mark m;
	(void)state;

	assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);
	mark_set(&m, 9);
	mark_reset(&m);
	mark_set(&m, 2);
	mark_close(&m);

	assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);

	assert_int_equal(m.index, 2);
	mark_close(&m);
	faultdisk_free(f);
}

static void a_disk_that_runs_full_takes_marks_still(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct disk *disk = faultdisk_disk(f);
	struct disk_file *other;
	struct mark m;
	(void)state;

	assert_int_equal(mark_open(&m, disk), 0);
	faultdisk_limit(f, 100);
	assert_int_equal(disk->ops->open(disk, "other", true, &other), 0);
	for (uint64_t at = 0; disk->ops->write(other, at, "x", 1) == 0; at++) {
	}
	disk->ops->close(other);
	mark_set(&m, 7);
	mark_close(&m);

	assert_int_equal(mark_open(&m, disk), 0);
	assert_int_equal(m.index, 7);
	mark_close(&m);
	faultdisk_free(f);
}

static void a_new_mark_without_room_is_refused(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct mark m;
	(void)state;

	faultdisk_limit(f, 8);

	assert_int_equal(mark_open(&m, faultdisk_disk(f)), STATUS_NO_SPACE);
	mark_close(&m);
	faultdisk_free(f);
}

static void a_power_cut_leaves_a_mark_that_was_set_or_none(void **state)
{
	(void)state;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct faultdisk *f = faultdisk_new();
		struct mark m;

		assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);
		mark_set(&m, 0x1111);
		mark_set(&m, 0x222222);
		mark_close(&m);
		faultdisk_crash(f, seed);

		assert_int_equal(mark_open(&m, faultdisk_disk(f)), 0);
		assert_true(m.index == 0 || m.index == 0x1111 ||
			    m.index == 0x222222);
		mark_close(&m);
		faultdisk_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_folder_has_marked_nothing),
		cmocka_unit_test(a_mark_outlives_the_process),
		cmocka_unit_test(a_mark_never_goes_back),
		cmocka_unit_test(a_log_begun_anew_has_marked_nothing),
		cmocka_unit_test(a_disk_that_runs_full_takes_marks_still),
		cmocka_unit_test(a_new_mark_without_room_is_refused),
		cmocka_unit_test(
			a_power_cut_leaves_a_mark_that_was_set_or_none),
	};
	return cmocka_run_group_tests_name("node/mark", tests, NULL, NULL);
}
