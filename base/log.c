/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 1024 };

static const char *node_name = "raftfs";
static enum log_level level_most = LOG_LEVEL_INFO;
static bool use_syslog;

void log_setup(const char *name, enum log_level most)
{
	node_name = name;
	level_most = most;
}

void log_to_syslog(void)
{
	openlog("raftfs", LOG_PID, LOG_DAEMON);
	use_syslog = true;
}

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

/* One write a line, so that lines of several threads never mix. */
__attribute__((format(printf, 2, 0))) static void
say(enum log_level level, const char *format, va_list args)
{
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO,
					 LOG_DEBUG};
	char line[LINE_BYTES_MAX];
	size_t used = 0;
	int rest;

	if (level > level_most) {
		return;
	}
	if (!use_syslog) {
		used = (size_t)stamp(line, sizeof line, level);
	}
	rest = vsnprintf(line + used, sizeof line - used - 1, format, args);
	if (rest > 0) {
		used += (size_t)rest;
	}
	if (used > sizeof line - 2) {
		used = sizeof line - 2;
	}
	if (use_syslog) {
		syslog(priorities[level], "%s: %s", node_name, line);
		return;
	}
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0) {
		return; /* nobody listens; nothing better to do */
	}
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
