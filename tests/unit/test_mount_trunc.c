/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a file opened with O_TRUNC is truncated once, with the first write
 * or alone, and not at all after that write was refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/mount/trunc.h"

static struct trunc GIVEN_OPENED(void) {
	struct trunc t = {0};

	trunc_open(&t);
	return t;
}

static void
only_the_first_write_carries_it(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	assert_true(trunc_carry(&t));
	assert_true(trunc_is_busy(&t));
	trunc_settle(&t, true);

	assert_false(trunc_carry(&t));
	assert_int_equal(t.state, TRUNC_NONE);
}

static void the_handle_sees_an_empty_file_until_then(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	assert_true(trunc_hides_content(&t));
	trunc_send(&t);
	assert_true(trunc_hides_content(&t));
	trunc_settle(&t, true);

	assert_false(trunc_hides_content(&t));
}

/* bash: OPEN, FLUSH, WRITE, FLUSH, RELEASE (and no WRITE for `: > f`). */
static void the_second_flush_waits_and_the_first_does_not(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	assert_false(trunc_flush(&t));
	assert_true(trunc_flush(&t));
}

static void a_flush_after_the_write_has_nothing_to_wait_for(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	assert_false(trunc_flush(&t));
	assert_true(trunc_carry(&t));
	trunc_settle(&t, true);

	assert_false(trunc_flush(&t));
}

/* `echo v > f` without a quorum: the old content stays. */
static void a_refused_write_is_not_followed_by_an_empty_file(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	assert_true(trunc_carry(&t));
	trunc_settle(&t, false);

	assert_false(trunc_is_owed(&t));
	assert_false(trunc_flush(&t));
	assert_false(trunc_flush(&t));
	assert_false(trunc_hides_content(&t));
}

static void a_write_after_a_refused_one_carries_it_again(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	assert_true(trunc_carry(&t));
	trunc_settle(&t, false);

	assert_true(trunc_carry(&t));
}

static void sent_alone_and_refused_it_is_still_owed(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	trunc_send(&t);
	trunc_settle(&t, false);

	assert_true(trunc_is_owed(&t));
	assert_true(trunc_carry(&t));
}

static void an_abandoned_open_owes_nothing(void **state)
{
	struct trunc t = GIVEN_OPENED();
	(void)state;

	trunc_abandon(&t);

	assert_false(trunc_is_owed(&t));
	assert_false(trunc_carry(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_first_write_carries_it),
		cmocka_unit_test(the_handle_sees_an_empty_file_until_then),
		cmocka_unit_test(the_second_flush_waits_and_the_first_does_not),
		cmocka_unit_test(
			a_flush_after_the_write_has_nothing_to_wait_for),
		cmocka_unit_test(
			a_refused_write_is_not_followed_by_an_empty_file),
		cmocka_unit_test(a_write_after_a_refused_one_carries_it_again),
		cmocka_unit_test(sent_alone_and_refused_it_is_still_owed),
		cmocka_unit_test(an_abandoned_open_owes_nothing),
	};

	return cmocka_run_group_tests_name("mount/trunc", tests, NULL, NULL);
}
