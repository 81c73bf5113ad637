/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/image.h"

#include <string.h>

#include "base/mem.h"

enum {
	PARTS_MAX = NODES_MAX + 8,
	WORD = 8,
	RUNS_KEPT = LOG_MAX + 1,
	SIZES_KEPT = LOG_MAX + 1,
	SAVES_KEPT = LAG_MAX + 1,
	TICKETS_KEPT = 2,
};

struct image {
	size_t part_count;
	struct part {
		size_t from, to;
	} part[PARTS_MAX];
	size_t words;
	uint64_t model[IMAGE_BYTES_MAX / WORD];
};

/* --- Bytes ---------------------------------------------------------------- */

/* The next part ends at `from`; what follows, up to `to`, is not kept. */
static void skip(struct image *image, size_t from, size_t to)
{
	struct part *part = &image->part[image->part_count++];

	CHECK(image->part_count < PARTS_MAX && from % WORD == 0);
	CHECK(to % WORD == 0 && from >= part->from);
	part->to = from;
	part[1].from = to;
	image->words += (part->to - part->from) / WORD;
}

#define TAIL(image, array, kept)                                               \
	skip(image, offsetof(struct raft, array[kept]),                        \
	     offsetof(struct raft, array) +                                    \
		     sizeof(((struct raft *)NULL)->array))

static void gather(const struct image *image, const struct raft *r,
		   uint64_t *words)
{
	size_t i;

	for (i = 0; i < image->part_count; i++) {
		const struct part *part = &image->part[i];

		memcpy(words, (const char *)r + part->from,
		       part->to - part->from);
		words += (part->to - part->from) / WORD;
	}
}

struct image *image_new(const struct raft *model)
{
	struct image *image = mem_zalloc(sizeof(*image));
	size_t i;

	for (i = 0; i < NODES_MAX; i++) {
		size_t at = offsetof(struct raft, peer) +
			    i * sizeof(struct progress);

		skip(image, at + offsetof(struct progress, window.message[0]),
		     at + offsetof(struct progress, window) +
			     sizeof(struct progress_window));
	}
	TAIL(image, peer, NODES_MAX);
	TAIL(image, runs.run, RUNS_KEPT);
	TAIL(image, sizes.size, SIZES_KEPT);
	TAIL(image, saves.ring, SAVES_KEPT);
	TAIL(image, reads.ticket, TICKETS_KEPT);
	TAIL(image, reads.sent, 0);
	skip(image, sizeof(struct raft), sizeof(struct raft));
	CHECK(image->words * WORD <= sizeof(image->model));
	gather(image, model, image->model);
	return image;
}

void image_free(struct image *image)
{
	mem_free(image);
}

/* A bit for each word that differs from the model's, then these words. */
size_t image_store(const struct image *image, const struct raft *r,
		   unsigned char *bytes)
{
	uint64_t words[IMAGE_BYTES_MAX / WORD];
	size_t i, used = (image->words + 7) / 8;

	gather(image, r, words);
	memset(bytes, 0, used);
	for (i = 0; i < image->words; i++) {
		if (words[i] == image->model[i])
			continue;
		CHECK(used + WORD <= IMAGE_BYTES_MAX);
		bytes[i / 8] |= (unsigned char)(1u << i % 8);
		memcpy(bytes + used, &words[i], WORD);
		used += WORD;
	}
	return used;
}

void image_load(const struct image *image, const unsigned char *bytes,
		struct raft *r)
{
	const unsigned char *next = bytes + (image->words + 7) / 8;
	uint64_t words[IMAGE_BYTES_MAX / WORD];
	const uint64_t *from = words;
	size_t i;

	for (i = 0; i < image->words; i++) {
		words[i] = image->model[i];
		if ((bytes[i / 8] >> i % 8 & 1) == 0)
			continue;
		memcpy(&words[i], next, WORD);
		next += WORD;
	}
	for (i = 0; i < image->part_count; i++) {
		const struct part *part = &image->part[i];

		memcpy((char *)r + part->from, from, part->to - part->from);
		from += (part->to - part->from) / WORD;
	}
}

/* --- The settled form -------------------------------------------------------
 */

