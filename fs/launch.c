/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* A message is a letter and a line without its end. */
enum { READY = 'R', FAILED = 'F', LINE_BYTES = 1024 };

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
		fprintf(stderr, "raftfs: the daemon ended without a word; see "
				"the system log\n");
		return 1;
	}
	if (used > 1) {
		fprintf(stderr, "raftfs: %s\n", message + 1);
	}
	return message[0] == READY ? 0 : 1;
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
		dup2(null, STDERR_FILENO);
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

void launch_ready(struct launch *l, const char *note)
{
	if (l->in_background && !l->told) {
		tell(l, READY, note != NULL ? note : "");
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
	}
	l->told = true;
	log_error("%s", line);
}
