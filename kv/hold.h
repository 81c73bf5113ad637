/* SPDX-License-Identifier: Apache-2.0 */
/* hold.h - what this node holds, and what the others told its leader.
 *
 * Holds are a counted set of ids. A roster is kept by a leader: for each
 * session the last keep-alive since it became one. Bounded: COMMAND_HELD ids
 * are told, ROSTER_SESSIONS sessions are kept.
 *
 * No lock and no clock, as propose.h. */
#ifndef KV_HOLD_H
#define KV_HOLD_H

#include <uthash.h>

#include "base/limits.h"
#include "kv/command.h"

struct hold {
	uint64_t id;
	uint64_t count;
	UT_hash_handle hh;
};

struct holds {
	struct hold *set;
	struct buffer told;
};

void holds_deinit(struct holds *h); /* zeroed memory is an empty set */
/* Return true when it is new, or gone: the leader should hear of it. */
bool holds_add(struct holds *h, uint64_t id);
bool holds_remove(struct holds *h, uint64_t id);
bool holds_has(const struct holds *h, uint64_t id);
/* As a keep-alive tells them; lent until the next call on h. */
struct bytes holds_told(struct holds *h, bool *many);

enum { ROSTER_SESSIONS = 4 * LIMIT_PEERS };

struct roster_entry {
	uint64_t session;
	uint64_t since_ms; /* first known to this leader: counted from here */
	uint64_t heard_ms; /* 0: not since this node leads */
	uint64_t ended_ms; /* its end was proposed; 0: never */
	uint64_t applied;
	bool many;
	bool low;	    /* its disk is nearly full ... */
	bool voter;	    /* ... which matters for a voter */
	uint64_t node;	    /* raft id; 0: not heard yet */
	uint64_t sent_ms;   /* of its last keep-alive */
	struct buffer held; /* be64, rising */
	UT_hash_handle hh;
};

struct roster {
	struct roster_entry *sessions;
};

/* Begin anew: this node just became leader. */
void roster_reset(struct roster *r);
/* A keep-alive came. Return false: the roster is full. */
bool roster_hear(struct roster *r, const struct alive *a, uint64_t node,
		 bool voter, uint64_t now_ms);
/* How many voters' disks are nearly full. */
size_t roster_lows(const struct roster *r);
/* The voter with room that had applied most, of those heard since then; 0:
 * there is none. */
uint64_t roster_roomy(const struct roster *r, uint64_t since_ms);
/* The entry of a live session; made if missing, NULL: full. */
struct roster_entry *roster_find(struct roster *r, uint64_t session,
				 uint64_t now_ms);
/* Forget the sessions that are not among the live ones. */
void roster_keep(struct roster *r, const uint64_t *live, size_t count);
/* Does any of them hold id? */
bool roster_holds(const struct roster *r, uint64_t id);

#endif
