/* SPDX-License-Identifier: Apache-2.0 */
/* mend.h - a damaged node begins anew, to be repaired from its peers.
 *
 *            mend_want()            set aside, cleared         whole again
 *   (whole) -------------> WANTED -------------------> BEGUN ------------->
 * (whole) ^                           |   raft/repair.c
 *                            '------- damaged again -----'
 *
 * The file `repair` holds the phase, durably, from before anything is moved
 * until the core says that the node is whole. WANTED: log and state go to the
 * folder `damaged`, for a person to look at, and begin empty, the log with the
 * term and vote of `promise`; a crash midway does that again. BEGUN: what is
 * there came from the peers since, and is used; only the core keeps it from
 * voting. One set is kept: that of the last repair, until the next begins, or
 * someone removes it; of what is damaged within a repair nothing is.
 *
 *   D1  a node mends only what others have: not without another voter
 *   D2  a node whose promise is not known is not mended: it must be replaced
 *   D3  what is set aside is never read again by the node */
#ifndef RAFT_NODE_MEND_H
#define RAFT_NODE_MEND_H

#include "raft/node/disk.h"

enum mend_phase { MEND_NONE, MEND_WANTED, MEND_BEGUN };
enum { MEND_WHAT_BYTES = 512 };

struct mend {
	enum mend_phase phase;
	char what[MEND_WHAT_BYTES]; /* was damaged, and where */
};

/* The file `repair`. One that does not check stands for a damage itself. */
MUST_USE int mend_load(struct disk *disk, struct mend *m);
/* NONE removes it. Durable on return. */
MUST_USE int mend_save(struct disk *disk, const struct mend *m);

struct node;

/* This is damaged: have it mended, now or at the next start. Any thread.
 * STATUS_CORRUPT: this node can not be (D1, D2, or not asked to); problem gets
 * why, if that is not plain. */
MUST_USE int mend_want(struct node *n, const char *what,
		       struct buffer *problem);
/* WANTED, at open: the log goes aside; no file of it is open. */
MUST_USE int mend_set_aside(struct node *n, struct buffer *problem);
/* At open, in a repair: the log has the term and vote that were promised. */
MUST_USE int mend_promise(struct node *n, struct buffer *problem);
/* Loop thread: see whether the core is whole again, and what came of that. */
void mend_turn(struct node *n);

#endif
