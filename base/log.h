/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line per fact, on stderr; in the background in a file and in the
 * system log.
 *
 * A line is "TIME LEVEL NAME: text"; the text is a phrase in the words of the
 * Raft paper or of POSIX, then key=value pairs: "became leader term=3
 * votes=2". A fact is logged once, where it is handled. Any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/check.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* Before any thread starts. name is this node's, lent for ever. */
void log_setup(const char *name, enum log_level most);
/* A daemon leaves its terminal: the lines go to the system log, which may not
 * be there, and to stderr errors alone. Before any thread starts. */
void log_to_syslog(void);
/* Append all lines to the file `name` of a folder too: 0600, at most
 * LIMIT_LOG_FILE_BYTES, then it becomes `name`.old and a new one is begun. That
 * much of the disk is reserved, so that a full one does not silence the reason.
 * The file takes the place of stderr: what else is said there (a broken CHECK,
 * a sanitizer's report) stands in it. It begins with the first lines since
 * log_to_syslog(). folder: a descriptor, lent for ever.
 * Return 0; STATUS_IO, and errno says why: then nothing has changed. Once, from
 * one thread; others may be logging. */
MUST_USE int log_to_file(int folder, const char *name);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/* Say the line as an error and end the process with exit code 1, at once and
 * without unwinding: for a node that can not go on (a failed sync, a state
 * that does not apply). */
NORETURN void log_fatal(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
