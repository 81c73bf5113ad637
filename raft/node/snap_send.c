/* SPDX-License-Identifier: Apache-2.0 */
/* snap_send.c - the leader's half of a transfer.
 *
 *   BEGUN -a slot is free, a link is up-> COPYING -a copy is there-> DIALLING
 * -> GREETING -HELLO-> OFFERED -HAVE-> STREAMING -all is read-> JUDGED
 * -VERDICT-> FOLLOWED -it has the entries after it-> gone
 *
 * From anywhere: lose() -> LOST -some time later-> gone. Only turns tell the
 * core (snap_send_turn); the rest only moves the state.
 *
 * Chunks are read one at a time on the snapshots' thread, and only while the
 * receiver keeps up (its ACKs), the connection takes them and the rate allows:
 * each of the three calls pump(). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/address.h"
#include "raft/node/clock.h"
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

static void on_frame(struct conn *c, const struct frame *frame);
static void on_closed(struct conn *c, int status, const char *why);
static void pump(struct snap_send *s);

static const struct conn_ops send_ops = {on_frame, on_closed};

static bool is_active(const struct snap_send *s)
{
	return s->state > SEND_BEGUN && s->state < SEND_FOLLOWED;
}

static void move(struct snap_send *s, enum send_state state)
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

static void hang_up(struct snap_send *s)
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
static void lose(struct snap_send *s, raft_ms after_ms, const char *why)
{
	struct snap *snap = s->snap;
	struct node *n = snap->node;

	if (s->state >= SEND_FOLLOWED) {
		return;
	}
	move(s, SEND_LOST);
	s->due = s->moved + after_ms;
	unpin(s);
	snap->counts.failed++;
	hang_up(s);
	log_info("snapshot to %s not sent: %s; bytes=%" PRIu64,
		 node_name_of(n, s->to), why, s->sent);
}

/* --- Reading -------------------------------------------------------------- */

static void run_read(struct snap_job *job)
{
	struct snap_send *s = CONTAINER_OF(job, struct snap_send, job);

	s->rc = snap_reader_next(s->reader, &s->what, &s->chunk, &s->sum);
}

static void send_chunk(struct snap_send *s)
{
	struct conn *c = s->conn; /* it may break, and end s */
	size_t start;

	snap_encode_chunk(conn_frame(c, &start), &s->chunk, s->sum);
	s->sent += s->chunk.data.size;
	s->snap->counts.bytes_sent += s->chunk.data.size;
	conn_send(c, start, SNAP_CHUNK);
	conn_flush(c);
}

static void send_done(struct snap_send *s)
{
	struct conn *c = s->conn;
	size_t start;

	s->snap->counts.bytes_kept += snap_reader_kept(s->reader);
	move(s, SEND_JUDGED);
	snap_encode_done(conn_frame(c, &start));
	conn_send(c, start, SNAP_DONE);
	conn_flush(c);
}

static void read_done(struct snap_job *job, bool ran)
{
	struct snap_send *s = CONTAINER_OF(job, struct snap_send, job);

	s->reading = false;
	if (!ran || s->state != SEND_STREAMING) {
		s->snap->node->dirty = true; /* it may be freed now */
		return;
	}
	if (s->rc != 0) {
		lose(s, SNAP_AGAIN_MS, disk_status_text(s->rc));
		return;
	}
	s->moved = clock_ms();
	switch (s->what) {
	case SNAP_READ_CHUNK:
		send_chunk(s);
		break;
	case SNAP_READ_PIECE:
		break;
	case SNAP_READ_END:
		send_done(s);
		return;
	}
	pump(s);
}

/* --- The rate ------------------------------------------------------------- */

static void on_pace(uv_timer_t *timer)
{
	struct snap *snap = timer->data;
	struct snap_send *s;

	snap->is_pacing = false;
	LIST_FOREACH (s, &snap->sends, link) {
		pump(s);
	}
}

/* May another chunk go? If not, the timer looks again. What was not used is
 * kept for 50 ms, so that a late timer costs nothing. */
