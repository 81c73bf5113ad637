/* SPDX-License-Identifier: Apache-2.0 */
/* An order holds only if real time and the model agree to every step of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "tests/sim/linear.h"

#define OP(what, content, from, until, at, ...)                                \
	{                                                                      \
		.kind = LINEAR_##what,                                         \
		.text = {(const uint8_t *)(content), sizeof(content) - 1},     \
		.call = (from), .end = (until), .place = (at), __VA_ARGS__     \
	}
#define UNKNOWN .outcome = LINEAR_UNKNOWN
#define MISSING .outcome = LINEAR_MISSING
#define HOLDS(...)                                                             \
	linear_holds((const struct linear_op[]){__VA_ARGS__},                  \
		     COUNT_OF(((const struct linear_op[]){__VA_ARGS__})))

static void the_order_of_the_places_explains_what_was_seen(void **state)
{
	(void)state;
	assert_true(HOLDS(OP(READ, "a\n", 4, 6, 1, ), OP(SET, "a\n", 1, 9, 1, ),
			  OP(SET, "b\n", 5, 8, 4, ), OP(READ, "b\n", 7, 9, 7, ),
			  OP(READ, "b\n", 8, 9, 4, )));
	assert_false(HOLDS(OP(READ, "a\n", 4, 6, 1, ),
			   OP(SET, "a\n", 1, 9, 1, ), OP(SET, "b\n", 5, 8, 4, ),
			   OP(READ, "a\n", 7, 9, 7, )));
}

static void what_never_was_has_no_place(void **state)
{
	(void)state;
	assert_true(HOLDS(OP(SET, "a\n", 1, 2, 1, ),
			  OP(SET, "b\n", 3, LINEAR_NEVER, 0, UNKNOWN),
			  OP(READ, "a\n", 4, 5, 1, )));
	assert_true(HOLDS(OP(SET, "a\n", 1, 2, 1, ),
			  OP(SET, "b\n", 3, LINEAR_NEVER, 2, UNKNOWN),
			  OP(READ, "b\n", 4, 5, 2, )));
	assert_false(HOLDS(OP(SET, "a\n", 1, 2, 1, ), OP(SET, "b\n", 3, 4, 0, ),
			   OP(READ, "a\n", 5, 6, 1, )));
}

static void an_order_against_time_does_not_hold(void **state)
{
	(void)state;
	assert_false(HOLDS(OP(SET, "a\n", 3, 4, 1, ), OP(SET, "b\n", 1, 2, 2, ),
			   OP(READ, "b\n", 5, 6, 2, )));
	/* Not of neighbours only. */
	assert_false(HOLDS(OP(SET, "a\n", 5, 9, 1, ), OP(SET, "b\n", 1, 9, 2, ),
			   OP(READ, "b\n", 2, 4, 3, )));
	/* At the same time is beside each other. */
	assert_true(HOLDS(OP(SET, "a\n", 2, 3, 1, ), OP(SET, "b\n", 1, 2, 2, ),
			  OP(READ, "b\n", 3, 4, 2, )));
}

static void an_order_against_the_model_does_not_hold(void **state)
{
	(void)state;
	assert_false(
		HOLDS(OP(SET, "a\n", 1, 2, 1, ), OP(READ, "b\n", 3, 4, 1, )));
	assert_false(HOLDS(OP(CREATE, "", 1, 2, 1, ),
			   OP(REMOVE, "", 3, 4, 2, MISSING)));
	assert_false(HOLDS(OP(APPEND, "a\n", 1, LINEAR_NEVER, 1, UNKNOWN)));
	assert_true(HOLDS(
		OP(READ, "", 1, 2, 1, MISSING), OP(CREATE, "", 3, 4, 2, ),
		OP(APPEND, "a\n", 5, 6, 3, ), OP(READ, "a\n", 7, 8, 3, )));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			the_order_of_the_places_explains_what_was_seen),
		cmocka_unit_test(what_never_was_has_no_place),
		cmocka_unit_test(an_order_against_time_does_not_hold),
		cmocka_unit_test(an_order_against_the_model_does_not_hold),
	};

	return cmocka_run_group_tests_name("sim/linear_order", tests, NULL,
					   NULL);
}
