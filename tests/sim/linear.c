/* SPDX-License-Identifier: Apache-2.0 */
/* linear.c - the search, over a list of calls and ends in order of time.
 *
 * What may be taken next are the calls before the first end in the list. Taking
 * an operation unlinks its call and its end; undoing it links them again. An
 * operation of unknown outcome has no end, so it never has to be taken.
 *
 * What keeps the search short, besides the memory:
 *   - what changes nothing (a read that fits) is taken at once and for good:
 *     whatever order works without it works with it in this place
 *   - what need not be taken is tried last, and only where it can matter:
 *     written content that no read from now on begins with matters to none,
 *     unless it made the file
 *   - of operations that need not be taken and do the same, the one called
 *     first is taken first */
#include "tests/sim/linear.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/linear_model.h"

const struct linear_limits linear_limits = {.steps = 4000000,
					    .memory_bytes = 64 << 20};

/* --- Configurations seen -----------------------------------------------------
 */

struct mark {
	uint64_t a, b; /* both 0: free */
};

/* Open addressing, at most half full; when it may not grow, nothing more is
 * remembered: slower, but as right. */
struct memory {
	struct mark *slots;
	size_t capacity; /* a power of two */
	size_t count;
	size_t capacity_max;
};

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* A set of operations is the exclusive or of their marks. */
static void toggle(struct mark *set, size_t op)
{
	set->a ^= mix(2 * op + 1);
	set->b ^= mix(~(2 * op + 1));
}

static struct mark configuration(const struct mark *taken,
				 const struct linear_state *s)
{
	struct mark m = *taken;

	for (size_t i = 0; i < LINEAR_CELLS; i++) {
		const struct linear_cell *c = &s->cell[i];

		m.a = mix(m.a ^ c->exists) ^ mix(c->text.sum + i);
		m.b = mix(m.b ^ c->text.scale) ^ mix(~c->text.sum);
	}
	m.a |= 1; /* never the free one */
	return m;
}

static struct mark *slot_of(struct mark *slots, size_t capacity, struct mark m)
{
	size_t at = (size_t)m.b & (capacity - 1);

	while ((slots[at].a | slots[at].b) != 0 &&
	       (slots[at].a != m.a || slots[at].b != m.b))
		at = (at + 1) & (capacity - 1);
	return &slots[at];
}

static void grow(struct memory *m)
{
	size_t capacity = m->capacity == 0 ? 1024 : 2 * m->capacity;
	struct mark *slots = mem_zalloc(capacity * sizeof *slots);

	for (size_t i = 0; i < m->capacity; i++)
		if ((m->slots[i].a | m->slots[i].b) != 0)
			*slot_of(slots, capacity, m->slots[i]) = m->slots[i];
	mem_free(m->slots);
	m->slots = slots;
	m->capacity = capacity;
}

/* Was it seen before? It is from now on. */
static bool seen(struct memory *m, struct mark mark)
{
	struct mark *slot;

	if (2 * m->count >= m->capacity && 2 * m->capacity <= m->capacity_max)
		grow(m);
	if (m->capacity == 0)
		return false;
	slot = slot_of(m->slots, m->capacity, mark);
	if ((slot->a | slot->b) != 0)
		return true;
	if (2 * m->count < m->capacity) {
		*slot = mark;
		m->count++;
	}
	return false;
}

/* --- What reads begin with
 * ----------------------------------------------------
 */

struct prefix {
	struct digest text; /* scale 0: free */
	uint64_t end;	    /* of the last read that begins with it */
};

struct prefixes {
	struct prefix *slots;
	size_t capacity; /* a power of two, more than twice the prefixes */
};

static struct prefix *prefix_slot(const struct prefixes *p, struct digest text)
{
	size_t at = (size_t)mix(text.sum) & (p->capacity - 1);

	while (p->slots[at].text.scale != 0 &&
	       !digest_equal(p->slots[at].text, text))
		at = (at + 1) & (p->capacity - 1);
	return &p->slots[at];
}

static void prefix_add(struct prefixes *p, struct digest text, uint64_t end)
{
	struct prefix *slot = prefix_slot(p, text);

	slot->text = text;
	if (slot->end < end)
		slot->end = end;
}

static bool is_seen(const struct linear_op *op)
{
	return op->kind == LINEAR_READ && op->outcome == LINEAR_DONE;
}

