/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a few cores, their disks and the network between them, in memory.
 *
 * A node is a core with the smallest right driver: entries are (term, value,
 * size, configuration), saves wait until the test completes them, acts wait
 * for their save, messages and snapshots wait until the test delivers, drops or
 * copies them. A crash loses what is not saved, and the state machine above
 * the log's base.
 *
 * After every step raft_check() runs, and the world checks what no node can
 * see alone:
 *   W1  one leader a term
 *   W2  a committed entry never changes, anywhere
 *   W3  a new leader has every entry committed in an earlier term (5.4)
 *   W4  each node applies every index once, in order, durable there
 *   W5  match of a peer, as its leader sees it, is durable there, or was before
 *       that peer lost its disk, until it is whole again
 *   W6  a read, or a commit index under a valid lease, is not older than
 *       what was committed anywhere when it began
 *   W7  every accepted read is answered once, while its node lives
 *   W8  the configuration in force is the newest of the log, or the state's
 *   W9  what a leader commits is durable at a majority of the configuration
 *       in force there, of each half while it is joint; who has lost its disk
 *       counts as having had it
 *   W10 a snapshot is asked for only if the log has been cut; it is loaded
 *       when all saves are durable, and none is made meanwhile
 * One thread; everything ends the process when broken. */
#ifndef TESTS_LIB_WORLD_H
#define TESTS_LIB_WORLD_H

#include "raft/raft.h"

enum {
	WORLD_NODES = 9,
	WORLD_LOG = 8192,
	WORLD_TERMS = 8192,
	WORLD_SAVES = 512,
	WORLD_HELD = 4096,
	WORLD_TICKETS = 65536,
	WORLD_CHANGES = 4096,
};

struct world_entry {
	raft_term term;
	uint64_t value; /* 0: a no-op */
	uint32_t size;
	uint32_t change; /* its place in world.changes; 0: no configuration */
};

struct world_log {
	struct raft_hard hard;
	raft_index commit;
	struct raft_pos base; /* entries up to it are kept, but not given */
	struct raft_change base_change; /* in force there */
	raft_index last;
	struct world_entry entry[WORLD_LOG]; /* by index */
};

struct world_save {
	raft_seq seq;
	struct raft_hard hard;
	raft_index keep, last, commit;
	struct world_entry *entries; /* keep + 1 ... last */
};

struct world_message {
	struct raft_msg msg;
	struct world_entry *entries;
	struct world_message *next;
};

struct world_held {
	struct raft_act act;
	struct world_message *message; /* of a SEND */
};

/* One of a node's state, on its way to another or staged there. */
struct world_snapshot {
	raft_id from;
	raft_id to;
	raft_term term; /* of the leader that sent it */
	uint32_t life;	/* of the sender, which waits for the answer ... */
	bool answered;	/* ... or does not */
	struct raft_pos pos;
	struct raft_change change;
	struct world_snapshot *next;
};

struct world_node {
	raft_id id;
	bool up;
	struct raft *core;
	struct raft_config config;
	raft_ms now;
	struct world_log disk; /* what a crash leaves */
	struct world_log log;  /* as the core sees it */
	size_t save_count;
	struct world_save save[WORLD_SAVES];
	raft_seq durable;
	size_t held_count;
	struct world_held held[WORLD_HELD];
	raft_index applied;
	raft_index commit;
	raft_index settled;
	raft_index change; /* entry of the configuration in force (W8) */
	struct world_snapshot *loading;
	bool load_due;		       /* the core has asked for it */
	bool sending[WORLD_NODES + 1]; /* asked of this life, unanswered */
	uint32_t restarts;
	uint64_t lost; /* its disk was: the number of its repair; 0: whole */
};

struct world_ticket {
	raft_id node;	  /* 0: answered, or its node died */
	raft_index least; /* what the answer must not be older than */
};

struct world;

/* Told of everything, for a narrative. Any may be NULL. */
struct world_watch {
	void *context;
	void (*event)(void *context, struct world *w, raft_id node,
		      const struct raft_event *ev,
		      const struct world_message *message);
	void (*act)(void *context, struct world *w, raft_id node,
		    const struct raft_act *act,
		    const struct world_message *message);
};

struct world {
	uint32_t node_count;
	struct world_node node[WORLD_NODES + 1];    /* by id */
	bool cut[WORLD_NODES + 1][WORLD_NODES + 1]; /* from, to */
	struct world_message *messages;		    /* in order of sending */
	struct world_message **tail;
	size_t message_count;
	struct world_snapshot *snapshots; /* in order of sending */
	uint64_t loads, changed, losses, repairs;
	struct raft_act *acts;
	uint64_t value; /* of the last proposal */
	/* In no entry here: every state holds it, whatever a log does. */
	struct raft_members founding;
	uint32_t change_count;
	struct raft_members changes[WORLD_CHANGES];
	raft_id leader[WORLD_TERMS];	     /* by term (W1) */
	raft_index committed;		     /* anywhere */
	struct world_entry entry[WORLD_LOG]; /* committed ones (W2) */
	raft_term in[WORLD_LOG]; /* the term in which each was committed */
	uint64_t tickets;
	struct world_ticket ticket[WORLD_TICKETS];
	uint64_t reads_done, reads_failed;
	struct world_watch watch;
};

/* Nodes 1 ... count, voters, founded and up; their cores' seeds from seed. */
struct world *world_new(uint32_t count, const struct raft_config *config,
			uint64_t seed);
void world_free(struct world *w);
/* Begin anew with these members; all others know nobody. */
void world_found(struct world *w, const struct raft_members *members);

int world_step(struct world *w, raft_id node, struct raft_event ev);
/* Complete the oldest save; false: none waits. */
bool world_save(struct world *w, raft_id node);
void world_apply_report(struct world *w, raft_id node);
void world_crash(struct world *w, raft_id node);
/* A crash, and of its disk nothing is left but term and vote: its next start,
 * and all until it is whole again, begin a repair. */
void world_lose(struct world *w, raft_id node);
/* Start from what is on disk. fresh as in raft_boot. */
void world_start(struct world *w, raft_id node, bool fresh);
int world_propose(struct world *w, raft_id node, size_t count, uint32_t size);
/* Return 0 or why it was refused; *ticket names it in the act. */
int world_read(struct world *w, raft_id node, bool lease, uint64_t *ticket);
int world_change(struct world *w, raft_id node,
		 const struct raft_members *members);
int world_transfer(struct world *w, raft_id node, raft_id target);
/* Cut the log in memory and on disk after index, which is applied. */
void world_compact(struct world *w, raft_id node, raft_index index);

/* Take a message out of the network; then deliver or free it. */
void world_take(struct world *w, struct world_message **at);
void world_deliver(struct world *w, struct world_message *message);
void world_copy(struct world *w, const struct world_message *message);
void world_message_free(struct world_message *message);

/* Take a snapshot off its way and give it to its receiver; the sender hears
 * how it went, now or when it is loaded. */
void world_snap_deliver(struct world *w, struct world_snapshot **at);
/* It is lost: the sender hears of a failure. */
void world_snap_drop(struct world *w, struct world_snapshot **at);
/* It will arrive once more, and nobody waits for it. */
void world_snap_copy(struct world *w, const struct world_snapshot *snapshot);
/* Let node, which is loading one, have it: on disk, and if it does not crash
 * right after that, in its core. */
void world_load(struct world *w, raft_id node, bool crash);

/* Logs of two nodes that agree at one index agree below (Raft 5.3). */
void world_check_logs(struct world *w);

#endif
