/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: what was staged is byte for byte what was sent, and durable, or it
 * is not called finished; an attempt that was cut anywhere is gone on with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/status.h"
#include "raft/node/snap_stage.h"
#include "tests/lib/faultdisk.h"

enum { FILES = 4, BIG = 600000, CHUNK = 100000 };

/* What the sender has: names rise. */
static struct snap_file files[FILES] = {
	{"000007.sst", BIG}, {"CURRENT", 16}, {"EMPTY", 0}, {"MANIFEST", 5000}};
static uint8_t *content[FILES];
static struct faultdisk *f;
static struct snap_piece pieces[FILES];
static size_t piece_count;
static uint64_t sent; /* bytes of chunks */

static int setup(void **state)
{
	(void)state;
	f = faultdisk_new();
	for (size_t i = 0; i < FILES; i++) {
		content[i] = mem_alloc(files[i].size + 1);
		for (size_t j = 0; j < files[i].size; j++) {
			content[i][j] = (uint8_t)(j * 7 + j / 251 + i);
		}
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES; i++) {
		mem_free(content[i]);
	}
	faultdisk_free(f);
	return 0;
}

static struct snap_stage *GIVEN_STAGE(void)
{
	return snap_stage_new(faultdisk_disk(f), files, FILES, NULL, NULL);
}

static uint64_t hash_of(size_t file, uint64_t size)
{
	return XXH3_64bits(content[file], size);
}

static struct snap_chunk chunk_at(uint32_t file, uint64_t at)
{
	uint64_t rest = files[file].size - at;
	size_t size = rest < CHUNK ? (size_t)rest : CHUNK;

	return (struct snap_chunk){
		.file = file,
		.at = at,
		.hash = size == rest ? hash_of(file, files[file].size) : 0,
		.data = bytes_of(content[file] + at, size),
	};
}

/* Send a file from there on; bytes: stop after so many. */
static int send_file(struct snap_stage *s, uint32_t file, uint64_t from,
		     uint64_t bytes)
{
	uint64_t at = from;
	int rc = 0;

	do {
		struct snap_chunk chunk = chunk_at(file, at);

		rc = snap_stage_write(s, &chunk);
		at += chunk.data.size;
		sent += chunk.data.size;
	} while (rc == 0 && at < files[file].size && at - from < bytes);
	return rc;
}

static const struct snap_piece *piece_of(uint32_t file)
{
	for (size_t i = 0; i < piece_count; i++) {
		if (pieces[i].file == file) {
			return &pieces[i];
		}
	}
	return NULL;
}

/* As a sender does it: what is the same is let stand. */
static int send_all(struct snap_stage *s)
{
	int rc = snap_stage_scan(s, pieces, &piece_count);

	sent = 0;
	for (uint32_t i = 0; i < FILES && rc == 0; i++) {
		const struct snap_piece *p = piece_of(i);
		uint64_t from = p != NULL && p->hash == hash_of(i, p->size)
					? p->size
					: 0;

		if (from < files[i].size || from == 0) {
			rc = send_file(s, i, from, UINT64_MAX);
		}
	}
	return rc == 0 ? snap_stage_finish(s) : rc;
}

static void put_file(const char *name, const void *data, size_t size)
{
	struct disk *disk = faultdisk_disk(f);
	struct disk_file *file;

	assert_int_equal(disk->ops->open(disk, name, true, &file), 0);
	assert_int_equal(disk->ops->write(file, 0, data, size), 0);
	disk->ops->close(file);
}

static void assert_staged(void)
{
	struct disk *disk = faultdisk_disk(f);

	for (size_t i = 0; i < FILES; i++) {
		uint8_t *data = mem_alloc(files[i].size + 1);
		struct disk_file *file;
		uint64_t size;

		assert_int_equal(
			disk->ops->open(disk, files[i].name, false, &file), 0);
		assert_int_equal(disk->ops->size(file, &size), 0);
		assert_int_equal(size, files[i].size);
		assert_int_equal(disk->ops->read(file, 0, data, (size_t)size),
				 0);
		assert_memory_equal(data, content[i], size);
		disk->ops->close(file);
		mem_free(data);
	}
}

/* --- The way it goes ------------------------------------------------------ */

