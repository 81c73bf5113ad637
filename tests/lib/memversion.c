/* SPDX-License-Identifier: Apache-2.0 */
/* A version is a sorted array of leaves, a leaf a sorted array of items. */
#include "tests/lib/memversion.h"

#include <stdatomic.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

enum { LEAF_ITEMS = 64 };

struct item {
	atomic_uint references;
	uint64_t hash;
	size_t key_size;
	size_t value_size;
	uint8_t bytes[]; /* the key, then the value */
};

struct leaf {
	atomic_uint references;
	size_t count;
	struct item *items[LEAF_ITEMS];
};

struct version {
	atomic_uint references;
	size_t count;
	size_t capacity;
	uint64_t hash;
	struct leaf **leaves;
};

static struct item *item_new(struct bytes key, struct bytes value)
{
	struct item *i = mem_alloc(sizeof *i + key.size + value.size);

	atomic_init(&i->references, 1);
	i->key_size = key.size;
	i->value_size = value.size;
	i->hash = XXH3_64bits_withSeed(value.data, value.size,
				       XXH3_64bits(key.data, key.size));
	if (key.size > 0) {
		memcpy(i->bytes, key.data, key.size);
	}
	if (value.size > 0) {
		memcpy(i->bytes + key.size, value.data, value.size);
	}
	return i;
}

static struct bytes item_key(const struct item *i)
{
	return bytes_of(i->bytes, i->key_size);
}

static struct bytes item_value(const struct item *i)
{
	return bytes_of(i->bytes + i->key_size, i->value_size);
}

static void item_unref(struct item *i)
{
	if (atomic_fetch_sub(&i->references, 1) == 1) {
		mem_free(i);
	}
}

static void leaf_unref(struct leaf *l)
{
	if (atomic_fetch_sub(&l->references, 1) != 1) {
		return;
	}
	for (size_t i = 0; i < l->count; i++) {
		item_unref(l->items[i]);
	}
	mem_free(l);
}

/* Items [from, to) of l, counted anew. */
static struct leaf *leaf_part(const struct leaf *l, size_t from, size_t to)
{
	struct leaf *part = mem_zalloc(sizeof *part);

	atomic_init(&part->references, 1);
	for (size_t i = from; i < to; i++) {
		atomic_fetch_add(&l->items[i]->references, 1);
		part->items[part->count++] = l->items[i];
	}
	return part;
}

