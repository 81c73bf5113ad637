/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - a small cluster of real cores, as a graph of states.
 *
 * A state is one site a node and a ledger. A site is a node (its core, its
 * disk, what waits for the disk) and its inbox: the set of all messages ever
 * sent to it. Messages are never taken out, so each may come at any time, in
 * any order, any number of times, or never: loss, delay, reordering and
 * duplication are all in that. The ledger holds what no node knows: what was
 * ever committed, and what of the bounds is used up.
 *
 * What a node answers without changing itself is answered at once: more
 * messages in an inbox only allow more. For the same reason a state is left
 * out that differs from another only by having less in its inboxes; replies
 * that come too late to matter do not count there, and that they do no more
 * than wake their receiver is checked.
 *
 * Sites, nodes, inboxes and messages are interned: a number stands for each.
 * What one node does with one event is computed once, by the real raft_step(),
 * and remembered; the search (search.h) only puts sites together.
 *
 * What the cores can not tell apart is made equal (image.h), so that states
 * merge. In particular clocks: each node has its own, which moves only when
 * a choice needs it; an election timeout may come at any moment. */
#ifndef TESTS_EXPLORE_MODEL_H
#define TESTS_EXPLORE_MODEL_H

#include <stdio.h>

#include "raft/state.h"
#include "tests/explore/intern.h"

enum {
	NODES_MAX = 5,
	TERMS_MAX = 7,
	LOG_MAX = 15, /* entries: a term of 4 bits each in a uint64_t */
	LAG_MAX = 3,
	HELD_MAX = 64,
	ORDERS_MAX = 6,	   /* orders of the nodes, where these are equal */
	SENT_MAX = 256,	   /* messages of one choice */
	INBOX_MAX = 8192,  /* messages of an inbox */
	CHOICES_MAX = 512, /* of one site */
};

struct bounds {
	uint32_t nodes;
	uint32_t terms;
	uint32_t crashes;
	uint32_t proposals;
	/* Saves a node may leave unfinished. 0: each is finished at once, or
	 * lost in a crash in the middle of the step. */
	uint32_t lag;
	uint32_t entries; /* of an append, at most */
	bool heartbeats;  /* a leader may send one at any time */
	/* Pre-votes are messages; otherwise whoever wants one has it: the
	 * safety of elections must not rest on them. */
	bool prevotes;
	/* Whether a node still keeps its promise to the leader that it heard
	 * is a choice; otherwise it never does. */
	bool promises;
	bool symmetry; /* nodes that only change places make no new state */
};

/* --- One node ------------------------------------------------------------ */

struct disk {
	struct raft_hard hard;
	raft_index last;
	raft_index commit;
	uint64_t log; /* its terms */
};

struct pending {
	raft_seq seq;
	struct raft_hard hard;
	raft_index keep, last, commit;
	uint64_t log;
};

struct held {
	raft_seq after;
	uint32_t packet; /* 0: an apply, up to index */
	raft_index index;
};

/* All of a node that is not its core. */
struct rest {
	struct disk disk;
	uint32_t pending_count;
	uint32_t held_count;
	struct pending pending[LAG_MAX + 1];
	struct held held[HELD_MAX];
};

/* What the oracles look at. */
struct sight {
	uint64_t log;  /* as the core knows it */
	uint64_t disk; /* as a crash leaves it */
	uint8_t last, disk_last, commit;
	uint8_t term, disk_term;
	uint8_t is_leader, is_candidate;
	uint16_t rank; /* how far it has got: most steps raise it */
	uint8_t match[NODES_MAX];
};

struct packet {
	struct raft_msg msg;
	uint64_t terms; /* of its entries, the first one lowest */
};

/* Who sent what into an inbox: bit of the node (id - 1) in the term's byte. */
struct mail {
	uint64_t grants;  /* their vote, to this node */
	uint64_t stands;  /* a request for votes */
	uint64_t leads;	  /* an append */
	uint64_t blur[2]; /* a bit for each message; some share one */
};

/* --- Choices ------------------------------------------------------------- */

