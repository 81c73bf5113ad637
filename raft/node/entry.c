/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/entry.h"

#include <string.h>

#include "base/mem.h"

struct entry *entry_new(enum entry_kind kind, const void *data, size_t size)
{
	struct entry *e;

	CHECK(size <= LIMIT_ENTRY_BYTES);
	e = mem_alloc(sizeof *e + size);
	*e = (struct entry){.kind = kind, .size = (uint32_t)size};
	atomic_init(&e->references, 1);
	if (data != NULL) {
		memcpy(e->data, data, size);
	}
	return e;
}

struct entry *entry_ref(struct entry *e)
{
	atomic_fetch_add_explicit(&e->references, 1, memory_order_relaxed);
	return e;
}

void entry_unref(struct entry *e)
{
	if (e != NULL && atomic_fetch_sub_explicit(&e->references, 1,
						   memory_order_acq_rel) == 1) {
		mem_free(e);
	}
}

struct bytes entry_bytes(const struct entry *e)
{
	return bytes_of(e->data, e->size);
}
