/* SPDX-License-Identifier: Apache-2.0 */
/* semantics.c - run the promises in a folder and count those broken.
 *
 *   semantics FOLDER [raftfs]
 *
 * raftfs: also what only this filesystem promises. As root. */
#include <grp.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tests/posix/posix.h"

static int wrong; /* in the promise that runs */

void expect(const char *file, int line, const char *call, int want, long got)
{
	int error = got == -1 ? errno : 0;

	if (error == want)
		return;
	wrong++;
	printf("%s:%d: %s: expected %s, got %s\n", file, line, call,
	       want != 0 ? strerrorname_np(want) : "success",
	       error != 0 ? strerrorname_np(error) : "success");
}

void expect_true(const char *file, int line, const char *text, bool is_true)
{
	if (is_true)
		return;
	wrong++;
	printf("%s:%d: not so: %s\n", file, line, text);
}

void GIVEN_FILE(const char *name, const char *content)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	TRUE(fd >= 0);
	if (fd < 0)
		return;
	TRUE(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	EXPECT(0, close(fd));
}

bool holds(const char *name, const char *content)
{
	char buf[4096];
	int fd = open(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof buf);
	close(fd);
	return n == (ssize_t)strlen(content) &&
	       memcmp(buf, content, (size_t)n) == 0;
}

struct stat stat_of(const char *name)
{
	struct stat st = {0};

	EXPECT(0, lstat(name, &st));
	return st;
}

int as_nobody(int (*run)(const char *name), const char *name)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setgid(65534) != 0 ||
		    setuid(65534) != 0)
			_exit(255);
		errno = 0;
		_exit(run(name) == -1 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static size_t run_all(const struct promise *p, size_t *count)
{
	size_t broken = 0;
	char folder[64];

	for (; p->name != NULL; p++) {
		snprintf(folder, sizeof folder, "p%zu", ++*count);
		if (mkdir(folder, 0755) != 0 || chdir(folder) != 0) {
			perror(folder);
			exit(1);
		}
		wrong = 0;
		umask(022);
		p->run();
		printf("%s %s\n", wrong == 0 ? "ok" : "BROKEN", p->name);
		broken += wrong != 0;
		if (chdir("..") != 0) {
			perror("..");
			exit(1);
		}
	}
	return broken;
}

int main(int argc, char **argv)
{
	size_t broken = 0, count = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || chdir(argv[1]) != 0) {
		fputs("usage: semantics FOLDER [raftfs]\n", stderr);
		return 2;
	}
	broken += run_all(promises_names, &count);
	broken += run_all(promises_folders, &count);
	broken += run_all(promises_data, &count);
	broken += run_all(promises_attributes, &count);
	if (argc > 2)
		broken += run_all(promises_raftfs, &count);
	printf("%zu promises, %zu broken\n", count, broken);
	return broken != 0;
}
