/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h - into the background, with a last word to the terminal.
 *
 * The parent waits for one message of its child: it runs (perhaps with a
 * note), or why it does not. A child that dies first is reported as such.
 * In the foreground (a zeroed struct) the same lines go to stderr. */
#ifndef FS_LAUNCH_H
#define FS_LAUNCH_H

#include <stdbool.h>

#include "base/check.h"

#define LAUNCH_LOG "raftfs.log"

struct launch {
	int pipe; /* to the parent; only while in_background */
	bool in_background;
	bool told;
	bool has_log; /* stderr is its file */
};

/* Fork before any thread is started. Return true in the parent, after the
 * child's message, with the exit code to leave with; false in the child, which
 * has a session of its own, stands in "/" and logs to the system log. Errors
 * are seen on the terminal too, until launch_log() or the message. */
MUST_USE bool launch_begin(struct launch *l, int *exit_code);
/* The data folder, a descriptor lent for ever, is its own: in the background,
 * log into a file there. An abort says whether its disk was full. */
void launch_log(struct launch *l, int folder);
/* Nobody needs the file: why it ends will be said to who waits for the launch.
 * False: somebody may, or it can not be removed. */
bool launch_unlog(const struct launch *l, int folder);
/* It serves. note: a line for a person, or NULL. Once, and not while another
 * thread calls launch_failed(). */
void launch_ready(struct launch *l, const char *note);
/* It does not, or no longer: logged, and told to whoever still listens. */
void launch_failed(struct launch *l, const char *line);

#endif
