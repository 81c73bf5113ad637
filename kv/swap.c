/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/swap.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"

struct behind {
	struct store
		*store; /* NULL: closed, the folder is left to be removed */
	char *path;
	atomic_uint references; /* readers', and one while it is current */
	struct behind *next;	/* among the replaced ones */
};

struct front {
	struct store store;
	pthread_mutex_t lock;
	struct behind *current;	 /* lock; the writer reads it without */
	struct behind *replaced; /* lock */
	bool batch_open;	 /* the writer's; to change it: lock */
	swap_damaged damaged;
	void *context;
};

struct front_view {
	struct kv_view view;
	struct front *front;
	struct behind *behind;
	struct kv_view *inner;
};

static struct behind *behind_new(struct store *store, const char *path)
{
	struct behind *b = mem_zalloc(sizeof *b);

	b->store = store;
	b->path = mem_strdup(path);
	atomic_init(&b->references, 1);
	return b;
}

static struct front *front_of(struct store *s)
{
	return CONTAINER_OF(s, struct front, store);
}

static struct behind *hold(struct front *f)
{
	struct behind *b;

	pthread_mutex_lock(&f->lock);
	b = f->current;
	atomic_fetch_add(&b->references, 1);
	pthread_mutex_unlock(&f->lock);
	return b;
}

static void let_go(struct behind *b)
{
	atomic_fetch_sub(&b->references, 1);
}

/* b was read. What was replaced may be damaged as it likes. */
static int look(struct front *f, const struct behind *b, int rc)
{
	bool current;

	if (rc == STATUS_CORRUPT) {
		pthread_mutex_lock(&f->lock);
		current = b == f->current;
		pthread_mutex_unlock(&f->lock);
		if (current) {
			f->damaged(f->context, b->path);
		}
	}
	return rc;
}

/* --- Readers -------------------------------------------------------------- */

static struct front *newest_front(struct kv_reader *r)
{
	return CONTAINER_OF(r, struct front, store.reader);
}

static int newest_get(struct kv_reader *r, struct bytes key,
		      struct buffer *value)
{
	struct front *f = newest_front(r);
	struct behind *b = hold(f);
	int rc = look(f, b, kv_get(&b->store->reader, key, value));

	let_go(b);
	return rc;
}

static int newest_scan(struct kv_reader *r, struct bytes from,
		       struct bytes prefix, kv_visit visit, void *context)
{
	struct front *f = newest_front(r);
	struct behind *b = hold(f);
	int rc = look(f, b,
		      kv_scan(&b->store->reader, from, prefix, visit, context));

	let_go(b);
	return rc;
}

static const struct kv_reader_ops newest_reader = {newest_get, newest_scan};

static struct front_view *view_of(struct kv_reader *r)
{
	return CONTAINER_OF(r, struct front_view, view.reader);
}

static int view_get(struct kv_reader *r, struct bytes key, struct buffer *value)
{
	struct front_view *v = view_of(r);

	return look(v->front, v->behind, kv_get(&v->inner->reader, key, value));
}

static int view_scan(struct kv_reader *r, struct bytes from,
		     struct bytes prefix, kv_visit visit, void *context)
{
	struct front_view *v = view_of(r);

	return look(v->front, v->behind,
		    kv_scan(&v->inner->reader, from, prefix, visit, context));
}

static const struct kv_reader_ops view_reader = {view_get, view_scan};

static struct kv_view *front_view(struct store *s)
{
	struct front_view *v = mem_zalloc(sizeof *v);

	v->view.reader.ops = &view_reader;
	v->front = front_of(s);
	v->behind = hold(v->front);
	v->inner = v->behind->store->ops->view(v->behind->store);
	return &v->view;
}

static void front_view_close(struct store *s, struct kv_view *view)
{
	struct front_view *v = CONTAINER_OF(view, struct front_view, view);
	struct store *behind = v->behind->store;

	(void)s;
	behind->ops->view_close(behind, v->inner);
	let_go(v->behind);
	mem_free(v);
}

/* --- The writer ----------------------------------------------------------- */

static void set_batch(struct front *f, bool open)
{
	CHECK(f->batch_open != open);
	pthread_mutex_lock(&f->lock);
	f->batch_open = open;
	pthread_mutex_unlock(&f->lock);
}

static struct kv_batch *
front_begin(struct store *s, void (*note)(void *context, struct bytes note),
	    void *context)
{
	struct front *f = front_of(s);
	struct store *current = f->current->store;

	set_batch(f, true); /* waits while it is opened anew */
	return current->ops->begin(current, note, context);
}

static int front_commit(struct store *s, struct kv_batch *b)
{
	struct front *f = front_of(s);
	struct store *current = f->current->store;
	int rc = current->ops->commit(current, b);

	set_batch(f, false);
	return rc;
}

static void front_abort(struct store *s, struct kv_batch *b)
{
	struct front *f = front_of(s);
	struct store *current = f->current->store;

	current->ops->abort(current, b);
	set_batch(f, false);
}

