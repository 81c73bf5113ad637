/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: every status has a text, and every errno a status. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

static void every_status_has_a_text(void **state)
{
	(void)state;

	for (int s = 0; s >= STATUS_IO; s--) {
		assert_non_null(status_text(s));
		assert_string_not_equal(status_text(s), "no such status");
	}
	assert_string_equal(status_text(1), "no such status");
	assert_string_equal(status_text(-1000), "no such status");
}

static void each_errno_has_its_status(void **state)
{
	const struct {
		int error;
		int status;
	} rows[] = {
		{ENOENT, STATUS_NOT_FOUND},
		{ENOSPC, STATUS_NO_SPACE},
		{EDQUOT, STATUS_NO_SPACE},
		{EADDRNOTAVAIL, STATUS_INVALID},
		{EEXIST, STATUS_EXISTS},
		{ENOTEMPTY, STATUS_EXISTS},
		{EADDRINUSE, STATUS_BUSY},
		{EWOULDBLOCK, STATUS_BUSY},
		{EACCES, STATUS_DENIED},
		{EPERM, STATUS_DENIED},
		{EROFS, STATUS_DENIED},
		{EIO, STATUS_IO},
		{ENOTDIR, STATUS_IO},
		{0, STATUS_IO}, /* it failed, whatever it says */
	};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(status_of_errno(rows[i].error),
				 rows[i].status);
	}
}

static void what_failed_is_said_with_its_name(void **state)
{
	struct buffer problem = {0};
	(void)state;

	errno = ENOSPC;
	assert_int_equal(status_failed(&problem, "write", "/data/state"),
			 STATUS_NO_SPACE);

	assert_int_equal(errno, ENOSPC);
	assert_string_equal(buffer_text(&problem),
			    "cannot write /data/state: No space left on "
			    "device");
	buffer_deinit(&problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_has_a_text),
		cmocka_unit_test(each_errno_has_its_status),
		cmocka_unit_test(what_failed_is_said_with_its_name),
	};

	return cmocka_run_group_tests_name("base/status", tests, NULL, NULL);
}
