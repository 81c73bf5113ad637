/* SPDX-License-Identifier: Apache-2.0 */
/* memstore.c - versions of a map that share what did not change.
 *
 * A version is a sorted array of leaves, a leaf a sorted array of items.
 *
 *   M1  versions, leaves and items never change once anyone else sees them:
 *       a batch works on a version of its own and copies a leaf before it
 *       changes one that is shared
 *   M2  no leaf is empty, none holds more than LEAF_ITEMS; keys rise through
 *       a leaf and from leaf to leaf
 *
 * So a view is a counted reference, a commit swaps one pointer, and the flushed
 * state is just the version that was newest then. The store's lock guards its
 * pointers only. */
#include "tests/lib/memstore.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

enum { LEAF_ITEMS = 64 };

struct item {
	atomic_uint references;
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
	struct leaf **leaves;
};

struct memdisk {
	struct version *durable;
};

struct memstore {
	struct store store;
	pthread_mutex_t lock;
	struct version *newest; /* lock */
	struct memdisk *disk;	/* its version: lock */
	bool owns_disk;
	bool batch_open;    /* the writer's */
	unsigned fail_next; /* lock; 0: never */
	bool failing;	    /* lock */
};

struct memview {
	struct kv_view view;
	struct version *version;
};

struct membatch {
	struct kv_batch batch;
	struct version *version;
	void (*note)(void *context, struct bytes note);
	void *context;
};

/* --- Items, leaves, versions ---------------------------------------------- */

static struct item *item_new(struct bytes key, struct bytes value)
{
	struct item *i = mem_alloc(sizeof *i + key.size + value.size);

	atomic_init(&i->references, 1);
	i->key_size = key.size;
	i->value_size = value.size;
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

static struct version *version_new(size_t capacity)
{
	struct version *v = mem_zalloc(sizeof *v);

	atomic_init(&v->references, 1);
	v->capacity = capacity;
	v->leaves = mem_alloc((capacity + 1) * sizeof(struct leaf *));
	return v;
}

static struct version *version_ref(struct version *v)
{
	atomic_fetch_add(&v->references, 1);
	return v;
}

static void version_unref(struct version *v)
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

static struct version *version_copy(const struct version *from)
{
	struct version *v = version_new(from->count + 8);

	for (size_t i = 0; i < from->count; i++) {
		atomic_fetch_add(&from->leaves[i]->references, 1);
		v->leaves[i] = from->leaves[i];
	}
	v->count = from->count;
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

static void version_put(struct version *v, struct bytes key, struct bytes value)
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
		item_unref(leaf->items[i]);
	} else {
		memmove(&leaf->items[i + 1], &leaf->items[i],
			(leaf->count - i) * sizeof(struct item *));
		leaf->count++;
	}
	leaf->items[i] = item_new(key, value);
}

static void version_remove(struct version *v, struct bytes key)
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

static int version_get(const struct version *v, struct bytes key,
		       struct buffer *value)
{
	bool found;
	const struct leaf *leaf;
	size_t i;

	if (v->count == 0) {
		return STATUS_NOT_FOUND;
	}
	leaf = v->leaves[version_find(v, key)];
	i = leaf_find(leaf, key, &found);
	if (!found) {
		return STATUS_NOT_FOUND;
	}
	buffer_reset(value);
	buffer_append_bytes(value, item_value(leaf->items[i]));
	return 0;
}