/* Where key is or belongs in l. */
static size_t leaf_find(const struct leaf *l, struct bytes key, bool *found)
{
	size_t low = 0;
	size_t high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bytes_compare(item_key(l->items[middle]), key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	*found = low < l->count && bytes_equal(item_key(l->items[low]), key);
	return low;
}

struct version *version_new(size_t capacity)
{
	struct version *v = mem_zalloc(sizeof *v);

	atomic_init(&v->references, 1);
	v->capacity = capacity;
	v->leaves = mem_alloc((capacity + 1) * sizeof(struct leaf *));
	return v;
}

struct version *version_ref(struct version *v)
{
	atomic_fetch_add(&v->references, 1);
	return v;
}

void version_unref(struct version *v)
{
	if (atomic_fetch_sub(&v->references, 1) != 1) {
		return;
	}
	for (size_t i = 0; i < v->count; i++) {
		leaf_unref(v->leaves[i]);
	}
	mem_free(v->leaves);
	mem_free(v);
}

struct version *version_copy(const struct version *from)
{
	struct version *v = version_new(from->count + 8);

	for (size_t i = 0; i < from->count; i++) {
		atomic_fetch_add(&from->leaves[i]->references, 1);
		v->leaves[i] = from->leaves[i];
	}
	v->count = from->count;
	v->hash = from->hash;
	return v;
}

/* The leaf that holds key, or the one it belongs to: the last whose first key
 * is not above it, else the first. */
static size_t version_find(const struct version *v, struct bytes key)
{
	size_t low = 0;
	size_t high = v->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bytes_compare(item_key(v->leaves[middle]->items[0]), key) <=
		    0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low == 0 ? 0 : low - 1;
}

/* Give leaf a place before the one at `at`. */
static void version_insert(struct version *v, size_t at, struct leaf *leaf)
{
	if (v->count == v->capacity) {
		v->capacity = v->capacity * 2 + 8;
		v->leaves = mem_realloc(
			v->leaves, (v->capacity + 1) * sizeof(struct leaf *));
	}
	memmove(&v->leaves[at + 1], &v->leaves[at],
		(v->count - at) * sizeof(struct leaf *));
	v->leaves[at] = leaf;
	v->count++;
}

/* The leaf at `at`, fit to be changed (M1). */
static struct leaf *version_own(struct version *v, size_t at)
{
	struct leaf *shared = v->leaves[at];

	if (atomic_load(&shared->references) > 1) {
		v->leaves[at] = leaf_part(shared, 0, shared->count);
		leaf_unref(shared);
	}
	return v->leaves[at];
}

static void version_split(struct version *v, size_t at)
{
	struct leaf *whole = v->leaves[at];

	v->leaves[at] = leaf_part(whole, 0, LEAF_ITEMS / 2);
	version_insert(v, at + 1, leaf_part(whole, LEAF_ITEMS / 2, LEAF_ITEMS));
	leaf_unref(whole);
}

void version_put(struct version *v, struct bytes key, struct bytes value)
{
	size_t at = version_find(v, key);
	bool found;
	struct leaf *leaf;
	size_t i;

	if (v->count == 0) {
		leaf = mem_zalloc(sizeof *leaf);
		atomic_init(&leaf->references, 1);
		version_insert(v, 0, leaf);
	} else if (v->leaves[at]->count == LEAF_ITEMS) {
		version_split(v, at);
		at = version_find(v, key);
	}
	leaf = version_own(v, at);
	i = leaf_find(leaf, key, &found);
	if (found) {
		v->hash -= leaf->items[i]->hash;
		item_unref(leaf->items[i]);
	} else {
		memmove(&leaf->items[i + 1], &leaf->items[i],
			(leaf->count - i) * sizeof(struct item *));
		leaf->count++;
	}
	leaf->items[i] = item_new(key, value);
	v->hash += leaf->items[i]->hash;
}

void version_remove(struct version *v, struct bytes key)
{
	size_t at = version_find(v, key);
	bool found;
	struct leaf *leaf;
	size_t i;

	if (v->count == 0) {
		return;
	}
	i = leaf_find(v->leaves[at], key, &found);
	if (!found) {
		return;
	}
	leaf = version_own(v, at);
	v->hash -= leaf->items[i]->hash;
	item_unref(leaf->items[i]);
	leaf->count--;
	memmove(&leaf->items[i], &leaf->items[i + 1],
		(leaf->count - i) * sizeof(struct item *));
	if (leaf->count == 0) {
		leaf_unref(leaf);
		v->count--;
		memmove(&v->leaves[at], &v->leaves[at + 1],
			(v->count - at) * sizeof(struct leaf *));
	}
}

/* NULL: none. */
static const struct item *version_item(const struct version *v,
				       struct bytes key)
{
	bool found;
	const struct leaf *leaf;
	size_t i;

	if (v->count == 0) {
		return NULL;
	}
	leaf = v->leaves[version_find(v, key)];
	i = leaf_find(leaf, key, &found);
	return found ? leaf->items[i] : NULL;
}

int version_get(const struct version *v, struct bytes key, struct buffer *value)
{
	const struct item *item = version_item(v, key);

	if (item == NULL) {
		return STATUS_NOT_FOUND;
	}
	buffer_reset(value);
	buffer_append_bytes(value, item_value(item));
	return 0;
}

uint64_t version_hash(const struct version *v, struct bytes without)
{
	const struct item *item = version_item(v, without);

	return v->hash - (item != NULL ? item->hash : 0);
}

int version_scan(const struct version *v, struct bytes from,
		 struct bytes prefix, kv_visit visit, void *context)
{
	bool found;
	size_t at;
	size_t i;

	if (v->count == 0) {
		return 0;
	}
	if (bytes_compare(from, prefix) < 0) {
		from = prefix;
	}
	at = version_find(v, from);
	for (i = leaf_find(v->leaves[at], from, &found); at < v->count;
	     at++, i = 0) {
		const struct leaf *leaf = v->leaves[at];

		for (; i < leaf->count; i++) {
			struct bytes key = item_key(leaf->items[i]);

			if (!bytes_starts_with(key, prefix) ||
			    !visit(context, key, item_value(leaf->items[i]))) {
				return 0;
			}
		}
	}
	return 0;
}

uint64_t version_bytes(const struct version *v)
{
	uint64_t bytes = 0;

	for (size_t at = 0; at < v->count; at++) {
		const struct leaf *leaf = v->leaves[at];

		for (size_t i = 0; i < leaf->count; i++) {
			bytes += leaf->items[i]->key_size +
				 leaf->items[i]->value_size;
		}
	}
	return bytes;
}
