/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/search.h"

#include <string.h>

#include "base/mem.h"
#include "tests/explore/node.h"
#include "tests/explore/packet.h"
#include "tests/explore/step.h"

#define DROPPED UINT32_MAX

static uint32_t *by_state(const struct pool *p)
{
	return (uint32_t *)(void *)p->base;
}

const uint32_t *search_state(const struct search *s, uint32_t state)
{
	return by_state(&s->states) + (size_t)state * s->stride;
}

/* --- The order of expansion -------------------------------------------------
 */

static uint32_t rank_of(const struct search *s, const uint32_t *state)
{
	const struct model *m = s->model;
	struct ledger ledger;
	size_t size;
	uint32_t i, rank;

	if (s->nearest_first)
		return s->rank + 1;
	memcpy(&ledger, intern_at(&s->ledgers, state[s->stride - 1], &size),
	       sizeof(ledger));
	rank = ledger.crashes * 2048u + ledger.proposals * 4u + ledger.count;
	for (i = 0; i < m->bounds.nodes; i++)
		rank += node_sight(m, site_at(m, state[i])->node)->rank;
	CHECK(rank < RANKS_MAX);
	return rank;
}

static void enqueue(struct search *s, uint32_t state)
{
	uint32_t number = rank_of(s, search_state(s, state));
	struct rank *rank = &s->ranks[number];

	if (rank->tail != 0)
		by_state(&s->queue)[rank->tail - 1] = state + 1;
	else
		rank->head = state + 1;
	rank->tail = state + 1;
	if (number < s->rank)
		s->rank = number;
	s->queued++;
}

/* The next one, + 1; 0: none. */
static uint32_t dequeue(struct search *s)
{
	struct rank *rank = &s->ranks[s->rank];
	uint32_t first;

	while (rank->head == 0) {
		if (s->queued == 0 || s->rank + 1 == RANKS_MAX)
			return 0;
		rank = &s->ranks[++s->rank];
	}
	first = rank->head;
	rank->head = by_state(&s->queue)[first - 1];
	if (rank->head == 0)
		rank->tail = 0;
	s->queued--;
	return first;
}

/* --- The set of states ------------------------------------------------------
 */

/* Of the same kind: has a every message that matters to b? */
static bool covers(const struct search *s, const uint32_t *a, const uint32_t *b)
{
	const struct model *m = s->model;
	uint32_t i;

	for (i = 0; i < m->bounds.nodes; i++) {
		if (a[i] != b[i] && !inbox_has_all(m, site_at(m, a[i])->live,
						   site_at(m, b[i])->live))
			return false;
	}
	return true;
}

static uint32_t *kind_head(struct search *s, const uint32_t *state)
{
	const struct model *m = s->model;
	uint32_t kind[STRIDE_MAX], i, number, before = s->kinds.count;

	for (i = 0; i < m->bounds.nodes; i++)
		kind[i] = site_at(m, state[i])->node;
	kind[i] = state[i];
	number = intern_add(&s->kinds, kind, s->stride * sizeof(kind[0]));
	if (s->kinds.count > before)
		pool_take(&s->heads, sizeof(uint64_t));
	return (uint32_t *)(void *)s->heads.base + (size_t)number * 2;
}

static void append(struct search *s, const uint32_t *state, uint32_t parent)
{
	size_t size = s->stride * sizeof(state[0]);

	/* A pool gives multiples of 8 bytes: two numbers, or none. */
	if (s->count % 2 == 0) {
		pool_take(&s->states, 2 * size);
		pool_take(&s->parents, 2 * sizeof(parent));
		pool_take(&s->nexts, 2 * sizeof(parent));
		pool_take(&s->queue, 2 * sizeof(parent));
	}
	memcpy(by_state(&s->states) + (size_t)s->count * s->stride, state,
	       size);
	by_state(&s->parents)[s->count] = parent;
	enqueue(s, s->count++);
}

/* Keep it, unless one is kept that can do all that it can. */
static void add(struct search *s, const uint32_t *state, uint32_t parent)
{
	uint32_t *nexts = by_state(&s->nexts);
	uint32_t *head = kind_head(s, state), *link = head;

	while (*link != 0) {
		uint32_t other = *link - 1;
		const uint32_t *held = search_state(s, other);

		if (covers(s, held, state))
			return;
		if (covers(s, state, held)) {
			*link = nexts[other];
			nexts[other] = DROPPED;
			s->dropped++;
		} else {
			link = &nexts[other];
		}
	}
	append(s, state, parent);
	nexts[s->count - 1] = *head;
	*head = s->count;
}

