/* SPDX-License-Identifier: Apache-2.0 */
/* snap_receive.c - the follower's half of a transfer.
 *
 *   GREETED -OFFER-> SCANNING -what lies there-> TAKING -DONE-> FINISHING
 *     -all is durable-> STAGED -the core wants it-> LOADING -> OVER
 *
 * From anywhere: refuse() -> OVER: the verdict is said, the connection ends;
 * what was staged stays for the next attempt. A receipt is forgotten when
 * none of its jobs is under way.
 *
 * The connection may break while it is loaded: that goes on, and the sender
 * finds out when it asks again. */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/clock.h"
#include "raft/node/config.h"
#include "raft/node/snap.h"
#include "raft/node/snap_intake.h"

enum receive_state {
	RECEIVE_GREETED,
	RECEIVE_SCANNING,
	RECEIVE_TAKING,
	RECEIVE_FINISHING,
	RECEIVE_STAGED,
	RECEIVE_LOADING,
	RECEIVE_OVER,
};

struct snap_receive {
	LIST_ENTRY(snap_receive) link;
	struct snap *snap;
	raft_id from;
	enum receive_state state;
	struct conn *conn; /* NULL: broken, or hung up */
	raft_ms began;

	/* The offer. */
	raft_term term;
	struct raft_pos pos;
	struct buffer members;
	struct raft_change change;
	uint64_t bytes;
	struct snap_intake *intake; /* NULL: no offer was taken */
	uint64_t written;	    /* bytes of chunks */
};

static void on_frame(struct conn *c, const struct frame *frame);
static void on_closed(struct conn *c, int status, const char *why);

static void on_scanned(void *context, int rc);
static void on_written(void *context, int rc, size_t bytes);
static void on_finished(void *context, int rc);

static const struct conn_ops receive_ops = {on_frame, on_closed};
static const struct snap_intake_answers intake_answers = {
	on_scanned,
	on_written,
	on_finished,
};

static void move(struct snap_receive *r, enum receive_state state)
{
	r->state = state;
	r->snap->node->dirty = true;
	r->snap->staging_used = clock_ms();
}

static void hang_up(struct snap_receive *r)
{
	struct conn *c = r->conn;

	r->conn = NULL;
	if (c != NULL) {
		c->peer = NULL;
		conn_close(c, STATUS_ENDED, "the transfer is over");
	}
}

static void over(struct snap_receive *r)
{
	if (r->snap->receiving == r) {
		r->snap->receiving = NULL;
	}
	move(r, RECEIVE_OVER);
}

/* The last word: after it the sender closes. */
static void say_verdict(struct snap_receive *r, int status, raft_index index)
{
	struct snap_verdict verdict = {status, index};
	struct conn *c = r->conn;
	size_t start;

	over(r);
	if (c != NULL) {
		snap_encode_verdict(conn_frame(c, &start), &verdict);
		conn_send(c, start, SNAP_VERDICT);
		conn_flush(c);
	}
}

static void refuse(struct snap_receive *r, int status)
{
	if (r->state == RECEIVE_OVER) {
		return;
	}
	log_info("snapshot of %s not taken: %s; bytes=%" PRIu64,
		 node_name_of(r->snap->node, r->from), status_text(status),
		 r->written);
	r->snap->counts.refused++;
	if (status == STATUS_NO_SPACE) {
		snap_clean(r->snap); /* for the log */
	}
	say_verdict(r, status, 0);
}

/* --- What lies there ------------------------------------------------------ */

static void on_scanned(void *context, int rc)
{
	struct snap_receive *r = context;
	const struct snap_piece *pieces;
	struct conn *c = r->conn;
	size_t start, count;

	r->snap->node->dirty = true; /* it may be forgotten now */
	if (r->state != RECEIVE_SCANNING) {
		return;
	}
	if (rc != 0) {
		refuse(r, rc);
		return;
	}
	pieces = snap_intake_pieces(r->intake, &count);
	move(r, RECEIVE_TAKING);
	log_info("receiving a snapshot of %s index=%" PRIu64 " bytes=%" PRIu64
		 " missing=%" PRIu64,
		 node_name_of(r->snap->node, r->from), r->pos.index, r->bytes,
		 snap_intake_missing(r->intake));
	snap_encode_have(conn_frame(c, &start), pieces, count);
	conn_send(c, start, SNAP_HAVE);
	conn_flush(c);
}

/* --- The offer -------------------------------------------------------------
 */

/* Whose offer is taken: the one that leads in the newest term. */
static int judge_offer(const struct snap_receive *r,
		       const struct snap_offer *offer)
{
	const struct snap *snap = r->snap;
	const struct raft_status *raft = &snap->node->raft;
	const struct snap_receive *other = snap->receiving;

	if (offer->term < raft->term || raft->role == RAFT_LEADER ||
	    (offer->term == raft->term && raft->leader != 0 &&
	     raft->leader != r->from)) {
		return STATUS_NOT_LEADER;
	}
	/* One that is staged is not given up for another; one that is under
	 * way is, when its sender has lost its connection or its office. */
	if (snap->staged.from != 0 ||
	    (other != NULL && (other->state >= RECEIVE_FINISHING ||
			       other->term > offer->term))) {
		return STATUS_PENDING;
	}
	return 0;
}

