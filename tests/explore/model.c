/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/model.h"

#include <string.h>

#include "base/mem.h"
#include "tests/explore/image.h"
#include "tests/explore/node.h"
#include "tests/explore/packet.h"
#include "tests/explore/step.h"

/* --- Life -------------------------------------------------------------------
 */

/* Every order of three nodes, the first one as they are. */
static void find_orders(struct model *m)
{
	static const struct order all[ORDERS_MAX] = {
		{{0, 1, 2, 3, 4, 5}}, {{0, 1, 3, 2, 4, 5}},
		{{0, 2, 1, 3, 4, 5}}, {{0, 2, 3, 1, 4, 5}},
		{{0, 3, 1, 2, 4, 5}}, {{0, 3, 2, 1, 4, 5}},
	};

	memcpy(m->order, all, sizeof(all));
	m->order_count = m->bounds.symmetry && m->bounds.nodes == 3 ? 6 : 1;
}

struct model *model_new(const struct bounds *bounds)
{
	struct model *m = mem_zalloc(sizeof(*m));
	const struct disk none = {0};
	raft_id id;

	CHECK(bounds->nodes >= 1 && bounds->nodes <= NODES_MAX);
	CHECK(bounds->terms <= TERMS_MAX && bounds->lag <= LAG_MAX);
	CHECK(bounds->entries > 0);
	m->bounds = *bounds;
	m->core = mem_zalloc(raft_size());
	m->acts = mem_alloc(raft_acts_max() * sizeof(m->acts[0]));
	intern_open(&m->nodes);
	intern_open(&m->packets);
	intern_open(&m->bundles);
	intern_open(&m->inboxes);
	intern_open(&m->outcomes);
	intern_open(&m->pairs);
	intern_open(&m->disks);
	pool_open(&m->sights);
	pool_open(&m->mails);
	pool_open(&m->sites);
	pool_open(&m->edges);
	pool_open(&m->boots);
	memo_open(&m->steps);
	memo_open(&m->added);
	memo_open(&m->ordered);
	/* Numbers begin with 1. */
	pool_take(&m->sights, sizeof(struct sight));
	pool_take(&m->mails, sizeof(struct mail));
	pool_take(&m->sites, sizeof(struct site));
	pool_take(&m->boots, sizeof(uint64_t));

	find_orders(m);
	m->now = IMAGE_NOW;
	node_boot(m, 1, true);
	m->image = image_new(m->core);
	for (id = 1; id <= bounds->nodes; id++)
		m->start[id - 1] = site_of(m, node_started(m, id, &none, true),
					   inbox_of(m, NULL, 0));
	return m;
}

void model_free(struct model *m)
{
	memo_close(&m->ordered);
	memo_close(&m->added);
	memo_close(&m->steps);
	pool_close(&m->boots);
	pool_close(&m->edges);
	pool_close(&m->sites);
	pool_close(&m->mails);
	pool_close(&m->sights);
	intern_close(&m->disks);
	intern_close(&m->pairs);
	intern_close(&m->outcomes);
	intern_close(&m->inboxes);
	intern_close(&m->bundles);
	intern_close(&m->packets);
	intern_close(&m->nodes);
	image_free(m->image);
	mem_free(m->acts);
	mem_free(m->core);
	mem_free(m);
}

/* --- Sites ------------------------------------------------------------------
 */

/* A reply of a term, or a candidacy, that its receiver has left for good. */
static bool is_void(const struct raft_msg *msg, const struct sight *s)
{
	bool is_now = s->disk_term == msg->term && s->term == msg->term;

	switch (msg->kind) {
	case RAFT_PREVOTE_REPLY:
		return msg->term <= s->disk_term;
	case RAFT_VOTE_REPLY:
		return msg->term <= s->disk_term &&
		       !(is_now && s->is_candidate);
	case RAFT_APPEND_REPLY:
		return msg->term <= s->disk_term &&
		       !(is_now && (s->is_candidate || s->is_leader));
	default:
		return false;
	}
}

static uint32_t live(struct model *m, uint32_t node, uint32_t inbox)
{
	const struct sight *s = node_sight(m, node);
	uint16_t numbers[INBOX_MAX];
	size_t i, count, kept = 0;
	const uint16_t *all = inbox_at(m, inbox, &count);

	for (i = 0; i < count; i++) {
		if (!is_void(&packet_at(m, all[i])->msg, s))
			numbers[kept++] = all[i];
	}
	return kept == count ? inbox : inbox_of(m, numbers, kept);
}

uint32_t site_of(struct model *m, uint32_t node, uint32_t inbox)
{
	uint32_t pair[2] = {node, inbox};
	uint32_t before = m->pairs.count;
	uint32_t number = intern_add(&m->pairs, pair, sizeof(pair));
	struct site *s;

	if (m->pairs.count > before) {
		s = pool_take(&m->sites, sizeof(*s));
		s->node = node;
		s->inbox = inbox;
		s->live = live(m, node, inbox);
		s->edge_count = UNOPENED;
		s->order[0] = number;
	}
	return number;
}

