/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/status.h"

enum { LINE_BYTES_MAX = 1024 };

static const char *node_name = "raftfs";
static enum log_level level_most = LOG_LEVEL_INFO;
static enum log_level stderr_most = LOG_LEVEL_DEBUG;
static bool use_syslog;

/* What stderr is, once it is a file. */
static struct {
	pthread_mutex_t mutex;
	bool is_open;
	int folder;
	char early[4 * LINE_BYTES_MAX]; /* said before it was open */
	size_t early_size;
	char name[LIMIT_NAME_BYTES - 3];
} file = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void log_setup(const char *name, enum log_level most)
{
	node_name = name;
	level_most = most;
}

void log_to_syslog(void)
{
	openlog("raftfs", LOG_PID, LOG_DAEMON);
	use_syslog = true;
	stderr_most = LOG_LEVEL_ERROR;
}

static void write_all(const char *text, size_t size)
{
	if (write(STDERR_FILENO, text, size) < 0) {
		/* Nobody listens; nothing better to do. */
	}
}

/* --- The file ------------------------------------------------------------- */

static int open_file(void)
{
	int fd = openat(file.folder, file.name,
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	bool taken;

	if (fd < 0) {
		return STATUS_IO;
	}
	/* Where the file system can not, it does without. */
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LIMIT_LOG_FILE_BYTES);
	taken = dup2(fd, STDERR_FILENO) == STDERR_FILENO;
	(void)close(fd);
	return taken ? 0 : STATUS_IO;
}

/* Lock held. Without a new file the old one grows: a line is not lost. */
static void make_room(size_t size)
{
	char old[sizeof file.name + 4];
	struct stat st;

	if (fstat(STDERR_FILENO, &st) != 0 ||
	    st.st_size + (off_t)size <= LIMIT_LOG_FILE_BYTES) {
		return;
	}
	snprintf(old, sizeof old, "%s.old", file.name);
	if (renameat(file.folder, file.name, file.folder, old) == 0) {
		(void)open_file();
	}
}

int log_to_file(int folder, const char *name)
{
	int rc;

	pthread_mutex_lock(&file.mutex);
	file.folder = folder;
	snprintf(file.name, sizeof file.name, "%s", name);
	rc = open_file();
	file.is_open = rc == 0;
	if (rc == 0) {
		stderr_most = LOG_LEVEL_DEBUG;
		write_all(file.early, file.early_size);
	}
	pthread_mutex_unlock(&file.mutex);
	return rc;
}

/* One write a line, so that lines of several threads never mix. */
static void write_line(enum log_level level, const char *line, size_t size)
{
	pthread_mutex_lock(&file.mutex);
	if (file.is_open) {
		make_room(size);
	} else if (use_syslog && size <= sizeof file.early - file.early_size) {
		memcpy(file.early + file.early_size, line, size);
		file.early_size += size;
	}
	if (level <= stderr_most) {
		write_all(line, size);
	}
	pthread_mutex_unlock(&file.mutex);
}

/* --- Lines ---------------------------------------------------------------- */

static int stamp(char *line, size_t size, enum log_level level)
{
	static const char *const words[] = {"error", "warn", "info", "debug"};
	struct timespec now;
	struct tm parts;
	char day[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
	return snprintf(line, size, "%s.%03ldZ %s %s: ", day,
			now.tv_nsec / 1000000, words[level], node_name);
}

__attribute__((format(printf, 2, 0))) static void
say(enum log_level level, const char *format, va_list args)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO,
					 LOG_DEBUG};
	char line[LINE_BYTES_MAX];
	size_t used, head;
	int rest;

	if (level > level_most) {
		return;
	}
	used = head = (size_t)stamp(line, sizeof line, level);
	rest = vsnprintf(line + used, sizeof line - used - 1, format, args);
	if (rest > 0) {
		used += (size_t)rest;
	}
	if (used > sizeof line - 2) {
		used = sizeof line - 2;
	}
	if (use_syslog) {
		syslog(priorities[level], "%s: %s", node_name, line + head);
	}
	line[used++] = '\n';
	write_line(level, line, used);
}

#define SAY(level)                                                             \
	do {                                                                   \
		va_list args;                                                  \
		va_start(args, format);                                        \
		say(level, format, args);                                      \
		va_end(args);                                                  \
	} while (0)

void log_error(const char *format, ...)
{
	SAY(LOG_LEVEL_ERROR);
}

void log_warn(const char *format, ...)
{
	SAY(LOG_LEVEL_WARN);
}

void log_info(const char *format, ...)
{
	SAY(LOG_LEVEL_INFO);
}

void log_debug(const char *format, ...)
{
	SAY(LOG_LEVEL_DEBUG);
}

void log_fatal(const char *format, ...)
{
	SAY(LOG_LEVEL_ERROR);
	_exit(1);
}
