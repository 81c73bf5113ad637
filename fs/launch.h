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

struct launch {
	int pipe; /* to the parent; only while in_background */
	bool in_background;
	bool told;
};

/* Fork before any thread is started. Return true in the parent, after the
 * child's message, with the exit code to leave with; false in the child, which
 * has a session of its own, stands in "/" and logs to the system log. */
MUST_USE bool launch_begin(struct launch *l, int *exit_code);
/* It serves. note: a line for a person, or NULL. Once. */
void launch_ready(struct launch *l, const char *note);
/* It does not, or no longer: logged, and told to whoever still listens. */
void launch_failed(struct launch *l, const char *line);

#endif
