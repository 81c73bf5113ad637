/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what a mount will not be granted is said before it is tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/status.h"
#include "fs/mount/user.h"

static char conf[] = "/tmp/raftfs-test.XXXXXX";

static void GIVEN_CONF(const char *text)
{
	FILE *f = fopen(conf, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_judged(bool is_root, const char *options, int expected,
			  const char *line)
{
	struct mount_user user = {.is_root = is_root, .fuse_conf = conf};
	struct buffer said = {0};

	assert_int_equal(user_allowed(&user, options, &said), expected);
	assert_string_equal(buffer_text(&said), line);
	buffer_deinit(&said);
}

static void root_may_all_that_the_machine_has(void **state)
{
	(void)state;
	GIVEN_CONF("");

	assert_judged(true, NULL, 0, "");
	assert_judged(true, "ro,allow_other,dev,suid", 0, "");
	assert_judged(true, "ro,context=a:b", STATUS_INVALID,
		      "mount option 'context=a:b' needs SELinux, which this "
		      "machine does not run");
}

static void devices_and_ids_are_for_root(void **state)
{
	(void)state;
	GIVEN_CONF("user_allow_other\n");

	assert_judged(false, "rw,nodev,nosuid,noexec", 0, "");
	assert_judged(false, "rw,dev", STATUS_DENIED,
		      "mount option 'dev' is for root alone");
	assert_judged(false, "suid,rw", STATUS_DENIED,
		      "mount option 'suid' is for root alone");
}

static void others_are_let_in_by_a_line_of_its_own(void **state)
{
	static const char *const without[] = {
		"", "#user_allow_other\n", "user_allow_others\n",
		"mount_max = 3\n# user_allow_other\n"};
	struct mount_user user = {.fuse_conf = conf};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(without); i++) {
		struct buffer said = {0};

		GIVEN_CONF(without[i]);
		assert_int_equal(user_allowed(&user, "allow_other", &said),
				 STATUS_DENIED);
		assert_non_null(strstr(buffer_text(&said), "user_allow_other"));
		assert_non_null(strstr(buffer_text(&said), conf));
		buffer_deinit(&said);
	}
	GIVEN_CONF("mount_max = 3\n  user_allow_other  # for all");
	assert_judged(false, "allow_other", 0, "");
	assert_judged(false, "allow_root", 0, "");
}

static void without_a_file_nobody_is(void **state)
{
	struct mount_user user = {.fuse_conf = "/nowhere/fuse.conf"};
	struct buffer said = {0};
	(void)state;

	assert_int_equal(user_allowed(&user, "allow_root", &said),
			 STATUS_DENIED);
	assert_string_equal(buffer_text(&said),
			    "mount option 'allow_root' is for root, unless a "
			    "line 'user_allow_other' in /nowhere/fuse.conf "
			    "allows it to all");
	buffer_deinit(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_may_all_that_the_machine_has),
		cmocka_unit_test(devices_and_ids_are_for_root),
		cmocka_unit_test(others_are_let_in_by_a_line_of_its_own),
		cmocka_unit_test(without_a_file_nobody_is),
	};
	int fd = mkstemp(conf);
	int rc;

	assert_true(fd >= 0);
	close(fd);
	rc = cmocka_run_group_tests_name("mount/user", tests, NULL, NULL);
	unlink(conf);
	return rc;
}
