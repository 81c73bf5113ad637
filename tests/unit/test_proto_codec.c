/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a message stands behind what a buffer holds, a long field is found
 * in the body itself, and a field of a wrong type is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proto/codec.h"
#include "proto/kv.pb.h"

static int decode(struct bytes body, kv_Command *m)
{
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);

	return pb_decode(&stream, kv_Command_fields, m);
}

static void GIVEN_COMMAND(struct buffer *out, uint64_t session,
			  const char *operation)
{
	struct bytes bytes = bytes_of_text(operation);
	kv_Command m = kv_Command_init_zero;

	m.session = session;
	codec_give(&m.operation, &bytes);
	codec_encode(out, kv_Command_fields, &m, 64);
}

static void a_message_is_appended(void **state)
{
	struct buffer out = {0};
	kv_Command m = kv_Command_init_zero;
	(void)state;

	buffer_append(&out, "head", 4);
	GIVEN_COMMAND(&out, 7, "x");

	assert_memory_equal(out.data, "head", 4);
	assert_true(decode(bytes_of(out.data + 4, out.size - 4), &m));
	assert_int_equal(m.session, 7);
	buffer_deinit(&out);
}

static void a_long_field_is_found_where_it_lies(void **state)
{
	struct buffer out = {0};
	struct codec_slice slice;
	kv_Command m = kv_Command_init_zero;
	(void)state;

	GIVEN_COMMAND(&out, 7, "operation");
	codec_take(&m.operation, &slice, buffer_bytes(&out));
	assert_true(decode(buffer_bytes(&out), &m));

	assert_int_equal(slice.seen, 1);
	assert_true(bytes_equal(slice.found, bytes_of_text("operation")));
	assert_true(bytes_within(slice.found, buffer_bytes(&out)));
	buffer_deinit(&out);
}

static void an_empty_field_is_left_out(void **state)
{
	struct buffer out = {0};
	struct codec_slice slice;
	kv_Command m = kv_Command_init_zero;
	(void)state;

	GIVEN_COMMAND(&out, 7, "");
	codec_take(&m.operation, &slice, buffer_bytes(&out));
	assert_true(decode(buffer_bytes(&out), &m));

	assert_int_equal(slice.seen, 0);
	assert_int_equal(slice.found.size, 0);
	buffer_deinit(&out);
}

/* And it is told how often it came. */
static void the_last_of_several_counts(void **state)
{
	struct buffer out = {0};
	struct codec_slice slice;
	kv_Command m = kv_Command_init_zero;
	(void)state;

	GIVEN_COMMAND(&out, 7, "first");
	GIVEN_COMMAND(&out, 8, "second");
	codec_take(&m.operation, &slice, buffer_bytes(&out));
	assert_true(decode(buffer_bytes(&out), &m));

	assert_int_equal(slice.seen, 2);
	assert_true(bytes_equal(slice.found, bytes_of_text("second")));
	buffer_deinit(&out);
}

/* nanopb hands such a field over in a copy that does not outlive the call. */
static void a_field_of_a_wrong_type_is_refused(void **state)
{
	static const uint8_t body[] = {
		kv_Command_operation_tag << 3 | PB_WT_VARINT, 5};
	struct codec_slice slice;
	kv_Command m = kv_Command_init_zero;
	(void)state;

	codec_take(&m.operation, &slice, bytes_of(body, sizeof body));
	assert_false(decode(bytes_of(body, sizeof body), &m));
}

static void what_ends_within_the_field_is_refused(void **state)
{
	struct buffer out = {0};
	struct codec_slice slice;
	kv_Command m = kv_Command_init_zero;
	(void)state;

	GIVEN_COMMAND(&out, 7, "operation");
	out.size--;
	codec_take(&m.operation, &slice, buffer_bytes(&out));
	assert_false(decode(buffer_bytes(&out), &m));
	buffer_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_appended),
		cmocka_unit_test(a_long_field_is_found_where_it_lies),
		cmocka_unit_test(an_empty_field_is_left_out),
		cmocka_unit_test(the_last_of_several_counts),
		cmocka_unit_test(a_field_of_a_wrong_type_is_refused),
		cmocka_unit_test(what_ends_within_the_field_is_refused),
	};

	return cmocka_run_group_tests_name("proto/codec", tests, NULL, NULL);
}
