/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - the change feed: notes of a batch, kept until it is applied.
 *
 * Notes are collected while a batch is built and told once it is committed, in
 * order, on the apply thread. A watcher may be added by another thread
 * meanwhile: it is told from some note on; or taken away: when that returns
 * it is told no more. */
#ifndef KV_FEED_H
#define KV_FEED_H

#include <pthread.h>
#include <stdatomic.h>

#include "kv/kv.h"

enum { FEED_WATCHERS = 4 };

struct feed_note {
	uint64_t index;
	size_t start; /* in bytes */
	size_t size;
};

struct feed {
	struct {
		kv_noted noted;
		void *context;
	} watchers[FEED_WATCHERS];
	pthread_mutex_t lock; /* over watchers, and while they are told */
	atomic_size_t watcher_count; /* changes with the lock */
	struct buffer bytes;
	struct feed_note *notes;
	size_t count;
	size_t capacity;
};

void feed_init(struct feed *f);
void feed_deinit(struct feed *f);
void feed_watch(struct feed *f, kv_noted noted, void *context);
void feed_unwatch(struct feed *f, kv_noted noted, void *context);
void feed_add(struct feed *f, uint64_t index, struct bytes note);
void feed_tell(struct feed *f);	  /* all of them, then forget them */
void feed_forget(struct feed *f); /* the batch was not committed */
/* The state was replaced by the one at index: an empty note. None waits. */
void feed_gap(struct feed *f, uint64_t index);

#endif
