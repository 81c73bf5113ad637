/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/feed.h"

#include "base/mem.h"

void feed_init(struct feed *f)
{
	*f = (struct feed){.count = 0};
	pthread_mutex_init(&f->lock, NULL);
}

void feed_deinit(struct feed *f)
{
	buffer_deinit(&f->bytes);
	mem_free(f->notes);
	f->notes = NULL;
	f->count = 0;
	f->capacity = 0;
	pthread_mutex_destroy(&f->lock);
}

void feed_watch(struct feed *f, kv_noted noted, void *context)
{
	size_t count;

	pthread_mutex_lock(&f->lock);
	count = atomic_load(&f->watcher_count);
	CHECK(count < FEED_WATCHERS);
	f->watchers[count].noted = noted;
	f->watchers[count].context = context;
	atomic_store(&f->watcher_count, count + 1);
	pthread_mutex_unlock(&f->lock);
}

void feed_unwatch(struct feed *f, kv_noted noted, void *context)
{
	size_t count;
	size_t i = 0;

	pthread_mutex_lock(&f->lock);
	count = atomic_load(&f->watcher_count);
	while (i < count && (f->watchers[i].noted != noted ||
			     f->watchers[i].context != context)) {
		i++;
	}
	CHECK(i < count);
	for (; i + 1 < count; i++) {
		f->watchers[i] = f->watchers[i + 1];
	}
	atomic_store(&f->watcher_count, count - 1);
	pthread_mutex_unlock(&f->lock);
}

/* The lock is held. */
static void tell(const struct feed *f, uint64_t index, struct bytes note)
{
	size_t watchers = atomic_load(&f->watcher_count);

	for (size_t w = 0; w < watchers; w++) {
		f->watchers[w].noted(f->watchers[w].context, index, note);
	}
}

void feed_add(struct feed *f, uint64_t index, struct bytes note)
{
	if (atomic_load(&f->watcher_count) == 0) {
		return;
	}
	if (f->count == f->capacity) {
		f->capacity = f->capacity * 2 + 64;
		f->notes =
			mem_realloc(f->notes, f->capacity * sizeof f->notes[0]);
	}
	f->notes[f->count++] =
		(struct feed_note){index, f->bytes.size, note.size};
	buffer_append_bytes(&f->bytes, note);
}

void feed_gap(struct feed *f, uint64_t index)
{
	CHECK(f->count == 0);
	pthread_mutex_lock(&f->lock);
	tell(f, index, bytes_of("", 0));
	pthread_mutex_unlock(&f->lock);
}

void feed_tell(struct feed *f)
{
	if (f->count == 0) {
		return;
	}
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->count; i++) {
		const struct feed_note *n = &f->notes[i];

		tell(f, n->index, bytes_of(f->bytes.data + n->start, n->size));
	}
	pthread_mutex_unlock(&f->lock);
	feed_forget(f);
}

void feed_forget(struct feed *f)
{
	f->count = 0;
	buffer_reset(&f->bytes);
}
