/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what log_save() acknowledged is there after a crash, as one step
 * each; a torn tail is cut; whatever else is wrong is named, with its file.
 * The rows are those of the catalogue of Raft failures. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/segment.h"
#include "tests/lib/logtest.h"

#define THIRD "log-0000000000000003"

enum { CRASH_SEEDS = 20 };

/* Saves of one entry each, three to a segment: 12 fill four segments. */
static void GIVEN_ENTRIES(struct fixture *f, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		logkit_append(&f->kit, &f->model, 1, f->model.last, 1, 3500);
	}
}

static void assert_damage(struct fixture *f, const char *name,
			  const char *reason)
{
	logkit_close(&f->kit);
	assert_int_equal(logkit_open(&f->kit), STATUS_CORRUPT);
	assert_non_null(strstr(logkit_problem(&f->kit), name));
	assert_non_null(strstr(logkit_problem(&f->kit), reason));
}

static void zero_sector(struct fixture *f, const char *name, uint64_t at)
{
	struct disk *d = faultdisk_disk(f->kit.disk);
	uint8_t zeros[SEGMENT_SECTOR_BYTES] = {0};
	struct disk_file *file;

	assert_int_equal(d->ops->open(d, name, false, &file), 0);
	assert_int_equal(d->ops->write(file, at, zeros, sizeof zeros), 0);
	assert_int_equal(d->ops->sync(file), 0);
	d->ops->close(file);
}

/* --- Making and opening ----------------------------------------------------
 */

static void a_new_log_is_empty(void **state)
{
	struct fixture *f = *state;
	struct log_state s;

	log_state(f->kit.log, &s);

	assert_int_equal(s.hard.term, 0);
	assert_int_equal(s.base.index, 0);
	assert_int_equal(s.last, 0);
	assert_int_equal(s.segments, 1);
	assert_int_equal(s.bytes, LOGKIT_SEGMENT_BYTES);
}

static void everything_is_there_after_a_clean_restart(void **state)
{
	struct fixture *f = *state;
	struct logkit_save s = {.hard = {.term = 3, .vote = 9},
				.keep = 12,
				.commit = 11,
				.count = 2,
				.term = 2,
				.sizes = {0, 100}};

	GIVEN_ENTRIES(f, 12);
	logkit_apply(&f->model, &s);
	assert_int_equal(logkit_write(&f->kit, &s, &f->model), 0);
	logkit_close(&f->kit);

	assert_int_equal(logkit_open(&f->kit), 0);
	assert_string_equal(logkit_problem(&f->kit), "");
	assert_holds(f);
}

static void runs_and_sizes_are_those_of_the_log(void **state)
{
	struct fixture *f = *state;
	struct raft_run *runs;
	uint32_t *sizes;
	size_t run_count;
	size_t size_count;

	logkit_append(&f->kit, &f->model, 1, 0, 3, 10);
	logkit_append(&f->kit, &f->model, 4, 2, 2, 20);
	log_runs(f->kit.log, 3, &runs, &run_count, &sizes, &size_count);

	assert_int_equal(run_count, 2);
	assert_int_equal(runs[0].term, 1);
	assert_int_equal(runs[0].last, 2);
	assert_int_equal(runs[1].term, 4);
	assert_int_equal(runs[1].last, 4);
	assert_int_equal(size_count, 3);
	assert_int_equal(sizes[0], 10);
	assert_int_equal(sizes[1], 20);
	assert_int_equal(sizes[2], 20);
	mem_free(runs);
	mem_free(sizes);
}

static void a_discarded_entry_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct entry *e;

	logkit_append(&f->kit, &f->model, 1, 0, 5, 10);
	logkit_append(&f->kit, &f->model, 2, 2, 0, 0);

	assert_int_equal(log_read(f->kit.log, 3, &e), STATUS_NOT_FOUND);
	assert_holds(f);
}

/* --- Rows of the catalogue -------------------------------------------------
 */

/* Do s, with the power going in its nth call; open; true: it had it all. */
static bool save_in_the_dark(struct fixture *f, const struct logkit_save *s,
			     unsigned nth, uint64_t seed)
{
	struct logkit_model wanted = f->model;
	bool saved;

	logkit_apply(&wanted, s);
	faultdisk_cut_power(f->kit.disk, nth);
	saved = logkit_write(&f->kit, s, &wanted) == 0;
	crash_and_open(f, seed);
	if (logkit_differs(f->kit.log, &f->model, 0) == NULL) {
		assert_false(saved);
		return false;
	}
	f->model = wanted;
	assert_holds(f);
	return true;
}

