/* SPDX-License-Identifier: Apache-2.0 */
/* cut.h - how much of the log stays. Pure: what to cut follows from how it
 * stands.
 *
 *   C1  nothing goes that the state does not hold durably
 *   C2  a tail stays for who is a little behind: CUT_TAIL_ENTRIES, as far as
 *       they fit in CUT_TAIL_BYTES
 *   C3  what some member has not saved stays as well, until the log is larger
 *       than LIMIT_LOG_BYTES or LIMIT_LOG_ENTRIES: who is away for longer
 *       gets a snapshot (raft.md row 51)
 *   C4  what follows a pin stays: the snapshot that is on its way to a member
 *       ends there, and without the entries after it, it would be sent for
 *       nothing. A pin is lost after CUT_PIN_MS, or when the log is larger
 *       than CUT_PIN_BYTES for it; that transfer is to be given up
 *
 * The loop's. Whole segments go, so what stays is up to one more of them. */
#ifndef RAFT_NODE_CUT_H
#define RAFT_NODE_CUT_H

#include "raft/raft.h"

enum {
	CUT_TAIL_ENTRIES = 4096,
	CUT_TAIL_BYTES = 2 * LIMIT_SEGMENT_BYTES,
	CUT_PINS = 4,
	CUT_PIN_BYTES = 256 << 20,
	CUT_PIN_MS = 900000,
	CUT_LOOK_ENTRIES = 1024, /* applied since the last look: look again */
	CUT_LOOK_MS = 1000,
};

struct cut {
	struct {
		raft_index index;
		raft_ms since;
		unsigned number; /* 0: free, or lost */
	} pins[CUT_PINS];
	unsigned last_pin;
	raft_index looked_at; /* what was applied then */
	raft_ms looked_ms;
};

/* Keep what follows index, from now on until cut_unpin(). Return a number,
 * never 0; 0: too many pins. */
unsigned cut_pin(struct cut *c, raft_index index, raft_ms now);
/* Is it held still? */
bool cut_pinned(const struct cut *c, unsigned pin);
void cut_unpin(struct cut *c, unsigned pin); /* one that was lost is fine */

/* Is it time to look? */
bool cut_due(const struct cut *c, raft_index applied, raft_ms now);

/* Up to where the whole oldest segments would have to go, so that no more than
 * so many bytes stay; 0: it is no larger. log_excess(). */
struct cut_excess {
	raft_index tail;   /* CUT_TAIL_BYTES */
	raft_index limit;  /* LIMIT_LOG_BYTES */
	raft_index pinned; /* CUT_PIN_BYTES */
};

struct cut_view {
	raft_ms now;
	raft_index last;
	raft_index flushed; /* durable in the state */
	raft_index applied;
	raft_index settled; /* every member has saved up to here */
	raft_index tail;    /* entries: CUT_TAIL_ENTRIES, or fewer */
	struct cut_excess excess;
};

/* The log may be cut up to there; 0: not at all. Pins that ask for too much
 * are lost now. */
raft_index cut_look(struct cut *c, const struct cut_view *v);

#endif
