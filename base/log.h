/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line per fact, on stderr.
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
/* Send the lines to the system log instead: after a daemon left its tty. */
void log_to_syslog(void);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/* Say the line as an error and end the process with exit code 1, at once and
 * without unwinding: for a node that can not go on (a failed sync, a state
 * that does not apply). */
NORETURN void log_fatal(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