static void row_3_term_and_vote_are_saved_as_one(void **state)
{
	struct fixture *f = *state;
	raft_term term = 0;

	for (unsigned seed = 0; seed < CRASH_SEEDS; seed++) {
		struct logkit_save s = {
			.hard = {.term = ++term, .vote = 100 + term}};

		(void)save_in_the_dark(f, &s, 1 + seed % 2, seed);
	}
}

/* The entry of term 5 must not be there without term 5. */
static void row_21_an_entry_never_outruns_its_term(void **state)
{
	struct fixture *f = *state;
	unsigned both = 0;

	logkit_append(&f->kit, &f->model, 1, 0, 3, 600);
	for (unsigned seed = 0; seed < CRASH_SEEDS; seed++) {
		struct logkit_save s = {
			.hard = {.term = f->model.hard.term + 4},
			.keep = 2,
			.count = 1,
			.term = f->model.hard.term + 4,
			.sizes = {900}};

		both += save_in_the_dark(f, &s, 1 + seed % 2, seed);
	}

	assert_in_range(both, 1, CRASH_SEEDS - 1);
}

static void row_44_a_failed_sync_is_never_tried_again(void **state)
{
	struct fixture *f = *state;
	struct logkit_save s = {.hard = {.term = 1}};
	unsigned calls;

	faultdisk_fail(f->kit.disk, 2, STATUS_IO);

	assert_int_equal(logkit_write(&f->kit, &s, &f->model), STATUS_IO);
	assert_string_equal(log_problem(f->kit.log),
			    FIRST ": sync: Input/output error");
	calls = faultdisk_calls(f->kit.disk);
	assert_int_equal(logkit_write(&f->kit, &s, &f->model), STATUS_IO);
	assert_int_equal(faultdisk_calls(f->kit.disk), calls);
}

static void row_45_a_torn_tail_is_cut_and_stays_cut(void **state)
{
	struct fixture *f = *state;
	unsigned cut = 0;

	for (unsigned seed = 0; seed < 4 * CRASH_SEEDS; seed++) {
		struct logkit_save s = {.hard = {.term = seed + 1},
					.keep = f->model.last,
					.count = 2,
					.term = seed + 1,
					.sizes = {500, 700}};

		(void)save_in_the_dark(f, &s, 2, seed);
		cut += strstr(logkit_problem(&f->kit), "cut a torn") != NULL;
		logkit_close(&f->kit);
		assert_int_equal(logkit_open(&f->kit), 0);
		assert_string_equal(logkit_problem(&f->kit), "");
		assert_holds(f);
	}

	assert_in_range(cut, 4, 4 * CRASH_SEEDS - 1);
}

static void row_45_rot_in_the_middle_is_named(void **state)
{
	struct fixture *f = *state;

	GIVEN_ENTRIES(f, 3);
	faultdisk_flip(f->kit.disk, FIRST, 4096 + 1000, 0x10);

	assert_damage(f, FIRST, "offset 4096: record checksum");
}

/* Zeros look like a torn write; what follows tells that it is none. */
static void row_45_a_lost_sector_in_the_middle_is_named(void **state)
{
	struct fixture *f = *state;

	GIVEN_ENTRIES(f, 3);
	zero_sector(f, FIRST, 4096 + 1024);

	assert_damage(f, FIRST, "offset 4096: record checksum");
}

static void row_45_a_lost_record_header_in_the_middle_is_named(void **state)
{
	struct fixture *f = *state;

	GIVEN_ENTRIES(f, 3);
	zero_sector(f, FIRST, 4096);

	assert_damage(f, FIRST, "offset 4096: no record");
}

/* The end of an older segment is known from the next one's header. */
static void row_45_a_lost_record_before_the_next_segment_is_named(void **state)
{
	struct fixture *f = *state;

	GIVEN_ENTRIES(f, 4);
	zero_sector(f, FIRST, 4096 + 2 * 4096 - 512);

	assert_damage(f, FIRST, "offset 8192: record checksum");
}

static void row_45_rot_in_the_last_record_is_named(void **state)
{
	struct fixture *f = *state;

	GIVEN_ENTRIES(f, 1);
	faultdisk_flip(f->kit.disk, FIRST, 4096 + 2000, 1);

	assert_damage(f, FIRST, "offset 4096: record checksum");
}

/* A truncation back over three segments happens as a whole or not at all. */
static void row_46_a_truncation_over_segments_leaves_no_hole(void **state)
{
	struct fixture *f = *state;
	unsigned done = 0;

	GIVEN_ENTRIES(f, 8);
	for (unsigned seed = 0; seed < CRASH_SEEDS; seed++) {
		struct logkit_save s = {
			.hard = {.term = f->model.hard.term + 1},
			.keep = 1,
			.count = 1,
			.term = f->model.hard.term + 1,
			.sizes = {900}};

		done += save_in_the_dark(f, &s, 1 + seed % 9, seed);
	}

	assert_in_range(done, 1, CRASH_SEEDS - 1);
}

