/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - exactly once: what the state remembers of each session.
 *
 * A session is one life of one node; its id is the index of the entry that
 * opened it. The state keeps the results of the operations applied in it,
 * from the lowest number its node still waits for (thesis 6.3).
 *
 *   E1  an operation (session, number) changes the state at most once, however
 *       often its entry is in the log: a number below low is ignored, one with
 *       a stored result is answered from that
 *   E2  an ended session never comes back, for its id never does: an
 *       operation that finds it ended has not happened and never will
 *   E3  a node has at most one session: its newest opening
 *
 * Everything here works within a batch, the same on every replica. */
#ifndef KV_SESSION_H
#define KV_SESSION_H

#include "kv/command.h"
#include "kv/record.h"

enum session_verdict {
	SESSION_NEW,	 /* apply it, then session_store() */
	SESSION_SETTLED, /* applied before: result is the answer */
	SESSION_OLD,	 /* its node no longer waits for it: ignore it */
	SESSION_ENDED,	 /* no such session: it changes nothing */
};

/* Look an operation up and forget the results below its low. result is
 * replaced when SETTLED. STATUS_CORRUPT, STATUS_IO of the store. */
MUST_USE int session_check(struct kv_batch *b, const struct command *c,
			   enum session_verdict *verdict,
			   struct buffer *result);
void session_store(struct kv_batch *b, const struct command *c,
		   struct bytes result);

/* What an open or an end did, in that order. */
struct session_change {
	uint64_t ended;	 /* a session that is over now; 0: none */
	uint64_t opened; /* 0: none, it was a late copy */
};

/* Open session `id` for owner, ending the one it had. A copy of the opening
 * that made the live session changes nothing, but names it in `opened`; an
 * older one is ignored. */
MUST_USE int session_open(struct kv_batch *b, uint64_t id,
			  const struct session_owner *owner,
			  struct session_change *change);
MUST_USE int session_end(struct kv_batch *b, uint64_t id,
			 struct session_change *change);

#endif
