/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.h - room on the data disk for what must still work when it is full.
 *
 * The file `reserve` in the data folder holds blocks that nothing else can
 * take, not even another program. When the disk runs full they are given back:
 * then the log still takes the entries that free space, the state can be
 * flushed and compacted, and the daemon starts again. Once there is plenty of
 * room the file is made anew.
 *
 *   size     a sixteenth of the file system, but at least RESERVE_BYTES_MIN and
 *            at most RESERVE_BYTES_MAX, and on a very small one a quarter
 *   low      less than half the size is free, or the reserve is in use; it
 *            stops being low at the whole size
 *   in use   from when the node itself finds no room, and not before, lest
 *            another program takes it, until twice the size is free
 *
 * A second file, `reserve-start` of an eighth of the size, is given back at a
 * start only: a node that has used the reserve, and lost its room to another
 * program, starts once more.
 *
 * Any thread; the calls that look at the disk block on it. */
#ifndef RAFT_NODE_RESERVE_H
#define RAFT_NODE_RESERVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "raft/node/disk.h"

enum { RESERVE_BYTES_MIN = 64 << 20, RESERVE_BYTES_MAX = 128 << 20 };

struct reserve {
	struct disk *disk; /* lent */
	atomic_bool low;
	atomic_bool wanted; /* it belongs to a cluster, so it needs one */
	atomic_uint_fast64_t pace;
	pthread_mutex_t mutex; /* for all below; held over the disk */
	uint64_t bytes;	       /* the size; 0: not known yet */
	uint64_t free;
	bool held;	 /* the file is there */
	bool start_held; /* the other one */
	bool tried;	 /* they were wanted when last looked */
};

/* Zeroed memory. Look once; nothing that fails is an error: then there is no
 * reserve, which it says in the log. Not wanted: none is made so far. */
void reserve_open(struct reserve *r, struct disk *disk, bool wanted);
/* From the next look on. Any thread; never blocks. */
void reserve_want(struct reserve *r);
void reserve_close(struct reserve *r); /* the file stays */

/* Measure; make the file or give it back as needed. About once a second. */
void reserve_look(struct reserve *r);

/* Are so many bytes free? Measures; gives the blocks back if they are needed
 * for that. */
bool reserve_has(struct reserve *r, uint64_t bytes);
/* At a start, which needs so many: all is given back for it. */
void reserve_begin(struct reserve *r, uint64_t bytes);
/* Bytes that may be written before the next look: few on a full disk. */
uint64_t reserve_pace(const struct reserve *r);

/* As of the last look; never blocks. */
bool reserve_is_low(const struct reserve *r);

#endif
