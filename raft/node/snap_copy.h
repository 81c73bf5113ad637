/* SPDX-License-Identifier: Apache-2.0 */
/* snap_copy.h - a snapshot of this node's state, and reading it out.
 *
 * A copy is a folder that the client has filled; its files never change. A
 * reader goes through them once, for one receiver.
 *
 * All calls block on the disk: one thread, the snapshots' (snap_work.h). */
#ifndef RAFT_NODE_SNAP_COPY_H
#define RAFT_NODE_SNAP_COPY_H

#include "raft/node/disk.h"
#include "raft/node/node.h"
#include "raft/node/snap_wire.h"

struct snap_copy {
	struct node_snapshot_info info;
	char *path;
	struct disk *disk;
	size_t count;
	uint64_t bytes;
	struct snap_file *files; /* names rise */
};

/* Have the client make one in the folder path, which is removed first if it
 * is there. Nothing is left there after an error: the client's, the disk's,
 * STATUS_INVALID (a file that can not be sent), STATUS_TOO_BIG. */
MUST_USE int snap_copy_make(const struct node_client *client, void *context,
			    const char *path, struct snap_copy **copy);
/* The folder is removed. NULL is fine. */
void snap_copy_free(struct snap_copy *copy);

struct snap_reader;

/* copy is lent until snap_reader_free(). pieces: what the receiver has, as in
 * a HAVE; copied. */
struct snap_reader *snap_reader_new(const struct snap_copy *copy,
				    const struct snap_piece *pieces,
				    size_t count);
void snap_reader_free(struct snap_reader *r); /* NULL is fine */

enum snap_read {
	SNAP_READ_CHUNK,
	SNAP_READ_PIECE, /* what the receiver has was looked at: no chunk */
	SNAP_READ_END,
};

/* Go one step on. chunk: its data is lent until the next call; sum is the
 * data's. Errors of the disk; STATUS_SHORT: a file is not what it was. */
MUST_USE int snap_reader_next(struct snap_reader *r, enum snap_read *what,
			      struct snap_chunk *chunk, uint64_t *sum);
/* Bytes of pieces that were found to be the same, so far. */
uint64_t snap_reader_kept(const struct snap_reader *r);

#endif