static void prefixes_init(struct prefixes *p, const struct linear_op *ops,
			  size_t count)
{
	size_t lines = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; is_seen(&ops[i]) && k < ops[i].text.size;
		     k++)
			lines += ops[i].text.data[k] == '\n';
	p->capacity = 16;
	while (p->capacity < 2 * (lines + 2 * count))
		p->capacity *= 2;
	p->slots = mem_zalloc(p->capacity * sizeof *p->slots);
	for (size_t i = 0; i < count; i++) {
		struct bytes text = ops[i].text;
		struct digest d = digest_empty;

		if (!is_seen(&ops[i]))
			continue;
		prefix_add(p, d, ops[i].end);
		for (size_t k = 0; k < text.size; k++) {
			d = digest_add(d, text.data[k]);
			if (text.data[k] == '\n' || k + 1 == text.size)
				prefix_add(p, d, ops[i].end);
		}
	}
}

/* --- The list of calls and ends ----------------------------------------------
 */

struct moment {
	struct moment *before, *after;
	struct moment *end; /* of a call; NULL: unknown outcome */
	size_t op;
	uint64_t time;
	bool is_end;
};

struct taken {
	struct moment *call;
	struct linear_state before;
	bool for_good; /* it changed nothing */
};

struct search {
	const struct linear_op *ops;
	struct digest *texts;	  /* of each operation */
	struct prefixes prefixes; /* of what reads saw */
	/* Optional operations of one kind and effect are a chain in the order
	 * of their calls: call of the one before, or NULL. */
	struct moment **twin;
	bool *is_taken;
	struct moment head; /* of the list */
	struct moment *moments;
	size_t left; /* that must be taken */
	struct mark set;
	struct linear_state state;
	struct taken *taken;
	size_t taken_count;
	size_t deepest;
	struct memory memory;
	struct linear_report report;
};

/* By time; at the same time calls come first. */
static int compare(const void *a, const void *b)
{
	const struct moment *x = a;
	const struct moment *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->is_end != y->is_end)
		return x->is_end ? 1 : -1;
	return (x->op > y->op) - (x->op < y->op);
}

static size_t lay_out(struct search *s, size_t count)
{
	struct moment **call_of = mem_zalloc((count + 1) * sizeof *call_of);
	struct moment *last = &s->head;
	size_t n = 0;

	s->moments = mem_zalloc((2 * count + 1) * sizeof *s->moments);
	for (size_t i = 0; i < count; i++) {
		const struct linear_op *op = &s->ops[i];

		CHECK(op->cell < LINEAR_CELLS && op->to < LINEAR_CELLS);
		CHECK((op->outcome == LINEAR_UNKNOWN) ==
		      (op->end == LINEAR_NEVER));
		CHECK(op->call <= op->end);
		s->moments[n++] = (struct moment){.op = i, .time = op->call};
		if (op->outcome == LINEAR_UNKNOWN)
			continue;
		s->moments[n++] = (struct moment){
			.op = i, .time = op->end, .is_end = true};
		s->left++;
	}
	qsort(s->moments, n, sizeof *s->moments, compare);
	for (size_t i = 0; i < n; i++) {
		struct moment *m = &s->moments[i];

		if (m->is_end)
			call_of[m->op]->end = m;
		else
			call_of[m->op] = m;
		m->before = last;
		last->after = m;
		last = m;
	}
	mem_free(call_of);
	return n;
}

static bool is_unread(const struct search *s, size_t op)
{
	return prefix_slot(&s->prefixes, s->texts[op])->end == 0;
}

/* Would it make no difference which of the two, both optional, is taken? */
static bool is_twin(const struct search *s, size_t a, size_t b)
{
	const struct linear_op *x = &s->ops[a];
	const struct linear_op *y = &s->ops[b];

	if (x->kind != y->kind || x->cell != y->cell || x->to != y->to)
		return false;
	return digest_equal(s->texts[a], s->texts[b]) ||
	       (x->kind != LINEAR_APPEND && is_unread(s, a) && is_unread(s, b));
}

static void find_twins(struct search *s, size_t moment_count)
{
	for (size_t i = 0; i < moment_count; i++) {
		struct moment *m = &s->moments[i];

		for (size_t k = i; k-- > 0 && !m->is_end && m->end == NULL;) {
			struct moment *n = &s->moments[k];

			if (n->is_end || n->end != NULL ||
			    !is_twin(s, n->op, m->op))
				continue;
			s->twin[m->op] = n;
			break;
		}
	}
}

static void unlink_moment(struct moment *m)
{
	m->before->after = m->after;
	if (m->after != NULL)
		m->after->before = m->before;
}

static void relink_moment(struct moment *m)
{
	m->before->after = m;
	if (m->after != NULL)
		m->after->before = m;
}

/* --- Taking and undoing
 * --------------------------------------------------------
 */

