/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a frame is taken only whole, unchanged, in its place and within
 * the bound; how much to wait for is known before anything is awaited. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/frame.h"
#include "base/limits.h"
#include "base/status.h"

static void GIVEN_FRAME(struct buffer *out, uint8_t kind, const char *body,
			uint64_t number)
{
	size_t start = frame_begin(out);

	buffer_append(out, body, strlen(body));
	frame_seal(out, start, kind, number);
}

static void a_frame_comes_back_as_it_was(void **state)
{
	struct buffer b = {0};
	struct frame frame;
	size_t used;
	(void)state;

	GIVEN_FRAME(&b, 7, "hello", 0);
	GIVEN_FRAME(&b, 8, "world!", 1);

	assert_int_equal(frame_parse(buffer_bytes(&b), 0, &frame, &used), 0);
	assert_int_equal(frame.kind, 7);
	assert_true(bytes_equal(frame.body, bytes_of_text("hello")));
	assert_int_equal(used, FRAME_HEADER_BYTES + 5);
	assert_int_equal(frame_parse(bytes_of(b.data + used, b.size - used), 1,
				     &frame, &used),
			 0);
	assert_true(bytes_equal(frame.body, bytes_of_text("world!")));
	buffer_deinit(&b);
}

static void half_a_frame_says_how_much_it_needs(void **state)
{
	struct buffer b = {0};
	struct frame frame;
	size_t used;
	(void)state;

	GIVEN_FRAME(&b, 7, "hello", 0);

	for (size_t size = 0; size < b.size; size++) {
		assert_int_equal(frame_parse(bytes_of(b.data, size), 0, &frame,
					     &used),
				 STATUS_SHORT);
		assert_int_equal(used, size < FRAME_HEADER_BYTES
					       ? FRAME_HEADER_BYTES
					       : b.size);
	}
	buffer_deinit(&b);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct buffer b = {0};
	struct frame frame;
	size_t used;
	(void)state;

	GIVEN_FRAME(&b, 7, "hello", 3);

	for (size_t bit = 0; bit < 8 * b.size; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(
			frame_parse(buffer_bytes(&b), 3, &frame, &used), 0);
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(frame_parse(buffer_bytes(&b), 3, &frame, &used), 0);
	buffer_deinit(&b);
}

static void a_replayed_frame_does_not_check(void **state)
{
	struct buffer b = {0};
	struct frame frame;
	size_t used;
	(void)state;

	GIVEN_FRAME(&b, 7, "hello", 0);

	assert_int_equal(frame_parse(buffer_bytes(&b), 1, &frame, &used),
			 STATUS_CORRUPT);
	buffer_deinit(&b);
}

static void an_oversized_length_is_refused_from_the_header_alone(void **state)
{
	uint8_t header[FRAME_HEADER_BYTES] = {0};
	struct frame frame;
	size_t used;
	(void)state;

	put_le32(header, LIMIT_FRAME_BYTES + 1);
	header[4] = FRAME_VERSION;

	assert_int_equal(frame_parse(bytes_of(header, sizeof header), 0, &frame,
				     &used),
			 STATUS_MALFORMED);
}

static void an_empty_body_is_refused(void **state)
{
	uint8_t header[FRAME_HEADER_BYTES] = {0};
	struct frame frame;
	size_t used;
	(void)state;

	header[4] = FRAME_VERSION;

	assert_int_equal(frame_parse(bytes_of(header, sizeof header), 0, &frame,
				     &used),
			 STATUS_MALFORMED);
}

static void another_protocol_version_is_told_apart(void **state)
{
	struct buffer b = {0};
	struct frame frame;
	size_t used;
	(void)state;

	GIVEN_FRAME(&b, 7, "hello", 0);
	b.data[4] = FRAME_VERSION + 1;

	assert_int_equal(frame_parse(buffer_bytes(&b), 0, &frame, &used),
			 STATUS_VERSION);
	buffer_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_comes_back_as_it_was),
		cmocka_unit_test(half_a_frame_says_how_much_it_needs),
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(a_replayed_frame_does_not_check),
		cmocka_unit_test(
			an_oversized_length_is_refused_from_the_header_alone),
		cmocka_unit_test(an_empty_body_is_refused),
		cmocka_unit_test(another_protocol_version_is_told_apart),
	};
	return cmocka_run_group_tests_name("base/frame", tests, NULL, NULL);
}