static bool may_send(struct snap *snap)
{
	raft_ms now = clock_ms();
	uint64_t most = snap->rate / 20 + SNAP_CHUNK_BYTES;
	uint64_t since = now - snap->budget_at;

	if (since > 1000) {
		since = 1000;
	}
	snap->budget += snap->rate * since / 1000;
	snap->budget_at = now;
	if (snap->budget > most) {
		snap->budget = most;
	}
	if (snap->budget >= SNAP_CHUNK_BYTES) {
		snap->budget -= SNAP_CHUNK_BYTES;
		return true;
	}
	if (!snap->is_pacing) {
		snap->is_pacing = true;
		uv_update_time(&snap->node->loop);
		CHECK(uv_timer_start(&snap->pace, on_pace,
				     (SNAP_CHUNK_BYTES - snap->budget) * 1000 /
						     snap->rate +
					     1,
				     0) == 0);
	}
	return false;
}

static void pump(struct snap_send *s)
{
	if (s->state != SEND_STREAMING || s->reading ||
	    s->sent - s->taken > SNAP_WINDOW_BYTES - SNAP_CHUNK_BYTES ||
	    conn_queued(s->conn) > SNAP_WINDOW_BYTES / 2 ||
	    !may_send(s->snap)) {
		return;
	}
	s->reading = true;
	s->job = (struct snap_job){.run = run_read, .done = read_done};
	snap_work_add(s->snap->work, &s->job);
}

/* --- What the receiver says ------------------------------------------------
 */

static void offer(struct snap_send *s)
{
	struct node *n = s->snap->node;
	struct conn *c = s->conn;
	struct snap_offer offer = {
		.term = s->term,
		.pos = s->copy->info.pos,
		.members_index = s->copy->info.members_index,
		.members = buffer_bytes(&s->copy->info.members),
		.count = s->copy->count,
	};
	size_t start;

	c->frame_bytes_max = SNAP_FRAME_BYTES_MAX;
	move(s, SEND_OFFERED);
	log_info("sending a snapshot to %s index=%" PRIu64 " term=%" PRIu64
		 " files=%zu bytes=%" PRIu64,
		 node_name_of(n, s->to), offer.pos.index, offer.pos.term,
		 offer.count, s->copy->bytes);
	snap_encode_offer(conn_frame(c, &start), &offer, s->copy->files);
	conn_send(c, start, SNAP_OFFER);
	conn_flush(c);
}

static void on_hello(struct snap_send *s, const struct frame *frame)
{
	struct node *n = s->snap->node;
	const struct wire_hello *hello = &n->message.hello;

	if (frame->kind != WIRE_HELLO ||
	    wire_decode(frame->body, frame->kind, &n->message) != 0) {
		lose(s, SNAP_AGAIN_MS, "it does not answer a HELLO");
	} else if (hello->id != s->to || !hello->founded ||
		   memcmp(hello->cluster, n->identity.founding.cluster,
			  sizeof hello->cluster) != 0) {
		lose(s, SNAP_AGAIN_MS, "another node answers");
	} else {
		offer(s);
	}
}

static void on_have(struct snap_send *s)
{
	const struct snap_message *m = &s->snap->message;

	s->reader = snap_reader_new(s->copy, m->piece, m->pieces);
	move(s, SEND_STREAMING);
	pump(s);
}

static void on_ack(struct snap_send *s)
{
	uint64_t taken = s->snap->message.ack;

	if (taken < s->taken || taken > s->sent) {
		lose(s, SNAP_AGAIN_MS, "it has taken what was not sent");
		return;
	}
	s->taken = taken;
	s->moved = clock_ms();
	pump(s);
}

static void on_verdict(struct snap_send *s)
{
	struct snap *snap = s->snap;
	const struct snap_verdict *verdict = &snap->message.verdict;

	if (verdict->status != 0) {
		lose(s, SNAP_AGAIN_MS, status_text(verdict->status));
		return;
	}
	if (verdict->index != s->index) {
		lose(s, SNAP_AGAIN_MS, "it has installed another one");
		return;
	}
	move(s, SEND_FOLLOWED);
	s->due = s->moved + SNAP_FOLLOW_MS;
	snap->counts.sent++;
	log_info("snapshot to %s sent index=%" PRIu64 " bytes=%" PRIu64
		 " ms=%" PRIu64,
		 node_name_of(snap->node, s->to), s->index, s->sent,
		 s->moved - s->began);
	hang_up(s);
}

