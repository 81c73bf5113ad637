/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: what is given lies in the folder when it is said to be finished,
 * what waits for the disk is bounded, and after a failure nothing more is
 * done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <semaphore.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/mem.h"
#include "base/status.h"
#include "raft/node/snap_intake.h"

enum { WINDOW = SNAP_WINDOW_BYTES / SNAP_CHUNK_BYTES };

/* A file that is larger than the window, and two empty ones. */
enum { FILES = 3, BIG = SNAP_WINDOW_BYTES + SNAP_CHUNK_BYTES };
static const struct snap_file files[FILES] = {
	{"000001.sst", BIG}, {"EMPTY", 0}, {"EMPTY2", 0}};
static uint8_t *big;

static char root[32];
static char folder[64];
static struct snap_work *work;
static struct snap_intake *intake;
static sem_t ready;
static struct buffer told; /* "scanned=0 written=0:262144 " */

static void on_ready(void *context)
{
	(void)context;
	sem_post(&ready);
}

static const char *text_of(int rc)
{
	return rc == 0 ? "ok" : status_text(rc);
}

static void on_scanned(void *context, int rc)
{
	(void)context;
	buffer_printf(&told, "scanned=%s ", text_of(rc));
}

static void on_written(void *context, int rc, size_t bytes)
{
	(void)context;
	buffer_printf(&told, "written=%s:%zu ", text_of(rc), bytes);
}

static void on_finished(void *context, int rc)
{
	(void)context;
	buffer_printf(&told, "finished=%s ", text_of(rc));
}

static const struct snap_intake_answers answers = {on_scanned, on_written,
						   on_finished};

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/test_intake.XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(folder, sizeof folder, "%s/incoming", root);
	big = mem_alloc(BIG);
	for (size_t i = 0; i < BIG; i++) {
		big[i] = (uint8_t)(i * 7 + i / 251);
	}
	sem_init(&ready, 0, 0);
	work = snap_work_start(on_ready, NULL);
	intake = snap_intake_new(work, folder, files, FILES, &answers, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (work != NULL) {
		snap_work_stop(work);
	}
	snap_intake_free(intake);
	sem_destroy(&ready);
	mem_free(big);
	buffer_deinit(&told);
	return folder_remove(root);
}

/* Until so many jobs have run, and been answered. */
static void collect(unsigned jobs)
{
	while (jobs-- > 0) {
		sem_wait(&ready);
	}
	snap_work_collect(work);
}

static void assert_told(const char *expected)
{
	assert_string_equal(buffer_text(&told), expected);
	buffer_reset(&told);
}

static bool write_big(uint64_t at)
{
	struct snap_chunk chunk = {
		.at = at,
		.data = bytes_of(big + at, SNAP_CHUNK_BYTES),
	};

	if (at + SNAP_CHUNK_BYTES == BIG) {
		chunk.hash = XXH3_64bits(big, BIG);
	}
	return snap_intake_write(intake, &chunk);
}

static bool write_empty(uint32_t file)
{
	struct snap_chunk chunk = {.file = file, .hash = XXH3_64bits(NULL, 0)};

	return snap_intake_write(intake, &chunk);
}

static void GIVEN_SCANNED(void)
{
	snap_intake_scan(intake);
	collect(1);
	assert_told("scanned=ok ");
}

static void what_was_given_lies_in_the_folder(void **state)
{
	struct stat st;
	char path[96];
	size_t pieces;
	(void)state;

	GIVEN_SCANNED();
	(void)snap_intake_pieces(intake, &pieces);
	assert_int_equal(pieces, 0);
	assert_int_equal(snap_intake_missing(intake), BIG);
	for (uint64_t at = 0; at < BIG; at += SNAP_CHUNK_BYTES) {
		assert_true(write_big(at));
		assert_false(snap_intake_idle(intake));
		collect(1);
		assert_true(snap_intake_idle(intake));
		assert_told("written=ok:262144 ");
	}
	assert_true(write_empty(1));
	assert_true(write_empty(2));
	snap_intake_finish(intake);
	collect(3);

	assert_told("written=ok:0 written=ok:0 finished=ok ");
	snprintf(path, sizeof path, "%s/000001.sst", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, BIG);
}

static void what_lies_there_is_named(void **state)
{
	const struct snap_piece *pieces;
	size_t count;
	(void)state;

	GIVEN_SCANNED();
	assert_true(write_big(0));
	collect(1);
	snap_intake_free(intake);

	intake = snap_intake_new(work, folder, files, FILES, &answers, NULL);
	snap_intake_scan(intake);
	collect(1);
	pieces = snap_intake_pieces(intake, &count);
	assert_int_equal(count, 1);
	assert_int_equal(pieces[0].size, SNAP_CHUNK_BYTES);
	assert_int_equal(pieces[0].hash, XXH3_64bits(big, SNAP_CHUNK_BYTES));
	assert_int_equal(snap_intake_missing(intake), BIG - SNAP_CHUNK_BYTES);
}

/* I1. Nothing is answered before it is collected. */
static void more_than_the_window_is_not_taken(void **state)
{
	(void)state;

	GIVEN_SCANNED();
	for (uint64_t i = 0; i < WINDOW; i++) {
		assert_true(write_big(i * SNAP_CHUNK_BYTES));
	}
	assert_false(write_big(WINDOW * SNAP_CHUNK_BYTES));
	collect(WINDOW);
	assert_true(write_big(WINDOW * SNAP_CHUNK_BYTES));
	collect(1);
}

/* I1: such as have no bytes are counted. */
static void more_chunks_than_files_can_be_are_not_taken(void **state)
{
	unsigned taken = 0;
	(void)state;

	GIVEN_SCANNED();
	while (taken < 1000 && write_empty(1)) {
		taken++;
	}
	assert_int_equal(taken, FILES + WINDOW);
	collect(taken);
}

/* I2. */
static void after_a_failure_nothing_is_done(void **state)
{
	(void)state;

	GIVEN_SCANNED();
	assert_true(write_big(SNAP_CHUNK_BYTES)); /* a gap */
	assert_true(write_big(0));
	snap_intake_finish(intake);
	collect(3);

	assert_told("written=invalid argument:262144 "
		    "written=session ended:262144 finished=session ended ");
}

static void a_scan_that_fails_is_the_end(void **state)
{
	(void)state;

	assert_int_equal(folder_remove(root), 0);
	snap_intake_scan(intake);
	assert_true(write_big(0));
	collect(2);

	assert_told("scanned=not found written=session ended:262144 ");
	assert_int_equal(mkdir(root, 0700), 0);
}

static void what_a_stop_leaves_is_not_answered(void **state)
{
	(void)state;

	GIVEN_SCANNED();
	for (uint64_t i = 0; i < WINDOW; i++) {
		assert_true(write_big(i * SNAP_CHUNK_BYTES));
	}
	snap_intake_finish(intake);
	snap_work_stop(work);
	work = NULL;

	assert_true(snap_intake_idle(intake));
	assert_null(strstr(buffer_text(&told), "finished=ok"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_given_lies_in_the_folder),
		TEST(what_lies_there_is_named),
		TEST(more_than_the_window_is_not_taken),
		TEST(more_chunks_than_files_can_be_are_not_taken),
		TEST(after_a_failure_nothing_is_done),
		TEST(a_scan_that_fails_is_the_end),
		TEST(what_a_stop_leaves_is_not_answered),
	};

	return cmocka_run_group_tests_name("raft/node/snap_intake", tests, NULL,
					   NULL);
}
