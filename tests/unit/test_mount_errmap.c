/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a program sees the errno of the manual's table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "fs/mount/errmap.h"

static void certainly_not_done_is_a_read_only_filesystem(void **state)
{
	(void)state;
	assert_int_equal(errmap_status(STATUS_TIMED_OUT), EROFS);
	assert_int_equal(errmap_status(STATUS_ENDED), EROFS);
}

static void an_unknown_outcome_is_a_timeout(void **state)
{
	(void)state;
	assert_int_equal(errmap_status(STATUS_UNKNOWN), ETIMEDOUT);
	assert_int_equal(errmap_status(STATUS_NO_QUORUM), ETIMEDOUT);
}

static void bounds_have_their_own_words(void **state)
{
	(void)state;
	assert_int_equal(errmap_status(STATUS_TOO_BIG), EFBIG);
	assert_int_equal(errmap_status(STATUS_NO_SPACE), ENOSPC);
	assert_int_equal(errmap_status(STATUS_FULL), EAGAIN);
	assert_int_equal(errmap_status(STATUS_INTERRUPTED), EINTR);
}

static void done_is_0_and_damage_an_io_error(void **state)
{
	(void)state;
	assert_int_equal(errmap_status(STATUS_OK), 0);
	assert_int_equal(errmap_status(STATUS_CORRUPT), EIO);
	assert_int_equal(errmap_status(STATUS_IO), EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certainly_not_done_is_a_read_only_filesystem),
		cmocka_unit_test(an_unknown_outcome_is_a_timeout),
		cmocka_unit_test(bounds_have_their_own_words),
		cmocka_unit_test(done_is_0_and_damage_an_io_error),
	};

	return cmocka_run_group_tests_name("mount/errmap", tests, NULL, NULL);
}
