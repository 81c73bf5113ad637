/* SPDX-License-Identifier: Apache-2.0 */
/* runs.h - the terms of the log entries the core still remembers.
 *
 * The core reasons about (index, term) pairs; the driver keeps the bytes.
 * The runs cover (base, last]. After every mutation:
 *   T1  the runs' indexes rise strictly, above the base
 *   T2  their terms rise strictly, and do not fall below the base's
 * It is plain memory inside struct raft. Nothing is allocated. */
#ifndef RAFT_RUNS_H
#define RAFT_RUNS_H

#include "raft/raft.h"

/* Terms with entries between two compactions; beyond, nobody campaigns. So
 * many that a log which is not cut for a member that is away is no limit. */
enum { RUNS_MAX = 65536 };

struct runs {
	struct raft_pos base; /* the entry before the first one held */
	uint32_t count;
	struct raft_run run[RUNS_MAX];
};

/* Nothing held, beginning after base. */
void runs_init(struct runs *t, struct raft_pos base);

raft_index runs_last(const struct runs *t);
struct raft_pos runs_last_pos(const struct runs *t);
/* Of the entry at index or of the base; 0 anywhere else. */
raft_term runs_term(const struct runs *t, raft_index index);
/* The greatest index <= index whose term is <= term, but not below the base:
 * where the logs may still agree (Raft 5.3, skipping a term at a time). */
raft_index runs_agree(const struct runs *t, raft_index index, raft_term term);

/* Is there room for entries of this term? */
bool runs_room(const struct runs *t, raft_term term);
/* Add entries of one term, up to and with last. Return false, leaving t as it
 * was, when a new run is needed and all are taken. */
MUST_USE bool runs_append(struct runs *t, raft_term term, raft_index last);
/* Drop the entries above keep, which is not below the base. */
void runs_truncate(struct runs *t, raft_index keep);
/* Drop the entries up to index, which is held: it becomes the base. */
void runs_compact(struct runs *t, raft_index index);

void runs_check(const struct runs *t);

#endif
