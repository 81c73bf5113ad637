/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - the dialled half of a link: find, connect, greet, keep up.
 *
 * The diagram of the states is in inside.h. Whatever ends a connection leads
 * to peer_retry(), which alone starts the back-off. That ends when a link has
 * proved good for a while: who greets may refuse in its next breath, each time
 * it is called. Host names are resolved at each dial, beside it when an address
 * is known already: a resolver that hangs must not keep a link down. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/address.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"

static void on_timer(uv_timer_t *timer);
static void on_frame(struct conn *c, const struct frame *frame);
static void on_closed(struct conn *c, int status, const char *why);

static const struct conn_ops dialled_ops = {on_frame, on_closed};

static void arm(struct peer *p, uint32_t ms)
{
	CHECK(uv_timer_start(&p->timer, on_timer, ms, 0) == 0);
}

/* Remember why the link is not up; say so when that is new, though not more
 * often than now and then: two reasons may take turns. */
void peer_note(struct peer *p, const char *problem)
{
	raft_ms now = clock_ms();

	if (strcmp(p->problem, problem) == 0) {
		return;
	}
	(void)snprintf(p->problem, sizeof p->problem, "%s", problem);
	if (p->said == 0 || now - p->said >= SAY_AGAIN_MS) {
		p->said = now;
		log_info("no link to %s: %s",
			 p->seed ? p->member.address : p->member.name,
			 p->problem);
	}
}

void peer_is_foreign(struct peer *p, const char *problem)
{
	struct node *n = p->node;
	size_t others = 0, foreign = 0;
	char own[33], line[512];

	p->foreign = true;
	peer_note(p, problem);
	for (size_t i = 0; i < n->peer_count; i++) {
		others += n->peers[i]->guest ? 0 : 1;
		foreign += n->peers[i]->foreign ? 1 : 0;
	}
	/* Members are the others and this node; it has led or followed when
	 * the core knows a leader's time. */
	if (others + 1 - foreign > (others + 1) / 2 ||
	    n->raft.leader_heard != 0 || n->raft.role == RAFT_LEADER) {
		return;
	}
	found_cluster_text(n->identity.founding.cluster, own);
	(void)snprintf(line, sizeof line,
		       "the data folder %s belongs to cluster %s, but %s",
		       n->folder, own, problem);
	begin_fail(n, line);
}

static void peer_retry(struct peer *p, const char *why)
{
	struct node *n = p->node;
	uint32_t jitter;

	p->out = NULL;
	p->state = PEER_WAITING;
	n->dirty = true;
	if (p->seed && n->seeded) {
		return; /* it has said what was wanted of it */
	}
	peer_note(p, why);
	if (!n->identity.founded && !p->seed) {
		found_lost(&n->found, p->member.name, why);
	}
	if (n->failed) {
		return;
	}
	random_bytes(&jitter, sizeof jitter);
	arm(p, p->backoff_ms / 2 + jitter % p->backoff_ms);
	p->backoff_ms *= 2;
	if (p->backoff_ms > BACKOFF_MAX_MS) {
		p->backoff_ms = BACKOFF_MAX_MS;
	}
}

/* --- Dialling ------------------------------------------------------------- */

static void on_connected(uv_connect_t *connect, int status)
{
	struct conn *c = connect->data;
	struct peer *p = c->peer;

	if (c->closing) {
		return;
	}
	if (status != 0) {
		conn_close(c, STATUS_IO, uv_strerror(status));
		return;
	}
	p->state = PEER_GREETING;
	arm(p, LINK_LIMIT_MS);
	conn_begin(c);
	if (!c->closing) {
		peer_hello(p->node, c, p->seed ? "" : p->member.name,
			   p->node->identity.founded ? p->member.id : 0);
		conn_flush(c);
	}
}

