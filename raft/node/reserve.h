/* SPDX-License-Identifier: Apache-2.0 */
/* reserve.h - room on the data disk for what must still work when it is full.
 *
 * The file `reserve` in the data folder holds blocks that nothing else can
 * take, not even another program. When the disk runs full they are given back:
 * then the log still takes the entries that free space, the state can be
 * flushed and compacted, and the daemon starts again. Once there is plenty of
 * room the file is made anew.
 *
 *   size     a sixteenth of the file system, at most RESERVE_BYTES_MAX
 *   low      less than a size is free, or the reserve is in use; it stops being
 *            low at twice the size
 *   in use   from a quarter of the size free, or a full disk met, until thrice
 *            the size is free
 *
 * Any thread; the calls that look at the disk block on it. */
#ifndef RAFT_NODE_RESERVE_H
#define RAFT_NODE_RESERVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "raft/node/disk.h"

enum { RESERVE_BYTES_MAX = 128 << 20 };

struct reserve {
	struct disk *disk; /* lent */
	atomic_bool low;
	pthread_mutex_t mutex; /* for all below; held over the disk */
	uint64_t bytes;	       /* the size; 0: not known yet */
	uint64_t free;
	bool held; /* the file is there */
};

/* Zeroed memory. Look once; nothing that fails is an error: then there is no
 * reserve, which it says in the log. */
void reserve_open(struct reserve *r, struct disk *disk);
void reserve_close(struct reserve *r); /* the file stays */

/* Measure; make the file or give it back as needed. About once a second. */
void reserve_look(struct reserve *r);
/* A full disk was met: give the blocks back now. */
void reserve_use(struct reserve *r);

/* As of the last look; never blocks. */
bool reserve_is_low(const struct reserve *r);

#endif
