/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the real disk and the one tests use keep the same contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/status.h"
#include "tests/lib/faultdisk.h"

struct fixture {
	char path[32];
	struct faultdisk *fault;
	struct disk *disk;
};

static int setup_system(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);

	strcpy(f->path, "/tmp/raftfs-disk-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	assert_int_equal(disk_system(f->path, &f->disk), 0);
	*state = f;
	return 0;
}

static void remove_name(void *context, const char *name)
{
	struct disk *d = context;

	assert_int_equal(d->ops->remove(d, name), 0);
}

static int teardown_system(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->disk->ops->list(f->disk, remove_name, f->disk), 0);
	f->disk->ops->free(f->disk);
	assert_int_equal(rmdir(f->path), 0);
	mem_free(f);
	return 0;
}

static int setup_fault(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);

	f->fault = faultdisk_new();
	f->disk = faultdisk_disk(f->fault);
	*state = f;
	return 0;
}

static int teardown_fault(void **state)
{
	struct fixture *f = *state;

	faultdisk_free(f->fault);
	mem_free(f);
	return 0;
}

static struct disk_file *GIVEN_FILE(struct disk *d, const char *name,
				    const char *text)
{
	struct disk_file *file = NULL;

	assert_int_equal(d->ops->open(d, name, true, &file), 0);
	assert_int_equal(d->ops->write(file, 0, text, strlen(text)), 0);
	return file;
}

static void what_is_written_is_read(void **state)
{
	struct disk *d = ((struct fixture *)*state)->disk;
	struct disk_file *file = GIVEN_FILE(d, "a", "hello");
	uint64_t size;
	char text[4];

	assert_int_equal(d->ops->write(file, 2, "LP", 2), 0);
	assert_int_equal(d->ops->sync(file), 0);

	assert_int_equal(d->ops->size(file, &size), 0);
	assert_int_equal(size, 5);
	assert_int_equal(d->ops->read(file, 1, text, 4), 0);
	assert_memory_equal(text, "eLPo", 4);
	d->ops->close(file);
}

static void reading_past_the_end_is_short(void **state)
{
	struct disk *d = ((struct fixture *)*state)->disk;
	struct disk_file *file = GIVEN_FILE(d, "a", "hello");
	char text[6];

	assert_int_equal(d->ops->read(file, 0, text, 6), STATUS_SHORT);
	assert_int_equal(d->ops->read(file, 9, text, 1), STATUS_SHORT);
	d->ops->close(file);
}

static void
creating_what_exists_and_opening_what_does_not_are_refused(void **state)
{
	struct disk *d = ((struct fixture *)*state)->disk;
	struct disk_file *file;

	d->ops->close(GIVEN_FILE(d, "a", ""));

	assert_int_equal(d->ops->open(d, "a", true, &file), STATUS_EXISTS);
	assert_int_equal(d->ops->open(d, "b", false, &file), STATUS_NOT_FOUND);
	assert_int_equal(d->ops->remove(d, "b"), STATUS_NOT_FOUND);
	assert_int_equal(d->ops->rename(d, "b", "a"), STATUS_NOT_FOUND);
}

static void a_rename_replaces_and_an_open_file_lives_on(void **state)
{
	struct disk *d = ((struct fixture *)*state)->disk;
	struct disk_file *old = GIVEN_FILE(d, "a", "old");
	struct disk_file *file;
	char text[3];

	d->ops->close(GIVEN_FILE(d, "b", "new"));
	assert_int_equal(d->ops->rename(d, "b", "a"), 0);
	assert_int_equal(d->ops->sync_folder(d), 0);

	assert_int_equal(d->ops->read(old, 0, text, 3), 0);
	assert_memory_equal(text, "old", 3);
	assert_int_equal(d->ops->open(d, "a", false, &file), 0);
	assert_int_equal(d->ops->read(file, 0, text, 3), 0);
	assert_memory_equal(text, "new", 3);
	d->ops->close(old);
	d->ops->close(file);
}

static void gather(void *context, const char *name)
{
	strcat(context, name);
}

static void a_list_has_the_names_there_are(void **state)
{
	struct disk *d = ((struct fixture *)*state)->disk;
	char names[64] = "";

	d->ops->close(GIVEN_FILE(d, "a", ""));
	d->ops->close(GIVEN_FILE(d, "b", ""));
	assert_int_equal(d->ops->remove(d, "a"), 0);

	assert_int_equal(d->ops->list(d, gather, names), 0);
	assert_string_equal(names, "b");
}

/* --- The real one ----------------------------------------------------------
 */

static void a_folder_that_is_not_there_is_refused(void **state)
{
	struct disk *d;
	(void)state;

	assert_int_equal(disk_system("/nonexistent/raftfs", &d),
			 STATUS_NOT_FOUND);
	assert_int_equal(disk_system("/dev/null", &d), STATUS_IO);
	assert_string_equal(disk_status_text(STATUS_IO), "Not a directory");
}

