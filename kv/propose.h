/* SPDX-License-Identifier: Apache-2.0 */
/* propose.h - this node's proposals, from kv_propose() to their answer.
 *
 *            +---------+  take   +-------------+  applied
 *   add ---> | waiting | ------> | handed over | ---------> answered: result
 *            +---------+         +-------------+
 *              |    ^    session ended |   |
 *              |    +------------------+   +--> answered: UNKNOWN, INTERRUPTED
 *              +--> answered: TIMED_OUT, INTERRUPTED, ENDED
 *
 *   P1  a proposal is answered exactly once, and leaves here when it is
 *   P2  handed over, it has a number of its own in the session, and is only
 *       ever offered again under that number, after the route changed
 *   P3  once this node has applied the end of its session, what it had handed
 *       over under it and not seen applied has not happened and never will
 *       (session.h E2: later copies find the session ended, earlier ones would
 *       have been seen): it may be given a new number in a new session
 *   P3a when it learns of that end from a snapshot, which has no entries, it
 *       can not know what was applied before it: the outcome of all that was
 *       handed over is unknown
 *   P4  numbers handed over lie in [low, low + LIMIT_WINDOW_PROPOSALS)
 *
 * An answered number no longer counts for low: a copy of it that comes later
 * than an entry with the higher low is ignored by every replica, so it takes
 * effect at most once, or not at all.
 *
 * No lock and no clock: the owner's lock is held around every call, and
 * answers come as a list to be told by proposals_tell() without it. */
#ifndef KV_PROPOSE_H
#define KV_PROPOSE_H

#include <sys/queue.h>
#include <uthash.h>

#include "kv/kv.h"
#include "raft/node/entry.h"

struct proposal {
	uint64_t id;	  /* for interrupts */
	uint64_t number;  /* in the session; 0: waiting */
	bool offer;	  /* handed over, to be offered again */
	bool interrupted; /* its answer at the deadline is INTERRUPTED */
	uint64_t due_ms;
	struct entry *entry; /* as first handed over, or still to be stamped */
	kv_done done;
	void *context;
	int status;		    /* the answer */
	struct bytes result;	    /* borrowed from who resolved it */
	TAILQ_ENTRY(proposal) link; /* in waiting, or in answers */
	UT_hash_handle by_id;
};

TAILQ_HEAD(proposal_list, proposal);

struct proposals {
	uint64_t last_id;
	struct proposal *by_id; /* all */
	size_t count;
	struct proposal_list waiting; /* in the order they came */
	uint64_t waiting_bytes;
	uint64_t due_ms; /* no deadline is earlier */

	uint64_t session; /* 0: none; numbers below are of this one */
	bool usable;	  /* hand over under it */
	uint64_t low;
	uint64_t next;
	struct proposal *window[LIMIT_WINDOW_PROPOSALS]; /* number % size */
	uint64_t handed_bytes;
	size_t offer_count;  /* with offer set */
	uint64_t offer_from; /* none of them has a lower number */
};

void proposals_init(struct proposals *p);

/* A new one, waiting; its id is returned. 0 and *status: refused
 * (STATUS_FULL, STATUS_TOO_BIG), done is not called. */
uint64_t proposals_add(struct proposals *p, struct bytes operation,
		       uint64_t due_ms, kv_done done, void *context,
		       int *status);

/* The next entry to hand over, one reference returned; NULL: none, or it is
 * larger than bytes_max. */
struct entry *proposals_take(struct proposals *p, size_t bytes_max);
bool proposals_wanted(const struct proposals *p); /* would take() give one? */

/* A session of this node's is open: numbers start anew. */
void proposals_open(struct proposals *p, uint64_t session);
/* It is not to be used any more; what is under way stays so. */
void proposals_suspend(struct proposals *p);
/* The end of a session was applied (P3). */
void proposals_ended(struct proposals *p, uint64_t session);
/* The session has ended within a snapshot (P3a). */
void proposals_lost(struct proposals *p, struct proposal_list *answers);
/* What was handed over may be lost. */
void proposals_offer_again(struct proposals *p);

/* (session, number) was applied. result is borrowed until told. */
void proposals_applied(struct proposals *p, uint64_t session, uint64_t number,
		       struct bytes result, struct proposal_list *answers);
/* None waits longer than until then. */
void proposals_shorten(struct proposals *p, uint64_t due_ms);
/* Answer what is due; the next deadline is then p->due_ms. */
void proposals_expire(struct proposals *p, uint64_t now_ms,
		      struct proposal_list *answers);
void proposals_interrupt(struct proposals *p, uint64_t id, uint64_t now_ms,
			 struct proposal_list *answers);
/* At close: answer all, ENDED or UNKNOWN. */
void proposals_end(struct proposals *p, struct proposal_list *answers);

/* Call back and free, in order. Without the lock. */
void proposals_tell(struct proposal_list *answers);

#endif