/* Segments go oldest first, each for good before the next. */
static void row_46_a_cut_over_segments_leaves_no_hole(void **state)
{
	struct fixture *f = *state;
	struct log_state s;
	int rc;

	GIVEN_ENTRIES(f, 12);
	for (unsigned nth = 1; f->model.base < 9; nth++) {
		faultdisk_cut_power(f->kit.disk, nth % 7);
		rc = log_cut(f->kit.log, 12);
		assert_true(rc == 0 || faultdisk_is_dark(f->kit.disk));
		crash_and_open(f, nth);

		assert_null(logkit_differs(f->kit.log, &f->model, 9));
		log_state(f->kit.log, &s);
		f->model.base = s.base.index;
		f->model.commit = s.commit;
	}
	assert_holds(f);
}

static void row_47_no_space_for_a_segment_leaves_the_log_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct logkit_save s = {.hard = {.term = 1},
				.keep = 3,
				.count = 1,
				.term = 1,
				.sizes = {3500}};
	struct logkit_model before;

	GIVEN_ENTRIES(f, 3);
	before = f->model;
	faultdisk_limit(f->kit.disk, LOGKIT_SEGMENT_BYTES);
	logkit_apply(&f->model, &s);
	assert_int_equal(logkit_write(&f->kit, &s, &f->model), STATUS_NO_SPACE);
	assert_int_equal(logkit_write(&f->kit, &s, &f->model), STATUS_NO_SPACE);
	assert_null(logkit_differs(f->kit.log, &before, 0));
	assert_string_equal(log_problem(f->kit.log),
			    SECOND ": prepare: no space left on the data disk");

	faultdisk_limit(f->kit.disk, UINT64_MAX);
	assert_int_equal(logkit_write(&f->kit, &s, &f->model), 0);
	assert_holds(f);
	crash_and_open(f, 1);
	assert_holds(f);
}

static void row_47_no_space_for_a_spare_harms_no_save(void **state)
{
	struct fixture *f = *state;

	faultdisk_limit(f->kit.disk, LOGKIT_SEGMENT_BYTES);

	assert_int_equal(log_prepare(f->kit.log), STATUS_NO_SPACE);
	assert_true(log_wants_spare(f->kit.log));
	assert_false(faultdisk_has(f->kit.disk, "log-new"));
	GIVEN_ENTRIES(f, 3);
	assert_holds(f);
}

/* --- Damage ----------------------------------------------------------------
 */

static void a_missing_segment_is_named(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->kit.disk);

	GIVEN_ENTRIES(f, 8);
	logkit_close(&f->kit);
	assert_int_equal(d->ops->remove(d, SECOND), 0);

	assert_damage(f, SECOND, "missing");
}

static void a_file_of_another_size_is_named(void **state)
{
	struct fixture *f = *state;

	GIVEN_ENTRIES(f, 4);
	faultdisk_resize(f->kit.disk, FIRST, LOGKIT_SEGMENT_BYTES + 512);
	assert_damage(f, FIRST, "size");
	faultdisk_resize(f->kit.disk, FIRST, 100);
	assert_damage(f, FIRST, "size");
	faultdisk_resize(f->kit.disk, FIRST, 0);
	assert_damage(f, FIRST, "size");
}

static void a_damaged_header_is_named(void **state)
{
	struct fixture *f = *state;

	GIVEN_ENTRIES(f, 4);
	faultdisk_flip(f->kit.disk, SECOND, 2000, 0x80);

	assert_damage(f, SECOND, "header");
}

/* A whole file in the place of another is valid but for its number. */
static void a_segment_under_another_name_is_named(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->kit.disk);

	GIVEN_ENTRIES(f, 8);
	logkit_close(&f->kit);
	assert_int_equal(d->ops->rename(d, THIRD, SECOND), 0);

	assert_damage(f, SECOND, "names another segment");
}

static void another_format_is_refused_as_such(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->kit.disk);
	struct segment_header h = {.bytes = LOGKIT_SEGMENT_BYTES, .number = 1};
	uint8_t block[SEGMENT_HEADER_BYTES];
	struct disk_file *file;

	segment_encode(&h, block);
	put_le32(block + 8, 2);
	segment_seal(block);
	logkit_close(&f->kit);
	assert_int_equal(d->ops->open(d, FIRST, false, &file), 0);
	assert_int_equal(d->ops->write(file, 0, block, sizeof block), 0);
	d->ops->close(file);

	assert_int_equal(logkit_open(&f->kit), STATUS_VERSION);
	assert_non_null(strstr(logkit_problem(&f->kit), "format 2"));
}

