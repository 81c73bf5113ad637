/* SPDX-License-Identifier: Apache-2.0 */
/* linear_order.c - an order that is known is looked at, not searched for. */
#include <stdlib.h>

#include "base/mem.h"
#include "tests/sim/linear_model.h"

/* Reads look at what the changes of their place and before have made; among
 * themselves their calls decide, for the model says the same of any order. */
static int compare(const void *a, const void *b)
{
	const struct linear_op *x = *(const struct linear_op *const *)a;
	const struct linear_op *y = *(const struct linear_op *const *)b;
	bool x_reads = x->kind == LINEAR_READ;
	bool y_reads = y->kind == LINEAR_READ;

	if (x->place != y->place) {
		return x->place < y->place ? -1 : 1;
	}
	if (x_reads != y_reads) {
		return x_reads ? 1 : -1;
	}
	return (x->call > y->call) - (x->call < y->call);
}

/* False: it has no place although it must have one. */
static bool in_order(const struct linear_op *ops, size_t count,
		     const struct linear_op **order, size_t *placed)
{
	*placed = 0;
	for (size_t i = 0; i < count; i++) {
		if (ops[i].place != 0) {
			order[(*placed)++] = &ops[i];
		} else if (ops[i].outcome != LINEAR_UNKNOWN) {
			return false;
		}
	}
	qsort(order, *placed, sizeof(struct linear_op *), compare);
	return true;
}

bool linear_holds(const struct linear_op *ops, size_t count)
{
	const struct linear_op **order =
		mem_zalloc((count + 1) * sizeof(struct linear_op *));
	struct linear_state state = {0};
	uint64_t called = 0; /* the latest call so far */
	size_t placed;
	bool holds = in_order(ops, count, order, &placed);

	for (size_t i = 0; holds && i < placed; i++) {
		const struct linear_op *op = order[i];

		called = op->call > called ? op->call : called;
		holds = op->end >= called &&
			linear_apply(&state, op, digest_of(op->text)) !=
				EFFECT_IMPOSSIBLE;
	}
	mem_free(order);
	return holds;
}
