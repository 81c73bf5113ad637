/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a folder is moved and removed as one thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/folder.h"
#include "base/mem.h"
#include "base/status.h"

static char home[64];

static int setup(void **state)
{
	(void)state;
	strcpy(home, "/tmp/test_folder.XXXXXX");
	return mkdtemp(home) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return folder_remove(home);
}

/* Lent until the next but one call. */
static const char *at(const char *name)
{
	static char paths[2][128];
	static int turn;

	turn = !turn;
	(void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", home, name);
	return paths[turn];
}

static bool there(const char *name)
{
	struct stat s;

	return lstat(at(name), &s) == 0;
}

static void GIVEN_FILE(const char *name)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	assert_int_equal(fputs("x", f) >= 0 && fclose(f) == 0, 1);
}

static void GIVEN_FULL_FOLDER(void)
{
	assert_int_equal(folder_make(at("a")), 0);
	assert_int_equal(folder_make(at("a/inner")), 0);
	GIVEN_FILE("a/one");
	GIVEN_FILE("a/inner/two");
	GIVEN_FILE("outside");
	assert_int_equal(symlink(home, at("a/link")), 0);
}

static void a_new_folder_is_private(void **state)
{
	struct stat s;
	(void)state;

	assert_int_equal(folder_make(at("a")), 0);
	assert_int_equal(stat(at("a"), &s), 0);
	assert_int_equal(s.st_mode & 0777, 0700);
	assert_int_equal(folder_make(at("a")), STATUS_EXISTS);
	assert_int_equal(folder_make(at("no/a")), STATUS_NOT_FOUND);
}

static void a_folder_moves_whole(void **state)
{
	(void)state;
	GIVEN_FULL_FOLDER();
	assert_int_equal(folder_move(at("a"), at("b")), 0);
	assert_true(there("b/inner/two"));
	assert_false(there("a"));

	assert_int_equal(folder_make(at("c")), 0);
	GIVEN_FILE("c/x");
	assert_int_equal(folder_move(at("b"), at("c")), STATUS_EXISTS);
	assert_int_equal(folder_move(at("a"), at("d")), STATUS_NOT_FOUND);
}

static void a_removed_folder_is_gone_and_nothing_else(void **state)
{
	(void)state;
	GIVEN_FULL_FOLDER();
	assert_int_equal(folder_remove(at("a")), 0);
	assert_false(there("a"));
	assert_false(there("a.gone"));
	assert_true(there("outside"));
	assert_int_equal(folder_remove(at("a")), 0);
}

static void a_removal_cut_short_is_finished_by_the_next(void **state)
{
	(void)state;
	GIVEN_FULL_FOLDER();
	assert_int_equal(rename(at("a"), at("a.gone")), 0);
	assert_int_equal(folder_remove(at("a")), 0);
	assert_false(there("a.gone"));
}

static int visit(void *context, const char *name)
{
	char *names = context;

	strcat(names, name);
	return 0;
}

static void a_list_has_every_name_once(void **state)
{
	char names[64] = "";
	(void)state;

	assert_int_equal(folder_list(home, visit, names), 0);
	assert_string_equal(names, "");
	GIVEN_FILE("one");
	assert_int_equal(folder_list(home, visit, names), 0);
	assert_string_equal(names, "one");
	assert_int_equal(folder_list(at("no"), visit, names), STATUS_NOT_FOUND);
}

/* The second time it is called it refuses. */
static int remove_one(void *context, const char *name)
{
	unsigned *calls = context;

	(*calls)++;
	return *calls == 1 ? folder_remove(at(name)) : STATUS_BUSY;
}

static void what_is_listed_may_be_removed_meanwhile(void **state)
{
	unsigned calls = 0;
	char names[64] = "";
	(void)state;

	assert_int_equal(folder_make(at("a")), 0);
	assert_int_equal(folder_make(at("b")), 0);
	assert_int_equal(folder_make(at("c")), 0);

	assert_int_equal(folder_list(home, remove_one, &calls), STATUS_BUSY);

	assert_int_equal(calls, 2);
	assert_int_equal(folder_list(home, visit, names), 0);
	assert_int_equal(strlen(names), 2);
}

static void space_is_what_the_disk_has(void **state)
{
	uint64_t unused = 0;
	uint64_t total = 0;
	(void)state;

	assert_int_equal(folder_space(home, &unused, &total), 0);
	assert_true(unused > 0 && unused <= total);
	assert_int_equal(folder_space(at("no"), &unused, &total),
			 STATUS_NOT_FOUND);
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLDER_TEST(a_new_folder_is_private),
		FOLDER_TEST(a_folder_moves_whole),
		FOLDER_TEST(a_removed_folder_is_gone_and_nothing_else),
		FOLDER_TEST(a_removal_cut_short_is_finished_by_the_next),
		FOLDER_TEST(a_list_has_every_name_once),
		FOLDER_TEST(what_is_listed_may_be_removed_meanwhile),
		FOLDER_TEST(space_is_what_the_disk_has),
	};

	return cmocka_run_group_tests_name("base/folder", tests, NULL, NULL);
}