uint32_t site_add(struct model *m, uint32_t site, uint32_t bundle)
{
	uint64_t key = (uint64_t)site << 32 | bundle;
	uint32_t known = *memo_at(&m->added, key);

	if (known == 0) {
		const struct site *s = site_at(m, site);

		known = site_of(m, s->node, inbox_add(m, s->inbox, bundle));
		*memo_at(&m->added, key) = known;
	}
	return known;
}

uint32_t site_reorder(struct model *m, uint32_t site, uint32_t order)
{
	struct site *s = site_at(m, site);

	if (s->order[order] == 0)
		s->order[order] = site_of(m, node_reorder(m, s->node, order),
					  inbox_reorder(m, s->inbox, order));
	return s->order[order];
}

/* May it be taken as often as one likes? */
static bool is_free(uint32_t choice)
{
	return (choice & CHOICE_CUT) == 0 &&
	       (choice_kind(choice) == CHOICE_DELIVER ||
		choice_kind(choice) == CHOICE_HEARTBEAT ||
		choice_kind(choice) == CHOICE_PASS);
}

/* Note where the choice leads; 1 if it is an edge, as most are not. */
static uint32_t edge_try(struct model *m, struct site *s, struct edge *edge,
			 uint32_t choice)
{
	uint32_t number = step_choice(m, s->node, choice);
	const struct outcome *o;
	uint32_t i;

	if (number == 0)
		return 0;
	o = step_outcome(m, number);
	if (o->node == s->node && is_free(choice)) {
		for (i = 0; i < m->bounds.nodes; i++)
			s->sent[i] = bundle_join(m, s->sent[i], o->sent[i]);
		return 0;
	}
	edge->choice = choice;
	edge->outcome = number;
	edge->site = o->node == BROKEN ? 0 : site_of(m, o->node, s->inbox);
	return 1;
}

/* The choice, and where saves do not lag, a crash in the middle of it. */
static uint32_t edges_of(struct model *m, struct site *s, struct edge *edges,
			 uint32_t choice)
{
	uint32_t count = edge_try(m, s, edges, choice);

	if (m->bounds.lag == 0 && m->bounds.crashes > 0 &&
	    choice_kind(choice) != CHOICE_CRASH)
		count += edge_try(m, s, edges + count, choice | CHOICE_CUT);
	return count;
}

/* What can not matter must not: else states were left out that count. */
static uint32_t edges_of_void(struct model *m, struct site *s,
			      struct edge *edges, uint32_t choice)
{
	uint32_t pass = (uint32_t)CHOICE_PASS << CHOICE_SHIFT;

	if (step_choice(m, s->node, choice) == step_choice(m, s->node, pass))
		return 0; /* there is an edge for that */
	if (m->void_choice == 0) {
		m->void_node = s->node;
		m->void_choice = choice;
	}
	return edges_of(m, s, edges, choice);
}

const struct site *site_open(struct model *m, uint32_t site)
{
	static const enum choice_kind own[] = {
		CHOICE_STAND, CHOICE_HEARTBEAT, CHOICE_RESIGN, CHOICE_PROPOSE,
		CHOICE_SAVE,  CHOICE_CRASH,	CHOICE_PASS,
	};
	struct site *s = site_at(m, site);
	const struct sight *sight = node_sight(m, s->node);
	struct edge edges[CHOICES_MAX];
	const uint16_t *mail;
	uint32_t count = 0;
	size_t i, mail_count;

	if (s->edge_count != UNOPENED)
		return s;
	for (i = 0; i < COUNT_OF(own); i++) {
		uint32_t choice = (uint32_t)own[i] << CHOICE_SHIFT;

		count += edges_of(m, s, edges + count, choice);
	}
	mail = inbox_at(m, s->inbox, &mail_count);
	for (i = 0; i < mail_count; i++) {
		uint32_t choice =
			(uint32_t)CHOICE_DELIVER << CHOICE_SHIFT | mail[i];

		CHECK(count + 4 <= CHOICES_MAX);
		if (is_void(&packet_at(m, mail[i])->msg, sight)) {
			count += edges_of_void(m, s, edges + count, choice);
			continue;
		}
		count += edges_of(m, s, edges + count, choice);
		if (m->bounds.promises)
			count += edges_of(m, s, edges + count,
					  choice | CHOICE_LATE);
	}
	s->edges = pool_take(&m->edges, count * sizeof(edges[0]));
	memcpy(s->edges, edges, count * sizeof(edges[0]));
	s->edge_count = count;
	return s;
}

void sites_answer(struct model *m, uint32_t *sites)
{
	uint32_t from, to, quiet = 0;

	for (from = 0; quiet < m->bounds.nodes; from++, quiet++) {
		const struct site *s;

		from %= m->bounds.nodes;
		s = site_open(m, sites[from]);
		for (to = 0; to < m->bounds.nodes; to++) {
			uint32_t before = sites[to];

			if (s->sent[to] == 0)
				continue;
			sites[to] = site_add(m, before, s->sent[to]);
			if (sites[to] != before)
				quiet = 0;
		}
	}
}