/* Optional, and its effect would take s->state to next: could that matter? */
static bool matters(const struct search *s, size_t op,
		    const struct linear_state *next,
		    const struct moment *first_end)
{
	unsigned cell = s->ops[op].cell;
	const struct moment *twin = s->twin[op];

	if (twin != NULL && !s->is_taken[twin->op])
		return false;
	switch (s->ops[op].kind) {
	case LINEAR_SET:
	case LINEAR_CREATE:
		if (!s->state.cell[cell].exists)
			return true;
		break;
	case LINEAR_APPEND:
		break;
	case LINEAR_READ:
		return false;
	default:
		return true;
	}
	return first_end == NULL ||
	       prefix_slot(&s->prefixes, next->cell[cell].text)->end >=
		       first_end->time;
}

/* Take the operation of this call, if it can be and leads anywhere new. */
static bool take(struct search *s, struct moment *call,
		 const struct moment *first_end)
{
	const struct linear_op *op = &s->ops[call->op];
	struct linear_state next = s->state;
	enum linear_effect effect = linear_apply(&next, op, s->texts[call->op]);
	struct mark set = s->set;

	s->report.steps++;
	if (effect == EFFECT_IMPOSSIBLE ||
	    (call->end == NULL && !matters(s, call->op, &next, first_end)))
		return false;
	toggle(&set, call->op);
	if (seen(&s->memory, configuration(&set, &next)))
		return false;
	s->taken[s->taken_count++] =
		(struct taken){.call = call,
			       .before = s->state,
			       .for_good = effect == EFFECT_NONE};
	s->is_taken[call->op] = true;
	s->state = next;
	s->set = set;
	unlink_moment(call);
	if (call->end != NULL) {
		unlink_moment(call->end);
		s->left--;
	}
	return true;
}

/* Undo the last one taken that could have been left for later; its call.
 * NULL: there is none, every order has been tried. */
static struct moment *undo(struct search *s)
{
	while (s->taken_count > 0) {
		struct taken *t = &s->taken[--s->taken_count];

		if (t->call->end != NULL) {
			relink_moment(t->call->end);
			s->left++;
		}
		relink_moment(t->call);
		toggle(&s->set, t->call->op);
		s->is_taken[t->call->op] = false;
		s->state = t->before;
		if (!t->for_good)
			return t->call;
	}
	return NULL;
}

/* From m on: the next call that can be taken, of those that must be
 * (optional: need not be), is taken; false: none before the first end. */
static bool take_next(struct search *s, struct moment *m, bool optional)
{
	struct moment *first_end = m;

	while (first_end != NULL && !first_end->is_end)
		first_end = first_end->after;
	for (; m != first_end; m = m->after)
		if ((m->end == NULL) == optional && take(s, m, first_end))
			return true;
	if (m != NULL && s->taken_count >= s->deepest) {
		s->deepest = s->taken_count;
		s->report.stuck = m->op;
	}
	return false;
}

static enum linear_verdict search(struct search *s, uint64_t steps)
{
	struct moment *from = s->head.after;
	bool optional = false;

	while (s->left > 0) {
		if (s->report.steps > steps)
			return LINEAR_UNDECIDED;
		if (take_next(s, from, optional)) {
			optional = false;
			from = s->head.after;
		} else if (!optional) {
			optional = true;
			from = s->head.after;
		} else {
			from = undo(s);
			if (from == NULL)
				return LINEAR_NO;
			optional = from->end == NULL;
			from = from->after;
		}
	}
	return LINEAR_YES;
}

enum linear_verdict linear_check(const struct linear_op *ops, size_t count,
				 const struct linear_limits *limits,
				 struct linear_report *report)
{
	struct search s = {.ops = ops};
	enum linear_verdict verdict;

	s.memory.capacity_max = limits->memory_bytes / sizeof(struct mark);
	s.texts = mem_zalloc((count + 1) * sizeof *s.texts);
	s.twin = mem_zalloc((count + 1) * sizeof *s.twin);
	s.is_taken = mem_zalloc((count + 1) * sizeof *s.is_taken);
	s.taken = mem_zalloc((count + 1) * sizeof *s.taken);
	for (size_t i = 0; i < count; i++)
		s.texts[i] = digest_of(ops[i].text);
	prefixes_init(&s.prefixes, ops, count);
	find_twins(&s, lay_out(&s, count));
	verdict = search(&s, limits->steps);
	if (report != NULL)
		*report = s.report;
	mem_free(s.memory.slots);
	mem_free(s.prefixes.slots);
	mem_free(s.texts);
	mem_free(s.twin);
	mem_free(s.is_taken);
	mem_free(s.taken);
	mem_free(s.moments);
	return verdict;
}
