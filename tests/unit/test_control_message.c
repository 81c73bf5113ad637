/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what raftfsctl says is what the daemon hears, and the other way
 * round; whatever else comes is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/frame.h"
#include "base/status.h"
#include "fs/control/message.h"

static struct bytes body_of(struct buffer *out, enum message_kind kind)
{
	struct frame frame;
	size_t used;

	assert_int_equal(frame_parse(buffer_bytes(out), 0, &frame, &used), 0);
	assert_int_equal(frame.kind, kind);
	assert_int_equal(used, out->size);
	return frame.body;
}

static void a_request_comes_back_as_it_was(void **state)
{
	struct message_request in = {.command = "set",
				     .path = "/a b/\xff",
				     .json = true,
				     .word_count = 2,
				     .words = {"add", "n4"},
				     .data = bytes_of("x\0y", 3)};
	struct message_request out;
	struct buffer b = {0};
	(void)state;

	message_encode_request(&in, 0, &b);

	assert_int_equal(
		message_decode_request(body_of(&b, MESSAGE_REQUEST), &out), 0);
	assert_string_equal(out.command, "set");
	assert_string_equal(out.path, "/a b/\xff");
	assert_true(out.json);
	assert_int_equal(out.word_count, 2);
	assert_string_equal(out.words[0], "add");
	assert_string_equal(out.words[1], "n4");
	assert_true(bytes_equal(out.data, in.data));
	buffer_deinit(&b);
}

static void the_largest_request_comes_back(void **state)
{
	struct message_request in = {.command = "set"};
	struct message_request out;
	struct buffer content = {0};
	struct buffer b = {0};
	(void)state;

	memset(in.path, '/', sizeof in.path - 1);
	in.word_count = MESSAGE_WORDS;
	for (size_t i = 0; i < MESSAGE_WORDS; i++) {
		memset(in.words[i], 'w', MESSAGE_WORD_BYTES);
	}
	memset(buffer_reserve(&content, LIMIT_WRITE_BYTES), 'v',
	       LIMIT_WRITE_BYTES);
	buffer_grow(&content, LIMIT_WRITE_BYTES);
	in.data = buffer_bytes(&content);
	message_encode_request(&in, 0, &b);

	assert_in_range(b.size, LIMIT_WRITE_BYTES,
			FRAME_HEADER_BYTES + MESSAGE_REQUEST_BYTES);
	assert_int_equal(
		message_decode_request(body_of(&b, MESSAGE_REQUEST), &out), 0);
	assert_int_equal(strlen(out.path), LIMIT_PATH_BYTES - 1);
	assert_int_equal(strlen(out.words[4]), MESSAGE_WORD_BYTES);
	assert_int_equal(out.data.size, LIMIT_WRITE_BYTES);
	buffer_deinit(&content);
	buffer_deinit(&b);
}

static void a_response_comes_back_as_it_was(void **state)
{
	struct message_response in = {.error = EROFS,
				      .reason = "no quorum",
				      .more = true,
				      .data = bytes_of("\0", 1)};
	struct message_response out;
	struct buffer b = {0};
	(void)state;

	message_encode_response(&in, 0, &b);

	assert_int_equal(message_decode_response(body_of(&b, MESSAGE_RESPONSE),
						 &out),
			 0);
	assert_int_equal(out.error, EROFS);
	assert_string_equal(out.reason, "no quorum");
	assert_true(out.more);
	assert_true(bytes_equal(out.data, in.data));
	buffer_deinit(&b);
}

/* Field 1 is the command, field 2 the path (proto/control.proto). */
static void a_nul_in_a_path_is_refused(void **state)
{
	struct message_request out;
	(void)state;

	assert_int_equal(message_decode_request(bytes_of("\x12\x03/a\0", 5),
						&out),
			 STATUS_MALFORMED);
}

static void a_path_over_the_bound_is_refused(void **state)
{
	uint8_t body[3 + LIMIT_PATH_BYTES] = {0x12, 0x80, 0x20};
	struct message_request out;
	(void)state;

	memset(body + 3, 'p', LIMIT_PATH_BYTES);

	assert_int_equal(message_decode_request(bytes_of(body, sizeof body),
						&out),
			 STATUS_MALFORMED);
}

static void a_command_over_the_bound_is_refused(void **state)
{
	struct message_request out;
	(void)state;

	assert_int_equal(
		message_decode_request(bytes_of_text("\x0a\x10"
						     "abcdefghijklmnop"),
				       &out),
		STATUS_MALFORMED);
}

static void half_a_message_is_refused(void **state)
{
	struct message_request out;
	(void)state;

	assert_int_equal(message_decode_request(bytes_of_text("\x22\x7f"
							      "abc"),
						&out),
			 STATUS_MALFORMED);
}

static void an_error_beyond_errno_is_refused(void **state)
{
	struct message_response out;
	(void)state;

	assert_int_equal(message_decode_response(bytes_of_text("\x08\x80\x20"),
						 &out),
			 STATUS_MALFORMED);
}

/* nanopb hands such a field over as a copy on its own stack. */
static void data_of_another_wire_type_is_refused(void **state)
{
	static const uint8_t body[] = {0x0a, 3, 's', 'e', 't', 0x21, 1,
				       2,    3, 4,   5,	  6,   7,    8};
	struct message_request request;
	(void)state;

	assert_int_equal(message_decode_request(bytes_of(body, sizeof body),
						&request),
			 STATUS_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_of_another_wire_type_is_refused),
		cmocka_unit_test(a_request_comes_back_as_it_was),
		cmocka_unit_test(the_largest_request_comes_back),
		cmocka_unit_test(a_response_comes_back_as_it_was),
		cmocka_unit_test(a_nul_in_a_path_is_refused),
		cmocka_unit_test(a_path_over_the_bound_is_refused),
		cmocka_unit_test(a_command_over_the_bound_is_refused),
		cmocka_unit_test(half_a_message_is_refused),
		cmocka_unit_test(an_error_beyond_errno_is_refused),
	};
	return cmocka_run_group_tests_name("control/message", tests, NULL,
					   NULL);
}