static void on_answer(struct snap_send *s, const struct frame *frame)
{
	struct snap_message *m = &s->snap->message;
	int rc = frame->kind == WIRE_PING
			 ? 0
			 : snap_decode(frame->body, frame->kind, m);

	if (rc != 0) {
		conn_close(s->conn, rc, "an answer that does not check");
	} else if (frame->kind == SNAP_VERDICT) {
		on_verdict(s);
	} else if (frame->kind == SNAP_HAVE && s->state == SEND_OFFERED) {
		on_have(s);
	} else if (frame->kind == SNAP_ACK && s->state >= SEND_STREAMING) {
		on_ack(s);
	} else if (frame->kind != WIRE_PING) {
		lose(s, SNAP_AGAIN_MS, "an answer out of turn");
	}
}

static void on_frame(struct conn *c, const struct frame *frame)
{
	struct snap_send *s = c->peer;

	if (s == NULL) {
		return;
	}
	c->silent = 0;
	if (s->state == SEND_GREETING) {
		on_hello(s, frame);
	} else {
		on_answer(s, frame);
	}
}

static void on_closed(struct conn *c, int status, const char *why)
{
	struct snap_send *s = c->peer;

	if (s == NULL) {
		return;
	}
	s->conn = NULL;
	if (status == STATUS_MALFORMED || status == STATUS_CORRUPT ||
	    status == STATUS_VERSION) {
		accept_bad(s->snap->node, node_name_of(s->snap->node, s->to),
			   why);
	}
	lose(s, 0, why);
}

/* --- Dialling --------------------------------------------------------------
 */

static void on_connected(uv_connect_t *connect, int status)
{
	struct conn *c = connect->data;
	struct snap_send *s = c->peer;

	if (c->closing || s == NULL) {
		return;
	}
	if (status != 0) {
		conn_close(c, STATUS_IO, uv_strerror(status));
		return;
	}
	move(s, SEND_GREETING);
	conn_begin(c);
	if (!c->closing) {
		peer_hello(s->snap->node, c, node_name_of(s->snap->node, s->to),
			   s->to);
		conn_flush(c);
	}
}

/* Where its link goes, too. */
static void dial(struct snap_send *s, struct peer *p)
{
	struct node *n = s->snap->node;
	struct sockaddr_storage to;
	int size = sizeof to;
	struct conn *c;
	int rc =
		uv_tcp_getpeername(&p->out->tcp, (struct sockaddr *)&to, &size);

	if (rc != 0) {
		lose(s, 0, uv_strerror(rc));
		return;
	}
	c = conn_new(&n->loop, &send_ops, n, WIRE_HELLO_BYTES_MAX);
	c->peer = s;
	c->purpose = WIRE_FOR_SNAPSHOT;
	s->conn = c;
	move(s, SEND_DIALLING);
	c->connect.data = c;
	rc = uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&to,
			    on_connected);
	if (rc != 0) {
		conn_close(c, STATUS_IO, uv_strerror(rc));
	}
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
			lose(s, 0, "it is asked for anew");
		} else if (s->to == to && s->state == SEND_FOLLOWED) {
			s->due = 0;
		}
	}
	s = mem_zalloc(sizeof *s);
	s->snap = snap;
	s->to = to;
	s->term = n->raft.term;
	s->began = clock_ms();
	move(s, SEND_BEGUN);
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
		move(s, SEND_COPYING);
	}
	if (!is_linked) {
		lose(s, 0, "the link to it broke");
		return;
	}
	s->copy = snap_copy_get(snap, &rc);
	if (s->copy != NULL) {
		s->index = s->copy->info.pos.index;
		pin(s, s->index);
		dial(s, p);
	} else if (rc != 0) {
		lose(s, SNAP_AGAIN_MS, status_text(rc));
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
		lose(s, 0, "it was asked for by an earlier term");
	} else if (s->state == SEND_FOLLOWED) {
		follow(s);
	} else if (s->state == SEND_LOST) {
		return;
	} else if (raft_peer(n->core, s->to, &peer) != 0) {
		lose(s, 0, "it is no member any more");
	} else if (s->state == SEND_BEGUN) {
		go_on(s);
	} else if (!cut_pinned(&n->cut, s->pin)) {
		lose(s, SNAP_AGAIN_MS, "the log grew too long meanwhile");
	} else if (n->now > s->moved + SNAP_STALL_MS) {
		lose(s, SNAP_AGAIN_MS, "no progress");
	} else if (s->state == SEND_COPYING) {
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
	hang_up(s);
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
		hang_up(s);
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
