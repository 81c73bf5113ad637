/* SPDX-License-Identifier: Apache-2.0 */
/* accept.c - the accepted half of a link: who calls, and what it says.
 *
 * A caller has a short time and a few KiB for its HELLO. It is answered even
 * when it is then refused, so that an empty node learns why. Every frame is
 * judged here before anything else sees it; what can only be a mistake or
 * malice ends the connection and is counted. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "raft/node/address.h"
#include "raft/node/admit.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"
#include "raft/node/snap.h"

void accept_bad(struct node *n, const char *who, const char *why)
{
	raft_ms now = clock_ms();

	n->bad_frames++;
	n->dirty = true;
	if (n->bad_frames_said != 0 && now - n->bad_frames_said < 1000) {
		return; /* the next line tells how many there were */
	}
	log_warn("closed a connection of %s: %s; bad_frames=%llu", who, why,
		 (unsigned long long)n->bad_frames);
	n->bad_frames_said = now;
}

static void caller_text(const struct conn *c, char *text, size_t size)
{
	const struct peer *p = c->peer;
	struct sockaddr_storage from;
	int from_size = sizeof from;
	char host[64], port[16];

	if (p != NULL) {
		(void)snprintf(text, size, "%s", p->member.name);
	} else if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from,
				      &from_size) == 0 &&
		   getnameinfo((struct sockaddr *)&from, (socklen_t)from_size,
			       host, sizeof host, port, sizeof port,
			       NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		(void)snprintf(text, size, "%s port %s", host, port);
	} else {
		(void)snprintf(text, size, "a stranger");
	}
}

/* It is not an accepted one any more. */
static void give_up(struct node *n, const struct conn *c)
{
	for (size_t i = 0; i < n->accepted_count; i++) {
		if (n->accepted[i] == c) {
			n->accepted[i] = n->accepted[--n->accepted_count];
			break;
		}
	}
}

static void on_closed(struct conn *c, int status, const char *why)
{
	struct node *n = c->owner;
	struct peer *p = c->peer;
	char who[128];

	give_up(n, c);
	if (p != NULL && p->in == c) {
		p->in = NULL;
	}
	n->dirty = true;
	if (status == STATUS_MALFORMED || status == STATUS_CORRUPT ||
	    status == STATUS_VERSION || status == STATUS_INVALID) {
		caller_text(c, who, sizeof who);
		accept_bad(n, who, why);
	}
}

/* --- HELLO ---------------------------------------------------------------- */

static void welcome(struct node *n, struct conn *c,
		    const struct wire_hello *hello)
{
	struct peer *p = peer_for(n, hello);

	if (hello->purpose == WIRE_FOR_SNAPSHOT) {
		give_up(n, c);
		snap_welcome(n, c, hello->id);
		return;
	}
	CHECK(p != NULL); /* found_judge() knows no others */
	if (p->in != NULL) {
		conn_close(p->in, STATUS_ENDED, "replaced by a newer one");
	}
	p->in = c;
	p->stale = false;
	p->links++;
	p->owed = false; /* all that it proposed is offered again */
	if (p->boot != hello->boot) {
		lead_forget(n, hello->id);
	}
	p->boot = hello->boot;
	p->repairing = hello->repairing;
	p->heard = clock_ms();
	c->peer = p;
	c->frame_bytes_max = LIMIT_FRAME_BYTES;
	peer_soon(p);
}

/* An old life of the same incarnation: a replay, or a very late caller. */
static bool outlived(struct node *n, const struct wire_hello *hello)
{
	struct peer *p = peer_for(n, hello);

	return p != NULL && p->member.id == hello->id && hello->boot < p->boot;
}

bool accept_decides(const struct node *n)
{
	return n->raft.role == RAFT_LEADER && n->raft.members_committed &&
	       n->raft.lease_until > clock_ms();
}

void accept_deny(struct node *n, struct conn *c, const struct wire_hello *hello,
		 enum wire_denial reason)
{
	const struct wire_config *config = peers_config(n);
	const struct wire_member *m =
		reason == WIRE_DENIED_LATER ? config_of(config, n->raft.leader)
					    : config_named(config, hello->name);
	struct wire_denied denied = {.reason = reason};
	raft_ms now = clock_ms();
	size_t start;

