/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/node.h"

#include <stdlib.h>
#include <string.h>

#include "tests/explore/image.h"
#include "tests/explore/packet.h"

enum {
	NODE_BYTES_MAX = IMAGE_BYTES_MAX + sizeof(struct rest),
};

void node_config(const struct bounds *bounds, raft_id self,
		 struct raft_config *config)
{
	*config = (struct raft_config){
		.self = self,
		.heartbeat_ms = IMAGE_HEARTBEAT_MS,
		.election_ms = IMAGE_ELECTION_MS,
		.lease_ms = IMAGE_ELECTION_MS / 2,
		.disk_stall_ms = 1 << 30, /* stalls are not looked at */
		.message_entries = bounds->entries,
		.message_bytes = LIMIT_MESSAGE_BYTES,
		.inflight_messages = LOG_MAX,
		.inflight_bytes = LIMIT_INFLIGHT_BYTES,
		.uncommitted_bytes = LIMIT_UNCOMMITTED_BYTES,
	};
}

void node_boot(struct model *m, raft_id self, bool fresh)
{
	const struct disk *d = &m->rest.disk;
	struct raft_run runs[LOG_MAX];
	static const uint32_t sizes[LOG_MAX];
	struct raft_config config;
	struct raft_boot boot = {
		.now = m->now,
		.hard = d->hard,
		.members.voter_count = m->bounds.nodes,
		.runs = runs,
		.sizes = sizes,
		.size_count = d->last,
		.commit = d->commit,
		.applied = d->commit,
		.fresh = fresh,
	};
	raft_index i;

	for (i = 1; i <= m->bounds.nodes; i++)
		boot.members.voters[i - 1] = i;
	for (i = 1; i <= d->last; i++) {
		raft_term term = log_term(d->log, i);

		if (boot.run_count == 0 ||
		    runs[boot.run_count - 1].term != term)
			runs[boot.run_count++].term = term;
		runs[boot.run_count - 1].last = i;
	}
	node_config(&m->bounds, self, &config);
	raft_init(m->core, &config, &boot);
	m->rest.pending_count = 0;
	m->rest.held_count = 0;
}

/* --- As bytes ----------------------------------------------------------------
 */

static size_t put(unsigned char *bytes, size_t used, const void *from,
		  size_t size)
{
	CHECK(used + size <= NODE_BYTES_MAX);
	memcpy(bytes + used, from, size);
	return used + size;
}

static uint16_t rank_of(const struct model *m)
{
	const struct raft *r = m->core;
	uint32_t i, rank = (uint32_t)r->hard.term * 64;
	struct raft_pos pos = runs_last_pos(&r->runs);

	if (r->role == RAFT_LEADER) {
		rank += 16;
		for (i = 0; i < r->peer_count; i++)
			rank += (uint32_t)r->peer[i].match +
				(r->peer[i].state == PROGRESS_REPLICATE ? 2u
									: 0u);
	} else if (r->role == RAFT_CANDIDATE) {
		rank += 8;
		for (i = 0; i < r->peer_count; i++)
			rank += r->peer[i].answer != PROGRESS_SILENT;
	} else
		rank += (r->hard.vote == r->config.self ? 24u
			 : r->hard.vote != 0		? 8u
							: 0u) +
			(r->leader != 0 ? 4u : 0u);
	rank += (uint32_t)(pos.term * 24 + pos.index * 2 + r->commit * 2);
	return (uint16_t)rank;
}

static void see(struct model *m)
{
	struct sight *s = pool_take(&m->sights, sizeof(*s));
	const struct raft *r = m->core;
	uint32_t i;

	s->log = image_log(r);
	s->last = (uint8_t)runs_last(&r->runs);
	s->disk = m->rest.disk.log;
	s->disk_last = (uint8_t)m->rest.disk.last;
	s->commit = (uint8_t)r->commit;
	s->term = (uint8_t)r->hard.term;
	s->disk_term = (uint8_t)m->rest.disk.hard.term;
	s->rank = rank_of(m);
	s->is_leader = r->role == RAFT_LEADER;
	s->is_candidate = r->role == RAFT_CANDIDATE;
	for (i = 0; i < r->peer_count && s->is_leader; i++)
		s->match[i] = (uint8_t)r->peer[i].match;
}