static void a_header_that_breaks_the_rules_is_named(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->kit.disk);
	struct segment_header h = {
		.bytes = LOGKIT_SEGMENT_BYTES,
		.number = 1,
		.hard = {.term = 4},
		.last = {.index = 9, .term = 5},
	};
	uint8_t block[SEGMENT_HEADER_BYTES];
	struct disk_file *file;

	segment_encode(&h, block);
	assert_int_equal(d->ops->open(d, FIRST, false, &file), 0);
	assert_int_equal(d->ops->write(file, 0, block, sizeof block), 0);
	d->ops->close(file);

	assert_damage(f, FIRST, "the header makes no sense");
}

/* Every checksum is right, but no correct node wrote it (L4). */
static void a_record_that_breaks_the_rules_is_named(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->kit.disk);
	struct record_place place = {
		.seed = 0x5eed, .segment = 1, .number = 1, .chain = 0x5eed};
	struct log_record record = {.hard = {.term = 1}, .commit = 3};
	uint8_t bytes[SEGMENT_SECTOR_BYTES];
	struct disk_file *file;

	record_encode(&place, &record, (struct raft_pos){0}, 3, bytes);
	assert_int_equal(d->ops->open(d, FIRST, false, &file), 0);
	assert_int_equal(d->ops->write(file, 4096, bytes, sizeof bytes), 0);
	d->ops->close(file);

	assert_damage(f, FIRST, "the commit index is above the last entry");
}

/* --- Segments --------------------------------------------------------------
 */

static void a_cut_drops_whole_segments_up_to_the_index(void **state)
{
	struct fixture *f = *state;
	struct log_state s;

	GIVEN_ENTRIES(f, 8);
	assert_int_equal(log_cut(f->kit.log, 5), 0);
	log_state(f->kit.log, &s);

	assert_int_equal(s.base.index, 3);
	assert_int_equal(s.base.term, 1);
	assert_int_equal(s.segments, 2);
	assert_false(faultdisk_has(f->kit.disk, FIRST));
}

/* The driver cuts what the state machine has flushed, although the commit
 * index saved last may be lower: a cut tells as much. */
static void a_cut_raises_the_commit_index(void **state)
{
	struct fixture *f = *state;
	struct log_state s;

	GIVEN_ENTRIES(f, 8);
	assert_int_equal(log_cut(f->kit.log, 5), 0);
	log_state(f->kit.log, &s);
	assert_int_equal(s.commit, 3);

	crash_and_open(f, 1);
	log_state(f->kit.log, &s);
	assert_int_equal(s.commit, 3);
}

/* The remaining segment's first record reaches back behind its header. */
static void
the_base_is_known_after_a_truncation_over_a_cut_segment(void **state)
{
	struct fixture *f = *state;
	struct log_state s;

	GIVEN_ENTRIES(f, 3);
	logkit_append(&f->kit, &f->model, 5, 1, 1, 3500);
	assert_int_equal(log_cut(f->kit.log, 1), 0);
	crash_and_open(f, 1);
	log_state(f->kit.log, &s);

	assert_int_equal(s.base.index, 1);
	assert_int_equal(s.base.term, 1);
	assert_int_equal(s.last, 2);
}

static void a_spare_is_taken_when_there_is_one(void **state)
{
	struct fixture *f = *state;
	unsigned before;

	assert_int_equal(log_prepare(f->kit.log), 0);
	assert_false(log_wants_spare(f->kit.log));
	GIVEN_ENTRIES(f, 3);
	before = faultdisk_calls(f->kit.disk);
	GIVEN_ENTRIES(f, 1);

	/* header: write, sync, rename, folder; record: write, sync */
	assert_int_equal(faultdisk_calls(f->kit.disk) - before, 6);
	assert_true(log_wants_spare(f->kit.log));
}

/* A retired segment is full of old records; none may come back. */
static void a_recycled_segment_is_empty_wherever_the_power_goes(void **state)
{
	struct fixture *f = *state;
	struct log_state s;
	int rc;

	for (unsigned nth = 0; nth < 3 * CRASH_SEEDS; nth++) {
		GIVEN_ENTRIES(f, 1 + nth % 4);
		assert_int_equal(log_cut(f->kit.log, f->model.last), 0);
		log_state(f->kit.log, &s);
		f->model.base = s.base.index;
		f->model.commit = s.commit;
		faultdisk_cut_power(f->kit.disk, 1 + nth % 5);
		rc = log_prepare(f->kit.log);
		assert_true(rc == 0 || faultdisk_is_dark(f->kit.disk));
		crash_and_open(f, nth);
		assert_holds(f);
	}
}