static int read_members(struct snap_receive *r, const struct snap_offer *offer)
{
	struct wire_config config;
	int rc = wire_decode_config(offer->members, &config);

	if (rc == 0) {
		buffer_append_bytes(&r->members, offer->members);
		r->change.index = offer->members_index;
		config_members(&config, &r->change.members);
	}
	return rc;
}

static void on_offer(struct snap_receive *r)
{
	struct snap *snap = r->snap;
	const struct snap_offer *offer = &snap->message.offer;
	int rc = judge_offer(r, offer);

	r->began = clock_ms();
	r->term = offer->term;
	r->pos = offer->pos;
	if (rc == 0 && offer->pos.index <= snap->node->raft.commit) {
		say_verdict(r, 0, offer->pos.index); /* all here already */
		return;
	}
	if (rc == 0) {
		rc = read_members(r, offer);
	}
	if (rc != 0) {
		refuse(r, rc);
		return;
	}
	if (snap->receiving != NULL) {
		refuse(snap->receiving, STATUS_INTERRUPTED);
	}
	snap->receiving = r;
	r->bytes = offer->bytes;
	r->intake =
		snap_intake_new(snap->work, snap->incoming, snap->message.files,
				offer->count, &intake_answers, r);
	move(r, RECEIVE_SCANNING);
	snap_intake_scan(r->intake);
}

/* --- Chunks ----------------------------------------------------------------
 */

static void on_written(void *context, int rc, size_t bytes)
{
	struct snap_receive *r = context;
	struct conn *c = r->conn;
	size_t start;

	r->snap->node->dirty = true;
	if (c == NULL || r->state < RECEIVE_TAKING ||
	    r->state > RECEIVE_FINISHING) {
		return;
	}
	if (rc == STATUS_INVALID) {
		conn_close(c, STATUS_MALFORMED, "a chunk out of place");
		return;
	}
	if (rc != 0) {
		refuse(r, rc);
		return;
	}
	r->written += bytes;
	r->snap->counts.bytes_taken += bytes;
	r->snap->staging_used = clock_ms();
	if (r->written > 0) {
		snap_encode_ack(conn_frame(c, &start), r->written);
		conn_send(c, start, SNAP_ACK);
		conn_flush(c);
	}
}

static void on_chunk(struct snap_receive *r)
{
	if (!snap_intake_write(r->intake, &r->snap->message.chunk)) {
		conn_close(r->conn, STATUS_MALFORMED,
			   "more chunks than were asked for");
	}
}

/* --- The end ---------------------------------------------------------------
 */

/* Hand it to the core. */
static void stage(struct snap_receive *r)
{
	struct snap *snap = r->snap;
	struct node *n = snap->node;
	struct snap_staged *staged = &snap->staged;
	struct raft_event ev = {
		.kind = RAFT_EV_SNAP_RECEIVED,
		.snap_received = {.from = r->from,
				  .term = r->term,
				  .pos = r->pos,
				  .change = &staged->change},
	};
	int rc;

	CHECK(staged->from == 0);
	move(r, RECEIVE_STAGED);
	staged->from = r->from;
	staged->term = r->term;
	staged->pos = r->pos;
	staged->change = r->change;
	buffer_reset(&staged->members);
	buffer_append_bytes(&staged->members, buffer_bytes(&r->members));
	log_info("received the snapshot of %s index=%" PRIu64 " bytes=%" PRIu64
		 " ms=%" PRIu64,
		 node_name_of(n, r->from), r->pos.index, r->written,
		 clock_ms() - r->began);
	rc = drive_step(n, &ev);
	if (rc == 0 && n->raft.loading) {
		move(r, RECEIVE_LOADING);
		return;
	}
	staged->from = 0;
	if (rc == 0) {
		say_verdict(r, 0, r->pos.index);
	} else {
		refuse(r, rc);
	}
}

static void on_finished(void *context, int rc)
{
	struct snap_receive *r = context;

	r->snap->node->dirty = true;
	if (r->state != RECEIVE_FINISHING) {
		return;
	}
	if (rc == STATUS_SHORT) {
		conn_close(r->conn, STATUS_MALFORMED, "done, and not all sent");
	} else if (rc != 0) {
		refuse(r, rc);
	} else {
		stage(r);
	}
}

static void on_done(struct snap_receive *r)
{
	move(r, RECEIVE_FINISHING);
	snap_intake_finish(r->intake);
}

void snap_receive_loaded(struct snap *snap)
{
	struct snap_receive *r = snap->receiving;

	if (r != NULL && r->state == RECEIVE_LOADING) {
		say_verdict(r, 0, r->pos.index);
	}
}

