/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a data folder is a node's alone, and one that never became a member
 * leaves nothing in it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/folder.h"
#include "base/mem.h"
#include "base/status.h"
#include "raft/node/home.h"

struct fixture {
	char top[32];
	char *data; /* missing so far */
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);

	strcpy(f->top, "/tmp/raftfs-test.XXXXXX");
	assert_non_null(mkdtemp(f->top));
	f->data = mem_printf("%s/data", f->top);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int rc = folder_remove(f->top);

	mem_free(f->data);
	mem_free(f);
	return rc;
}

static void GIVEN_FOLDER(const struct fixture *f, mode_t mode)
{
	assert_int_equal(mkdir(f->data, 0700), 0);
	assert_int_equal(chmod(f->data, mode), 0);
}

static void GIVEN_FILE(const struct fixture *f, const char *name)
{
	char *path = mem_printf("%s/%s", f->data, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	mem_free(path);
}

static unsigned mode_of(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(f->data, &st), 0);
	return st.st_mode & 07777;
}

static int add(void *context, const char *name)
{
	buffer_printf(context, "%s ", name);
	return 0;
}

static void assert_holds(const struct fixture *f, const char *names)
{
	struct buffer found = {0};

	assert_int_equal(folder_list(f->data, add, &found), 0);
	assert_string_equal(buffer_text(&found), names);
	buffer_deinit(&found);
}

#define assert_refused(f, expected, pattern)                                   \
	do {                                                                   \
		struct buffer said = {0};                                      \
		struct home refused;                                           \
		assert_int_equal(home_open((f)->data, &refused, &said),        \
				 expected);                                    \
		assert_non_null(strstr(buffer_text(&said), pattern));          \
		assert_non_null(strstr(buffer_text(&said), (f)->data));        \
		buffer_deinit(&said);                                          \
	} while (0)

static void WHEN_OPENED(const struct fixture *f, struct home *home)
{
	struct buffer said = {0};

	if (home_open(f->data, home, &said) != 0) {
		fail_msg("%s", buffer_text(&said));
	}
	buffer_deinit(&said);
}

static void a_missing_one_is_made_and_goes_again(void **state)
{
	const struct fixture *f = *state;
	struct home home;

	WHEN_OPENED(f, &home);
	assert_true(home.made && home.fresh);
	assert_int_equal(mode_of(f), 0700);
	GIVEN_FILE(f, "identity");
	GIVEN_FILE(f, "state-1");
	GIVEN_FILE(f, "lock");

	home_clear(f->data, &home);

	assert_int_not_equal(access(f->data, F_OK), 0);
}

static void an_empty_one_is_empty_again(void **state)
{
	const struct fixture *f = *state;
	struct home home;
	char *log = mem_printf("%s/log", f->data);

	GIVEN_FOLDER(f, 0700);
	GIVEN_FILE(f, "lost+found");
	WHEN_OPENED(f, &home);
	assert_true(home.fresh && !home.made);
	GIVEN_FILE(f, "reserve");
	assert_int_equal(mkdir(log, 0700), 0);

	home_clear(f->data, &home);

	assert_holds(f, "lost+found ");
	mem_free(log);
}

/* Why it ended stands there, when nobody was told. */
static void the_text_log_stays(void **state)
{
	const struct fixture *f = *state;
	struct home home;

	WHEN_OPENED(f, &home);
	GIVEN_FILE(f, "raftfs.log");
	GIVEN_FILE(f, "identity");

	home_clear(f->data, &home);

	assert_holds(f, "raftfs.log ");
	WHEN_OPENED(f, &home);
	assert_true(home.fresh);
}

static void one_with_an_identity_is_not_fresh(void **state)
{
	const struct fixture *f = *state;
	struct home home;

	GIVEN_FOLDER(f, 0700);
	GIVEN_FILE(f, "identity");
	GIVEN_FILE(f, "notes of the administrator");
	WHEN_OPENED(f, &home);
	assert_false(home.fresh || home.made);
}

/* Of a restoration, whose state is there before a node is. */
static void one_with_a_state_is_not_fresh(void **state)
{
	const struct fixture *f = *state;
	struct home home;

	GIVEN_FOLDER(f, 0700);
	GIVEN_FILE(f, "unfinished");
	GIVEN_FILE(f, "state-1");
	WHEN_OPENED(f, &home);
	assert_false(home.fresh);
}

static void what_is_not_ours_is_left_alone(void **state)
{
	const struct fixture *f = *state;

	GIVEN_FOLDER(f, 0755);
	GIVEN_FILE(f, "thesis.tex");

	assert_refused(f, STATUS_FOREIGN, "holds 'thesis.tex'");
	assert_holds(f, "thesis.tex ");
	assert_int_equal(mode_of(f), 0755);
}

static void what_others_write_to_is_refused(void **state)
{
	const struct fixture *f = *state;

	GIVEN_FOLDER(f, 01777);
	assert_refused(f, STATUS_DENIED, "(mode 1777): chmod 700 it");
	assert_int_equal(chmod(f->data, 0770), 0);
	assert_refused(f, STATUS_DENIED, "(mode 0770): chmod 700 it");
	assert_int_equal(mode_of(f), 0770);
}

static void what_others_read_is_closed_to_them(void **state)
{
	const struct fixture *f = *state;
	struct home home;

	GIVEN_FOLDER(f, 0755);
	WHEN_OPENED(f, &home);
	assert_int_equal(mode_of(f), 0700);
}

static void a_file_is_no_folder(void **state)
{
	const struct fixture *f = *state;
	int fd = open(f->data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	assert_refused(f, STATUS_INVALID, "Not a directory");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_missing_one_is_made_and_goes_again),
		TEST(an_empty_one_is_empty_again),
		TEST(the_text_log_stays),
		TEST(one_with_an_identity_is_not_fresh),
		TEST(one_with_a_state_is_not_fresh),
		TEST(what_is_not_ours_is_left_alone),
		TEST(what_others_write_to_is_refused),
		TEST(what_others_read_is_closed_to_them),
		TEST(a_file_is_no_folder),
	};

	return cmocka_run_group_tests_name("raft/node/home", tests, NULL, NULL);
}
