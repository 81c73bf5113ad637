/* SPDX-License-Identifier: Apache-2.0 */
/* trail.h - what is durable of a node's log, as the core was told.
 *
 * Follows the core's saves and their completion: terms by index, term and
 * vote, commit index. What a later boot finds must be exactly that, plus the
 * first few of the saves that were under way:
 *
 *   D1  a durable save survives; one that was not may, in order, as a whole;
 *       a snapshot that was being loaded is there wholly or not at all
 *
 * All memory is the world's. */
#ifndef TESTS_SIM_TRAIL_H
#define TESTS_SIM_TRAIL_H

#include "raft/raft.h"

struct trail_save {
	raft_seq seq;
	struct raft_hard hard;
	raft_index keep, last, commit;
	raft_term *terms; /* of keep + 1 ... last */
};

struct trail {
	raft_id id; /* 0: nothing is known yet */
	struct raft_hard hard;
	raft_index commit; /* as saved with the log, no more */
	raft_index base;   /* the log on disk begins after it */
	raft_index last;
	raft_term *terms; /* by index; not to be trusted below the base */
	size_t capacity;
	struct trail_save *saves; /* under way, in order */
	size_t save_count;
	size_t save_capacity;
	struct raft_pos loading; /* a snapshot; index 0: none */
};

void trail_reset(struct trail *t); /* the disk is gone */

/* The core did this SAVE; it is asked for the terms. */
void trail_save(struct trail *t, const struct raft *core,
		const struct raft_act *act);
/* Durable up to this save. */
void trail_saved(struct trail *t, raft_seq seq);

/* The core did this LOAD_SNAP; and it was carried out. */
void trail_load(struct trail *t, const struct raft_act *act);
void trail_loaded(struct trail *t);

/* A new life of id begins with this. trust: the disk was damaged, so take it
 * as it is. Return NULL, or what breaks D1: a static text. */
const char *trail_boot(struct trail *t, raft_id id,
		       const struct raft_boot *boot, bool trust);

/* Is the entry of this index and term durable? It is when a snapshot holds
 * it, which is the caller's to know to be of committed entries. */
bool trail_has(const struct trail *t, raft_index index, raft_term term);

#endif
