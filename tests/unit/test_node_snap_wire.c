/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: what is said about a snapshot comes through as it was meant, and
 * nothing out of bounds gets past the decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/status.h"
#include "raft/node/snap_wire.h"
#include "raft/node/wire.h"

static struct snap_message message; /* large: not on the stack */
static struct buffer body;	    /* of the last one */

static int teardown(void **state)
{
	(void)state;
	buffer_deinit(&body);
	return 0;
}

static const struct snap_file two_files[] = {{"000012.sst", 1000},
					     {"CURRENT", 16}};

static struct snap_offer GIVEN_OFFER(void) {
	return (struct snap_offer){
		.term = 5,
		.pos = {.term = 4, .index = 900},
		.members_index = 1,
		.members = bytes_of_text("members"),
		.count = 2,
	};
}

static int
offer_through(const struct snap_offer *offer, const struct snap_file *files)
{
	buffer_reset(&body);
	snap_encode_offer(&body, offer, files);
	return snap_decode(buffer_bytes(&body), SNAP_OFFER, &message);
}

static int pieces_through(const struct snap_piece *pieces, size_t count)
{
	buffer_reset(&body);
	snap_encode_have(&body, pieces, count);
	return snap_decode(buffer_bytes(&body), SNAP_HAVE, &message);
}

static int chunk_through(const struct snap_chunk *chunk, uint64_t sum)
{
	buffer_reset(&body);
	snap_encode_chunk(&body, chunk, sum);
	return snap_decode(buffer_bytes(&body), SNAP_CHUNK, &message);
}

static void an_offer_comes_through(void **state)
{
	struct snap_offer offer = GIVEN_OFFER();
	(void)state;

	assert_int_equal(offer_through(&offer, two_files), 0);

	assert_int_equal(message.offer.term, 5);
	assert_int_equal(message.offer.pos.term, 4);
	assert_int_equal(message.offer.pos.index, 900);
	assert_int_equal(message.offer.members_index, 1);
	assert_true(bytes_equal(message.offer.members, offer.members));
	assert_int_equal(message.offer.count, 2);
	assert_int_equal(message.offer.bytes, 1016);
	assert_string_equal(message.files[0].name, "000012.sst");
	assert_int_equal(message.files[0].size, 1000);
	assert_string_equal(message.files[1].name, "CURRENT");
	assert_int_equal(message.files[1].size, 16);
}

static void the_largest_offer_fits_in_a_frame(void **state)
{
	struct snap_file *files = mem_zalloc(SNAP_FILES_MAX * sizeof *files);
	uint8_t *members = mem_zalloc(SNAP_MEMBERS_BYTES_MAX);
	struct snap_offer offer = GIVEN_OFFER();
	(void)state;

	offer.term = offer.pos.term = WIRE_NUMBER_MAX - 1;
	offer.pos.index = offer.members_index = WIRE_NUMBER_MAX - 1;
	offer.members = bytes_of(members, SNAP_MEMBERS_BYTES_MAX);
	offer.count = SNAP_FILES_MAX;
	for (size_t i = 0; i < SNAP_FILES_MAX; i++) {
		memset(files[i].name, 'x', SNAP_NAME_BYTES);
		files[i].name[0] = (char)('a' + i / 256);
		files[i].name[1] = (char)('a' + i / 16 % 16);
		files[i].name[2] = (char)('a' + i % 16);
		files[i].size = SNAP_BYTES_MAX / SNAP_FILES_MAX;
	}

	assert_int_equal(offer_through(&offer, files), 0);

	assert_int_equal(message.offer.count, SNAP_FILES_MAX);
	assert_int_equal(message.offer.bytes, SNAP_BYTES_MAX);
	mem_free(files);
	mem_free(members);
}

static void an_offer_of_more_than_can_be_is_refused(void **state)
{
	struct snap_file files[] = {{"a", SNAP_BYTES_MAX}, {"b", 1}};
	struct snap_offer offer = GIVEN_OFFER();
	(void)state;

	assert_int_equal(offer_through(&offer, files), STATUS_MALFORMED);

	files[1].size = UINT64_MAX;
	assert_int_equal(offer_through(&offer, files), STATUS_MALFORMED);
}

