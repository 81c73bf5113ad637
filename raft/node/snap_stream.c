/* SPDX-License-Identifier: Apache-2.0 */
/* snap_stream.c - what is said between DIALLING and JUDGED (snap_sending.h).
 *
 * Chunks are read one at a time on the snapshots' thread, and only while the
 * receiver keeps up (its ACKs), the connection takes them and the rate allows:
 * each of the three calls pump(). */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "raft/node/clock.h"
#include "raft/node/snap_sending.h"

static void on_frame(struct conn *c, const struct frame *frame);
static void on_closed(struct conn *c, int status, const char *why);
static void pump(struct snap_send *s);

static const struct conn_ops send_ops = {on_frame, on_closed};

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
	snap_send_move(s, SEND_JUDGED);
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
		snap_send_lose(s, SNAP_AGAIN_MS, disk_status_text(s->rc));
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

/* May another chunk go? If not, the timer looks again. */
static bool may_send(struct snap *snap)
{
	if (snap_pace_take(&snap->pace, clock_ms(), SNAP_CHUNK_BYTES)) {
		return true;
	}
	if (!snap->is_pacing) {
		snap->is_pacing = true;
		uv_update_time(&snap->node->loop);
		CHECK(uv_timer_start(&snap->pacer, on_pace,
				     snap_pace_wait(&snap->pace,
						    SNAP_CHUNK_BYTES),
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
	snap_send_move(s, SEND_OFFERED);
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
		snap_send_lose(s, SNAP_AGAIN_MS, "it does not answer a HELLO");
	} else if (hello->id != s->to || !hello->founded ||
		   memcmp(hello->cluster, n->identity.founding.cluster,
			  sizeof hello->cluster) != 0) {
		snap_send_lose(s, SNAP_AGAIN_MS, "another node answers");
	} else {
		offer(s);
	}
}

static void on_have(struct snap_send *s)
{
	const struct snap_message *m = &s->snap->message;

	s->reader = snap_reader_new(s->copy, m->piece, m->pieces);
	snap_send_move(s, SEND_STREAMING);
	pump(s);
}

static void on_ack(struct snap_send *s)
{
	uint64_t taken = s->snap->message.ack;

	if (taken < s->taken || taken > s->sent) {
		snap_send_lose(s, SNAP_AGAIN_MS,
			       "it has taken what was not sent");
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
		snap_send_lose(s, SNAP_AGAIN_MS, status_text(verdict->status));
		return;
	}
	if (verdict->index != s->index) {
		snap_send_lose(s, SNAP_AGAIN_MS,
			       "it has installed another one");
		return;
	}
	snap_send_move(s, SEND_FOLLOWED);
	s->due = s->moved + SNAP_FOLLOW_MS;
	snap->counts.sent++;
	log_info("snapshot to %s sent index=%" PRIu64 " bytes=%" PRIu64
		 " ms=%" PRIu64,
		 node_name_of(snap->node, s->to), s->index, s->sent,
		 s->moved - s->began);
	snap_send_hang_up(s);
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
		snap_send_lose(s, SNAP_AGAIN_MS, "an answer out of turn");
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
	snap_send_lose(s, 0, why);
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
	snap_send_move(s, SEND_GREETING);
	conn_begin(c);
	if (!c->closing) {
		peer_hello(s->snap->node, c, node_name_of(s->snap->node, s->to),
			   s->to);
		conn_flush(c);
	}
}

/* Where its link goes, too. */
void snap_stream_dial(struct snap_send *s, struct peer *p)
{
	struct node *n = s->snap->node;
	struct sockaddr_storage to;
	int size = sizeof to;
	struct conn *c;
	int rc =
		uv_tcp_getpeername(&p->out->tcp, (struct sockaddr *)&to, &size);

	if (rc != 0) {
		snap_send_lose(s, 0, uv_strerror(rc));
		return;
	}
	c = conn_new(&n->loop, &send_ops, n, WIRE_HELLO_BYTES_MAX);
	c->peer = s;
	c->purpose = WIRE_FOR_SNAPSHOT;
	s->conn = c;
	snap_send_move(s, SEND_DIALLING);
	c->connect.data = c;
	rc = uv_tcp_connect(&c->connect, &c->tcp, (struct sockaddr *)&to,
			    on_connected);
	if (rc != 0) {
		conn_close(c, STATUS_IO, uv_strerror(rc));
	}
}