static void connect_to(struct peer *p)
{
	size_t turn = p->attempts % p->address_count;
	const struct sockaddr *to =
		(const struct sockaddr *)&p->addresses[turn];
	struct conn *c = conn_new(&p->node->loop, &dialled_ops, p->node,
				  WIRE_CONFIG_BYTES_MAX);
	int rc;

	p->attempts++;
	c->peer = p;
	p->out = c;
	p->state = PEER_CONNECTING;
	arm(p, LINK_LIMIT_MS);
	c->connect.data = c;
	rc = uv_tcp_connect(&c->connect, &c->tcp, to, on_connected);
	if (rc != 0) {
		conn_close(c, STATUS_IO, uv_strerror(rc));
	}
}

static void free_closed(struct peer *p)
{
	if (p->closing && p->closed && !p->resolving) {
		mem_free(p);
	}
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status,
			struct addrinfo *list)
{
	struct peer *p = resolve->data;
	size_t count = 0;

	p->resolving = false;
	if (p->closing) {
		uv_freeaddrinfo(list);
		free_closed(p);
		return;
	}
	for (struct addrinfo *at = list; at != NULL && count < ADDRESSES_MAX;
	     at = at->ai_next) {
		if (at->ai_addrlen <= sizeof p->addresses[0]) {
			memcpy(&p->addresses[count++], at->ai_addr,
			       at->ai_addrlen);
		}
	}
	uv_freeaddrinfo(list);
	if (count > 0) {
		p->address_count = count;
	}
	if (p->node->stopped || p->state != PEER_RESOLVING) {
		return;
	}
	if (count == 0) {
		peer_retry(p,
			   status != 0 ? uv_strerror(status) : "unknown host");
	} else {
		connect_to(p);
	}
}

/* Of --peers and of the cluster's record, in turn, when they differ. */
static const char *next_address(const struct peer *p)
{
	if (p->other[0] != 0 && (p->attempts / ADDRESSES_MAX) % 2 == 1) {
		return p->other;
	}
	return p->member.address;
}

/* A number needs no resolver. */
static bool is_numeric(struct peer *p, const struct address *address)
{
	struct sockaddr_storage to = {0};
	int port = atoi(address->port);

	if (uv_ip4_addr(address->host, port, (void *)&to) != 0 &&
	    uv_ip6_addr(address->host, port, (void *)&to) != 0) {
		return false;
	}
	p->addresses[0] = to;
	p->address_count = 1;
	return true;
}

static void resolve(struct peer *p)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct address address;
	int rc;

	if (p->resolving || address_parse(next_address(p), &address) != 0 ||
	    is_numeric(p, &address)) {
		return;
	}
	p->resolve.data = p;
	rc = uv_getaddrinfo(&p->node->loop, &p->resolve, on_resolved,
			    address.host, address.port, &hints);
	p->resolving = rc == 0;
}