static void settle_time(struct raft *r, const struct bounds *bounds)
{
	bool promised = bounds->promises && r->heard_from != 0 &&
			r->now < r->heard + r->config.election_ms;
	bool quiet = bounds->promises && r->now < r->quiet_until;

	if (!promised)
		r->heard_from = 0;
	r->heard = promised ? IMAGE_NOW : 0;
	r->quiet_until = quiet ? IMAGE_NOW + r->config.election_ms : 0;
	r->now = IMAGE_NOW;
	r->election_due = IMAGE_NOW + 2 * (raft_ms)r->config.election_ms;
	r->heartbeat_due =
		r->role == RAFT_LEADER ? IMAGE_NOW + r->config.heartbeat_ms : 0;
	r->random = 0;
	r->reads.number = 0; /* none is sent */
	r->reads.asked = 0;
	r->reads.round = r->role == RAFT_LEADER;	 /* packet.c */
	memset(r->reads.sent, 0, sizeof(r->reads.sent)); /* no lease is read */
}

/* A leader's view of a peer; nobody else has one: election begins it anew. */
static void settle_peer(struct raft *r, struct progress *p)
{
	if (r->role != RAFT_LEADER || p->id == r->config.self) {
		struct progress old = *p;

		progress_init(p, p->id, 0, 0);
		p->voter = old.voter;
		p->outgoing = old.outgoing;
		p->answer = old.answer;
		p->match = r->role == RAFT_LEADER ? old.match : 0;
		return;
	}
	p->heard = IMAGE_NOW;
	p->replied = 0;
	p->round = 0; /* for reads, as are the next two */
	p->round_sent = 0;
	p->applied = 0; /* shown to people */
	CHECK(p->window.count < r->config.inflight_messages); /* never full */
	memset(&p->window, 0, sizeof(p->window));
}

static raft_seq settle_saves(struct saves *s)
{
	struct saves old = *s;
	uint32_t i;

	CHECK(old.count <= SAVES_KEPT);
	memset(s->ring, 0, sizeof(s->ring[0]) * SAVES_KEPT);
	s->head = 0;
	for (i = 0; i < old.count; i++) {
		s->ring[i] = old.ring[(old.head + i) % SAVES_MAX];
		s->ring[i].seq -= old.durable;
		s->ring[i].since = IMAGE_NOW;
	}
	s->newest -= old.durable;
	s->hard = old.hard > old.durable ? old.hard - old.durable : 0;
	s->durable = 0;
	return old.durable;
}

raft_seq image_settle(struct raft *r, const struct bounds *bounds)
{
	uint32_t i;

	settle_time(r, bounds);
	for (i = 0; i < r->peer_count; i++)
		settle_peer(r, &r->peer[i]);
	CHECK(r->runs.count < RUNS_KEPT && runs_last(&r->runs) <= LOG_MAX);
	for (i = r->runs.count; i < RUNS_KEPT; i++)
		memset(&r->runs.run[i], 0, sizeof(r->runs.run[i]));
	if (r->role != RAFT_LEADER)
		r->noop = 0;
	r->settled = 0; /* for cutting the log */
	r->reason = RAFT_BECAUSE_STARTED;
	memset(&r->counters, 0, sizeof(r->counters));
	memset(&r->stage, 0, sizeof(r->stage));
	return settle_saves(&r->saves);
}

/* --- Names ------------------------------------------------------------------
 */

void image_reorder(struct raft *r, const struct order *order)
{
	struct progress peer[NODES_MAX];
	uint32_t i;

	r->config.self = order->to[r->config.self];
	r->hard.vote = order->to[r->hard.vote];
	r->leader = order->to[r->leader];
	r->heard_from = order->to[r->heard_from];
	memcpy(peer, r->peer, sizeof(peer));
	for (i = 0; i < r->peer_count; i++) {
		raft_id id = order->to[peer[i].id];

		r->peer[id - 1] = peer[i];
		r->peer[id - 1].id = id;
	}
}

uint64_t image_log(const struct raft *r)
{
	raft_index last = runs_last(&r->runs), i;
	uint64_t log = 0;

	CHECK(last <= LOG_MAX);
	for (i = 1; i <= last; i++)
		log |= (runs_term(&r->runs, i) & 15) << 4 * (i - 1);
	return log;
}