/* By the nodes first, so that a kind has one order; then by the inboxes. */
static int compare(const struct model *m, const uint32_t *a, const uint32_t *b)
{
	uint32_t i;

	for (i = 0; i < m->bounds.nodes; i++) {
		uint32_t x = site_at(m, a[i])->node, y = site_at(m, b[i])->node;

		if (x != y)
			return x < y ? -1 : 1;
	}
	return memcmp(a, b, m->bounds.nodes * sizeof(a[0]));
}

void search_canonical(const struct search *s, const uint32_t *state,
		      uint32_t *least)
{
	struct model *m = s->model;
	uint32_t order, i;

	memcpy(least, state, s->stride * sizeof(state[0]));
	for (order = 1; order < m->order_count; order++) {
		const struct order *o = &m->order[order];
		uint32_t other[NODES_MAX];

		for (i = 0; i < m->bounds.nodes; i++)
			other[o->to[i + 1] - 1] =
				site_reorder(m, state[i], order);
		if (compare(m, other, least) < 0)
			memcpy(least, other,
			       m->bounds.nodes * sizeof(other[0]));
	}
}

/* --- Choices ----------------------------------------------------------------
 */

static bool pay(const struct bounds *b, uint32_t choice, struct ledger *ledger)
{
	if (choice_kind(choice) == CHOICE_CRASH || (choice & CHOICE_CUT) != 0) {
		if (ledger->crashes++ == b->crashes)
			return false;
	}
	return choice_kind(choice) != CHOICE_PROPOSE ||
	       ledger->proposals++ < b->proposals;
}

bool search_follow(struct search *s, const uint32_t *from, uint32_t slot,
		   const struct edge *edge, uint32_t *to)
{
	struct model *m = s->model;
	const struct outcome *o = step_outcome(m, edge->outcome);
	struct ledger ledger;
	uint32_t i;
	size_t size;

	memcpy(&ledger, intern_at(&s->ledgers, from[s->stride - 1], &size),
	       sizeof(ledger));
	if (!pay(&m->bounds, edge->choice, &ledger))
		return false;
	if (o->node == BROKEN) {
		s->broken = intern_at(&m->bundles, o->sent[0], &size);
		return true;
	}
	for (i = 0; i < m->bounds.nodes; i++) {
		to[i] = i == slot ? edge->site : from[i];
		if (o->sent[i] != 0)
			to[i] = site_add(m, to[i], o->sent[i]);
	}
	sites_answer(m, to);
	if (memcmp(from, to, m->bounds.nodes * sizeof(to[0])) == 0)
		return false;
	s->broken = oracle_judge(m, to, slot, &ledger);
	to[m->bounds.nodes] = intern_add(&s->ledgers, &ledger, sizeof(ledger));
	return true;
}

static void expand(struct search *s, uint32_t state)
{
	struct model *m = s->model;
	const uint32_t *from = search_state(s, state);
	uint32_t to[STRIDE_MAX], least[STRIDE_MAX];
	uint32_t slot, i;

	for (slot = 0; slot < m->bounds.nodes; slot++) {
		const struct site *site = site_open(m, from[slot]);

		for (i = 0; i < site->edge_count; i++) {
			if (!search_follow(s, from, slot, &site->edges[i], to))
				continue;
			if (s->broken != NULL) {
				s->broken_parent = state;
				return;
			}
			search_canonical(s, to, least);
			add(s, least, state);
		}
	}
}

bool search_go(struct search *s, uint32_t states)
{
	while (states > 0) {
		uint32_t next = dequeue(s);

		if (next == 0)
			return false;
		if (by_state(&s->nexts)[next - 1] == DROPPED)
			continue;
		states--;
		s->expanded++;
		expand(s, next - 1);
		if (s->broken != NULL)
			return false;
	}
	return true;
}

/* --- Life -------------------------------------------------------------------
 */

struct search *search_new(struct model *m, bool nearest_first)
{
	struct search *s = mem_zalloc(sizeof(*s));
	const struct ledger none = {0};
	uint32_t state[STRIDE_MAX], least[STRIDE_MAX];

	s->model = m;
	s->nearest_first = nearest_first;
	s->stride = m->bounds.nodes + 1;
	pool_open(&s->states);
	pool_open(&s->parents);
	intern_open(&s->ledgers);
	intern_open(&s->kinds);
	pool_open(&s->heads);
	pool_open(&s->nexts);
	pool_open(&s->queue);
	pool_take(&s->heads, sizeof(uint64_t)); /* kinds begin with 1 */

	memcpy(state, m->start, sizeof(m->start));
	state[m->bounds.nodes] = intern_add(&s->ledgers, &none, sizeof(none));
	search_canonical(s, state, least);
	add(s, least, 0);
	return s;
}

void search_free(struct search *s)
{
	pool_close(&s->queue);
	pool_close(&s->nexts);
	pool_close(&s->heads);
	intern_close(&s->kinds);
	intern_close(&s->ledgers);
	pool_close(&s->parents);
	pool_close(&s->states);
	mem_free(s);
}
