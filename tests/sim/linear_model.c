/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/linear_model.h"

#include "base/check.h"

/* --- Content: a polynomial over its bytes, modulo 2^61 - 1 -----------------
 */

__extension__ typedef unsigned __int128 wide;

#define PRIME ((UINT64_C(1) << 61) - 1)
#define BASE UINT64_C(0x12d3a5c7e9f1b357)

static uint64_t multiply(uint64_t a, uint64_t b)
{
	wide product = (wide)a * b;
	uint64_t sum = (uint64_t)(product & PRIME) + (uint64_t)(product >> 61);

	return sum >= PRIME ? sum - PRIME : sum; /* as 2^61 is 1 */
}

const struct digest digest_empty = {.sum = 0, .scale = 1};

struct digest digest_append(struct digest head, struct digest tail)
{
	return (struct digest){
		.sum = (multiply(head.sum, tail.scale) + tail.sum) % PRIME,
		.scale = multiply(head.scale, tail.scale)};
}

struct digest digest_add(struct digest head, uint8_t byte)
{
	return digest_append(head, (struct digest){.sum = byte + 1U,
						   .scale = BASE % PRIME});
}

struct digest digest_of(struct bytes content)
{
	struct digest d = digest_empty;

	for (size_t i = 0; i < content.size; i++)
		d = digest_add(d, content.data[i]);
	return d;
}

bool digest_equal(struct digest a, struct digest b)
{
	return a.sum == b.sum && a.scale == b.scale;
}

/* --- The model --------------------------------------------------------------
 */

static enum linear_effect observed(bool fits)
{
	return fits ? EFFECT_NONE : EFFECT_IMPOSSIBLE;
}

static enum linear_effect move(struct linear_cell *from, struct linear_cell *to,
			       bool exchange)
{
	struct linear_cell moved = *from;

	*from = exchange ? *to : (struct linear_cell){0};
	*to = moved;
	return EFFECT_CHANGE;
}

/* The operation succeeds now, changing s. Impossible: it can not. */
static enum linear_effect
succeed(struct linear_state *s, const struct linear_op *op, struct digest text)
{
	struct linear_cell *c = &s->cell[op->cell];
	struct linear_cell *to = &s->cell[op->to];

	switch (op->kind) {
	case LINEAR_READ:
		return observed(c->exists && digest_equal(c->text, text));
	case LINEAR_SET:
		*c = (struct linear_cell){.exists = true, .text = text};
		return EFFECT_CHANGE;
	case LINEAR_APPEND:
		if (!c->exists)
			return EFFECT_IMPOSSIBLE;
		c->text = digest_append(c->text, text);
		return EFFECT_CHANGE;
	case LINEAR_CREATE:
		if (c->exists)
			return EFFECT_IMPOSSIBLE;
		*c = (struct linear_cell){.exists = true, .text = text};
		return EFFECT_CHANGE;
	case LINEAR_REMOVE:
		if (!c->exists)
			return EFFECT_IMPOSSIBLE;
		*c = (struct linear_cell){0};
		return EFFECT_CHANGE;
	case LINEAR_RENAME:
		return c->exists ? move(c, to, false) : EFFECT_IMPOSSIBLE;
	case LINEAR_RENAME_NEW:
		return c->exists && !to->exists ? move(c, to, false)
						: EFFECT_IMPOSSIBLE;
	case LINEAR_EXCHANGE:
		return c->exists && to->exists ? move(c, to, true)
					       : EFFECT_IMPOSSIBLE;
	}
	CHECK(false);
	return EFFECT_IMPOSSIBLE;
}

enum linear_effect linear_apply(struct linear_state *s,
				const struct linear_op *op, struct digest text)
{
	const struct linear_cell *c = &s->cell[op->cell];
	const struct linear_cell *to = &s->cell[op->to];

	switch (op->outcome) {
	case LINEAR_DONE:
	case LINEAR_UNKNOWN:
		return succeed(s, op, text);
	case LINEAR_MISSING:
		return observed(!c->exists ||
				(op->kind == LINEAR_EXCHANGE && !to->exists));
	case LINEAR_EXISTS:
		return observed(op->kind == LINEAR_RENAME_NEW ? to->exists
							      : c->exists);
	}
	CHECK(false);
	return EFFECT_IMPOSSIBLE;
}
