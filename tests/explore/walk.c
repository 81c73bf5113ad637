/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/walk.h"

#include <string.h>

#include "base/mem.h"
#include "raft/random.h"
#include "tests/explore/node.h"
#include "tests/explore/packet.h"
#include "tests/explore/say.h"
#include "tests/explore/step.h"

enum {
	LOG_ROOM = 4, /* entries to be kept free: elections add some */
};

/* A real node beside its number in the model. */
struct walker {
	uint32_t node;
	struct raft *core;
	struct rest rest;
	raft_ms now;
};

struct walks {
	struct model *m;
	uint64_t random;
	struct walker walker[NODES_MAX];
	uint32_t inbox[NODES_MAX];
	uint64_t taken; /* choices */
};

/* Put the real node to work, in place of a number. */
static struct raft *swap_in(struct model *m, struct walker *w)
{
	struct raft *own = m->core;

	m->core = w->core;
	m->rest = w->rest;
	m->now = w->now;
	return own;
}

static void swap_out(struct model *m, struct walker *w, struct raft *own)
{
	w->rest = m->rest;
	w->now = m->now;
	m->core = own;
}

static void begin(struct walks *s)
{
	struct model *m = s->m;
	uint32_t i;

	for (i = 0; i < m->bounds.nodes; i++) {
		struct walker *w = &s->walker[i];
		struct raft *own;

		w->node = site_at(m, m->start[i])->node;
		s->inbox[i] = inbox_of(m, NULL, 0);
		memset(&w->rest, 0, sizeof(w->rest));
		/* Not that of the model, and another for each. */
		w->now = 5000 + random_from(&s->random, 0, 1000);
		own = swap_in(m, w);
		node_boot(m, i + 1, true);
		m->core->random += random_next(&s->random);
		election_delay(m->core);
		swap_out(m, w, own);
	}
}

static uint32_t draw(struct walks *s, uint32_t slot)
{
	static const enum choice_kind own[] = {
		CHOICE_STAND, CHOICE_HEARTBEAT, CHOICE_RESIGN, CHOICE_PROPOSE,
		CHOICE_SAVE,  CHOICE_CRASH,	CHOICE_PASS,
	};
	struct model *m = s->m;
	const uint16_t *mail;
	size_t count;
	uint32_t choice;

	mail = inbox_at(m, s->inbox[slot], &count);
	if (count == 0 || random_from(&s->random, 0, 4) == 0) {
		size_t i = random_from(&s->random, 0, COUNT_OF(own));

		choice = (uint32_t)own[i] << CHOICE_SHIFT;
	} else {
		/* Late messages are tried too, but new ones more often. */
		size_t i = random_from(&s->random, 0, count);
		size_t j = random_from(&s->random, 0, count);

		choice = (uint32_t)CHOICE_DELIVER << CHOICE_SHIFT |
			 mail[i > j ? i : j];
		if (random_from(&s->random, 0, 3) == 0)
			choice |= CHOICE_LATE;
	}
	if (m->bounds.lag == 0 && random_from(&s->random, 0, 16) == 0)
		choice |= CHOICE_CUT;
	return choice;
}

static bool has_room(const struct model *m, uint32_t node, uint32_t choice)
{
	return choice_kind(choice) != CHOICE_PROPOSE ||
	       node_sight(m, node)->last + LOG_ROOM < LOG_MAX;
}

/* The same outcome of the real node, settled; 0: it has no such choice. */
static uint32_t really(struct walks *s, uint32_t slot, uint32_t choice,
		       struct outcome *o)
{
	struct model *m = s->m;
	struct walker *w = &s->walker[slot];
	struct raft *own = swap_in(m, w);
	struct rest rest;
	bool happened = step_run(m, choice);
	uint32_t i;

	if (happened && m->has_crashed)
		node_boot(m, slot + 1, false);
	swap_out(m, w, own);
	if (!happened)
		return 0;
	memset(o, 0, sizeof(*o));
	for (i = 0; i < m->bounds.nodes; i++)
		o->sent[i] = bundle_of_sent(m, i + 1);
	memcpy(m->core, w->core, raft_size());
	rest = m->rest = w->rest;
	o->node = node_store(m);
	m->rest = rest;
	return 1;
}