/* --- The test's ------------------------------------------------------------
 */

static void what_was_not_synced_may_be_lost(void **state)
{
	struct fixture *f = *state;
	struct disk_file *file = GIVEN_FILE(f->disk, "a", "synced");
	unsigned lost = 0;
	char text[6];

	assert_int_equal(f->disk->ops->sync(file), 0);
	assert_int_equal(f->disk->ops->sync_folder(f->disk), 0);
	for (unsigned seed = 0; seed < 32; seed++) {
		assert_int_equal(f->disk->ops->write(file, 0, "other!", 6), 0);
		faultdisk_crash(f->fault, seed);
		assert_int_equal(f->disk->ops->read(file, 0, text, 6), 0);
		lost += memcmp(text, "synced", 6) == 0;
		assert_int_equal(f->disk->ops->write(file, 0, "synced", 6), 0);
		assert_int_equal(f->disk->ops->sync(file), 0);
	}

	assert_in_range(lost, 1, 31);
	f->disk->ops->close(file);
}

static void what_was_synced_is_never_lost(void **state)
{
	struct fixture *f = *state;
	struct disk_file *file = GIVEN_FILE(f->disk, "a", "synced");
	char text[6];

	assert_int_equal(f->disk->ops->sync(file), 0);
	assert_int_equal(f->disk->ops->sync_folder(f->disk), 0);
	for (unsigned seed = 0; seed < 32; seed++) {
		faultdisk_crash(f->fault, seed);
		assert_true(faultdisk_has(f->fault, "a"));
		assert_int_equal(f->disk->ops->read(file, 0, text, 6), 0);
		assert_memory_equal(text, "synced", 6);
	}
	f->disk->ops->close(file);
}

static void names_need_a_sync_of_the_folder(void **state)
{
	struct fixture *f = *state;
	unsigned lost = 0;

	for (unsigned seed = 0; seed < 32; seed++) {
		struct disk_file *file = GIVEN_FILE(f->disk, "a", "x");

		assert_int_equal(f->disk->ops->sync(file), 0);
		f->disk->ops->close(file);
		faultdisk_crash(f->fault, seed);
		lost += !faultdisk_has(f->fault, "a");
		if (faultdisk_has(f->fault, "a")) {
			remove_name(f->disk, "a");
			assert_int_equal(f->disk->ops->sync_folder(f->disk), 0);
		}
	}

	assert_in_range(lost, 1, 31);
}

static void the_nth_call_fails_and_no_other(void **state)
{
	struct fixture *f = *state;
	struct disk_file *file = GIVEN_FILE(f->disk, "a", "x");

	faultdisk_fail(f->fault, 2, STATUS_NO_SPACE);

	assert_int_equal(f->disk->ops->write(file, 0, "y", 1), 0);
	assert_int_equal(f->disk->ops->sync(file), STATUS_NO_SPACE);
	assert_int_equal(f->disk->ops->sync(file), 0);
	f->disk->ops->close(file);
}

static void in_the_dark_nothing_happens(void **state)
{
	struct fixture *f = *state;
	struct disk_file *file = GIVEN_FILE(f->disk, "a", "x");

	faultdisk_cut_power(f->fault, 1);

	assert_int_equal(f->disk->ops->sync(file), STATUS_IO);
	assert_int_equal(f->disk->ops->remove(f->disk, "a"), STATUS_IO);
	assert_true(faultdisk_is_dark(f->fault));
	assert_true(faultdisk_has(f->fault, "a"));
	f->disk->ops->close(file);
}

int main(void)
{
#define BOTH(name)                                                             \
	cmocka_unit_test_setup_teardown(name, setup_system, teardown_system),  \
		cmocka_unit_test_setup_teardown(name, setup_fault,             \
						teardown_fault)
#define FAULT(name)                                                            \
	cmocka_unit_test_setup_teardown(name, setup_fault, teardown_fault)
	const struct CMUnitTest tests[] = {
		BOTH(what_is_written_is_read),
		BOTH(reading_past_the_end_is_short),
		BOTH(creating_what_exists_and_opening_what_does_not_are_refused),
		BOTH(a_rename_replaces_and_an_open_file_lives_on),
		BOTH(a_list_has_the_names_there_are),
		cmocka_unit_test(a_folder_that_is_not_there_is_refused),
		FAULT(what_was_not_synced_may_be_lost),
		FAULT(what_was_synced_is_never_lost),
		FAULT(names_need_a_sync_of_the_folder),
		FAULT(the_nth_call_fails_and_no_other),
		FAULT(in_the_dark_nothing_happens),
	};

	return cmocka_run_group_tests_name("raft/node/disk", tests, NULL, NULL);
}
