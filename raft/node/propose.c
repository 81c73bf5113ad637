/* SPDX-License-Identifier: Apache-2.0 */
/* propose.c - the way of proposals: append here, or forward to the leader.
 *
 *   P1  what was forwarded is never forwarded again: a receiver that does not
 *       lead refuses
 *   P2  a way is a (term, leader, link); whenever it changes, the client is
 *       told: closed, and then open if there is a new one. What was on the old
 *       way may be lost, and is offered again
 *   P3  a refusal that finds no way waits for one, or for the link it answers
 *       to end: then its batch is offered again by P2
 *   P4  all that waits at the end of a turn, own and forwarded, is one event */
#include "raft/node/clock.h"
#include "raft/node/inside.h"

enum { EVENTS_MAX = 4 }; /* batches of one turn, so that it ends */

/* --- The way -------------------------------------------------------------- */

static struct conn *leader_way(struct node *n)
{
	struct peer *p = peer_of(n, n->raft.leader);

	return p != NULL && peer_link(p) != 0 ? peer_way(p) : NULL;
}

static void open_route(struct node *n, bool open)
{
	n->route.open = open;
	n->route.reopen = 0;
	n->client->route(n->context, open);
	if (open) {
		atomic_store(&n->inbox.proposals, true);
	}
}

/* Not now, though the way is the same: try again later. */
static void pause_route(struct node *n, raft_ms delay)
{
	if (n->route.open) {
		open_route(n, false);
	}
	n->route.reopen = clock_ms() + delay;
}

static uint64_t link_to(struct node *n, raft_id leader)
{
	struct peer *p = peer_of(n, leader);

	if (node_leads(n)) {
		return 1; /* itself: always the same, and always there */
	}
	return p != NULL ? peer_link(p) : 0;
}

static void update_route(struct node *n)
{
	struct route *route = &n->route;
	raft_id leader = node_leads(n) ? n->identity.self : n->raft.leader;
	uint64_t link = link_to(n, leader);

	if (route->term != n->raft.term || route->leader != leader ||
	    route->link != link) {
		route->term = n->raft.term;
		route->leader = leader;
		route->link = link;
		open_route(n, false);
		if (link != 0) {
			open_route(n, true);
		}
	} else if (route->reopen != 0 && clock_ms() >= route->reopen) {
		open_route(n, true);
	}
}

/* --- Leading -------------------------------------------------------------- */

static void batch_reset(struct node *n)
{
	struct batch *batch = &n->batch;

	for (size_t i = 0; i < batch->count; i++) {
		entry_unref(batch->entries[i]);
	}
	batch->count = batch->bytes = batch->own = 0;
	for (size_t i = 0; i < n->peer_count; i++) {
		n->peers[i]->batched = false;
	}
}

/* Nothing else would tell the origin before its deadline. */
static void send_refusal(struct peer *p)
{
	struct conn *way = peer_way(p);
	size_t start;

	if (way != NULL && p->owed) {
		p->owed = false;
		wire_encode_refused(conn_frame(way, &start), &p->refused);
		conn_send(way, start, WIRE_REFUSED);
	}
}

static void refuse(struct node *n, struct peer *p, int reason)
{
	p->owed = true;
	p->refused = (struct wire_refused){
		.reason =
			reason == STATUS_FULL ? STATUS_FULL : STATUS_NOT_LEADER,
		.term = n->raft.term,
		.leader = n->raft.leader,
	};

	send_refusal(p);
}

/* Make the event of what is gathered; whoever has entries in it learns of a
 * refusal. */
static void propose_batch(struct node *n)
{
	struct batch *batch = &n->batch;
	struct raft_event ev = {
		.kind = RAFT_EV_PROPOSE,
		.propose = {.sizes = batch->sizes, .count = batch->count},
	};
	int rc;

	if (batch->count == 0) {
		return;
	}
	rc = drive_step(n, &ev);
	for (size_t i = 0; rc != 0 && i < n->peer_count; i++) {
		if (n->peers[i]->batched) {
			refuse(n, n->peers[i], rc);
		}
	}
	if (rc != 0 && batch->own > 0) {
		pause_route(n, REOPEN_FULL_MS);
	}
	batch_reset(n);
}

/* Payload that a leader may still take, the batch counted. */
static uint64_t room(const struct node *n)
{
	uint64_t used = n->raft.uncommitted_bytes + n->batch.bytes;
	uint64_t most = n->config.uncommitted_bytes;

	return used < most ? most - used : 0;
}

