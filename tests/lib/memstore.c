/* SPDX-License-Identifier: Apache-2.0 */
/* memstore.c - a store is the newest version of a map (memversion.h).
 *
 * A view is a counted reference, a commit swaps one pointer, and the flushed
 * state is just the version that was newest then. The store's lock guards its
 * pointers only. */
#include "tests/lib/memstore.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/memversion.h"

struct memdisk {
	struct version *durable;
	bool remembers;
	struct version **later; /* each commit since the last flush */
	size_t later_count;
	size_t later_capacity;
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
	unsigned full;	    /* lock: so many more find no room */
	bool strained;	    /* lock */
	uint64_t failures;  /* lock */
	unsigned reopened;  /* lock: so often */
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

uint64_t memstore_hash(struct kv_reader *r, struct bytes without)
{
	struct version *v;
	uint64_t hash;

	if (r->ops == &view_reader) {
		return version_hash(view_version(r), without);
	}
	if (r->ops == &batch_reader) {
		return version_hash(batch_version(r), without);
	}
	CHECK(r->ops == &newest_reader);
	v = newest_ref(memstore_of(CONTAINER_OF(r, struct store, reader)));
	hash = version_hash(v, without);
	version_unref(v);
	return hash;
}

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
	if (m->full > 0) {
		m->full--;
		return STATUS_NO_SPACE;
	}
	return m->failing ? STATUS_IO : 0;
}

static void remember(struct memdisk *d, struct version *v)
{
	if (!d->remembers) {
		return;
	}
	if (d->later_count == d->later_capacity) {
		d->later_capacity = d->later_capacity * 2 + 16;
		d->later = mem_realloc(d->later,
				       d->later_capacity * sizeof d->later[0]);
	}
	d->later[d->later_count++] = version_ref(v);
}

static void forget(struct memdisk *d)
{
	while (d->later_count > 0) {
		version_unref(d->later[--d->later_count]);
	}
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
		remember(m->disk, m->newest);
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
		forget(m->disk);
	}
	pthread_mutex_unlock(&m->lock);
	if (old != NULL) {
		version_unref(old);
	}
	return rc;
}

static uint64_t memstore_need(struct store *s)
{
	(void)s;
	return 0;
}

static uint64_t memstore_slack(struct store *s)
{
	(void)s;
	return 4 << 10;
}

static uint64_t memstore_failures(struct store *s)
{
	struct memstore *m = memstore_of(s);
	uint64_t failures;

	pthread_mutex_lock(&m->lock);
	m->failures += m->strained ? 1 : 0;
	failures = m->failures;
	pthread_mutex_unlock(&m->lock);
	return failures;
}

static int memstore_reopen(struct store *s)
{
	struct memstore *m = memstore_of(s);
	int rc = s->ops->flush(s);

	CHECK(!m->batch_open);
	pthread_mutex_lock(&m->lock);
	m->reopened += rc == 0 ? 1 : 0;
	pthread_mutex_unlock(&m->lock);
	return rc;
}

void memstore_strain(struct store *s, bool strained)
{
	struct memstore *m = memstore_of(s);

	pthread_mutex_lock(&m->lock);
	m->strained = strained;
	pthread_mutex_unlock(&m->lock);
}

unsigned memstore_reopened(struct store *s)
{
	struct memstore *m = memstore_of(s);
	unsigned count;

	pthread_mutex_lock(&m->lock);
	count = m->reopened;
	pthread_mutex_unlock(&m->lock);
	return count;
}

static void memstore_shrink(struct store *s)
{
	(void)s; /* what was removed is gone */
}

static uint64_t memstore_bytes(struct store *s)
{
	struct version *v = newest_ref(memstore_of(s));
	uint64_t bytes = version_bytes(v);

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
	.shrink = memstore_shrink,
	.failures = memstore_failures,
	.reopen = memstore_reopen,
	.bytes = memstore_bytes,
	.need = memstore_need,
	.slack = memstore_slack,
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
		forget(d);
		mem_free(d->later);
		version_unref(d->durable);
		mem_free(d);
	}
}

void memdisk_remember(struct memdisk *d)
{
	d->remembers = true;
}

size_t memdisk_unflushed(const struct memdisk *d)
{
	return d->later_count;
}

void memdisk_crash(struct memdisk *d, size_t kept)
{
	CHECK(kept <= d->later_count);
	if (kept > 0) {
		version_unref(d->durable);
		d->durable = version_ref(d->later[kept - 1]);
	}
	forget(d);
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

void memstore_fill(struct store *s, unsigned count)
{
	struct memstore *m = memstore_of(s);

	pthread_mutex_lock(&m->lock);
	m->full = count;
	pthread_mutex_unlock(&m->lock);
}
