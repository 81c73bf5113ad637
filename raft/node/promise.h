/* SPDX-License-Identifier: Apache-2.0 */
/* promise.h - the file `promise`: the log's term and vote, once more.
 *
 * A damaged log no longer says in which term this node has voted, and for
 * whom; a node that does not know that must never vote again. So both are here
 * too, and whether the cluster has another voter, who could help.
 *
 *   H1  it is written after the log's record is durable and before that is
 *       told to anyone: never ahead of the log, never behind a promise
 *   H2  one sector, in place: if it does not check, nothing is known. It is
 *       read only where the log can not be, and that takes two damages
 *
 * Used by one thread at a time: open's, then the saver's. */
#ifndef RAFT_NODE_PROMISE_H
#define RAFT_NODE_PROMISE_H

#include "raft/node/disk.h"
#include "raft/raft.h"

struct promise {
	struct disk *disk;
	struct disk_file *file; /* NULL: closed */
	bool known;		/* it was there and checked, or was saved */
	struct raft_hard hard;
	bool others; /* there are other voters than this node */
};

/* Open or make the file. One that does not check is not an error of its own.
 * STATUS_IO, STATUS_NO_SPACE ... */
MUST_USE int promise_open(struct promise *p, struct disk *disk);
void promise_close(struct promise *p);
/* Durable on return; nothing is written when it says so already. */
MUST_USE int promise_save(struct promise *p, struct raft_hard hard,
			  bool others);

#endif
