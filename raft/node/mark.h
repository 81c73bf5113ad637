/* SPDX-License-Identifier: Apache-2.0 */
/* mark.h - the file `committed`: how far this node has ever applied.
 *
 * The commit index is saved along with the next save of the log, so a daemon
 * that is killed may have shown its users more than its log knows to be
 * committed. This file has it: one small write before entries are handed out,
 * without a sync, so it survives the end of the process but not a power cut,
 * after which the saved commit index stands. It only ever names entries that
 * are committed and durable in this log.
 *
 * Used by one thread at a time: open's, then the loop. */
#ifndef RAFT_NODE_MARK_H
#define RAFT_NODE_MARK_H

#include "raft/node/disk.h"
#include "raft/raft.h"

struct mark {
	struct disk *disk;
	struct disk_file *file; /* NULL: closed */
	raft_index index;
};

/* Open or make the file, with the room that a mark takes; index is what it
 * says, 0 when that does not check (torn, new): never an error of its own.
 * STATUS_IO, STATUS_NO_SPACE ... */
MUST_USE int mark_open(struct mark *m, struct disk *disk);
void mark_close(struct mark *m);
/* The log was just begun: whatever stood here was another's. */
void mark_reset(struct mark *m);
/* index is about to be applied. A write that fails loses nothing durable. */
void mark_set(struct mark *m, raft_index index);

#endif