static void dial(struct peer *p)
{
	p->state = PEER_RESOLVING;
	resolve(p);
	if (p->address_count > 0) {
		connect_to(p);
	} else if (p->resolving) {
		arm(p, LINK_LIMIT_MS);
	} else {
		peer_retry(p, "no address to dial");
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct peer *p = timer->data;

	switch (p->state) {
	case PEER_WAITING:
		dial(p);
		return;
	case PEER_RESOLVING:
		peer_note(p, "its host name is still being resolved");
		arm(p, LINK_LIMIT_MS);
		return;
	case PEER_CONNECTING:
		conn_close(p->out, STATUS_TIMED_OUT, "no connection in time");
		return;
	case PEER_GREETING:
		conn_close(p->out, STATUS_TIMED_OUT, "no answer in time");
		return;
	case PEER_UP:
		return;
	}
}

void peer_soon(struct peer *p)
{
	if (p->state == PEER_WAITING) {
		p->backoff_ms = BACKOFF_MIN_MS;
		arm(p, 1);
	}
}

/* --- Greeting ------------------------------------------------------------- */

/* Where others call this node: as the cluster has it, or as it listens. */
static const char *own_address(const struct node *n)
{
	const struct wire_member *own = peers_own(n);

	return own != NULL && own->address[0] != 0 ? own->address : n->listen;
}

void peer_hello(struct node *n, struct conn *c, const char *target,
		raft_id target_id)
{
	const struct identity *id = &n->identity;
	bool joining = target[0] == 0;
	struct wire_hello hello = {
		.level = WIRE_LEVEL,
		.founded = id->founded && !joining,
		.id = id->self,
		.boot = id->boot,
		.target_id = target_id,
		.purpose = (enum wire_purpose)c->purpose,
		.joining = joining,
		.config = n->configs.index,
		.repairing = n->raft.repairing,
	};
	size_t start;

	name_copy(hello.name, sizeof hello.name, id->name);
	name_copy(hello.target, sizeof hello.target, target);
	name_copy(hello.address, sizeof hello.address, own_address(n));
	if (hello.founded) {
		memcpy(hello.cluster, id->founding.cluster,
		       sizeof hello.cluster);
	} else if (!joining) {
		hello.count = n->configured_count;
		memcpy(hello.members, n->configured,
		       hello.count * sizeof hello.members[0]);
	}
	wire_encode_hello(conn_frame(c, &start), &hello);
	conn_send(c, start, WIRE_HELLO);
}

void peer_hand_on(struct peer *p)
{
	const struct identity *id = &p->node->identity;
	const struct wire_member *member =
		identity_member(&id->founding, p->member.name);
	size_t start;

	if (!p->empty || !id->founded || id->joined || member == NULL ||
	    member->id != p->member.id) {
		return;
	}
	buffer_append(conn_frame(p->out, &start), id->record, id->record_size);
	conn_send(p->out, start, WIRE_FOUND);
	p->empty = false; /* whatever follows, follows it */
}

static void say_up(struct peer *p)
{
	if (!p->seed && !p->up_said) {
		log_info("link to %s is up%s", p->member.name,
			 p->empty ? ", it is empty" : "");
	}
	p->up_said = true;
}

void peer_sweep(struct peer *p)
{
	if (p->state == PEER_UP && !p->proven &&
	    clock_ms() - p->up >= LINK_PROVEN_MS) {
		p->proven = true;
		p->backoff_ms = BACKOFF_MIN_MS;
		p->said = 0;
		say_up(p);
	}
}

static void greeted(struct peer *p, const struct wire_hello *hello)
{
	struct node *n = p->node;

	CHECK(uv_timer_stop(&p->timer) == 0);
	p->state = PEER_UP;
	p->links++;
	p->up = clock_ms();
	p->proven = false;
	p->up_said = false;
	p->empty = !hello->founded;
	p->foreign = false;
	p->member.id = p->seed ? 0 : hello->id;
	p->problem[0] = 0;
	n->dirty = true;
	if (p->said == 0) { /* else once it is proven */
		say_up(p);
	}
	if (n->identity.founded) {
		peer_hand_on(p);
	} else if (!p->seed) {
		found_heard(&n->found, hello);
		begin_check(n);
	}
}

/* Whoever answers there is another incarnation of the member (row 31): one
 * that may be on its way to take its place, once it was invited. */
static void is_another(struct peer *p, const struct wire_hello *hello)
{
	struct node *n = p->node;

	if (!hello->founded && accept_decides(n) &&
	    config_invited(&n->configs.now, hello->name) == NULL) {
		accept_deny(n, p->out, hello, WIRE_DENIED_REPLACED);
	}
	p->backoff_ms = BACKOFF_MAX_MS;
	conn_close(p->out, STATUS_FOREIGN, "it is another incarnation");
}

/* --join, of a node that has joined: is it the same cluster? */
static void is_seed(struct peer *p, const struct wire_hello *hello)
{
	struct node *n = p->node;
	char own[33], other[33], line[512];

	n->seeded = true; /* peers_sweep() drops it */
	if (!hello->founded ||
	    memcmp(hello->cluster, n->identity.founding.cluster,
		   sizeof hello->cluster) == 0) {
		return;
	}
	found_cluster_text(n->identity.founding.cluster, own);
	found_cluster_text(hello->cluster, other);
	(void)snprintf(line, sizeof line,
		       "the data folder %s belongs to cluster %s, but %s to "
		       "cluster %s: give another --data to join that",
		       n->folder, own, p->member.address, other);
	begin_fail(n, line);
}

static void on_answer(struct peer *p, struct conn *c)
{
	struct node *n = p->node;
	const struct wire_hello *hello = &n->message.hello;
	struct found_self self = {&n->identity, n->configured,
				  n->configured_count};
	struct buffer problem = {0};
	int rc = 0;

	if (p->seed && n->identity.founded) {
		is_seed(p, hello);
		conn_close(c, STATUS_ENDED, "heard");
		return;
	}
	if (p->seed && !hello->founded) {
		rc = STATUS_NOT_READY;
		buffer_printf(&problem, "it belongs to no cluster yet");
	} else if (!p->seed) {
		rc = found_judge(&self, hello, p->member.name, &problem);
	}
	if (rc != 0) {
		if (found_is_foreign(&n->identity, hello)) {
			peer_is_foreign(p, buffer_text(&problem));
		}
		p->backoff_ms = BACKOFF_MAX_MS;
		conn_close(c, rc, buffer_text(&problem));
	} else if (n->identity.founded && p->member.id != 0 &&
		   p->member.id != hello->id) {
		is_another(p, hello);
	} else {
		greeted(p, hello);
	}
	buffer_deinit(&problem);
}

/* The answer to our HELLO, and what an empty or unwanted node is then told;
 * nothing else ever comes on this connection. */
static void on_frame(struct conn *c, const struct frame *frame)
{
	struct node *n = c->owner;
	struct peer *p = c->peer;
	bool greeting = p->state == PEER_GREETING;

	if (frame->kind != WIRE_HELLO && frame->kind != WIRE_JOIN &&
	    frame->kind != WIRE_DENIED) {
		conn_close(c, STATUS_MALFORMED, "not said to a caller");
	} else if (greeting != (frame->kind == WIRE_HELLO) ||
		   wire_decode(frame->body, frame->kind, &n->message) != 0) {
		conn_close(c, STATUS_MALFORMED, "not an answer to a HELLO");
	} else if (frame->kind == WIRE_HELLO) {
		on_answer(p, c);
	} else if (frame->kind == WIRE_JOIN) {
		begin_join(n, c, p, frame->body);
	} else {
		begin_denied(n, c, p);
	}
}

static void on_closed(struct conn *c, int status, const char *why)
{
	struct node *n = c->owner;
	struct peer *p = c->peer;

	if (n->stopped || p->closing) {
		p->out = NULL;
		return;
	}
	if (status == STATUS_MALFORMED || status == STATUS_CORRUPT ||
	    status == STATUS_VERSION) {
		accept_bad(n, p->member.name, why);
	}
	peer_retry(p, why);
}

struct conn *peer_way(const struct peer *p)
{
	return p->state == PEER_UP && !p->empty ? p->out : NULL;
}

uint64_t peer_link(const struct peer *p)
{
	return peer_way(p) != NULL && p->in != NULL ? p->links : 0;
}

void peer_moved(struct peer *p)
{
	p->address_count = 0;
	p->attempts = 0;
}

void peer_start(struct peer *p)
{
	p->backoff_ms = BACKOFF_MIN_MS;
	CHECK(uv_timer_init(&p->node->loop, &p->timer) == 0);
	p->timer.data = p;
	arm(p, 0);
}

void peer_part(struct peer *p)
{
	if (p->in != NULL) {
		conn_close(p->in, STATUS_ENDED, "no member any more");
	}
	if (p->out != NULL) {
		conn_close(p->out, STATUS_ENDED, "no member any more");
	}
}

static void on_timer_closed(uv_handle_t *timer)
{
	struct peer *p = timer->data;

	p->closed = true;
	free_closed(p);
}

void peer_stop(struct peer *p)
{
	struct node *n = p->node;

	p->closing = true;
	if (p->out != NULL) {
		conn_close(p->out, STATUS_ENDED, "not wanted any more");
	}
	for (size_t i = n->accepted_count; i > 0; i--) {
		if (n->accepted[i - 1]->peer == p) {
			conn_close(n->accepted[i - 1], STATUS_ENDED,
				   "not wanted any more");
		}
	}
	if (p->resolving) {
		/* Not possible once it runs: then it is waited for. */
		(void)uv_cancel((uv_req_t *)&p->resolve);
	}
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
