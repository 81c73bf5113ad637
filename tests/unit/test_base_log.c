/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a daemon in the background has a file that says why it died, which
 * is never larger than its bound, and for its owner alone. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

struct home {
	char path[32];
	int folder;
};

static int GIVEN_FOLDER(void **state)
{
	static struct home h;

	strcpy(h.path, "/tmp/raftfs-log-XXXXXX");
	assert_non_null(mkdtemp(h.path));
	h.folder = open(h.path, O_RDONLY | O_DIRECTORY);
	assert_true(h.folder >= 0);
	*state = &h;
	return 0;
}

static int teardown(void **state)
{
	struct home *h = *state;

	(void)unlinkat(h->folder, "raftfs.log", 0);
	(void)unlinkat(h->folder, "raftfs.log.old", 0);
	close(h->folder);
	return rmdir(h->path);
}

static struct stat stat_of(struct home *h, const char *name)
{
	struct stat st = {0};

	assert_int_equal(fstatat(h->folder, name, &st, 0), 0);
	return st;
}

static void read_whole(struct home *h, const char *name, struct buffer *out)
{
	int fd = openat(h->folder, name, O_RDONLY);
	ssize_t got;

	assert_true(fd >= 0);
	buffer_reset(out);
	do {
		got = read(fd, buffer_reserve(out, 65536), 65536);
		assert_true(got >= 0);
		buffer_grow(out, (size_t)got);
	} while (got > 0);
	close(fd);
}

/* In a process of its own, whose stderr may be taken away. */
static void run(struct home *h, void (*what)(void), int expected)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		log_setup("n1", LOG_LEVEL_INFO);
		if (log_to_file(h->folder, "raftfs.log") != 0) {
			_exit(99);
		}
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status)
					   : -WTERMSIG(status),
			 expected);
}

static void say_one(void)
{
	log_info("became leader term=3");
	log_debug("never said");
}
static void die_fatal(void)
{
	log_fatal("cannot write the log: No space left on device");
}
static void die_of_a_bug(void)
{
	int two = 2;

	CHECK(two == 3);
}
static void say_more_than_fits_twice(void)
{
	for (int i = 0; i < 3 * LIMIT_LOG_FILE_BYTES / 1000; i++) {
		log_info("%d %0960d", i, 0);
	}
	log_info("the last");
}

static void lines_are_appended_for_the_owner_alone(void **state)
{
	struct home *h = *state;
	struct buffer text = {0};
	const char *first;

	run(h, say_one, 0);
	run(h, say_one, 0);

	read_whole(h, "raftfs.log", &text);
	first = strstr(buffer_text(&text), " info n1: became leader term=3\n");
	assert_non_null(first);
	assert_non_null(strstr(first + 1, " info n1: became leader term=3\n"));
	assert_null(strstr(buffer_text(&text), "never"));
	assert_int_equal(stat_of(h, "raftfs.log").st_mode & 07777, 0600);
	buffer_deinit(&text);
}

static void say_before_and_after(struct home *h)
{
	log_to_syslog();
	log_info("state recovered");
	if (log_to_file(h->folder, "raftfs.log") != 0) {
		_exit(99);
	}
	log_info("became leader");
}

static void what_was_said_before_it_was_open_comes_first(void **state)
{
	struct home *h = *state;
	struct buffer text = {0};
	const char *first;
	pid_t child = fork();

	if (child == 0) {
		log_setup("n1", LOG_LEVEL_INFO);
		say_before_and_after(h);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);

	read_whole(h, "raftfs.log", &text);
	first = strstr(buffer_text(&text), " info n1: state recovered\n");
	assert_non_null(first);
	assert_non_null(strstr(first, " info n1: became leader\n"));
	buffer_deinit(&text);
}

static void the_last_words_are_in_it(void **state)
{
	struct home *h = *state;
	struct buffer text = {0};

	run(h, die_fatal, 1);
	run(h, die_of_a_bug, -SIGABRT);

	read_whole(h, "raftfs.log", &text);
	assert_non_null(strstr(buffer_text(&text),
			       " error n1: cannot write the log: No space "));
	assert_non_null(strstr(buffer_text(&text), "broken: two == 3\n"));
	buffer_deinit(&text);
}

static void a_full_file_makes_room_for_a_new_one(void **state)
{
	struct home *h = *state;
	struct buffer text = {0};

	run(h, say_more_than_fits_twice, 0);

	read_whole(h, "raftfs.log", &text);
	assert_non_null(strstr(buffer_text(&text), " info n1: the last\n"));
	assert_true(text.size <= LIMIT_LOG_FILE_BYTES);
	read_whole(h, "raftfs.log.old", &text);
	assert_true(text.size <= LIMIT_LOG_FILE_BYTES);
	assert_true(text.size > LIMIT_LOG_FILE_BYTES - 1024);
	buffer_deinit(&text);
}

static void a_full_disk_does_not_silence_it(void **state)
{
	struct home *h = *state;
	int fd = openat(h->folder, "raftfs.log", O_WRONLY | O_CREAT, 0600);
	int rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096);
	struct stat st;

	close(fd);
	if (rc != 0) {
		skip(); /* nothing can be reserved in this file system */
	}
	run(h, say_one, 0);

	st = stat_of(h, "raftfs.log");
	assert_true(st.st_blocks * 512 >= LIMIT_LOG_FILE_BYTES);
	assert_true(st.st_size < 1024);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, GIVEN_FOLDER, teardown)
	const struct CMUnitTest tests[] = {
		TEST(lines_are_appended_for_the_owner_alone),
		TEST(what_was_said_before_it_was_open_comes_first),
		TEST(the_last_words_are_in_it),
		TEST(a_full_file_makes_room_for_a_new_one),
		TEST(a_full_disk_does_not_silence_it),
	};

	return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
