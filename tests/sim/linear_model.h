/* SPDX-License-Identifier: Apache-2.0 */
/* linear_model.h - the names of linear.h as plain data: what they hold, and
 * what an operation makes of them. Contents are digests: a polynomial over the
 * bytes, modulo 2^61 - 1, so that the digest of a whole follows from those of
 * its parts. */
#ifndef TESTS_SIM_LINEAR_MODEL_H
#define TESTS_SIM_LINEAR_MODEL_H

#include "tests/sim/linear.h"

struct digest {
	uint64_t sum;
	uint64_t scale;
};
extern const struct digest digest_empty;

struct digest digest_append(struct digest head, struct digest tail);
struct digest digest_add(struct digest head, uint8_t byte);
struct digest digest_of(struct bytes content);
bool digest_equal(struct digest a, struct digest b);

struct linear_cell {
	bool exists;
	struct digest text;
};

struct linear_state {
	struct linear_cell cell[LINEAR_CELLS];
};

enum linear_effect { EFFECT_IMPOSSIBLE, EFFECT_NONE, EFFECT_CHANGE };

/* Let op take effect with the outcome it had, or any that changes something
 * where that is unknown. text: the digest of op's. */
enum linear_effect linear_apply(struct linear_state *s,
				const struct linear_op *op, struct digest text);

#endif
