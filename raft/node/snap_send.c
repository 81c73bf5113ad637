/* SPDX-License-Identifier: Apache-2.0 */
/* snap_send.c - the leader's half of a transfer: whose turn it is, and how it
 * ends (snap_sending.h). */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/clock.h"
#include "raft/node/snap_sending.h"

static bool is_active(const struct snap_send *s)
{
	return s->state > SEND_BEGUN && s->state < SEND_FOLLOWED;
}

void snap_send_move(struct snap_send *s, enum send_state state)
{
	s->state = state;
	s->moved = clock_ms();
	s->snap->node->dirty = true;
}

/* Keep the log from there on, and no more. */
static void pin(struct snap_send *s, raft_index index)
{
	struct node *n = s->snap->node;

	cut_unpin(&n->cut, s->pin);
	s->pin = cut_pin(&n->cut, index, clock_ms());
	s->pinned = index;
}

static void unpin(struct snap_send *s)
{
	cut_unpin(&s->snap->node->cut, s->pin);
	s->pin = 0;
}

void snap_send_hang_up(struct snap_send *s)
{
	struct conn *c = s->conn;

	s->conn = NULL;
	if (c != NULL) {
		c->peer = NULL;
		conn_close(c, STATUS_ENDED, "the transfer is over");
	}
}

/* after_ms: the core hears of it only then, so that what was refused is not
 * tried again at once. */
void snap_send_lose(struct snap_send *s, raft_ms after_ms, const char *why)
{
	struct snap *snap = s->snap;
	struct node *n = snap->node;

	if (s->state >= SEND_FOLLOWED) {
		return;
	}
	snap_send_move(s, SEND_LOST);
	s->due = s->moved + after_ms;
	unpin(s);
	snap->counts.failed++;
	snap_send_hang_up(s);
	log_info("snapshot to %s not sent: %s; bytes=%" PRIu64,
		 node_name_of(n, s->to), why, s->sent);
}

/* --- Turns -----------------------------------------------------------------
 */

/* Asked for by the core; the answer to an earlier term's is not waited for. */
void snap_send(struct node *n, raft_id to)
{
	struct snap *snap = n->snap;
	struct snap_send *s;

	LIST_FOREACH (s, &snap->sends, link) {
		if (s->to == to && !s->told) {
			s->told = true;
			snap_send_lose(s, 0, "it is asked for anew");
		} else if (s->to == to && s->state == SEND_FOLLOWED) {
			s->due = 0;
		}
	}
	s = mem_zalloc(sizeof *s);
	s->snap = snap;
	s->to = to;
	s->term = n->raft.term;
	s->began = clock_ms();
	snap_send_move(s, SEND_BEGUN);
	LIST_INSERT_HEAD(&snap->sends, s, link);
}

static size_t active(const struct snap *snap)
{
	const struct snap_send *s;
	size_t count = 0;

	LIST_FOREACH (s, &snap->sends, link) {
		count += is_active(s);
	}
	return count;
}

static void go_on(struct snap_send *s)
{
	struct snap *snap = s->snap;
	struct peer *p = peer_of(snap->node, s->to);
	bool is_linked = p != NULL && peer_way(p) != NULL;
	int rc;

	if (s->state == SEND_BEGUN) {
		if (!is_linked || active(snap) == SNAP_SENDS_MAX) {
			return; /* its time comes */
		}
		pin(s, snap->node->base);
		if (s->pin == 0) {
			return; /* of pins, too, there are only so many */
		}
		snap_send_move(s, SEND_COPYING);
	}
	if (!is_linked) {
		snap_send_lose(s, 0, "the link to it broke");
		return;
	}
	s->copy = snap_copy_get(snap, &rc);
	if (s->copy != NULL) {
		s->index = s->copy->info.pos.index;
		pin(s, s->index);
		snap_stream_dial(s, p);
	} else if (rc != 0) {
		snap_send_lose(s, SNAP_AGAIN_MS, status_text(rc));
	}
}

/* It has the snapshot; until it has the entries after it, too, and as long as
 * it goes on, they are kept. */
