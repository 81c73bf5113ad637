/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a part of the disk is kept for bad times, given back when they come
 * and taken again when they are over; nobody else's failure ends the node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/reserve.h"
#include "tests/lib/faultdisk.h"

enum { SIZE = 1 << 20, RESERVE = SIZE / 4, START = RESERVE / 8 };

struct fixture {
	struct faultdisk *disk;
	struct reserve reserve;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);

	f->disk = faultdisk_new();
	faultdisk_limit(f->disk, SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	reserve_close(&f->reserve);
	faultdisk_free(f->disk);
	mem_free(f);
	return 0;
}

static void GIVEN_OPEN(struct fixture *f)
{
	reserve_open(&f->reserve, faultdisk_disk(f->disk), true);
}

/* Another program's file takes all but so many bytes. */
static void WHEN_FREE(struct fixture *f, uint64_t bytes)
{
	struct disk *d = faultdisk_disk(f->disk);
	uint64_t free, total;

	(void)d->ops->remove(d, "other");
	assert_int_equal(d->ops->space(d, &free, &total), 0);
	if (free > bytes) {
		assert_int_equal(d->ops->allocate(d, "other", free - bytes), 0);
	}
}

static bool is_held(struct fixture *f)
{
	return faultdisk_has(f->disk, "reserve");
}

static void with_room_the_reserve_is_made(void **state)
{
	struct fixture *f = *state;
	uint64_t free, total;

	GIVEN_OPEN(f);

	assert_true(is_held(f));
	assert_false(reserve_is_low(&f->reserve));
	assert_int_equal(
		f->reserve.disk->ops->space(f->reserve.disk, &free, &total), 0);
	assert_int_equal(free, SIZE - RESERVE - START);
}

static void a_disk_that_runs_full_is_told_before_it_is(void **state)
{
	struct fixture *f = *state;

	GIVEN_OPEN(f);
	WHEN_FREE(f, RESERVE / 2 - 1);
	reserve_look(&f->reserve);
	assert_true(reserve_is_low(&f->reserve));
	assert_true(is_held(f));

	WHEN_FREE(f, RESERVE - 1); /* not to and fro */
	reserve_look(&f->reserve);
	assert_true(reserve_is_low(&f->reserve));
	WHEN_FREE(f, RESERVE);
	reserve_look(&f->reserve);
	assert_false(reserve_is_low(&f->reserve));
}

static void a_full_disk_gets_the_reserve_and_gives_it_back_later(void **state)
{
	struct fixture *f = *state;

	GIVEN_OPEN(f);
	WHEN_FREE(f, 0);
	reserve_look(&f->reserve);
	assert_true(is_held(f)); /* nobody needs it yet */
	assert_true(reserve_has(&f->reserve, RESERVE));
	assert_false(is_held(f));
	assert_true(reserve_is_low(&f->reserve));
	assert_false(reserve_has(&f->reserve, RESERVE + 1));

	WHEN_FREE(f, 2 * RESERVE - 1);
	reserve_look(&f->reserve);
	assert_false(is_held(f));
	WHEN_FREE(f, 2 * RESERVE);
	reserve_look(&f->reserve);
	assert_true(is_held(f));
	assert_false(reserve_is_low(&f->reserve));
}

static void a_start_on_a_full_disk_has_the_reserve(void **state)
{
	struct fixture *f = *state;

	GIVEN_OPEN(f);
	reserve_close(&f->reserve);
	WHEN_FREE(f, 0);
	GIVEN_OPEN(f);

	assert_true(reserve_is_low(&f->reserve));
	assert_true(reserve_has(&f->reserve, RESERVE));
}

/* The node has used it, and another program took the room. */
static void
a_start_on_a_disk_without_a_reserve_has_a_part_of_its_own(void **state)
{
	struct fixture *f = *state;

	GIVEN_OPEN(f);
	WHEN_FREE(f, 0);
	assert_true(reserve_has(&f->reserve, RESERVE));
	WHEN_FREE(f, 0);
	assert_false(reserve_has(&f->reserve, START));
	reserve_close(&f->reserve);
	GIVEN_OPEN(f);
	assert_false(reserve_has(&f->reserve, START));
	reserve_begin(&f->reserve, START);
	assert_true(reserve_has(&f->reserve, START));

	WHEN_FREE(f, RESERVE - 1); /* there for the next start */
	reserve_look(&f->reserve);
	assert_false(faultdisk_has(f->disk, "reserve-start"));
	WHEN_FREE(f, RESERVE);
	reserve_look(&f->reserve);
	assert_true(faultdisk_has(f->disk, "reserve-start"));
}

static void a_half_made_reserve_is_made_anew(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->disk);
	struct disk_file *file;
	uint64_t size;

	assert_int_equal(d->ops->allocate(d, "reserve", 4096), 0);
	GIVEN_OPEN(f);

	assert_int_equal(d->ops->open(d, "reserve", false, &file), 0);
	assert_int_equal(d->ops->size(file, &size), 0);
	d->ops->close(file);
	assert_int_equal(size, RESERVE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(with_room_the_reserve_is_made),
		TEST(a_disk_that_runs_full_is_told_before_it_is),
		TEST(a_full_disk_gets_the_reserve_and_gives_it_back_later),
		TEST(a_start_on_a_full_disk_has_the_reserve),
		TEST(a_start_on_a_disk_without_a_reserve_has_a_part_of_its_own),
		TEST(a_half_made_reserve_is_made_anew),
	};

	return cmocka_run_group_tests_name("raft/node/reserve", tests, NULL,
					   NULL);
}
