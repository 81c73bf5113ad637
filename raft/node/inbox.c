/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - what other threads ask of the loop.
 *
 * Numbers that only rise are atomics, lists are under the mutex; one async
 * handle wakes the loop for all of them. `poked` spares the system call while
 * the loop has not looked yet: it is cleared before anything is read, so that
 * what is stored later pokes again. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/address.h"
#include "raft/node/inside.h"
#include "raft/node/snap.h"

enum { FULL_BYTES = 2 * LIMIT_SEGMENT_BYTES }; /* a saver wants room */
enum { SEND_BYTES_MAX = 4 << 20 }; /* of node_send(), not yet on its way */

void inbox_init(struct inbox *inbox)
{
	CHECK(pthread_mutex_init(&inbox->mutex, NULL) == 0);
	inbox->sends_end = &inbox->sends;
}

void inbox_deinit(struct inbox *inbox)
{
	while (inbox->sends != NULL) {
		struct inbox_send *first = inbox->sends;

		inbox->sends = first->next;
		mem_free(first);
	}
	while (inbox->changes != NULL) {
		struct inbox_change *first = inbox->changes;

		inbox->changes = first->next;
		mem_free(first);
	}
	mem_free(inbox->reads);
	CHECK(pthread_mutex_destroy(&inbox->mutex) == 0);
}

void inbox_poke(struct node *n)
{
	struct inbox *inbox = &n->inbox;

	if (atomic_exchange(&inbox->poked, true)) {
		return;
	}
	pthread_mutex_lock(&inbox->mutex);
	if (inbox->alive) {
		CHECK(uv_async_send(&n->wake) == 0);
	}
	pthread_mutex_unlock(&inbox->mutex);
}

/* --- From any thread ------------------------------------------------------ */

void node_wake(struct node *n)
{
	atomic_store(&n->inbox.proposals, true);
	inbox_poke(n);
}

void node_applied(struct node *n, raft_index index)
{
	atomic_store(&n->inbox.applied, index);
	/* Nobody waits for it but a delivery that had no room; the loop sees
	 * it at its next turn, at the latest with a heartbeat. */
	if (atomic_exchange(&n->inbox.stalled, false)) {
		inbox_poke(n);
	}
}

void node_flushed(struct node *n, raft_index index)
{
	atomic_store(&n->inbox.flushed, index);
}

void node_hand_over(struct node *n, raft_id to)
{
	atomic_store(&n->inbox.hand_over, to);
	inbox_poke(n);
}

void node_read_index(struct node *n, uint64_t ticket, bool lease)
{
	struct inbox *inbox = &n->inbox;

	pthread_mutex_lock(&inbox->mutex);
	if (inbox->read_count == inbox->read_capacity) {
		inbox->read_capacity = 2 * inbox->read_capacity + 16;
		inbox->reads =
			mem_realloc(inbox->reads, inbox->read_capacity *
							  sizeof *inbox->reads);
	}
	inbox->reads[inbox->read_count++] =
		(struct inbox_read){.ticket = ticket, .lease = lease};
	pthread_mutex_unlock(&inbox->mutex);
	inbox_poke(n);
}

void node_send(struct node *n, raft_id to, struct bytes message)
{
	struct inbox *inbox = &n->inbox;
	struct inbox_send *send;

	CHECK(message.size > 0 && message.size <= WIRE_OPAQUE_BYTES_MAX);
	send = mem_alloc(sizeof *send + message.size);
	*send = (struct inbox_send){.to = to, .size = message.size};
	memcpy(send->data, message.data, message.size);

	pthread_mutex_lock(&inbox->mutex);
	if (inbox->send_bytes + send->size <= SEND_BYTES_MAX) {
		*inbox->sends_end = send;
		inbox->sends_end = &send->next;
		inbox->send_bytes += send->size;
		send = NULL;
	}
	pthread_mutex_unlock(&inbox->mutex);
	mem_free(send); /* best effort */
	inbox_poke(n);
}

static bool fill(char *to, size_t to_size, const char *from)
{
	if (from != NULL && strlen(from) >= to_size) {
		return false;
	}
	name_copy(to, to_size, from != NULL ? from : "");
	return true;
}

int node_change(struct node *n, uint64_t ticket,
		const struct node_change *change)
{
	struct inbox *inbox = &n->inbox;
	struct inbox_change *asked = mem_zalloc(sizeof *asked);
	struct wire_change *to = &asked->change;

	CHECK(ticket != 0);
	to->ticket = ticket;
	to->kind = (enum wire_change_kind)(WIRE_CHANGE_ADD + (int)change->kind);
	to->stay = change->stay;
	if (!fill(to->name, sizeof to->name, change->name) ||
	    !fill(to->old, sizeof to->old, change->old) ||
	    !fill(to->address, sizeof to->address, change->address) ||
	    !wire_change_valid(to)) {
		mem_free(asked);
		return STATUS_INVALID;
	}
	pthread_mutex_lock(&inbox->mutex);
	asked->next = inbox->changes;
	inbox->changes = asked;
	pthread_mutex_unlock(&inbox->mutex);
	inbox_poke(n);
	return 0;
}