/* A reader found its entry, and then the segment was cut, taken for the next
 * spare and overwritten with zeros: that is not damage. */
static void *read_first(void *context)
{
	struct fixture *f = context;
	struct entry *e;

	assert_int_equal(log_read(f->kit.log, 1, &e), STATUS_NOT_FOUND);
	return NULL;
}

static void a_read_that_a_cut_overtakes_finds_nothing(void **state)
{
	struct fixture *f = *state;
	pthread_t reader;

	GIVEN_ENTRIES(f, 6);
	faultdisk_hold_reads(f->kit.disk, FIRST);
	assert_int_equal(pthread_create(&reader, NULL, read_first, f), 0);
	faultdisk_await_held(f->kit.disk);
	assert_int_equal(log_cut(f->kit.log, 3), 0);
	assert_int_equal(log_prepare(f->kit.log), 0);
	faultdisk_release(f->kit.disk);

	assert_int_equal(pthread_join(reader, NULL), 0);
}

/* The same for an entry that was replaced meanwhile: the new one is read. */
static void *read_replaced(void *context)
{
	struct fixture *f = context;
	struct entry *e;

	assert_int_equal(log_read(f->kit.log, 2, &e), 0);
	assert_int_equal(e->term, 7);
	entry_unref(e);
	return NULL;
}

static void a_read_that_a_truncation_overtakes_finds_the_new_entry(void **state)
{
	struct fixture *f = *state;
	pthread_t reader;

	GIVEN_ENTRIES(f, 2);
	faultdisk_hold_reads(f->kit.disk, FIRST);
	assert_int_equal(pthread_create(&reader, NULL, read_replaced, f), 0);
	faultdisk_await_held(f->kit.disk);
	logkit_append(&f->kit, &f->model, 7, 1, 1, 100);
	faultdisk_release(f->kit.disk);

	assert_int_equal(pthread_join(reader, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_new_log_is_empty),
		LOG_TEST(everything_is_there_after_a_clean_restart),
		LOG_TEST(runs_and_sizes_are_those_of_the_log),
		LOG_TEST(a_discarded_entry_is_not_read),
		LOG_TEST(row_3_term_and_vote_are_saved_as_one),
		LOG_TEST(row_21_an_entry_never_outruns_its_term),
		LOG_TEST(row_44_a_failed_sync_is_never_tried_again),
		LOG_TEST(row_45_a_torn_tail_is_cut_and_stays_cut),
		LOG_TEST(row_45_rot_in_the_middle_is_named),
		LOG_TEST(row_45_a_lost_sector_in_the_middle_is_named),
		LOG_TEST(row_45_a_lost_record_header_in_the_middle_is_named),
		LOG_TEST(row_45_a_lost_record_before_the_next_segment_is_named),
		LOG_TEST(row_45_rot_in_the_last_record_is_named),
		LOG_TEST(row_46_a_truncation_over_segments_leaves_no_hole),
		LOG_TEST(row_46_a_cut_over_segments_leaves_no_hole),
		LOG_TEST(
			row_47_no_space_for_a_segment_leaves_the_log_as_it_was),
		LOG_TEST(row_47_no_space_for_a_spare_harms_no_save),
		LOG_TEST(a_missing_segment_is_named),
		LOG_TEST(a_file_of_another_size_is_named),
		LOG_TEST(a_damaged_header_is_named),
		LOG_TEST(a_segment_under_another_name_is_named),
		LOG_TEST(another_format_is_refused_as_such),
		LOG_TEST(a_header_that_breaks_the_rules_is_named),
		LOG_TEST(a_record_that_breaks_the_rules_is_named),
		LOG_TEST(a_cut_drops_whole_segments_up_to_the_index),
		LOG_TEST(a_cut_raises_the_commit_index),
		LOG_TEST(
			the_base_is_known_after_a_truncation_over_a_cut_segment),
		LOG_TEST(a_spare_is_taken_when_there_is_one),
		LOG_TEST(a_recycled_segment_is_empty_wherever_the_power_goes),
		LOG_TEST(a_read_that_a_cut_overtakes_finds_nothing),
		LOG_TEST(
			a_read_that_a_truncation_overtakes_finds_the_new_entry),
	};

	return cmocka_run_group_tests_name("raft/node/log", tests, NULL, NULL);
}
