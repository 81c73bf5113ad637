/* SPDX-License-Identifier: Apache-2.0 */
/* home.h - the data folder as a whole: whose it is, and its end.
 *
 *   E1  a folder with anything in it that is not a node's, and with neither
 *       identity nor log, is somebody else's: nothing is changed there
 *   E2  nobody but its owner gets in: mode 0700. One that others may write is
 *       refused; whose it is, is not looked at
 *   E3  it is cleared only of what was made since it was fresh, by a node
 *       without a core so far: it never voted and never acknowledged, and
 *       nobody can rely on what it forgets, nor on its incarnation
 *
 * One thread at a time; all calls block on the disk. */
#ifndef RAFT_NODE_HOME_H
#define RAFT_NODE_HOME_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/check.h"

struct home {
	bool made;  /* by this open */
	bool fresh; /* no node had begun in it */
};

/* Make the folder, 0700, if it is missing: its name is durable on return. Else
 * E1, E2. STATUS_FOREIGN, STATUS_DENIED, STATUS_INVALID (no folder), STATUS_IO,
 * STATUS_NO_SPACE with a line; then nothing is changed. */
MUST_USE int home_open(const char *path, struct home *home,
		       struct buffer *problem);
/* E3: remove all of a node's files in it but its text log, the file `lock`
 * last; and the folder, if it was made and is empty then. Best effort. */
void home_clear(const char *path, const struct home *home);

#endif
