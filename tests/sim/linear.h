/* SPDX-License-Identifier: Apache-2.0 */
/* linear.h - is a history of operations on a few names linearizable?
 *
 * The search of Wing and Gong ("Testing and verifying concurrent objects",
 * 1993) with the memory of Lowe ("Testing for linearizability", 2017): take
 * the operations in any order that keeps real time, as long as a model of the
 * names gives each the outcome it had; never go on twice from the same set
 * of operations taken and the same state.
 *
 * The model is a folder of LINEAR_CELLS names, each absent or a file with
 * content. One that is never renamed is an object of its own; names between
 * which files move are cells of one object.
 *
 *   L1  an operation takes effect at one moment between call and end
 *   L2  of unknown outcome: at one moment after its call, or never
 *   L3  refused: never; it is not given here
 *
 * Steps and memory are bounded; beyond them the verdict is "undecided". Then an
 * order that someone knows of may still be shown to explain them.
 * Contents are compared by digests of 61 bits, configurations by 127. */
#ifndef TESTS_SIM_LINEAR_H
#define TESTS_SIM_LINEAR_H

#include "base/bytes.h"

enum { LINEAR_CELLS = 4 };
#define LINEAR_NEVER UINT64_MAX

enum linear_kind {
	LINEAR_READ,   /* text: what it saw */
	LINEAR_SET,    /* the whole content is text; made if missing */
	LINEAR_APPEND, /* text at the end of what must be there */
	LINEAR_CREATE, /* with content text, only if missing */
	LINEAR_REMOVE,
	LINEAR_RENAME,	   /* cell -> to, replacing what is there */
	LINEAR_RENAME_NEW, /* cell -> to, only if that is missing */
	LINEAR_EXCHANGE,   /* cell <-> to */
};

enum linear_outcome {
	LINEAR_DONE,
	LINEAR_MISSING, /* cell (or the other one of an exchange) was absent */
	LINEAR_EXISTS,	/* what was to be made was there */
	LINEAR_UNKNOWN, /* end is LINEAR_NEVER */
};

/* Any clock will do that orders calls and ends; at the same time: concurrent.
 */
struct linear_op {
	enum linear_kind kind;
	enum linear_outcome outcome;
	unsigned cell;
	unsigned to;
	uint64_t call;
	uint64_t end;
	struct bytes text; /* whole lines; borrowed */
	uint64_t place;	   /* for linear_holds(); 0: none */
};

struct linear_limits {
	uint64_t steps;	     /* operations tried */
	size_t memory_bytes; /* of configurations remembered */
};
extern const struct linear_limits linear_limits; /* enough for hundreds */

enum linear_verdict { LINEAR_YES, LINEAR_NO, LINEAR_UNDECIDED };

struct linear_report {
	uint64_t steps;
	/* LINEAR_NO: the operation that no order found a place for, in the
	 * longest attempt; its index. */
	size_t stuck;
};

/* All names are absent before the first operation. ops need not be sorted.
 * report may be NULL. */
enum linear_verdict linear_check(const struct linear_op *ops, size_t count,
				 const struct linear_limits *limits,
				 struct linear_report *report);

/* Is this order one that explains them: by rising places, reads after the
 * changes of the same place? All have one but those of unknown outcome that
 * never took effect. True is as good as LINEAR_YES, and never hard to find;
 * false says nothing of other orders. */
bool linear_holds(const struct linear_op *ops, size_t count);

#endif