static void what_was_finished_survives_a_crash(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	assert_int_equal(snap_stage_missing(s), BIG + 16 + 5000);
	assert_int_equal(send_all(s), 0);
	assert_int_equal(piece_count, 0);
	assert_int_equal(snap_stage_missing(s), 0);
	snap_stage_free(s);

	faultdisk_crash(f, 1);
	assert_staged();
}

static void what_is_not_of_the_offer_is_removed(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	put_file("000001.sst", "old", 3);
	put_file("ZZZ", "old", 3);
	assert_int_equal(send_all(s), 0);
	snap_stage_free(s);

	assert_false(faultdisk_has(f, "000001.sst"));
	assert_false(faultdisk_has(f, "ZZZ"));
	assert_staged();
}

static void an_attempt_that_was_cut_goes_on_where_it_was(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	assert_int_equal(snap_stage_scan(s, pieces, &piece_count), 0);
	assert_int_equal(send_file(s, 0, 0, 300000), 0);
	snap_stage_free(s);

	s = GIVEN_STAGE();
	assert_int_equal(send_all(s), 0);
	assert_int_equal(piece_count, 1);
	assert_int_equal(pieces[0].size, 300000);
	assert_int_equal(pieces[0].hash, hash_of(0, 300000));
	assert_int_equal(sent, BIG - 300000 + 16 + 5000);
	snap_stage_free(s);
	assert_staged();
}

static void a_whole_file_is_not_sent_again(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	put_file("000007.sst", content[0], BIG);
	assert_int_equal(send_all(s), 0);
	assert_int_equal(sent, 16 + 5000);
	snap_stage_free(s);

	faultdisk_crash(f, 2);
	assert_staged();
}

static void a_file_that_is_another_is_sent_again(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	put_file("CURRENT", "MANIFEST-000004\n", 16);
	put_file("EMPTY", "x", 1);
	assert_int_equal(send_all(s), 0);
	assert_int_equal(piece_count, 1);
	assert_int_equal(pieces[0].file, 1);
	snap_stage_free(s);

	assert_staged();
}

/* --- What goes wrong ------------------------------------------------------ */

static void a_file_that_is_not_what_was_meant_is_corrupt(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	struct snap_chunk chunk = chunk_at(1, 0);
	(void)state;

	assert_int_equal(snap_stage_scan(s, pieces, &piece_count), 0);
	chunk.hash++;
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_CORRUPT);
	assert_false(faultdisk_has(f, "CURRENT"));

	assert_int_equal(send_all(s), 0);
	snap_stage_free(s);
	assert_staged();
}

static void a_piece_that_rotted_meanwhile_is_noticed(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	put_file("000007.sst", content[0], 300000);
	assert_int_equal(snap_stage_scan(s, pieces, &piece_count), 0);
	faultdisk_flip(f, "000007.sst", 1000, 0x10);
	assert_int_equal(send_file(s, 0, 300000, UINT64_MAX), STATUS_CORRUPT);

	assert_int_equal(send_all(s), 0);
	snap_stage_free(s);
	assert_staged();
}

static void chunks_out_of_place_are_refused(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	struct snap_chunk chunk = chunk_at(0, CHUNK);
	(void)state;

	assert_int_equal(snap_stage_scan(s, pieces, &piece_count), 0);
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	assert_int_equal(send_file(s, 0, 0, CHUNK), 0);
	chunk = chunk_at(0, 2 * CHUNK);
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	chunk = chunk_at(0, 0);
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	chunk = chunk_at(0, CHUNK);
	chunk.file = FILES;
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	chunk = chunk_at(1, 0);
	chunk.data = bytes_of(content[0], 17);
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	chunk.data.size = 0;
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	snap_stage_free(s);
}

/* Each once, in their order: so what a sender can have written is bounded. */
static void a_file_that_was_left_is_not_written_again(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	struct snap_chunk chunk = chunk_at(0, CHUNK);
	(void)state;

	assert_int_equal(snap_stage_scan(s, pieces, &piece_count), 0);
	assert_int_equal(send_file(s, 0, 0, CHUNK), 0);
	assert_int_equal(send_file(s, 2, 0, UINT64_MAX), 0); /* EMPTY */
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	chunk = chunk_at(1, 0);
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	chunk = chunk_at(2, 0);
	assert_int_equal(snap_stage_write(s, &chunk), STATUS_INVALID);
	assert_int_equal(send_file(s, 3, 0, UINT64_MAX), 0);
	snap_stage_free(s);
}

