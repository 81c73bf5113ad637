/* SPDX-License-Identifier: Apache-2.0 */
/* intern.h - whatever is met more than once, as a small number.
 *
 * A pool is address space that grows at its end and never moves. An intern
 * table gives equal byte strings the same number, 1, 2, ... in the order in
 * which they came. A memo holds a number for a 64-bit key. All of them only
 * grow, and end the process when memory does. */
#ifndef TESTS_EXPLORE_INTERN_H
#define TESTS_EXPLORE_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool {
	char *base;
	size_t used;
};

void pool_open(struct pool *p);
void pool_close(struct pool *p);
/* The next bytes, zero, at a multiple of 8; they stay where they are. */
void *pool_take(struct pool *p, size_t bytes);

struct intern {
	struct pool bytes;  /* each string: its size, then itself */
	struct pool offset; /* by number, from 1 on: uint64_t */
	uint64_t *table;    /* hash << 32 | number; 0: free */
	uint32_t mask;
	uint32_t count;
};

void intern_open(struct intern *t);
void intern_close(struct intern *t);
/* The number of this string; it is a new one if count has grown. */
uint32_t intern_add(struct intern *t, const void *bytes, size_t size);
/* The string of a number, borrowed for the table's life. */
const void *intern_at(const struct intern *t, uint32_t number, size_t *size);

struct memo {
	struct memo_entry {
		uint64_t key;
		uint32_t value;
	} * table;
	uint32_t mask;
	uint32_t count;
};

void memo_open(struct memo *t);
void memo_close(struct memo *t);
/* The value of key, which is not 0: 0 if it is new. Lent until the next key. */
uint32_t *memo_at(struct memo *t, uint64_t key);

#endif
