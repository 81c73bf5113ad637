/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

/* A message is a letter and a line without its end. */
enum { READY = 'R', FAILED = 'F', LINE_BYTES = 1024 };

static int data_folder = -1; /* for on_abort() */

static void tell(struct launch *l, char letter, const char *line)
{
	char message[LINE_BYTES];
	size_t size;

	snprintf(message, sizeof message, "%c%s", letter, line);
	size = strlen(message);
	if (write(l->pipe, message, size) < 0) {
		log_debug("nobody waits for the launch: %s", strerror(errno));
	}
	close(l->pipe);
}

/* The parent's part. */
static int listen_to_child(int from)
{
	char message[LINE_BYTES];
	size_t used = 0;
	ssize_t count;

	do {
		count = read(from, message + used, sizeof message - 1 - used);
		if (count > 0) {
			used += (size_t)count;
		}
	} while (count > 0 || (count < 0 && errno == EINTR));
	message[used] = '\0';
	if (used == 0) {
		fprintf(stderr, "raftfs: the daemon ended before it served\n");
		return 1;
	}
	if (used > 1) {
		fprintf(stderr, "raftfs: %s\n", message + 1);
	}
	return message[0] == READY ? 0 : 1;
}

/* Nothing is said any more to whoever started it. */
static void leave_stderr(struct launch *l)
{
	int null = l->has_log ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (chdir("/") != 0) {
		log_warn("can not leave the working folder: %s",
			 strerror(errno));
	}
	umask(077);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (null > STDERR_FILENO) {
			close(null);
		}
	}
	log_to_syslog();
}

bool launch_begin(struct launch *l, int *exit_code)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		fprintf(stderr, "raftfs: can not go to the background: %s\n",
			strerror(errno));
		*exit_code = 1;
		return true;
	}
	if (child > 0) {
		close(ends[1]);
		*exit_code = listen_to_child(ends[0]);
		close(ends[0]);
		return true;
	}
	close(ends[0]);
	*l = (struct launch){.pipe = ends[1], .in_background = true};
	leave_terminal();
	return false;
}

/* A library that can not write may abort by itself, and say nothing of the
 * disk: a background thread of RocksDB's does. */
static void on_abort(int number)
{
	static const char line[] =
		"raftfs: aborted while the data disk was full or nearly so\n";
	struct statfs st;

	(void)number;
	if (fstatfs(data_folder, &st) == 0 &&
	    (uint64_t)st.f_bavail * (uint64_t)st.f_bsize <
		    4 * LIMIT_SEGMENT_BYTES &&
	    write(STDERR_FILENO, line, sizeof line - 1) < 0) {
		/* Nobody listens; it ends in any case. */
	}
}

void launch_log(struct launch *l, int folder)
{
	/* abort() ends the process after it. */
	struct sigaction action = {.sa_handler = on_abort};

	data_folder = folder;
	sigaction(SIGABRT, &action, NULL);
	if (!l->in_background) {
		return;
	}
	l->has_log = log_to_file(folder, LAUNCH_LOG) == 0;
	if (!l->has_log) {
		log_error("no log file " LAUNCH_LOG " in the data folder: %s",
			  strerror(errno));
	}
}

bool launch_unlog(const struct launch *l, int folder)
{
	if (l->in_background && l->told) {
		return false;
	}
	return !l->has_log || unlinkat(folder, LAUNCH_LOG, 0) == 0;
}

void launch_ready(struct launch *l, const char *note)
{
	if (l->in_background && !l->told) {
		tell(l, READY, note != NULL ? note : "");
		leave_stderr(l);
	}
	l->told = true;
	if (note != NULL) {
		log_info("serving, but %s", note);
	}
}

void launch_failed(struct launch *l, const char *line)
{
	if (!l->in_background) {
		fprintf(stderr, "raftfs: %s\n", line);
		return;
	}
	if (!l->told) {
		tell(l, FAILED, line);
		leave_stderr(l);
	}
	l->told = true;
	log_error("%s", line);
}