static void follow(struct snap_send *s)
{
	const struct node *n = s->snap->node;
	struct raft_peer_status peer;

	if (raft_peer(n->core, s->to, &peer) != 0 ||
	    !cut_pinned(&n->cut, s->pin) ||
	    peer.match + n->cut_tail / 2 >= n->raft.last) {
		s->due = 0;
	} else if (peer.match > s->pinned) {
		pin(s, peer.match);
		s->due = n->now + SNAP_FOLLOW_MS;
	}
}

static void check(struct snap_send *s)
{
	const struct node *n = s->snap->node;
	struct raft_peer_status peer;

	if (n->raft.role != RAFT_LEADER || n->raft.term != s->term) {
		s->told = true; /* nobody waits for it */
		s->due = 0;
		snap_send_lose(s, 0, "it was asked for by an earlier term");
	} else if (s->state == SEND_FOLLOWED) {
		follow(s);
	} else if (s->state == SEND_LOST) {
		return;
	} else if (raft_peer(n->core, s->to, &peer) != 0) {
		snap_send_lose(s, 0, "it is no member any more");
	} else if (s->state > SEND_BEGUN && !cut_pinned(&n->cut, s->pin)) {
		snap_send_lose(s, SNAP_AGAIN_MS,
			       "the log grew too long meanwhile");
	} else if (s->state > SEND_BEGUN && n->now > s->moved + SNAP_STALL_MS) {
		snap_send_lose(s, SNAP_AGAIN_MS, "no progress");
	} else if (s->state <= SEND_COPYING) {
		go_on(s);
	}
}

/* How it ended, to the core; true: it may be forgotten. */
static bool end(struct snap_send *s)
{
	struct node *n = s->snap->node;
	struct raft_event ev = {
		.kind = RAFT_EV_SNAP_SENT,
		.snap_sent = {.peer = s->to,
			      .index = s->index,
			      .ok = s->state == SEND_FOLLOWED},
	};

	if (s->state < SEND_FOLLOWED) {
		return false;
	}
	if (!s->told && (s->state == SEND_FOLLOWED || n->now >= s->due)) {
		s->told = true;
		(void)drive_step(n, &ev);
	}
	return s->told && n->now >= s->due && !s->reading;
}

static void forget(struct snap_send *s)
{
	LIST_REMOVE(s, link);
	unpin(s);
	snap_send_hang_up(s);
	snap_reader_free(s->reader);
	if (s->copy != NULL) {
		snap_copy_put(s->snap);
	}
	mem_free(s);
}

void snap_send_turn(struct snap *snap)
{
	struct snap_send *s, *next;

	/* A step may add one, at the head: it is seen in the next turn. */
	for (s = LIST_FIRST(&snap->sends); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		check(s);
		if (s->state >= SEND_FOLLOWED && s->copy != NULL &&
		    !s->reading) {
			snap_reader_free(s->reader);
			s->reader = NULL;
			s->copy = NULL;
			snap_copy_put(snap);
		}
		if (end(s)) {
			forget(s);
		}
	}
}

void snap_send_sweep(struct snap *snap)
{
	static const uint8_t here = 1;
	struct snap_send *s;
	size_t start;

	LIST_FOREACH (s, &snap->sends, link) {
		if (s->conn == NULL) {
			continue;
		}
		if (++s->conn->silent > SNAP_SILENT_SWEEPS) {
			conn_close(s->conn, STATUS_TIMED_OUT, "silent");
		} else if (s->state > SEND_GREETING) {
			buffer_append(conn_frame(s->conn, &start), &here,
				      sizeof here);
			conn_send(s->conn, start, WIRE_PING);
			conn_flush(s->conn);
		}
	}
}

void snap_send_stop(struct snap *snap)
{
	struct snap_send *s;

	LIST_FOREACH (s, &snap->sends, link) {
		s->state = SEND_LOST;
		snap_send_hang_up(s);
	}
}

void snap_send_deinit(struct snap *snap)
{
	struct snap_send *s;

	while ((s = LIST_FIRST(&snap->sends)) != NULL) {
		CHECK(!s->reading);
		forget(s);
	}
}
