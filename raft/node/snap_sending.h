/* SPDX-License-Identifier: Apache-2.0 */
/* snap_sending.h - one transfer, as the leader's two files see it.
 *
 *   BEGUN -a slot is free, a link is up-> COPYING -a copy is there-> DIALLING
 * -> GREETING -HELLO-> OFFERED -HAVE-> STREAMING -all is read-> JUDGED
 * -VERDICT-> FOLLOWED -it has the entries after it-> gone
 *
 * From anywhere: lose() -> LOST -some time later-> gone. Only turns tell the
 * core (snap_send_turn); the rest only moves the state.
 *
 * snap_send.c has the turns, and so the beginning and the end; snap_stream.c
 * what is said from DIALLING to JUDGED. */
#ifndef RAFT_NODE_SNAP_SENDING_H
#define RAFT_NODE_SNAP_SENDING_H

#include "raft/node/snap.h"

enum send_state {
	SEND_BEGUN,
	SEND_COPYING,
	SEND_DIALLING,
	SEND_GREETING,
	SEND_OFFERED,
	SEND_STREAMING,
	SEND_JUDGED, /* all is sent */
	SEND_FOLLOWED,
	SEND_LOST,
};

struct snap_send {
	LIST_ENTRY(snap_send) link;
	struct snap *snap;
	raft_id to;
	raft_term term; /* in which the core asked */
	enum send_state state;
	unsigned pin;	   /* of the log (cut.h); 0: none */
	raft_index pinned; /* there */
	raft_index index;  /* of the copy that is sent */
	struct conn *conn;
	struct snap_copy *copy; /* used; NULL: not */
	struct snap_reader *reader;
	bool told;	      /* the core knows how it ended */
	raft_ms due;	      /* LOST: to tell it; FOLLOWED: to give up */
	raft_ms began, moved; /* moved: progress of any kind */
	uint64_t sent, taken; /* bytes of chunks; taken: as its ACKs say */

	/* The chunk that is being read. */
	struct snap_job job;
	bool reading;
	int rc;
	enum snap_read what;
	struct snap_chunk chunk;
	uint64_t sum;
};

/* snap_send.c */
void snap_send_move(struct snap_send *s, enum send_state state);
/* after_ms: the core hears of it only then, so that what was refused is not
 * tried again at once. */
void snap_send_lose(struct snap_send *s, raft_ms after_ms, const char *why);
void snap_send_hang_up(struct snap_send *s);

/* snap_stream.c. Where its link goes, too: its copy is there. */
void snap_stream_dial(struct snap_send *s, struct peer *p);

#endif
