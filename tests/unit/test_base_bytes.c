/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: slices compare as bytes do, integers keep their order in keys, and
 * buffers grow without losing what they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

static void a_prefix_sorts_before_the_longer_slice(void **state)
{
	(void)state;

	assert_true(bytes_compare(bytes_of_text("ab"), bytes_of_text("abc")) <
		    0);
	assert_true(bytes_compare(bytes_of_text("b"), bytes_of_text("abc")) >
		    0);
	assert_int_equal(
		bytes_compare(bytes_of_text("abc"), bytes_of_text("abc")), 0);
	assert_int_equal(bytes_compare(bytes_of(NULL, 0), bytes_of(NULL, 0)),
			 0);
}

static void high_bytes_sort_above_low_ones(void **state)
{
	(void)state;

	assert_true(bytes_compare(bytes_of("\xff", 1), bytes_of("\x01", 1)) >
		    0);
}

static void big_endian_integers_sort_as_their_bytes(void **state)
{
	uint8_t low[8];
	uint8_t high[8];
	(void)state;

	put_be64(low, 0x00000000ffffffffULL);
	put_be64(high, 0x0000000100000000ULL);

	assert_true(memcmp(low, high, 8) < 0);
	assert_true(get_be64(high) == 0x0000000100000000ULL);
}

static void little_endian_integers_round_trip(void **state)
{
	uint8_t at[8];
	(void)state;

	put_le16(at, 0x0102);
	assert_int_equal(at[0], 2);
	assert_int_equal(get_le16(at), 0x0102);
	put_le32(at, 0x01020304);
	assert_int_equal(at[0], 4);
	assert_int_equal(get_le32(at), 0x01020304);
	put_le64(at, 0xfedcba9876543210ULL);
	assert_int_equal(at[0], 0x10);
	assert_true(get_le64(at) == 0xfedcba9876543210ULL);
}

static void a_buffer_keeps_its_bytes_while_it_grows(void **state)
{
	struct buffer b = {0};
	(void)state;

	for (int i = 0; i < 1000; i++) {
		buffer_printf(&b, "%03d ", i);
	}

	assert_int_equal(b.size, 4000);
	assert_memory_equal(b.data + 4 * 500, "500 ", 4);
	assert_int_equal(strlen(buffer_text(&b)), 4000);
	buffer_deinit(&b);
	assert_null(b.data);
}

static void a_reset_buffer_is_empty_and_reusable(void **state)
{
	struct buffer b = {0};
	(void)state;

	buffer_append(&b, "old", 3);
	buffer_reset(&b);
	buffer_append_bytes(&b, bytes_of_text("new"));

	assert_true(bytes_equal(buffer_bytes(&b), bytes_of_text("new")));
	buffer_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_sorts_before_the_longer_slice),
		cmocka_unit_test(high_bytes_sort_above_low_ones),
		cmocka_unit_test(big_endian_integers_sort_as_their_bytes),
		cmocka_unit_test(little_endian_integers_round_trip),
		cmocka_unit_test(a_buffer_keeps_its_bytes_while_it_grows),
		cmocka_unit_test(a_reset_buffer_is_empty_and_reusable),
	};
	return cmocka_run_group_tests_name("base/bytes", tests, NULL, NULL);
}