/* What is held is a set: in what order the core said it does not matter. */
static int compare(const void *a, const void *b)
{
	const struct held *x = a, *y = b;

	if (x->after != y->after)
		return x->after < y->after ? -1 : 1;
	if (x->packet != y->packet)
		return x->packet < y->packet ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static uint32_t store(struct model *m)
{
	unsigned char bytes[NODE_BYTES_MAX];
	unsigned char core[IMAGE_BYTES_MAX];
	struct rest *rest = &m->rest;
	uint32_t before = m->nodes.count, node;
	size_t used = 0;

	qsort(rest->held, rest->held_count, sizeof(rest->held[0]), compare);

	used = put(bytes, used, rest, offsetof(struct rest, pending));
	used = put(bytes, used, rest->pending,
		   rest->pending_count * sizeof(rest->pending[0]));
	used = put(bytes, used, rest->held,
		   rest->held_count * sizeof(rest->held[0]));
	used = put(bytes, used, core, image_store(m->image, m->core, core));
	node = intern_add(&m->nodes, bytes, used);
	if (m->nodes.count > before)
		see(m);
	return node;
}

uint32_t node_store(struct model *m)
{
	struct rest *rest = &m->rest;
	raft_seq fell = image_settle(m->core, &m->bounds);
	uint32_t i;

	for (i = 0; i < rest->pending_count; i++)
		rest->pending[i].seq -= fell;
	for (i = 0; i < rest->held_count; i++)
		rest->held[i].after -= fell;
	return store(m);
}

void node_load(struct model *m, uint32_t node)
{
	size_t size;
	const unsigned char *bytes = intern_at(&m->nodes, node, &size);
	struct rest *rest = &m->rest;

	memcpy(rest, bytes, offsetof(struct rest, pending));
	bytes += offsetof(struct rest, pending);
	memcpy(rest->pending, bytes,
	       rest->pending_count * sizeof(rest->pending[0]));
	bytes += rest->pending_count * sizeof(rest->pending[0]);
	memcpy(rest->held, bytes, rest->held_count * sizeof(rest->held[0]));
	bytes += rest->held_count * sizeof(rest->held[0]);
	image_load(m->image, bytes, m->core);
	m->now = IMAGE_NOW;
}

/* --- Others -----------------------------------------------------------------
 */

uint32_t node_started(struct model *m, raft_id self, const struct disk *disk,
		      bool fresh)
{
	struct {
		raft_id self;
		uint64_t fresh;
		struct disk disk;
	} key = {self, fresh, *disk};
	uint32_t before = m->disks.count;
	uint32_t number = intern_add(&m->disks, &key, sizeof(key));
	uint32_t *boots;

	if (m->disks.count > before) {
		boots = pool_take(&m->boots, sizeof(uint64_t));
		m->rest.disk = *disk;
		m->now = IMAGE_NOW;
		node_boot(m, self, fresh);
		boots[0] = node_store(m);
	}
	boots = (uint32_t *)(void *)m->boots.base;
	return boots[number * 2];
}

uint32_t node_reorder(struct model *m, uint32_t node, uint32_t order)
{
	uint32_t *value = ordered_at(m, ORDERED_NODE, node, order);
	const struct order *o = &m->order[order];
	struct rest *rest = &m->rest;
	uint32_t i, moved;

	if (*value != 0)
		return *value;
	node_load(m, node);
	image_reorder(m->core, o);
	rest->disk.hard.vote = o->to[rest->disk.hard.vote];
	for (i = 0; i < rest->pending_count; i++)
		rest->pending[i].hard.vote = o->to[rest->pending[i].hard.vote];
	for (i = 0; i < rest->held_count; i++) {
		if (rest->held[i].packet != 0)
			rest->held[i].packet =
				packet_reorder(m, rest->held[i].packet, order);
	}
	moved = store(m);
	*ordered_at(m, ORDERED_NODE, node, order) = moved;
	return moved;
}

const struct sight *node_sight(const struct model *m, uint32_t node)
{
	return (const struct sight *)(const void *)m->sights.base + node;
}