/* --- From the saver's thread ---------------------------------------------- */

void inbox_saved(void *context, raft_seq seq)
{
	struct node *n = context;

	atomic_store(&n->inbox.saved, seq);
	inbox_poke(n);
}

void inbox_cut(void *context, struct raft_pos base)
{
	struct node *n = context;

	pthread_mutex_lock(&n->inbox.mutex);
	n->inbox.base = base;
	pthread_mutex_unlock(&n->inbox.mutex);
	inbox_poke(n);
}

/* The core sees a disk that stalls; the reserve may end that. */
void inbox_full(void *context)
{
	struct node *n = context;

	(void)reserve_has(&n->reserve, FULL_BYTES);
}

/* --- On the loop ---------------------------------------------------------- */

static void read_one(struct node *n, const struct inbox_read *read)
{
	struct raft_event ev = {
		.kind = RAFT_EV_READ,
		.read = {.ticket = read->ticket, .lease = read->lease},
	};
	int rc = n->core != NULL ? drive_step(n, &ev) : STATUS_NOT_LEADER;

	if (rc != 0) {
		n->client->read_done(n->context, read->ticket, 0, rc);
	}
}

static void send_one(struct node *n, const struct inbox_send *send)
{
	struct peer *p = peer_of(n, send->to);
	struct conn *way = p != NULL ? peer_way(p) : NULL;
	size_t start;

	if (send->to == n->identity.self) {
		n->client->message(n->context, send->to,
				   bytes_of(send->data, send->size));
	} else if (way != NULL && conn_queued(way) < CONN_OUT_BYTES_MAX / 2) {
		buffer_append(conn_frame(way, &start), send->data, send->size);
		conn_send(way, start, WIRE_OPAQUE);
	}
}

/* While a leader hands over nothing new is taken, so not to one that would keep
 * all waiting for what it lacks. */
static void hand_over(struct node *n, raft_id to)
{
	struct raft_event ev = {.kind = RAFT_EV_TRANSFER, .transfer = {to}};
	struct raft_peer_status status;

	if (to == 0 || n->core == NULL ||
	    raft_peer(n->core, to, &status) != 0 || status.heard == 0 ||
	    n->now - status.heard >= n->config.election_ms ||
	    status.match + HAND_OVER_ENTRIES < n->raft.commit) {
		return;
	}
	if (drive_step(n, &ev) == 0) {
		log_info("handing over to %s", node_name_of(n, to));
	}
}

static void compacted(struct node *n, struct raft_pos base)
{
	struct raft_event ev = {
		.kind = RAFT_EV_COMPACTED,
		.compacted = {.index = base.index, .term = base.term},
	};

	/* While a snapshot is loaded the whole log goes: a cut that was under
	 * way by then is no news. */
	if (base.index <= n->base || n->core == NULL || n->raft.loading) {
		return;
	}
	n->base = base.index;
	log_info("log cut base=%llu", (unsigned long long)base.index);
	(void)drive_step(n, &ev);
}

void inbox_turn(struct node *n)
{
	struct inbox *inbox = &n->inbox;
	struct inbox_read *reads;
	struct inbox_send *sends, *next;
	struct inbox_change *changes;
	struct raft_pos base;
	size_t read_count;

	n->dirty = true;
	pthread_mutex_lock(&inbox->mutex);
	reads = inbox->reads;
	read_count = inbox->read_count;
	inbox->reads = NULL;
	inbox->read_count = inbox->read_capacity = 0;
	sends = inbox->sends;
	inbox->sends = NULL;
	inbox->sends_end = &inbox->sends;
	inbox->send_bytes = 0;
	changes = inbox->changes;
	inbox->changes = NULL;
	base = inbox->base;
	pthread_mutex_unlock(&inbox->mutex);

	if (n->core != NULL) {
		drive_saved(n, atomic_load(&inbox->saved));
	}
	compacted(n, base);
	hand_over(n, atomic_exchange(&inbox->hand_over, 0));
	snap_collect(n);
	for (size_t i = 0; i < read_count; i++) {
		read_one(n, &reads[i]);
	}
	mem_free(reads);
	while (changes != NULL) {
		struct inbox_change *first = changes;

		changes = first->next;
		change_request(n, &first->change);
		mem_free(first);
	}
	for (; sends != NULL; sends = next) {
		next = sends->next;
		send_one(n, sends);
		mem_free(sends);
	}
}