static void a_name_that_leads_elsewhere_is_refused(void **state)
{
	static const char *const bad[] = {"",	    "..",	".hidden",
					  "a/b",    "/etc",	"a\nb",
					  "a b",    "\xc3\xa9", "../x",
					  "a\\b\"", "a\x7f"};
	struct snap_offer offer = GIVEN_OFFER();
	(void)state;

	offer.count = 1;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct snap_file file = {.size = 1};

		strcpy(file.name, bad[i]);
		assert_int_equal(offer_through(&offer, &file),
				 STATUS_MALFORMED);
	}
}

static void names_out_of_order_or_twice_are_refused(void **state)
{
	struct snap_file falling[] = {{"b", 1}, {"a", 1}};
	struct snap_file twice[] = {{"a", 1}, {"a", 1}};
	struct snap_offer offer = GIVEN_OFFER();
	(void)state;

	assert_int_equal(offer_through(&offer, falling), STATUS_MALFORMED);
	assert_int_equal(offer_through(&offer, twice), STATUS_MALFORMED);
}

static void an_offer_that_makes_no_sense_is_refused(void **state)
{
	struct snap_offer offer = GIVEN_OFFER();
	(void)state;

	offer.pos.index = 0;
	assert_int_equal(offer_through(&offer, two_files), STATUS_MALFORMED);
	offer = GIVEN_OFFER();
	offer.pos.term = 0;
	assert_int_equal(offer_through(&offer, two_files), STATUS_MALFORMED);
	offer = GIVEN_OFFER();
	offer.pos.term = 6; /* above the leader's */
	assert_int_equal(offer_through(&offer, two_files), STATUS_MALFORMED);
	offer = GIVEN_OFFER();
	offer.members_index = 901;
	assert_int_equal(offer_through(&offer, two_files), STATUS_MALFORMED);
	offer = GIVEN_OFFER();
	offer.members_index = 0;
	assert_int_equal(offer_through(&offer, two_files), STATUS_MALFORMED);
	offer = GIVEN_OFFER();
	offer.members.size = 0;
	assert_int_equal(offer_through(&offer, two_files), STATUS_MALFORMED);
	offer = GIVEN_OFFER();
	offer.pos.index = WIRE_NUMBER_MAX;
	assert_int_equal(offer_through(&offer, two_files), STATUS_MALFORMED);
}

static void pieces_come_through(void **state)
{
	static const struct snap_piece pieces[] = {{0, 10, 7}, {9, 1, 8}};
	(void)state;

	assert_int_equal(pieces_through(pieces, 2), 0);
	assert_int_equal(message.pieces, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(message.piece[i].file, pieces[i].file);
		assert_int_equal(message.piece[i].size, pieces[i].size);
		assert_int_equal(message.piece[i].hash, pieces[i].hash);
	}

	assert_int_equal(pieces_through(NULL, 0), 0);
	assert_int_equal(message.pieces, 0);
}

static void pieces_out_of_order_or_bounds_are_refused(void **state)
{
	struct snap_piece twice[] = {{3, 10, 7}, {3, 1, 8}};
	struct snap_piece beyond = {SNAP_FILES_MAX, 1, 1};
	struct snap_piece empty = {1, 0, 1};
	struct snap_piece huge = {1, SNAP_BYTES_MAX + 1, 1};
	(void)state;

	assert_int_equal(pieces_through(twice, 2), STATUS_MALFORMED);
	assert_int_equal(pieces_through(&beyond, 1), STATUS_MALFORMED);
	assert_int_equal(pieces_through(&empty, 1), STATUS_MALFORMED);
	assert_int_equal(pieces_through(&huge, 1), STATUS_MALFORMED);
}

static void a_chunk_comes_through(void **state)
{
	uint8_t *data = mem_zalloc(SNAP_CHUNK_BYTES);
	struct snap_chunk chunk = {
		.file = SNAP_FILES_MAX - 1,
		.at = 1ULL << 33,
		.hash = UINT64_MAX,
		.data = bytes_of(data, SNAP_CHUNK_BYTES),
	};
	(void)state;

	memset(data, 0xa5, SNAP_CHUNK_BYTES);
	assert_int_equal(
		chunk_through(&chunk, XXH3_64bits(data, SNAP_CHUNK_BYTES)), 0);

	assert_int_equal(message.chunk.file, SNAP_FILES_MAX - 1);
	assert_int_equal(message.chunk.at, 1ULL << 33);
	assert_int_equal(message.chunk.hash, UINT64_MAX);
	assert_true(bytes_equal(message.chunk.data, chunk.data));
	mem_free(data);
}