static void what_is_missing_is_not_called_finished(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	assert_int_equal(snap_stage_scan(s, pieces, &piece_count), 0);
	assert_int_equal(send_file(s, 0, 0, UINT64_MAX), 0);
	assert_int_equal(send_file(s, 1, 0, UINT64_MAX), 0);
	assert_int_equal(send_file(s, 3, 0, UINT64_MAX), 0);
	assert_int_equal(snap_stage_finish(s), STATUS_SHORT); /* EMPTY */
	snap_stage_free(s);
}

static bool stop_at_once(void *context)
{
	(void)context;
	return true;
}

static void a_scan_ends_when_it_is_asked_to(void **state)
{
	struct snap_stage *s = snap_stage_new(faultdisk_disk(f), files, FILES,
					      stop_at_once, NULL);
	(void)state;

	put_file("000007.sst", content[0], BIG);
	assert_int_equal(snap_stage_scan(s, pieces, &piece_count),
			 STATUS_ENDED);
	assert_true(faultdisk_has(f, "000007.sst"));
	snap_stage_free(s);
}

static void so_does_the_end(void **state)
{
	struct snap_stage *s = GIVEN_STAGE();
	(void)state;

	assert_int_equal(send_all(s), 0);
	snap_stage_free(s);

	s = snap_stage_new(faultdisk_disk(f), files, FILES, stop_at_once, NULL);
	assert_int_equal(snap_stage_finish(s), STATUS_ENDED);
	snap_stage_free(s);
}

static void a_power_cut_at_any_call_is_gone_on_from(void **state)
{
	unsigned cuts = 0;
	int rc = STATUS_IO;
	(void)state;

	for (unsigned nth = 1; rc != 0; nth++) {
		struct snap_stage *s = GIVEN_STAGE();

		faultdisk_cut_power(f, nth);
		rc = send_all(s);
		snap_stage_free(s);
		faultdisk_crash(f, nth);
		cuts++;

		s = GIVEN_STAGE();
		assert_int_equal(send_all(s), 0);
		snap_stage_free(s);
		faultdisk_crash(f, nth + 1000);
		assert_staged();
		for (size_t i = 0; i < FILES; i++) {
			struct disk *disk = faultdisk_disk(f);

			assert_int_equal(disk->ops->remove(disk, files[i].name),
					 0);
		}
	}
	assert_true(cuts > 20);
}

static void any_call_that_fails_is_told_and_gone_on_from(void **state)
{
	unsigned fails = 0;
	bool reached = true; /* the nth call was made */
	(void)state;

	for (unsigned nth = 1; reached; nth++) {
		struct snap_stage *s = GIVEN_STAGE();
		unsigned before = faultdisk_calls(f);
		int rc;

		faultdisk_fail(f, nth, STATUS_NO_SPACE);
		rc = send_all(s);
		assert_true(rc == 0 || rc == STATUS_NO_SPACE);
		snap_stage_free(s);
		fails += rc != 0;
		reached = faultdisk_calls(f) - before >= nth;
		faultdisk_fail(f, 0, 0);

		s = GIVEN_STAGE();
		assert_int_equal(send_all(s), 0);
		snap_stage_free(s);
		assert_staged();
		for (size_t i = 0; i < FILES; i++) {
			struct disk *disk = faultdisk_disk(f);

			assert_int_equal(disk->ops->remove(disk, files[i].name),
					 0);
		}
	}
	assert_true(fails > 15);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_finished_survives_a_crash),
		TEST(what_is_not_of_the_offer_is_removed),
		TEST(an_attempt_that_was_cut_goes_on_where_it_was),
		TEST(a_whole_file_is_not_sent_again),
		TEST(a_file_that_is_another_is_sent_again),
		TEST(a_file_that_is_not_what_was_meant_is_corrupt),
		TEST(a_piece_that_rotted_meanwhile_is_noticed),
		TEST(chunks_out_of_place_are_refused),
		TEST(a_file_that_was_left_is_not_written_again),
		TEST(what_is_missing_is_not_called_finished),
		TEST(a_scan_ends_when_it_is_asked_to),
		TEST(so_does_the_end),
		TEST(a_power_cut_at_any_call_is_gone_on_from),
		TEST(any_call_that_fails_is_told_and_gone_on_from),
	};

	return cmocka_run_group_tests_name("raft/node/snap_stage", tests, NULL,
					   NULL);
}
