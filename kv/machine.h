/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - what kv asks of the state machine above it.
 *
 * A machine is deterministic: the same entries, from the same state, give the
 * same bytes and the same results on every replica, whatever the batches,
 * restarts and build. No clock, no randomness, no thread, no memory of its
 * own between calls: everything it knows is in the batch.
 *
 * Key space: the machine owns all keys but those beginning with 'm' or 's'
 * (kv's own records and sessions). */
#ifndef KV_MACHINE_H
#define KV_MACHINE_H

#include "kv/batch.h"

/* Where and when an operation takes effect, equal on every replica. */
struct kv_at {
	uint64_t index;	  /* of its log entry: rises, never repeats */
	uint64_t time_ns; /* since 1970; never falls by less than 10 s
			     (design.md 1) */
};

/* What tidy() may know; only on the leader. */
struct kv_tidy {
	struct kv_reader *reader;    /* newest applied state */
	uint64_t now_ns;	     /* CLOCK_REALTIME of this node */
	uint64_t applied_everywhere; /* every live session's node has applied it
				      */
	/* Does any node hold this id (kv_hold)? */
	bool (*held)(const struct kv_tidy *t, uint64_t id);
	/* Propose an operation on the node's own behalf; nobody waits. */
	void (*propose)(const struct kv_tidy *t, struct bytes operation);
};

struct kv_machine {
	void *context;
	/* Apply one operation within b and write its result (at most
	 * LIMIT_RESULT_BYTES) to the empty buffer. An operation that does
	 * not decode gets the machine's own "malformed" result and changes
	 * nothing. Touches a bounded number of keys.
	 * Return 0, or STATUS_IO / STATUS_CORRUPT of the store: fatal. */
	int (*apply)(void *context, struct kv_batch *b, const struct kv_at *at,
		     struct bytes operation, struct buffer *result);
	/* Can the operation make the state larger by more than a few bytes?
	 * Such ones are refused while the disks are full. NULL: none can. Any
	 * thread. */
	bool (*adds)(void *context, struct bytes operation);
	/* The operation that makes the first state (the root), not empty,
	 * proposed by the first leader with its own uid and gid; applying it
	 * again changes nothing. */
	void (*birth)(void *context, struct buffer *operation);
	/* About once a second on a leader that has heard every live session:
	 * propose what must be cleaned up. */
	void (*tidy)(void *context, const struct kv_tidy *t);
};

#endif