/* n->message is a PROPOSE of p. Its entries join the batch of this turn. */
void propose_receive(struct node *n, struct peer *p)
{
	const struct wire_message *m = &n->message;
	struct batch *batch = &n->batch;

	if (!node_leads(n)) {
		refuse(n, p, STATUS_NOT_LEADER); /* P1 */
		return;
	}
	if (batch->count + m->count > LIMIT_MESSAGE_ENTRIES ||
	    batch->bytes + m->payload_bytes > n->config.message_bytes) {
		propose_batch(n);
	}
	if (room(n) < m->payload_bytes) {
		refuse(n, p, STATUS_FULL);
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		struct entry *e =
			entry_new(ENTRY_COMMAND, m->entries[i].data.data,
				  m->entries[i].data.size);

		batch->sizes[batch->count] = e->size;
		batch->entries[batch->count++] = e;
	}
	batch->bytes += m->payload_bytes;
	p->batched = true;
	n->dirty = true;
}

/* How many the client gave; all of them are added to the batch. */
static size_t take(struct node *n, size_t bytes_max)
{
	struct batch *batch = &n->batch;
	size_t count_max = LIMIT_MESSAGE_ENTRIES - batch->count;
	struct entry **into = batch->entries + batch->count;
	size_t count = n->client->take(n->context, into, count_max, bytes_max);

	CHECK(count <= count_max);
	for (size_t i = 0; i < count; i++) {
		batch->sizes[batch->count + i] = into[i]->size;
		batch->bytes += into[i]->size;
	}
	batch->count += count;
	batch->own += count;
	return count;
}

/* What one event may still hold: a save and a message have this bound. */
static size_t batch_room(const struct node *n)
{
	size_t most = n->config.message_bytes;
	uint64_t free = room(n);

	if (n->batch.count == LIMIT_MESSAGE_ENTRIES || n->batch.bytes >= most ||
	    (free < LIMIT_ENTRY_BYTES && n->raft.uncommitted_bytes > 0)) {
		return 0;
	}
	most -= n->batch.bytes;
	return free < most ? (size_t)free : most;
}

static void lead(struct node *n)
{
	for (size_t i = 0; i < EVENTS_MAX; i++) {
		size_t bytes = n->route.open ? batch_room(n) : 0;

		if (bytes > 0 && atomic_exchange(&n->inbox.proposals, false) &&
		    take(n, bytes) > 0) {
			/* There may be more: ask until it says no. */
			atomic_store(&n->inbox.proposals, true);
		}
		if (n->batch.count == 0) {
			return;
		}
		propose_batch(n);
		if (!node_leads(n)) {
			return;
		}
	}
	if (atomic_load(&n->inbox.proposals) && room(n) > 0) {
		inbox_poke(n);
	}
}

/* --- Following ------------------------------------------------------------ */

static void forward(struct node *n)
{
	struct batch *batch = &n->batch;
	struct conn *way;
	size_t start;

	for (size_t i = 0; i < EVENTS_MAX; i++) {
		way = leader_way(n);
		if (way == NULL || conn_queued(way) > FORWARD_BYTES_MAX ||
		    !atomic_exchange(&n->inbox.proposals, false)) {
			return;
		}
		if (take(n, n->config.message_bytes) == 0) {
			return;
		}
		atomic_store(&n->inbox.proposals, true);
		wire_encode_propose(conn_frame(way, &start), n->raft.term,
				    batch->entries, batch->count);
		batch_reset(n);
		conn_send(way, start, WIRE_PROPOSE);
	}
	inbox_poke(n);
}

/* n->message is a REFUSED of p. */
void propose_refused(struct node *n, struct peer *p)
{
	const struct wire_refused *refused = &n->message.refused;

	if (n->core == NULL || !n->route.open ||
	    n->route.leader != p->member.id || refused->term < n->route.term) {
		return; /* about a way that is no more */
	}
	n->dirty = true;
	pause_route(n, refused->reason == STATUS_FULL ? REOPEN_FULL_MS
						      : REOPEN_REFUSED_MS);
}

void propose_turn(struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		send_refusal(n->peers[i]);
	}
	update_route(n);
	if (node_leads(n)) {
		lead(n);
	} else {
		/* What was received while leading, and leads no more. */
		propose_batch(n);
		if (n->route.open) {
			forward(n);
		}
	}
	update_route(n); /* the core may have changed its role */
}

void propose_deinit(struct node *n)
{
	batch_reset(n);
}