static uint32_t bundle_reorder(struct model *m, uint32_t bundle, uint32_t order)
{
	const uint16_t *numbers;
	size_t i, count;

	if (bundle == 0)
		return 0;
	numbers = bundle_at(m, bundle, &count);
	m->sent_count = 0;
	for (i = 0; i < count; i++)
		m->sent[m->sent_count++] = packet_reorder(m, numbers[i], order);
	return bundle_of_sent(m, packet_at(m, m->sent[0])->msg.to);
}

static bool is_equal_in(struct model *m, uint32_t order, uint32_t node,
			uint32_t choice, const struct outcome *o)
{
	const struct order *to = &m->order[order];
	uint32_t other_node = node_reorder(m, node, order);
	uint32_t other_choice = choice, number, i;
	const struct outcome *other;

	if (choice_kind(choice) == CHOICE_DELIVER)
		other_choice = (choice & ~(uint32_t)CHOICE_PACKET) |
			       packet_reorder(m, choice & CHOICE_PACKET, order);
	number = step_choice(m, other_node, other_choice);
	if (number == 0)
		return false;
	other = step_outcome(m, number);
	if (other->node != node_reorder(m, o->node, order))
		return false;
	for (i = 0; i < m->bounds.nodes; i++) {
		if (other->sent[to->to[i + 1] - 1] !=
		    bundle_reorder(m, o->sent[i], order))
			return false;
	}
	return true;
}

static bool complain(struct walks *s, uint32_t slot, uint32_t choice,
		     const char *what, FILE *out)
{
	struct model *m = s->m;

	fprintf(out, "walk: %s, at node %u, after %llu choices:\n", what,
		slot + 1, (unsigned long long)s->taken);
	m->say = out;
	step_say(m, s->walker[slot].node, choice);
	m->say = NULL;
	return false;
}

static bool take(struct walks *s, uint32_t slot, uint32_t choice, FILE *out)
{
	struct model *m = s->m;
	uint32_t node = s->walker[slot].node, i;
	uint32_t number = step_choice(m, node, choice);
	struct outcome model, real;

	/* Nothing changes: not worth a real step, which might only wait. */
	if (number == 0)
		return true;
	model = *step_outcome(m, number);
	if (model.node == BROKEN)
		return complain(s, slot, choice, m->broken, out);
	if (really(s, slot, choice, &real) == 0)
		return true; /* its clock is not where the model's is */
	s->taken++;
	if (memcmp(&model, &real, sizeof(model)) != 0)
		return complain(s, slot, choice, "a real core differs", out);
	for (i = 1; i < m->order_count; i++) {
		if (!is_equal_in(m, i, node, choice, &model))
			return complain(s, slot, choice, "nodes are not equal",
					out);
	}
	s->walker[slot].node = model.node;
	for (i = 0; i < m->bounds.nodes; i++) {
		if (model.sent[i] != 0)
			s->inbox[i] = inbox_add(m, s->inbox[i], model.sent[i]);
	}
	return true;
}

bool walk(struct model *m, uint32_t starts, uint32_t choices, uint64_t seed,
	  FILE *out)
{
	struct walks s = {.m = m, .random = seed};
	bool same = true;
	uint32_t i, start;

	for (i = 0; i < m->bounds.nodes; i++)
		s.walker[i].core = mem_zalloc(raft_size());
	for (start = 0; start < starts && same; start++) {
		begin(&s);
		for (i = 0; i < choices && same; i++) {
			uint32_t slot = (uint32_t)random_from(&s.random, 0,
							      m->bounds.nodes);
			uint32_t choice = draw(&s, slot);

			if (has_room(m, s.walker[slot].node, choice))
				same = take(&s, slot, choice, out);
		}
	}
	for (i = 0; i < m->bounds.nodes; i++)
		mem_free(s.walker[i].core);
	if (same)
		fprintf(out,
			"walk: %llu choices, the same for real cores and "
			"in %u orders\n",
			(unsigned long long)s.taken, m->order_count);
	return same;
}
