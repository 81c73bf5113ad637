/* SPDX-License-Identifier: Apache-2.0 */
/* snap_stage.h - the folder in which a snapshot is put together.
 *
 * What lies there from an earlier attempt is judged by its bytes alone, so it
 * need not be known which snapshot it was of: most files of one leader's
 * snapshots are the same.
 *
 *   G1  a file counts as good once all of it was written with the hash that
 *       its sender gave, or was found here and the sender has let it stand
 *   G2  after snap_stage_finish() returned 0 every file is good and durable,
 *       and nothing else is in the folder
 *   G3  no more than STAGE_SYNC_BYTES are written between two syncs
 *   G4  files are written in their order, each at most once
 *
 * All calls block on the disk: one thread, the snapshots' (snap_work.h). */
#ifndef RAFT_NODE_SNAP_STAGE_H
#define RAFT_NODE_SNAP_STAGE_H

#include "raft/node/disk.h"
#include "raft/node/snap_wire.h"

enum { STAGE_SYNC_BYTES = 4 << 20 };

struct snap_stage;

/* disk: the folder, lent until snap_stage_free(). files: as in an offer;
 * copied. stop: asked now and then, may be NULL. */
struct snap_stage *snap_stage_new(struct disk *disk,
				  const struct snap_file *files, size_t count,
				  bool (*stop)(void *context), void *context);
void snap_stage_free(struct snap_stage *s); /* NULL is fine */

/* Look at what lies there: remove what is of no use, and name the rest in
 * pieces (room for count). STATUS_ENDED: stopped. Errors of the disk. */
MUST_USE int snap_stage_scan(struct snap_stage *s, struct snap_piece *pieces,
			     size_t *piece_count);
/* The bytes that are still to come, if all pieces stand. */
uint64_t snap_stage_missing(const struct snap_stage *s);

/* Write a chunk: the next of the file that is being written, or the first of
 * a later one (G4), at 0 or at the end of what was found of it. STATUS_INVALID:
 * it is neither. STATUS_CORRUPT: the file is whole but not what was meant; it
 * is removed. Errors of the disk. */
MUST_USE int snap_stage_write(struct snap_stage *s,
			      const struct snap_chunk *chunk);
/* All has come. STATUS_SHORT: it has not. STATUS_ENDED: stopped. Errors of the
 * disk. */
MUST_USE int snap_stage_finish(struct snap_stage *s);

#endif
