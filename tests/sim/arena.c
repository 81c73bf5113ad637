/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - memory by owner: a node's is gone when it dies, at any point.
 *
 * The allocator of the C library is replaced for all that is linked here, by
 * one that knows who runs. Each owner has a range of addresses; blocks have a
 * size class and go back to its list. Dropping an owner forgets its lists.
 *
 * Under a sanitizer the blocks are the C library's, in a list for each owner,
 * so that it sees each of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include "tests/sim/inside.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
int __wrap_vasprintf(char **text, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

enum { OWNERS = SIM_NODES_MAX + 1, CLASSES = 160 };

static size_t place_of(int owner)
{
	return (size_t)(owner - SIM_WORLD);
}

#ifdef __SANITIZE_ADDRESS__

struct header {
	LIST_ENTRY(header) link;
	size_t size;
	uint64_t mark;
};
#define HEADER_MARK 0x73696d6172656e61u
static LIST_HEAD(, header) blocks[OWNERS];

void *arena_alloc(int owner, size_t size)
{
	struct header *h = __real_malloc(sizeof *h + size);

	CHECK(h != NULL);
	h->size = size;
	h->mark = HEADER_MARK;
	LIST_INSERT_HEAD(&blocks[place_of(owner)], h, link);
	return h + 1;
}

/* What stands before a block that a library made is not ours to read, but it
 * can be, and is not the mark. */
__attribute__((no_sanitize_address)) static struct header *
header_of(void *block)
{
	struct header *h = (struct header *)block - 1;

	return h->mark == HEADER_MARK ? h : NULL;
}

void arena_free(void *block)
{
	struct header *h = header_of(block);

	if (h == NULL) {
		__real_free(block);
		return;
	}
	LIST_REMOVE(h, link);
	h->mark = 0;
	__real_free(h);
}

static size_t size_of(void *block)
{
	struct header *h = header_of(block);

	return h != NULL ? h->size : SIZE_MAX;
}

void arena_reset(int owner)
{
	size_t place = place_of(owner);

	while (!LIST_EMPTY(&blocks[place])) {
		arena_free(LIST_FIRST(&blocks[place]) + 1);
	}
}

uint64_t arena_used(int owner)
{
	(void)owner;
	return 0;
}

#else

#define RANGE_BYTES (2ULL << 30)

struct header {
	uint32_t class;
	uint32_t owner; /* its place */
	uint64_t size;
};
static_assert(sizeof(struct header) == 16, "blocks stay aligned");

struct arena {
	size_t used;
	void *free[CLASSES];
};

static uint8_t *ranges;
static struct arena arenas[OWNERS];

/* Classes: 16 bytes apart up to 1 KiB, then four to each power of two. */
static uint32_t class_of(size_t size)
{
	uint32_t power;

	if (size <= 1024) {
		return (uint32_t)((size + 15) / 16);
	}
	power = 63 - (uint32_t)__builtin_clzll(size - 1);
	return 65 + (power - 10) * 4 +
	       (uint32_t)((size - 1) >> (power - 2) & 3);
}

static size_t class_bytes(uint32_t class)
{
	uint32_t power;

	if (class <= 64) {
		return (class > 0 ? class : 1) * (size_t)16;
	}
	power = 10 + (class - 65) / 4;
	return ((size_t)5 + (class - 65) % 4) << (power - 2);
}

static void map_ranges(void)
{
	ranges = mmap(NULL, OWNERS * RANGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(ranges != MAP_FAILED);
}

void *arena_alloc(int owner, size_t size)
{
	size_t place = place_of(owner);
	struct arena *a = &arenas[place];
	uint32_t class = class_of(size);
	size_t bytes = class_bytes(class) + sizeof(struct header);
	struct header *h;

	CHECK(class < CLASSES);
	if (a->free[class] != NULL) {
		void *block = a->free[class];

		memcpy(&a->free[class], block, sizeof(void *));
		h = (struct header *)block - 1;
		h->size = size;
		return block;
	}
	if (ranges == NULL) {
		map_ranges();
	}
	CHECK(bytes <= RANGE_BYTES - a->used); /* what a run may need */
	h = (struct header *)(void *)(ranges + place * RANGE_BYTES + a->used);
	a->used += bytes;
	*h = (struct header){class, (uint32_t)place, size};
	return h + 1;
}

static struct header *header_of(void *block)
{
	uint8_t *at = block;

	if (ranges == NULL || at < ranges ||
	    at >= ranges + OWNERS * RANGE_BYTES) {
		return NULL; /* a library's */
	}
	return (struct header *)block - 1;
}

void arena_free(void *block)
{
	struct header *h = header_of(block);
	struct arena *a;

	if (h == NULL) {
		__real_free(block);
		return;
	}
	a = &arenas[h->owner];
	memcpy(block, &a->free[h->class], sizeof(void *));
	a->free[h->class] = block;
}

static size_t size_of(void *block)
{
	struct header *h = header_of(block);

	return h != NULL ? h->size : SIZE_MAX;
}

void arena_reset(int owner)
{
	arenas[place_of(owner)] = (struct arena){0};
}

uint64_t arena_used(int owner)
{
	return arenas[place_of(owner)].used;
}

#endif

/* --- What the C library offers ---------------------------------------------
 */

void *__wrap_malloc(size_t size)
{
	return arena_alloc(sim.who, size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *block = arena_alloc(sim.who, count * size);

	memset(block, 0, count * size);
	return block;
}

void *__wrap_realloc(void *block, size_t size)
{
	size_t old = block != NULL ? size_of(block) : 0;
	void *fresh;

	if (old == SIZE_MAX) {
		return __real_realloc(block, size);
	}
	fresh = arena_alloc(sim.who, size);
	if (block != NULL) {
		memcpy(fresh, block, old < size ? old : size);
		arena_free(block);
	}
	return fresh;
}

void __wrap_free(void *block)
{
	if (block != NULL) {
		arena_free(block);
	}
}

int __wrap_vasprintf(char **text, const char *format, va_list args)
{
	va_list again;
	int size;

	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (size >= 0) {
		*text = arena_alloc(sim.who, (size_t)size + 1);
		size = vsnprintf(*text, (size_t)size + 1, format, args);
	}
	return size;
}
