/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: names come out sorted and as they are, and a terminal is not steered
 * by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/control/names.h"

static void assert_printed(const char *names, size_t size,
			   enum names_style style, const char *expected,
			   size_t expected_size)
{
	struct buffer out = {0};

	names_print(bytes_of(names, size), style, &out);
	assert_int_equal(out.size, expected_size);
	assert_true(bytes_equal(buffer_bytes(&out),
				bytes_of(expected, expected_size)));
	buffer_deinit(&out);
}

#define PRINTED(names, style, expected)                                        \
	assert_printed(names, sizeof(names), style, expected,                  \
		       sizeof(expected) - 1)

static void names_are_sorted_a_line_each(void **state)
{
	(void)state;

	PRINTED("b\0ab\0a", NAMES_LINES, "a\nab\nb\n");
	PRINTED("b\0ab\0a", NAMES_TERMINAL, "a\nab\nb\n");
	PRINTED("b\0ab\0a", NAMES_NUL, "a\0ab\0b\0");
	assert_printed("", 0, NAMES_LINES, "", 0);
}

static void a_program_gets_them_as_they_are(void **state)
{
	(void)state;

	PRINTED("two\nlines\0c:\\d", NAMES_LINES, "c:\\d\ntwo\nlines\n");
	PRINTED("two\nlines\0c:\\d", NAMES_NUL, "c:\\d\0two\nlines\0");
}

static void a_terminal_is_not_steered(void **state)
{
	(void)state;

	PRINTED("two\nlines", NAMES_TERMINAL, "two\\nlines\n");
	PRINTED("\a\b\t\v\f\r", NAMES_TERMINAL, "\\a\\b\\t\\v\\f\\r\n");
	PRINTED("\33[2Jx\177", NAMES_TERMINAL, "\\033[2Jx\\177\n");
	PRINTED("c:\\d", NAMES_TERMINAL, "c:\\\\d\n");
	PRINTED("x\302\2332J", NAMES_TERMINAL, "x\\302\\2332J\n");
	/* What is no control character is left alone, a torn one too. */
	PRINTED("gr\303\274n a\302\240b\302", NAMES_TERMINAL,
		"gr\303\274n a\302\240b\302\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sorted_a_line_each),
		cmocka_unit_test(a_program_gets_them_as_they_are),
		cmocka_unit_test(a_terminal_is_not_steered),
	};

	return cmocka_run_group_tests_name("control/names", tests, NULL, NULL);
}
