/* SPDX-License-Identifier: Apache-2.0 */
/* home.h - the data folder as a whole: whose it is, and its end.
 *
 *   E1  what is in it is this program's: a folder with anything else in it and
 *       neither identity nor log is somebody else's, and nothing is changed in
 * it E2  nobody but its owner gets in: mode 0700, and never others' to write E3
 * it is cleared only of what was made since it was fresh, by a node that has
 * never had a core: that one never voted and never acknowledged, so that nobody
 * can rely on what it forgets, its incarnation neither
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
