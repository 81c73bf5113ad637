/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/intern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "base/mem.h"

/* Address space of a pool, not memory: that comes with use. */
#define POOL_BYTES (1ull << 37)

enum { FIRST_SLOTS = 1024 };

void pool_open(struct pool *p)
{
	p->base = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	p->used = 0;
	if (p->base == MAP_FAILED) {
		perror("explore: address space");
		exit(2);
	}
}

void pool_close(struct pool *p)
{
	munmap(p->base, POOL_BYTES);
}

void *pool_take(struct pool *p, size_t bytes)
{
	void *taken = p->base + p->used;

	p->used += (bytes + 7) & ~(size_t)7;
	if (p->used > POOL_BYTES) {
		fprintf(stderr, "explore: a pool is full\n");
		exit(2);
	}
	return taken;
}

/* --- Strings ------------------------------------------------------------- */

void intern_open(struct intern *t)
{
	pool_open(&t->bytes);
	pool_open(&t->offset);
	pool_take(&t->offset, sizeof(uint64_t));
	t->mask = FIRST_SLOTS - 1;
	t->table = mem_zalloc(FIRST_SLOTS * sizeof(t->table[0]));
	t->count = 0;
}

void intern_close(struct intern *t)
{
	pool_close(&t->bytes);
	pool_close(&t->offset);
	mem_free(t->table);
}

const void *intern_at(const struct intern *t, uint32_t number, size_t *size)
{
	const uint64_t *offset = (const void *)t->offset.base;
	const char *at = t->bytes.base + offset[number];

	*size = *(const uint64_t *)(const void *)at;
	return at + sizeof(uint64_t);
}

static void intern_grow(struct intern *t)
{
	uint64_t *old = t->table;
	uint32_t i, slots = t->mask + 1;

	t->mask = slots * 2 - 1;
	t->table = mem_zalloc((size_t)slots * 2 * sizeof(t->table[0]));
	for (i = 0; i < slots; i++) {
		uint32_t at = (uint32_t)(old[i] >> 32) & t->mask;

		if (old[i] == 0)
			continue;
		while (t->table[at] != 0)
			at = (at + 1) & t->mask;
		t->table[at] = old[i];
	}
	mem_free(old);
}

static uint32_t intern_new(struct intern *t, const void *bytes, size_t size)
{
	uint64_t *offset = pool_take(&t->offset, sizeof(*offset));
	uint64_t *at = pool_take(&t->bytes, sizeof(*at) + size);

	*offset = (uint64_t)((char *)at - t->bytes.base);
	*at = size;
	if (size > 0)
		memcpy(at + 1, bytes, size);
	return ++t->count;
}

uint32_t intern_add(struct intern *t, const void *bytes, size_t size)
{
	uint32_t hash = (uint32_t)XXH3_64bits(bytes, size);
	uint32_t at;

	if (t->count >= t->mask / 4 * 3)
		intern_grow(t);
	for (at = hash & t->mask; t->table[at] != 0; at = (at + 1) & t->mask) {
		uint32_t number = (uint32_t)t->table[at];
		size_t length;
		const void *held;

		if (t->table[at] >> 32 != hash)
			continue;
		held = intern_at(t, number, &length);
		if (length == size &&
		    (size == 0 || memcmp(held, bytes, size) == 0))
			return number;
	}
	t->table[at] = (uint64_t)hash << 32 | intern_new(t, bytes, size);
	return t->count;
}

/* --- Keys ---------------------------------------------------------------- */

void memo_open(struct memo *t)
{
	t->mask = FIRST_SLOTS - 1;
	t->table = mem_zalloc(FIRST_SLOTS * sizeof(t->table[0]));
	t->count = 0;
}

void memo_close(struct memo *t)
{
	mem_free(t->table);
}

static uint32_t memo_find(const struct memo *t, uint64_t key)
{
	uint64_t hash = key * 0x9e3779b97f4a7c15u;
	uint32_t at = (uint32_t)(hash ^ hash >> 32) & t->mask;

	while (t->table[at].key != 0 && t->table[at].key != key)
		at = (at + 1) & t->mask;
	return at;
}

static void memo_grow(struct memo *t)
{
	struct memo old = *t;
	uint32_t i, slots = t->mask + 1;

	t->mask = slots * 2 - 1;
	t->table = mem_zalloc((size_t)slots * 2 * sizeof(t->table[0]));
	for (i = 0; i < slots; i++) {
		if (old.table[i].key != 0)
			t->table[memo_find(t, old.table[i].key)] = old.table[i];
	}
	mem_free(old.table);
}

uint32_t *memo_at(struct memo *t, uint64_t key)
{
	uint32_t at;

	if (t->count >= t->mask / 3 * 2)
		memo_grow(t);
	at = memo_find(t, key);
	if (t->table[at].key == 0) {
		t->table[at].key = key;
		t->count++;
	}
	return &t->table[at].value;
}
