/* SPDX-License-Identifier: Apache-2.0 */
/* tail.h - the last entries of the log, in memory.
 *
 * What is not durable yet can be had only from here; beyond that it spares
 * reads of what is sent and applied. Contiguous: (first - 1, last].
 *
 *   T1  entry `index` stands at its place, one reference held for each
 *   T2  nothing above the pinned index is ever let go, whatever the bounds
 *
 * Loop thread only. */
#ifndef RAFT_NODE_TAIL_H
#define RAFT_NODE_TAIL_H

#include "raft/node/entry.h"

struct tail {
	struct entry **ring;
	size_t capacity;  /* a power of two, or 0 */
	raft_index first; /* of the entries held */
	size_t count;
	uint64_t bytes;
	uint64_t bytes_max;
	size_t count_max;
};

/* last: of the log, so that the next entry is last + 1. */
void tail_init(struct tail *t, raft_index last, uint64_t bytes_max,
	       size_t count_max);
void tail_deinit(struct tail *t);

/* Add a reference to e, whose index is tail_last() + 1. */
void tail_append(struct tail *t, struct entry *e);
/* Forget entries above keep. Below the first held: it is empty then and goes
 * on at keep + 1. */
void tail_truncate(struct tail *t, raft_index keep);
/* Let go of the oldest while over a bound and not above pinned. */
void tail_trim(struct tail *t, raft_index pinned);

raft_index tail_last(const struct tail *t);
/* Borrowed until the next change; NULL: not held. */
struct entry *tail_get(const struct tail *t, raft_index index);

#endif