/* --- The connection --------------------------------------------------------
 */

static void on_frame(struct conn *c, const struct frame *frame)
{
	struct snap_receive *r = c->peer;
	struct snap_message *m;
	int rc;

	if (r == NULL) {
		return;
	}
	if (r->state == RECEIVE_OVER) {
		return; /* it should hang up */
	}
	if (frame->kind == WIRE_PING) {
		/* Who offers nothing has only so much time for it. */
		c->silent = r->state > RECEIVE_GREETED ? 0 : c->silent;
		return;
	}
	c->silent = 0;
	m = &r->snap->message;
	rc = snap_decode(frame->body, frame->kind, m);
	if (rc != 0) {
		conn_close(c, rc, "what it says of a snapshot does not check");
	} else if (m->kind == SNAP_OFFER && r->state == RECEIVE_GREETED) {
		on_offer(r);
	} else if (m->kind == SNAP_CHUNK && r->state == RECEIVE_TAKING) {
		on_chunk(r);
	} else if (m->kind == SNAP_DONE && r->state == RECEIVE_TAKING) {
		on_done(r);
	} else {
		conn_close(c, STATUS_MALFORMED,
			   "a snapshot's frame out of "
			   "turn");
	}
}

static void on_closed(struct conn *c, int status, const char *why)
{
	struct snap_receive *r = c->peer;
	struct node *n;

	if (r == NULL) {
		return;
	}
	n = r->snap->node;
	r->conn = NULL;
	n->dirty = true;
	if (status == STATUS_MALFORMED || status == STATUS_CORRUPT ||
	    status == STATUS_VERSION) {
		accept_bad(n, node_name_of(n, r->from), why);
	}
	/* What is whole is loaded all the same. */
	if (r->state == RECEIVE_LOADING || r->state == RECEIVE_OVER ||
	    n->stopped) {
		return;
	}
	if (r->state > RECEIVE_GREETED) {
		n->snap->counts.refused++;
		log_info("snapshot of %s cut off: %s; bytes=%" PRIu64,
			 node_name_of(n, r->from), why, r->written);
	}
	over(r);
}

void snap_welcome(struct node *n, struct conn *c, raft_id from)
{
	struct snap *snap = n->snap;
	struct snap_receive *r;
	size_t count = 0;

	if (snap != NULL) {
		LIST_FOREACH (r, &snap->receives, link) {
			count++;
		}
	}
	c->peer = NULL;
	c->ops = &receive_ops;
	if (n->core == NULL || count >= SNAP_CALLERS_MAX) {
		conn_close(c, STATUS_BUSY, "no snapshot is taken now");
		return;
	}
	r = mem_zalloc(sizeof *r);
	r->snap = snap;
	r->from = from;
	r->conn = c;
	c->peer = r;
	c->silent = 0;
	c->frame_bytes_max = SNAP_FRAME_BYTES_MAX;
	LIST_INSERT_HEAD(&snap->receives, r, link);
	move(r, RECEIVE_GREETED);
}

/* --- Turns -----------------------------------------------------------------
 */

static void forget(struct snap_receive *r)
{
	LIST_REMOVE(r, link);
	hang_up(r);
	snap_intake_free(r->intake);
	buffer_deinit(&r->members);
	mem_free(r);
}

void snap_receive_turn(struct snap *snap)
{
	struct snap_receive *r, *next;

	for (r = LIST_FIRST(&snap->receives); r != NULL; r = next) {
		next = LIST_NEXT(r, link);
		if (r->state > RECEIVE_GREETED && r->state < RECEIVE_STAGED &&
		    snap->node->raft.term > r->term) {
			refuse(r, STATUS_NOT_LEADER);
		}
		/* The sender closes; or the sweep, if it does not. */
		if (r->state == RECEIVE_OVER && r->conn == NULL &&
		    (r->intake == NULL || snap_intake_idle(r->intake))) {
			forget(r);
		}
	}
}

void snap_receive_sweep(struct snap *snap)
{
	static const uint8_t here = 1;
	struct snap_receive *r;
	size_t start;

	LIST_FOREACH (r, &snap->receives, link) {
		struct conn *c = r->conn;

		if (c == NULL) {
			continue;
		}
		if (++c->silent > SNAP_SILENT_SWEEPS) {
			conn_close(c, STATUS_TIMED_OUT, "silent");
		} else if (r->state > RECEIVE_GREETED) {
			buffer_append(conn_frame(c, &start), &here,
				      sizeof here);
			conn_send(c, start, WIRE_PING);
			conn_flush(c);
		}
	}
}

void snap_receive_stop(struct snap *snap)
{
	struct snap_receive *r;

	LIST_FOREACH (r, &snap->receives, link) {
		r->state = RECEIVE_OVER;
		hang_up(r);
	}
}

void snap_receive_deinit(struct snap *snap)
{
	while (!LIST_EMPTY(&snap->receives)) {
		forget(LIST_FIRST(&snap->receives));
	}
}