	memcpy(denied.cluster, n->identity.founding.cluster,
	       sizeof denied.cluster);
	name_copy(denied.name, sizeof denied.name, hello->name);
	name_copy(denied.address, sizeof denied.address,
		  m != NULL ? m->address : hello->address);
	wire_encode_denied(conn_frame(c, &start), &denied);
	conn_send(c, start, WIRE_DENIED);
	conn_flush(c);
	if (reason != WIRE_DENIED_LATER &&
	    (n->denied_said == 0 || now - n->denied_said >= SAY_AGAIN_MS)) {
		n->denied_said = now;
		log_info("denied %s incarnation=%016llx: no member",
			 hello->name, (unsigned long long)hello->id);
	}
}

static void hand_config(struct node *n, struct conn *c)
{
	size_t start;

	wire_encode_config(conn_frame(c, &start), &n->configs.now);
	conn_send(c, start, WIRE_JOIN);
	conn_flush(c);
}

/* This node has a cluster, and has answered: what becomes of the caller? */
static void admit(struct node *n, struct conn *c,
		  const struct wire_hello *hello)
{
	struct admit_self self = {
		.configs = &n->configs,
		.committed = n->raft.members_committed,
		.decides = accept_decides(n),
		.founding = n->identity.joined ? NULL : &n->identity.founding,
	};
	enum wire_denial denial = WIRE_DENIED_LATER;
	enum admit verdict;

	if (n->follow) { /* of this turn: who calls may be new in it */
		peers_follow(n);
	}
	verdict = admit_judge(&self, hello, &denial);
	if (verdict == ADMIT_GUEST && peer_for(n, hello) == NULL &&
	    peer_guest(n, hello) == NULL) {
		verdict = ADMIT_DENIED;
	}
	switch (verdict) {
	case ADMIT_MEMBER:
	case ADMIT_GUEST:
		welcome(n, c, hello);
		return;
	case ADMIT_JOIN:
		hand_config(n, c); /* it closes, or its time ends */
		return;
	case ADMIT_DENIED:
		accept_deny(n, c, hello, denial);
		conn_close(c, STATUS_ENDED, "denied");
		return;
	}
}

static void refuse(struct node *n, struct conn *c, int rc, const char *problem)
{
	const struct wire_hello *hello = &n->message.hello;
	struct peer *p = peer_for(n, hello);

	/* A caller may have the wrong address: only those whom this node calls
	 * itself count as peers of another cluster. */
	if (rc == STATUS_FOREIGN && p != NULL) {
		peer_note(p, problem);
	} else if (rc == STATUS_FOREIGN) {
		accept_bad(n, hello->name, problem);
	}
	conn_close(c, rc, problem);
}

static void on_hello(struct node *n, struct conn *c, const struct frame *frame)
{
	struct found_self self = {&n->identity, n->configured,
				  n->configured_count};
	struct wire_hello *hello = &n->message.hello;
	struct buffer problem = {0};
	int rc;

	if (frame->kind != WIRE_HELLO ||
	    wire_decode(frame->body, frame->kind, &n->message) != 0) {
		conn_close(c, STATUS_MALFORMED, "not a HELLO");
		return;
	}
	rc = found_judge(&self, hello, NULL, &problem);
	if (rc == 0 && outlived(n, hello)) {
		rc = STATUS_INVALID;
		buffer_printf(&problem, "an earlier start of %s", hello->name);
	}
	if (rc != STATUS_INVALID) {
		peer_hello(n, c, hello->name, hello->id);
		conn_flush(c);
	}
	if (rc != 0) {
		refuse(n, c, rc, buffer_text(&problem));
	} else if (!c->closing && n->identity.founded) {
		admit(n, c, hello);
	} else if (!c->closing) {
		welcome(n, c, hello);
	}
	buffer_deinit(&problem);
}

/* --- Frames of a peer ----------------------------------------------------- */

