/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/tail.h"

#include "base/mem.h"

enum { CAPACITY_FIRST = 1024 };

static struct entry **place(const struct tail *t, raft_index index)
{
	return &t->ring[index & (t->capacity - 1)];
}

/* What an entry costs here, its small overhead included. */
static uint64_t weight(const struct entry *e)
{
	return sizeof(struct entry) + sizeof(struct entry *) + e->size;
}

void tail_init(struct tail *t, raft_index last, uint64_t bytes_max,
	       size_t count_max)
{
	*t = (struct tail){
		.first = last + 1,
		.bytes_max = bytes_max,
		.count_max = count_max,
	};
}

void tail_deinit(struct tail *t)
{
	tail_truncate(t, t->first - 1);
	mem_free(t->ring);
	*t = (struct tail){0};
}

raft_index tail_last(const struct tail *t)
{
	return t->first + t->count - 1;
}

static void grow(struct tail *t)
{
	struct tail old = *t;

	t->capacity = old.capacity > 0 ? 2 * old.capacity : CAPACITY_FIRST;
	t->ring = mem_alloc(t->capacity * sizeof(struct entry *));
	for (raft_index i = old.first; i < old.first + old.count; i++) {
		*place(t, i) = *place(&old, i);
	}
	mem_free(old.ring);
}

void tail_append(struct tail *t, struct entry *e)
{
	CHECK(e->index == tail_last(t) + 1);
	if (t->count == t->capacity) {
		grow(t);
	}
	*place(t, e->index) = entry_ref(e);
	t->count++;
	t->bytes += weight(e);
}

static void let_go(struct tail *t, raft_index index)
{
	struct entry *e = *place(t, index);

	t->bytes -= weight(e);
	t->count--;
	entry_unref(e);
}

void tail_truncate(struct tail *t, raft_index keep)
{
	while (t->count > 0 && tail_last(t) > keep) {
		let_go(t, tail_last(t));
	}
	if (t->count == 0) {
		CHECK(keep < t->first);
		t->first = keep + 1;
	}
}

void tail_trim(struct tail *t, raft_index pinned)
{
	while (t->count > 0 && t->first <= pinned &&
	       (t->bytes > t->bytes_max || t->count > t->count_max)) {
		let_go(t, t->first);
		t->first++;
	}
}

struct entry *tail_get(const struct tail *t, raft_index index)
{
	if (index < t->first || index > tail_last(t)) {
		return NULL;
	}
	return *place(t, index);
}
