/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the ordered map on disk (or, in simulations, in memory).
 *
 * The replicated state lives in one store. Its changes are atomic at commit
 * but durable only after a flush: the Raft log is its write-ahead log. After
 * a crash it holds a prefix of the committed batches: at least all up to the
 * last flush.
 *
 * One thread writes (the apply thread); any thread may read: store->reader is
 * the newest state and thread-safe; a view is frozen and thread-safe too. */
#ifndef KV_STORE_H
#define KV_STORE_H

#include "kv/batch.h"

struct kv_view {
	struct kv_reader reader;
};

struct store {
	struct kv_reader reader; /* newest committed state; any thread */
	const struct store_ops *ops;
};

struct store_ops {
	struct kv_view *(*view)(struct store *s);
	void (*view_close)(struct store *s, struct kv_view *v);
	/* One batch at a time. note() calls go to the sink given here. */
	struct kv_batch *(*begin)(struct store *s,
				  void (*note)(void *context,
					       struct bytes note),
				  void *context);
	int (*commit)(struct store *s, struct kv_batch *b); /* frees b */
	void (*abort)(struct store *s, struct kv_batch *b); /* frees b */
	/* Durable on return. Where a thousand keys were removed their space is
	 * given back soon after, by the store's own threads. */
	int (*flush)(struct store *s);
	/* Make `folder`, which must not exist, a copy of the newest state or
	 * of a later one: a store of its own, durable on return with its name.
	 * Any thread, beside everything else. After an error (STATUS_EXISTS,
	 * STATUS_NO_SPACE, STATUS_IO, ...) nothing is left of it. */
	int (*checkpoint)(struct store *s, const char *folder);
	/* Give back the space of whatever was removed, now and piece by piece,
	 * so that it takes little itself: on a disk that is nearly full.
	 * Blocks, for seconds; any thread. */
	void (*shrink)(struct store *s);
	/* How often its own threads failed, since it was opened: for want of
	 * room, say. Then they try again about once a second. */
	uint64_t (*failures)(struct store *s);
	/* Close it and open it anew, for one that keeps failing: it may hold
	 * on to an error whose cause is gone. What was committed is durable
	 * then. No view, batch or call of another is under way. Blocks; without
	 * room to open it, until there is. STATUS_BUSY, of one that knows: it
	 * is in use. STATUS_NO_SPACE, STATUS_IO, ...: it is as it was. */
	int (*reopen)(struct store *s);
	uint64_t (*bytes)(struct store *s); /* on disk, about */
	/* Room on the disk that a flush would need now, and more for its own
	 * accounts: with less, nothing should be committed. */
	uint64_t (*need)(struct store *s);
	/* Changes that it takes into memory before it has to write: so many
	 * can be committed without any room on the disk. */
	uint64_t (*slack)(struct store *s);
	void (*close)(struct store *s); /* without a flush of its own */
};

/* RocksDB in the folder `path` (made if missing): one column family, its own
 * log off. problem receives a line for a person.
 * STATUS_CORRUPT: it does not open or fails its checks; STATUS_BUSY: locked
 * by another process; STATUS_IO, STATUS_NO_SPACE, STATUS_DENIED. */
MUST_USE int store_open_rocksdb(const char *path, struct store **store,
				struct buffer *problem);
/* A checkpoint, to be read only: the folder stays as it is to the byte. Of the
 * store's operations only views and close may be used. STATUS_CORRUPT: it does
 * not open. */
MUST_USE int store_peek_rocksdb(const char *path, struct store **store,
				struct buffer *problem);

#endif