static void on_core(struct node *n, struct conn *c, struct peer *p)
{
	const struct raft_msg *msg = &n->message.core;

	if (n->core == NULL || msg->from != p->member.id ||
	    msg->to != n->identity.self) {
		conn_close(c, STATUS_MALFORMED, "a message of someone else");
		return;
	}
	drive_receive(n, c, p);
}

static void on_peer(struct node *n, struct conn *c, const struct frame *frame)
{
	struct peer *p = c->peer;

	if (wire_decode(frame->body, frame->kind, &n->message) != 0) {
		conn_close(c, STATUS_MALFORMED, "a message out of bounds");
		return;
	}
	p->heard = clock_ms();
	switch (n->message.kind) {
	case WIRE_FOUND:
		begin_found(n, c, p, frame->body);
		return;
	case WIRE_CORE:
		on_core(n, c, p);
		return;
	case WIRE_PROPOSE:
		propose_receive(n, p);
		return;
	case WIRE_REFUSED:
		propose_refused(n, p);
		return;
	case WIRE_OPAQUE:
		if (n->core != NULL) {
			n->client->message(n->context, p->member.id,
					   n->message.opaque);
		}
		return;
	case WIRE_PING:
		return;
	case WIRE_DENIED:
		begin_denied(n, c, NULL);
		return;
	case WIRE_CHANGE:
		lead_asked(n, p->member.id, &n->message.change);
		return;
	case WIRE_CHANGED:
		change_answered(n, &n->message.changed);
		return;
	case WIRE_JOIN:
		conn_close(c, STATUS_MALFORMED, "not asked for");
		return;
	case WIRE_HELLO:
		conn_close(c, STATUS_MALFORMED, "a second HELLO");
		return;
	}
}

static void on_frame(struct conn *c, const struct frame *frame)
{
	struct node *n = c->owner;

	c->silent = 0;
	if (c->peer == NULL) {
		on_hello(n, c, frame);
	} else {
		on_peer(n, c, frame);
	}
}

/* --- The listener --------------------------------------------------------- */

static void on_connection(uv_stream_t *listener, int status)
{
	static const struct conn_ops ops = {on_frame, on_closed};
	struct node *n = listener->data;
	struct conn *c;

	if (status != 0) {
		log_warn("cannot accept a connection: %s", uv_strerror(status));
		return;
	}
	c = conn_new(&n->loop, &ops, n, WIRE_HELLO_BYTES_MAX);
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
		conn_close(c, STATUS_IO, "cannot accept");
		return;
	}
	if (n->accepted_count == ACCEPTED_MAX || n->failed) {
		conn_close(c, STATUS_FULL, "too many connections");
		return;
	}
	n->accepted[n->accepted_count++] = c;
	conn_begin(c);
}

void accept_init(struct node *n)
{
	CHECK(uv_tcp_init(&n->loop, &n->listener) == 0);
	n->listener.data = n;
	accept_listen(n);
}

void accept_listen(struct node *n)
{
	if (n->listen_fd < 0) {
		return;
	}
	CHECK(uv_tcp_open(&n->listener, n->listen_fd) == 0);
	n->listen_fd = -1; /* the handle owns it now */
	n->listening = true;
	CHECK(uv_listen((uv_stream_t *)&n->listener, 128, on_connection) == 0);
}

/* Counted in sweeps, not in time: a process that was stopped for a while has
 * not been listening, and must not blame its peers. */
void accept_sweep(struct node *n)
{
	size_t i = 0;

	while (i < n->accepted_count) {
		struct conn *c = n->accepted[i];
		unsigned most =
			c->peer == NULL ? SWEEPS_GREETING : SWEEPS_SILENT;

		if (++c->silent > most) {
			conn_close(c, STATUS_TIMED_OUT, "silent");
		} else {
			i++;
		}
	}
}

void accept_flush(struct node *n)
{
	for (size_t i = 0; i < n->accepted_count; i++) {
		conn_flush(n->accepted[i]);
	}
}

void accept_stop(struct node *n)
{
	while (n->accepted_count > 0) {
		conn_close(n->accepted[n->accepted_count - 1], STATUS_ENDED,
			   "stopping");
	}
	uv_close((uv_handle_t *)&n->listener, NULL);
}