void swap_replace(struct store *front, struct store *next, const char *path)
{
	struct front *f = front_of(front);
	struct behind *b = behind_new(next, path);
	struct behind *old = f->current;

	CHECK(!f->batch_open);
	pthread_mutex_lock(&f->lock);
	f->current = b;
	old->next = f->replaced;
	f->replaced = old;
	pthread_mutex_unlock(&f->lock);
	let_go(old);
}

/* --- Anyone --------------------------------------------------------------- */

static int front_flush(struct store *s)
{
	struct behind *b = hold(front_of(s));
	int rc = b->store->ops->flush(b->store);

	let_go(b);
	return rc;
}

static int front_checkpoint(struct store *s, const char *folder)
{
	struct behind *b = hold(front_of(s));
	int rc = b->store->ops->checkpoint(b->store, folder);

	let_go(b);
	return rc;
}

static void front_shrink(struct store *s)
{
	struct behind *b = hold(front_of(s));

	b->store->ops->shrink(b->store);
	let_go(b);
}

static uint64_t front_failures(struct store *s)
{
	struct behind *b = hold(front_of(s));
	uint64_t failures = b->store->ops->failures(b->store);

	let_go(b);
	return failures;
}

/* W4. What takes long of it, the flush, is done before, beside them. */
static int front_reopen(struct store *s)
{
	struct front *f = front_of(s);
	struct behind *b;
	int rc = front_flush(s);

	if (rc != 0) {
		return rc;
	}
	rc = STATUS_BUSY;
	pthread_mutex_lock(&f->lock);
	b = f->current;
	if (!f->batch_open && atomic_load(&b->references) == 1) {
		rc = b->store->ops->reopen(b->store);
	}
	pthread_mutex_unlock(&f->lock);
	return rc;
}

static uint64_t front_bytes(struct store *s)
{
	struct behind *b = hold(front_of(s));
	uint64_t bytes = b->store->ops->bytes(b->store);

	let_go(b);
	return bytes;
}

static uint64_t front_need(struct store *s)
{
	struct behind *b = hold(front_of(s));
	uint64_t need = b->store->ops->need(b->store);

	let_go(b);
	return need;
}

static uint64_t front_slack(struct store *s)
{
	struct behind *b = hold(front_of(s));
	uint64_t slack = b->store->ops->slack(b->store);

	let_go(b);
	return slack;
}

/* --- Closing -------------------------------------------------------------- */

/* Nobody uses b any more. Return whether nothing is left of it. */
static bool remove_behind(struct behind *b)
{
	int rc;

	if (b->store != NULL) {
		b->store->ops->close(b->store);
		b->store = NULL;
	}
	rc = folder_remove(b->path);
	if (rc != 0) {
		log_warn("cannot remove the replaced state path=%s: %s",
			 b->path, status_text(rc));
		return false;
	}
	mem_free(b->path);
	mem_free(b);
	return true;
}

size_t swap_sweep(struct store *front)
{
	struct front *f = front_of(front);
	struct behind *list;
	struct behind *kept = NULL;
	size_t count = 0;

	/* References of a replaced one only fall. */
	pthread_mutex_lock(&f->lock);
	list = f->replaced;
	f->replaced = NULL;
	pthread_mutex_unlock(&f->lock);
	while (list != NULL) {
		struct behind *b = list;

		list = b->next;
		if (atomic_load(&b->references) > 0 || !remove_behind(b)) {
			b->next = kept;
			kept = b;
			count++;
		}
	}
	while (kept != NULL) {
		struct behind *b = kept;

		kept = b->next;
		pthread_mutex_lock(&f->lock);
		b->next = f->replaced;
		f->replaced = b;
		pthread_mutex_unlock(&f->lock);
	}
	return count;
}

static void front_close(struct store *s)
{
	struct front *f = front_of(s);
	struct behind *b = f->current;

	CHECK(!f->batch_open && atomic_load(&b->references) == 1);
	(void)swap_sweep(s);
	while (f->replaced != NULL) { /* no folder could be removed */
		struct behind *left = f->replaced;

		CHECK(atomic_load(&left->references) == 0);
		f->replaced = left->next;
		mem_free(left->path);
		mem_free(left);
	}
	b->store->ops->close(b->store);
	mem_free(b->path);
	mem_free(b);
	pthread_mutex_destroy(&f->lock);
	mem_free(f);
}

static const struct store_ops front_ops = {
	.view = front_view,
	.view_close = front_view_close,
	.begin = front_begin,
	.commit = front_commit,
	.abort = front_abort,
	.flush = front_flush,
	.checkpoint = front_checkpoint,
	.shrink = front_shrink,
	.failures = front_failures,
	.reopen = front_reopen,
	.bytes = front_bytes,
	.need = front_need,
	.slack = front_slack,
	.close = front_close,
};

struct store *swap_new(struct store *first, const char *path,
		       swap_damaged damaged, void *context)
{
	struct front *f = mem_zalloc(sizeof *f);

	f->store.reader.ops = &newest_reader;
	f->store.ops = &front_ops;
	f->current = behind_new(first, path);
	f->damaged = damaged;
	f->context = context;
	pthread_mutex_init(&f->lock, NULL);
	return &f->store;
}