enum choice_kind {
	CHOICE_NONE,
	CHOICE_DELIVER, /* the message numbered */
	CHOICE_STAND,	/* the election timeout passes */
	CHOICE_HEARTBEAT,
	CHOICE_RESIGN, /* as long as it takes without answers */
	CHOICE_PROPOSE,
	CHOICE_SAVE,  /* its oldest save is durable */
	CHOICE_CRASH, /* and start again from the disk */
	CHOICE_PASS,  /* nothing: it is only woken, and goes on */
};

/* kind << CHOICE_SHIFT | packet, and: */
enum {
	CHOICE_SHIFT = 24,
	CHOICE_LATE = 1 << 28, /* after its promise to a leader has passed */
	CHOICE_CUT = 1 << 29,  /* crash in the step, before its save */
	CHOICE_PACKET = 0xffff,
};

static inline enum choice_kind choice_kind(uint32_t choice)
{
	return (enum choice_kind)(choice >> CHOICE_SHIFT & 15);
}

/* What a choice leads to. If node is BROKEN an invariant does not hold: which,
 * is the text that sent[0] is the number of, among the bundles. */
struct outcome {
	uint32_t node;
	uint32_t sent[NODES_MAX]; /* bundles by receiver's slot; 0: none */
};
#define BROKEN UINT32_MAX

struct edge {
	uint32_t choice;
	uint32_t outcome;
	uint32_t site; /* of the node itself, afterwards */
};

struct site {
	uint32_t node;
	uint32_t inbox;
	uint32_t live; /* the inbox without what can not matter any more */
	uint32_t edge_count; /* UNOPENED: not yet computed */
	uint32_t order[ORDERS_MAX];
	uint32_t sent[NODES_MAX]; /* bundles: what it sends without changing */
	struct edge *edges;
};
#define UNOPENED UINT32_MAX

/* The nodes in another order: to[id] is the id it gets. */
struct order {
	uint8_t to[NODES_MAX + 1];
};

/* --- The model ----------------------------------------------------------- */

struct model {
	struct bounds bounds;
	struct image *image;

	/* The node at work: load it, do something, store it. */
	struct raft *core;
	struct rest rest;
	struct raft_act *acts;
	raft_ms now;
	uint32_t sent_count;
	uint32_t sent[SENT_MAX];
	bool has_saved;	    /* it has asked for a save in this choice */
	bool has_crashed;   /* and is to be started anew */
	raft_index applied; /* to be reported; 0: nothing */
	FILE *say;	    /* what it does, in words; or NULL */

	struct intern nodes, packets, bundles, inboxes, outcomes, pairs, disks;
	struct pool sights, mails, sites, edges, boots;
	struct memo steps;   /* (node, choice): outcome + 1 */
	struct memo added;   /* (site, bundle): site */
	struct memo ordered; /* (node, order), (packet, order), (inbox, ...) */
	uint32_t start[NODES_MAX];
	uint32_t order_count;
	struct order order[ORDERS_MAX];
	/* A late reply that did more than to wake its node; 0: none. */
	uint32_t void_node, void_choice;
	char broken[256]; /* what did not hold last */
};

struct model *model_new(const struct bounds *bounds);
void model_free(struct model *m);

/* The site of a node and an inbox. */
uint32_t site_of(struct model *m, uint32_t node, uint32_t inbox);
/* With its edges: everything that can happen at its node. */
const struct site *site_open(struct model *m, uint32_t site);
uint32_t site_add(struct model *m, uint32_t site, uint32_t bundle);
/* Let all sites answer whatever they answer without changing themselves: more
 * messages only allow more. */
void sites_answer(struct model *m, uint32_t *sites);
uint32_t site_reorder(struct model *m, uint32_t site, uint32_t order);

static inline struct site *site_at(const struct model *m, uint32_t site)
{
	return (struct site *)(void *)m->sites.base + site;
}

/* --- A log of terms, 4 bits an entry ---------------------------------------
 */

static inline uint64_t log_mask(raft_index last)
{
	return last >= 16 ? UINT64_MAX : (1ull << 4 * last) - 1;
}

static inline unsigned int log_term(uint64_t log, raft_index index)
{
	return index == 0 ? 0 : (unsigned int)(log >> 4 * (index - 1)) & 15;
}

#endif