static int version_scan(const struct version *v, struct bytes from,
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

/* --- Readers -------------------------------------------------------------- */

static struct memstore *memstore_of(struct store *s)
{
	return CONTAINER_OF(s, struct memstore, store);
}

static struct version *newest_ref(struct memstore *s)
{
	struct version *v;

	pthread_mutex_lock(&s->lock);
	v = version_ref(s->newest);
	pthread_mutex_unlock(&s->lock);
	return v;
}

static int newest_get(struct kv_reader *r, struct bytes key,
		      struct buffer *value)
{
	struct store *s = CONTAINER_OF(r, struct store, reader);
	struct version *v = newest_ref(memstore_of(s));
	int rc = version_get(v, key, value);

	version_unref(v);
	return rc;
}

static int newest_scan(struct kv_reader *r, struct bytes from,
		       struct bytes prefix, kv_visit visit, void *context)
{
	struct store *s = CONTAINER_OF(r, struct store, reader);
	struct version *v = newest_ref(memstore_of(s));
	int rc = version_scan(v, from, prefix, visit, context);

	version_unref(v);
	return rc;
}

static const struct kv_reader_ops newest_reader = {newest_get, newest_scan};

static struct version *view_version(struct kv_reader *r)
{
	return CONTAINER_OF(r, struct memview, view.reader)->version;
}

static int view_get(struct kv_reader *r, struct bytes key, struct buffer *value)
{
	return version_get(view_version(r), key, value);
}

static int view_scan(struct kv_reader *r, struct bytes from,
		     struct bytes prefix, kv_visit visit, void *context)
{
	return version_scan(view_version(r), from, prefix, visit, context);
}

static const struct kv_reader_ops view_reader = {view_get, view_scan};

static struct version *batch_version(struct kv_reader *r)
{
	return CONTAINER_OF(r, struct membatch, batch.reader)->version;
}

static int batch_get(struct kv_reader *r, struct bytes key,
		     struct buffer *value)
{
	return version_get(batch_version(r), key, value);
}

static int batch_scan(struct kv_reader *r, struct bytes from,
		      struct bytes prefix, kv_visit visit, void *context)
{
	return version_scan(batch_version(r), from, prefix, visit, context);
}

static const struct kv_reader_ops batch_reader = {batch_get, batch_scan};

/* --- Batches -------------------------------------------------------------- */

static void batch_put(struct kv_batch *b, struct bytes key, struct bytes value)
{
	version_put(CONTAINER_OF(b, struct membatch, batch)->version, key,
		    value);
}

static void batch_remove(struct kv_batch *b, struct bytes key)
{
	version_remove(CONTAINER_OF(b, struct membatch, batch)->version, key);
}

static void batch_note(struct kv_batch *b, struct bytes note)
{
	struct membatch *m = CONTAINER_OF(b, struct membatch, batch);

	if (m->note != NULL) {
		m->note(m->context, note);
	}
}

static const struct kv_batch_ops batch_ops = {batch_put, batch_remove,
					      batch_note};

/* --- The store ------------------------------------------------------------ */

static struct kv_view *memstore_view(struct store *s)
{
	struct memview *v = mem_zalloc(sizeof *v);

	v->view.reader.ops = &view_reader;
	v->version = newest_ref(memstore_of(s));
	return &v->view;
}

static void memstore_view_close(struct store *s, struct kv_view *view)
{
	struct memview *v = CONTAINER_OF(view, struct memview, view);

	(void)s;
	version_unref(v->version);
	mem_free(v);
}

static struct kv_batch *
memstore_begin(struct store *s, void (*note)(void *context, struct bytes note),
	       void *context)
{
	struct memstore *m = memstore_of(s);
	struct membatch *b = mem_zalloc(sizeof *b);
	struct version *newest = newest_ref(m);

	CHECK(!m->batch_open);
	m->batch_open = true;
	b->batch.reader.ops = &batch_reader;
	b->batch.ops = &batch_ops;
	b->version = version_copy(newest);
	b->note = note;
	b->context = context;
	version_unref(newest);
	return &b->batch;
}

/* The lock is held. */
static int next_step(struct memstore *m)
{
	if (m->fail_next > 0 && --m->fail_next == 0) {
		m->failing = true;
	}
	return m->failing ? STATUS_IO : 0;
}

static int memstore_commit(struct store *s, struct kv_batch *batch)
{
	struct memstore *m = memstore_of(s);
	struct membatch *b = CONTAINER_OF(batch, struct membatch, batch);
	struct version *old = b->version;
	int rc;

	CHECK(m->batch_open);
	m->batch_open = false;
	pthread_mutex_lock(&m->lock);
	rc = next_step(m);
	if (rc == 0) {
		old = m->newest;
		m->newest = b->version;
	}
	pthread_mutex_unlock(&m->lock);
	version_unref(old);
	mem_free(b);
	return rc;
}

static void memstore_abort(struct store *s, struct kv_batch *batch)
{
	struct memstore *m = memstore_of(s);
	struct membatch *b = CONTAINER_OF(batch, struct membatch, batch);

	CHECK(m->batch_open);
	m->batch_open = false;
	version_unref(b->version);
	mem_free(b);
}

static int memstore_flush(struct store *s)
{
	struct memstore *m = memstore_of(s);
	struct version *old = NULL;
	int rc;

	pthread_mutex_lock(&m->lock);
	rc = next_step(m);
	if (rc == 0) {
		old = m->disk->durable;
		m->disk->durable = version_ref(m->newest);
	}
	pthread_mutex_unlock(&m->lock);
	if (old != NULL) {
		version_unref(old);
	}
	return rc;
}

static uint64_t memstore_bytes(struct store *s)
{
	struct version *v = newest_ref(memstore_of(s));
	uint64_t bytes = 0;

	for (size_t i = 0; i < v->count; i++) {
		for (size_t j = 0; j < v->leaves[i]->count; j++) {
			const struct item *item = v->leaves[i]->items[j];

			bytes += item->key_size + item->value_size;
		}
	}
	version_unref(v);
	return bytes;
}

static void memstore_close(struct store *s)
{
	struct memstore *m = memstore_of(s);

	CHECK(!m->batch_open);
	version_unref(m->newest);
	if (m->owns_disk) {
		memdisk_free(m->disk);
	}
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}

static const struct store_ops memstore_ops = {
	.view = memstore_view,
	.view_close = memstore_view_close,
	.begin = memstore_begin,
	.commit = memstore_commit,
	.abort = memstore_abort,
	.flush = memstore_flush,
	.checkpoint = memstore_checkpoint,
	.bytes = memstore_bytes,
	.close = memstore_close,
};

struct memdisk *memdisk_new(void)
{
	struct memdisk *d = mem_zalloc(sizeof *d);

	d->durable = version_new(0);
	return d;
}

void memdisk_free(struct memdisk *d)
{
	if (d != NULL) {
		version_unref(d->durable);
		mem_free(d);
	}
}

struct store *memstore_open(struct memdisk *disk)
{
	struct memstore *m = mem_zalloc(sizeof *m);

	m->store.reader.ops = &newest_reader;
	m->store.ops = &memstore_ops;
	pthread_mutex_init(&m->lock, NULL);
	m->owns_disk = disk == NULL;
	m->disk = disk == NULL ? memdisk_new() : disk;
	m->newest = version_ref(m->disk->durable);
	return &m->store;
}

void memstore_crash(struct store *s)
{
	struct memstore *m = memstore_of(s);
	struct version *lost;

	CHECK(!m->batch_open);
	pthread_mutex_lock(&m->lock);
	lost = m->newest;
	m->newest = version_ref(m->disk->durable);
	pthread_mutex_unlock(&m->lock);
	version_unref(lost);
}

void memstore_fail(struct store *s, unsigned nth)
{
	struct memstore *m = memstore_of(s);

	pthread_mutex_lock(&m->lock);
	m->fail_next = nth;
	m->failing = false;
	pthread_mutex_unlock(&m->lock);
}
