/* SPDX-License-Identifier: Apache-2.0 */
/* snap.h - snapshots as the node's loop sees them: sent, received, loaded.
 *
 *   snap.c          life, turns, the copies that are sent, loading
 *   snap_send.c     the leader's half of a transfer; snap_stream.c: what it
 *                   says; snap_pace.h: at what rate
 *   snap_receive.c  the follower's
 *   snap_work.h     the thread; snap_copy.h and snap_stage.h: what it does
 *   snap_intake.h   what comes in, on its way to it
 *   snap_wire.h     what is said
 *
 * In the data folder: `snapshot-N`, a copy that is being sent and for a while
 * after that; `incoming`, what is being received. Both may be gone at any
 * time while the node is stopped.
 *
 *   S1  one transfer at a time to each member, SNAP_SENDS_MAX at all; one is
 *       received at a time
 *   S2  the entries after the snapshot stay in the log while it is on its way
 *       and until its receiver has them (cut.h), within bounds of bytes and
 *       time that end the transfer
 *   S3  from DO_LOAD_SNAP to SNAP_LOADED nothing is handed to the client
 *   S4  the state is replaced before the log is reset: a crash between is
 *       mended by the next start, which knows the state to be a snapshot
 *
 * Loop thread only. Nothing here steps the core within a step (N1). */
#ifndef RAFT_NODE_SNAP_H
#define RAFT_NODE_SNAP_H

#include "raft/node/inside.h"
#include "raft/node/snap_copy.h"
#include "raft/node/snap_pace.h"
#include "raft/node/snap_work.h"

enum {
	SNAP_SENDS_MAX = 2,
	SNAP_CALLERS_MAX = 4,	       /* connections that offer one */
	SNAP_SILENT_SWEEPS = 20,       /* without a frame: broken */
	SNAP_STALL_MS = 120000,	       /* without progress */
	SNAP_AGAIN_MS = 2000,	       /* before one that was refused */
	SNAP_KEEP_MS = 60000,	       /* a copy that nobody needs now */
	SNAP_STAGING_KEEP_MS = 600000, /* `incoming`, without a transfer */
	SNAP_FOLLOW_MS = 15000,	       /* to get the entries after it */
};

struct snap_send;
struct snap_receive;

/* What was received whole, until it is loaded or known to be of no use. */
struct snap_staged {
	raft_id from; /* 0: nothing */
	raft_term term;
	struct raft_pos pos;
	struct buffer members; /* record, at change.index */
	struct raft_change change;
};

struct snap {
	struct node *node;
	struct snap_work *work;
	struct snap_message message; /* scratch of one frame */
	struct node_snapshots counts;

	/* Sending. */
	LIST_HEAD(, snap_send) sends;
	struct snap_copy *copy; /* newest; NULL: none */
	unsigned copy_users;
	raft_ms copy_used;    /* last */
	struct snap_job make; /* of the next; also removes the last */
	struct snap_copy *made, *dropped;
	char *make_path; /* NULL: only remove */
	int make_rc;	 /* of the last one; 0: not said */
	bool making;
	struct snap_pace pace;
	uv_timer_t pacer;
	bool is_pacing; /* the timer runs */

	/* Receiving. */
	LIST_HEAD(, snap_receive) receives;
	struct snap_receive *receiving; /* the one past its offer, or NULL */
	char *incoming;
	raft_ms staging_used; /* last; 0: nothing is there */
	struct snap_staged staged;
	struct snap_job load, clean;
	bool loading, cleaning;
	bool clean_all; /* what an earlier life left, too */
	int load_rc;
	_Atomic raft_index reset; /* by the saver: the log begins after it */
};

/* --- snap.c ----------------------------------------------------------------
 */

/* With the core. */
void snap_begin(struct node *n);
/* While the loop's handles are closed: waits for the thread. */
void snap_stop(struct node *n);
void snap_deinit(struct node *n); /* the loop is over */
/* All of these do nothing before snap_begin(). */
void snap_turn(struct node *n);
void snap_sweep(struct node *n);
void snap_collect(struct node *n); /* what the threads have done */
bool snap_is_loading(const struct node *n);
void snap_status(const struct node *n, struct node_snapshots *out);

/* Acts of the core. */
void snap_send(struct node *n, raft_id to);
void snap_load(struct node *n, struct raft_pos pos);
/* A member's connection, HELLO answered, on which it will offer one; given. */
void snap_welcome(struct node *n, struct conn *c, raft_id from);

/* A copy for a transfer; NULL: it is being made, look again next turn, or
 * *rc says why there is none. To be given back. */
struct snap_copy *snap_copy_get(struct snap *snap, int *rc);
void snap_copy_put(struct snap *snap);
/* Remove what was received in part. */
void snap_clean(struct snap *snap);

/* --- snap_send.c ------------------------------------------------------------
 */

void snap_send_turn(struct snap *snap);
void snap_send_sweep(struct snap *snap);
void snap_send_stop(struct snap *snap);
void snap_send_deinit(struct snap *snap);

/* --- snap_receive.c ---------------------------------------------------------
 */

void snap_receive_turn(struct snap *snap);
void snap_receive_sweep(struct snap *snap);
void snap_receive_stop(struct snap *snap);
void snap_receive_deinit(struct snap *snap);
/* Loading has ended. */
void snap_receive_loaded(struct snap *snap);

#endif
