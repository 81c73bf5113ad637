/* SPDX-License-Identifier: Apache-2.0 */
/* apply.h - committed entries into the state, one atomic batch at a time.
 *
 *   K1  entries are applied in log order, no gap and no repeat
 *   K2  the applied index is in the same batch as what it stands for: one
 *       crash point
 *   K3  the state after an entry depends on the entries up to it alone, not
 *       on batches, restarts or clocks
 *
 * An applier is used by one thread at a time; it knows neither threads nor
 * proposers. What happened comes out as events, in order. */
#ifndef KV_APPLY_H
#define KV_APPLY_H

#include "kv/feed.h"
#include "kv/machine.h"
#include "kv/record.h"
#include "kv/store.h"
#include "raft/node/entry.h"

enum apply_event_kind {
	APPLY_DONE,   /* session, number: its result */
	APPLY_ENDED,  /* session is over */
	APPLY_OPENED, /* session, owner */
	APPLY_BORN,   /* the machine has its first state */
};

struct apply_event {
	enum apply_event_kind kind;
	uint64_t session;
	uint64_t number;
	struct session_owner owner;
	size_t start; /* of the result in results */
	size_t size;
};

struct applier {
	struct store *store;		  /* lent */
	const struct kv_machine *machine; /* lent */
	struct feed *feed;		  /* lent */
	struct applied applied;
	uint64_t index; /* of the entry under way, for its notes */
	struct buffer result;
	/* Of the last batch, until the next. */
	struct apply_event *events;
	size_t event_count;
	size_t event_capacity;
	struct buffer results;
	uint64_t removed; /* keys */
};

/* Zeroed memory; reads how far the state is. STATUS_CORRUPT, STATUS_IO. */
MUST_USE int applier_init(struct applier *a, struct store *store,
			  const struct kv_machine *machine, struct feed *feed);
void applier_deinit(struct applier *a);
/* The store's contents were replaced: read how far they are. As above. */
MUST_USE int applier_reload(struct applier *a);

/* How many of the entries go into one batch (LIMIT_APPLY_...); at least 1. */
size_t applier_batch(struct entry *const *entries, size_t count);

/* Apply them as one batch; the first is applied.index + 1. On return it is
 * committed, and the notes are in the feed, not yet told.
 * STATUS_NO_SPACE: nothing has happened; the same entries may be tried again.
 * STATUS_IO, STATUS_CORRUPT ...: the node can not go on. */
MUST_USE int applier_apply(struct applier *a, struct entry *const *entries,
			   size_t count);
struct bytes applier_result(const struct applier *a,
			    const struct apply_event *e);

/* The time of a command: the stamp, but never back by less than the skew. */
uint64_t applier_time(uint64_t stamp_ns, uint64_t last_ns);

#endif