static void a_chunk_that_changed_on_its_way_is_named_corrupt(void **state)
{
	struct snap_chunk chunk = {.data = bytes_of_text("data")};
	uint64_t sum = XXH3_64bits("dama", 4);
	(void)state;

	assert_int_equal(chunk_through(&chunk, sum), STATUS_CORRUPT);
}

static void a_chunk_out_of_bounds_is_refused(void **state)
{
	struct snap_chunk chunk = {.data = bytes_of_text("data")};
	uint64_t sum = XXH3_64bits("data", 4);
	(void)state;

	chunk.file = SNAP_FILES_MAX;
	assert_int_equal(chunk_through(&chunk, sum), STATUS_MALFORMED);
	chunk.file = 0;
	chunk.at = SNAP_BYTES_MAX + 1;
	assert_int_equal(chunk_through(&chunk, sum), STATUS_MALFORMED);
}

static void acks_and_verdicts_come_through(void **state)
{
	struct snap_verdict installed = {0, 900};
	struct snap_verdict full = {STATUS_NO_SPACE, 0};
	(void)state;

	buffer_reset(&body);
	snap_encode_ack(&body, 77);
	assert_int_equal(snap_decode(buffer_bytes(&body), SNAP_ACK, &message),
			 0);
	assert_int_equal(message.ack, 77);
	buffer_reset(&body);
	snap_encode_verdict(&body, &installed);
	assert_int_equal(
		snap_decode(buffer_bytes(&body), SNAP_VERDICT, &message), 0);
	assert_int_equal(message.verdict.status, 0);
	assert_int_equal(message.verdict.index, 900);
	buffer_reset(&body);
	snap_encode_verdict(&body, &full);
	assert_int_equal(
		snap_decode(buffer_bytes(&body), SNAP_VERDICT, &message), 0);
	assert_int_equal(message.verdict.status, STATUS_NO_SPACE);
	buffer_reset(&body);
	snap_encode_done(&body);
	assert_int_equal(snap_decode(buffer_bytes(&body), SNAP_DONE, &message),
			 0);
}

static void a_verdict_that_is_none_is_refused(void **state)
{
	struct snap_verdict strange = {1, 900};
	(void)state;

	buffer_reset(&body);
	snap_encode_verdict(&body, &strange);
	assert_int_equal(snap_decode(buffer_bytes(&body), SNAP_VERDICT,
				     &message),
			 STATUS_MALFORMED);
	strange = (struct snap_verdict){0, 0};
	buffer_reset(&body);
	snap_encode_verdict(&body, &strange);
	assert_int_equal(snap_decode(buffer_bytes(&body), SNAP_VERDICT,
				     &message),
			 STATUS_MALFORMED);
}

static void other_kinds_are_refused(void **state)
{
	(void)state;

	for (unsigned kind = 0; kind < 256; kind++) {
		if (kind < SNAP_OFFER || kind > SNAP_VERDICT) {
			assert_int_equal(snap_decode(bytes_of_text("x"),
						     (uint8_t)kind, &message),
					 STATUS_MALFORMED);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_offer_comes_through),
		cmocka_unit_test(the_largest_offer_fits_in_a_frame),
		cmocka_unit_test(an_offer_of_more_than_can_be_is_refused),
		cmocka_unit_test(a_name_that_leads_elsewhere_is_refused),
		cmocka_unit_test(names_out_of_order_or_twice_are_refused),
		cmocka_unit_test(an_offer_that_makes_no_sense_is_refused),
		cmocka_unit_test(pieces_come_through),
		cmocka_unit_test(pieces_out_of_order_or_bounds_are_refused),
		cmocka_unit_test(a_chunk_comes_through),
		cmocka_unit_test(
			a_chunk_that_changed_on_its_way_is_named_corrupt),
		cmocka_unit_test(a_chunk_out_of_bounds_is_refused),
		cmocka_unit_test(acks_and_verdicts_come_through),
		cmocka_unit_test(a_verdict_that_is_none_is_refused),
		cmocka_unit_test(other_kinds_are_refused),
	};

	return cmocka_run_group_tests_name("raft/node/snap_wire", tests, NULL,
					   teardown);
}
