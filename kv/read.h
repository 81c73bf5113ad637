/* SPDX-License-Identifier: Apache-2.0 */
/* read.h - barriers: when may the applied state be read?
 *
 *            +--------+ ticket answered +---------+ applied
 *   add ---> | asking | --------------> | applying| -------> ready
 *            +--------+   with index    +---------+
 *                | due: fell back, no quorum
 *                v
 *              ready
 *
 *   B1  a barrier is served only by a ticket issued after it came: it never
 *       joins one under way (raft.md, 6.4 of the thesis)
 *   B2  a strict barrier is never served by a lease
 *   B3  one that falls back reads what this node has applied, which never
 *       goes back
 *   B4  so none falls back in a node that was repaired, or started on a full
 *       disk, and may not have again what it has shown: it fails, as a strict
 *       one
 *
 * A barrier that runs out of time while it asks cuts the node off: from then on
 * fresh barriers fall back and strict ones fail, at once, until a ticket (one
 * is always asked for then) is answered. All barriers that came before a ticket
 * share it. An unanswered ticket may be lost: after a while another one is
 * issued beside it. Time in which the process did not run does not count: it
 * has not been listening.
 *
 * One that runs out of time while the state is applied (its disk is full, say)
 * shows that this node is behind: until something is applied, fresh barriers
 * that would wait for that fall back at once.
 *
 * No lock and no clock, as propose.h. */
#ifndef KV_READ_H
#define KV_READ_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "kv/kv.h"

enum { READ_TICKETS = 16 }; /* under way at most */

struct barrier {
	uint64_t id;
	bool strict;
	uint64_t came;	/* the first ticket that may serve it */
	uint64_t index; /* to be applied; 0: asking */
	uint64_t due_ms;
	kv_ready ready;
	void *context;
	int status; /* the answer */
	bool fell_back;
	TAILQ_ENTRY(barrier) link;
};

TAILQ_HEAD(barrier_list, barrier);

struct barriers {
	uint64_t last_id;
	size_t count;
	struct barrier_list asking;   /* in the order they came */
	struct barrier_list applying; /* in no order */
	uint64_t issued;	      /* number of the last ticket */
	size_t under_way;
	uint64_t asked_ms; /* when the last ticket was issued */
	bool refused;	   /* the last answer was a refusal: wait a little */
	bool cut_off;
	bool behind;
	atomic_bool unproven; /* B4: until one is served. Any thread may look */
	uint64_t owed;	      /* or until this is applied; 0: no such index */
	uint64_t cut_off_ms;  /* when the first wait that failed began */
};

void barriers_init(struct barriers *b);
/* B4: this node has shown what was applied up to there. One that is unproven
 * for another reason stays so. */
void barriers_owe(struct barriers *b, uint64_t index);

/* A barrier that has to wait. index: of a lease, already known; 0: ask.
 * NULL: too many wait already. */
struct barrier *barriers_add(struct barriers *b, bool strict, uint64_t index,
			     uint64_t now_ms, kv_ready ready, void *context);

/* Issue a ticket now? Then return its number and *lease, else 0. hurry: what
 * refused the last one has changed. */
uint64_t barriers_ask(struct barriers *b, uint64_t now_ms, bool hurry,
		      bool *lease);
/* A ticket was answered. */
void barriers_answered(struct barriers *b, uint64_t ticket, uint64_t index,
		       int status, uint64_t applied,
		       struct barrier_list *answers);
void barriers_applied(struct barriers *b, uint64_t applied,
		      struct barrier_list *answers);
void barriers_expire(struct barriers *b, uint64_t now_ms,
		     struct barrier_list *answers);
/* The process did not run for a while: all waits begin anew. */
void barriers_renew(struct barriers *b, uint64_t now_ms);
void barriers_interrupt(struct barriers *b, uint64_t id,
			struct barrier_list *answers);
void barriers_end(struct barriers *b, struct barrier_list *answers);

/* Call back and free, in order. Without the lock. */
void barriers_tell(struct barrier_list *answers);

#endif
