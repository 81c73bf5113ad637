/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a record is taken only whole and in its place in the chain; a
 * write cut short is told from one that rotted. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/segment.h"

enum { AREA_BYTES = 16384, AT = 512 };

static const struct record_place place = {
	.seed = 1234,
	.segment = 7,
	.number = 42,
	.chain = 99,
};

/* An area of zeros with one record of two entries at AT; its size. */
static size_t GIVEN_RECORD(uint8_t *area, uint32_t payload)
{
	struct entry *entries[2];
	struct log_record record = {
		.hard = {.term = 5, .vote = 3},
		.commit = 10,
		.keep = 10,
		.entries = entries,
		.count = 2,
	};
	size_t size;

	for (size_t i = 0; i < 2; i++) {
		entries[i] = entry_new(ENTRY_COMMAND, NULL, payload);
		memset(entries[i]->data, 'x', payload);
		entries[i]->index = 11 + i;
		entries[i]->term = 4 + i;
		entries[i]->time_ns = 77;
	}
	memset(area, 0, AREA_BYTES);
	record_encode(&place, &record,
		      (struct raft_pos){.term = 4, .index = 10}, 10, area + AT);
	size = record_size(&record);
	entry_unref(entries[0]);
	entry_unref(entries[1]);
	return size;
}

static enum record_verdict judge(const uint8_t *area,
				 const struct record_place *at)
{
	struct record r;
	const char *reason;

	return record_decode(bytes_of(area, AREA_BYTES), AT, at, &r, &reason);
}

static void a_record_comes_back_as_it_was(void **state)
{
	uint8_t area[AREA_BYTES];
	size_t size = GIVEN_RECORD(area, 1000);
	struct record_entry e;
	struct record r;
	const char *reason;
	(void)state;

	assert_int_equal(record_decode(bytes_of(area, AREA_BYTES), AT, &place,
				       &r, &reason),
			 RECORD_VALID);
	assert_int_equal(r.size, size);
	assert_int_equal(r.hard.term, 5);
	assert_int_equal(r.hard.vote, 3);
	assert_int_equal(r.keep.index, 10);
	assert_int_equal(r.keep.term, 4);
	assert_int_equal(r.commit, 10);
	assert_int_equal(r.count, 2);
	record_next(&r.entries, &e);
	record_next(&r.entries, &e);
	assert_int_equal(e.term, 5);
	assert_int_equal(e.time_ns, 77);
	assert_int_equal(e.kind, ENTRY_COMMAND);
	assert_int_equal(e.data.size, 1000);
}

static void a_record_counts_only_in_its_place_of_the_chain(void **state)
{
	uint8_t area[AREA_BYTES];
	struct record_place other = place;
	(void)state;

	GIVEN_RECORD(area, 100);

	other.number++;
	assert_int_equal(judge(area, &other), RECORD_DAMAGED);
	other = place;
	other.segment++;
	assert_int_equal(judge(area, &other), RECORD_DAMAGED);
	other = place;
	other.chain++;
	assert_int_equal(judge(area, &other), RECORD_DAMAGED);
	other = place;
	other.seed++;
	assert_int_equal(judge(area, &other), RECORD_DAMAGED);
}

static void any_prefix_of_a_record_is_torn(void **state)
{
	uint8_t area[AREA_BYTES];
	size_t size = GIVEN_RECORD(area, 700);
	(void)state;

	for (size_t kept = size - 1; kept > 0; kept--) {
		area[AT + kept] = 0;
		assert_int_equal(judge(area, &place), RECORD_TORN);
	}
	area[AT] = 0;
	assert_int_equal(judge(area, &place), RECORD_NONE);
}

static void a_record_without_one_of_its_sectors_is_torn(void **state)
{
	uint8_t area[AREA_BYTES];
	size_t size = GIVEN_RECORD(area, 2000);
	(void)state;

	for (size_t at = SEGMENT_SECTOR_BYTES; at < size;
	     at += SEGMENT_SECTOR_BYTES) {
		GIVEN_RECORD(area, 2000);
		memset(area + AT + at, 0, SEGMENT_SECTOR_BYTES);
		assert_int_equal(judge(area, &place), RECORD_TORN);
	}
}

static void any_flipped_bit_of_a_record_is_damage(void **state)
{
	uint8_t area[AREA_BYTES];
	size_t size = GIVEN_RECORD(area, 700);
	(void)state;

	for (size_t at = 0; at < size; at++) {
		area[AT + at] ^= (uint8_t)(1u << at % 8);
		assert_int_equal(judge(area, &place), RECORD_DAMAGED);
		area[AT + at] ^= (uint8_t)(1u << at % 8);
	}
	assert_int_equal(judge(area, &place), RECORD_VALID);
}

/* A user may store a log in the tree: records inside a payload. Only who knows
 * the seed can make one that counts. */
static void a_payload_can_not_pose_as_a_later_record(void **state)
{
	uint8_t area[AREA_BYTES];
	struct record_place before = place;
	(void)state;

	GIVEN_RECORD(area, 100);
	before.number--;
	assert_int_equal(record_after(bytes_of(area, AREA_BYTES), 0, &before),
			 AT);

	before.seed++;
	assert_int_equal(record_after(bytes_of(area, AREA_BYTES), 0, &before),
			 0);
}

static void an_entry_proves_its_index(void **state)
{
	uint8_t area[AREA_BYTES] = {0};
	struct bytes entry = bytes_of(area + AT + RECORD_HEADER_BYTES,
				      RECORD_ENTRY_BYTES + 100);
	struct record_entry e;
	(void)state;

	GIVEN_RECORD(area, 100);

	assert_int_equal(record_entry_decode(entry, place.seed, 11, &e), 0);
	assert_int_equal(record_entry_decode(entry, place.seed, 12, &e),
			 STATUS_CORRUPT);
	entry.size--;
	assert_int_equal(record_entry_decode(entry, place.seed, 11, &e),
			 STATUS_CORRUPT);
}

static void only_segments_have_a_segments_name(void **state)
{
	char name[SEGMENT_NAME_BYTES];
	uint64_t number;
	(void)state;

	segment_name(0xbeef, name);
	assert_string_equal(name, "log-000000000000beef");
	assert_true(segment_number(name, &number));
	assert_int_equal(number, 0xbeef);

	assert_false(segment_number("log-spare", &number));
	assert_false(segment_number("log-000000000000BEEF", &number));
	assert_false(segment_number("log-000000000000beef0", &number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(
			a_record_counts_only_in_its_place_of_the_chain),
		cmocka_unit_test(any_prefix_of_a_record_is_torn),
		cmocka_unit_test(a_record_without_one_of_its_sectors_is_torn),
		cmocka_unit_test(any_flipped_bit_of_a_record_is_damage),
		cmocka_unit_test(a_payload_can_not_pose_as_a_later_record),
		cmocka_unit_test(an_entry_proves_its_index),
		cmocka_unit_test(only_segments_have_a_segments_name),
	};

	return cmocka_run_group_tests_name("raft/node/segment", tests, NULL,
					   NULL);
}
