/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h - reading the ordered map, and changing it atomically.
 *
 * A reader is anything that can be read: the newest applied state, a frozen
 * view of it, or a batch, which sees its own changes on top. Keys sort by
 * bytes (memcmp). A batch is one atomic step of the state: all of it or none.
 *
 * A reader is used by one thread at a time unless its maker says otherwise. */
#ifndef KV_BATCH_H
#define KV_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

struct kv_reader {
	const struct kv_reader_ops *ops;
};

/* Return false to end the scan. key and value are borrowed. */
typedef bool (*kv_visit)(void *context, struct bytes key, struct bytes value);

struct kv_reader_ops {
	int (*get)(struct kv_reader *r, struct bytes key, struct buffer *value);
	int (*scan)(struct kv_reader *r, struct bytes from, struct bytes prefix,
		    kv_visit visit, void *context);
};

/* Replace what value holds by the value of key. STATUS_NOT_FOUND;
 * STATUS_CORRUPT, STATUS_IO: the store failed, the node can not go on with
 * it (a reader answers an error, apply ends the process). */
MUST_USE int kv_get(struct kv_reader *r, struct bytes key,
		    struct buffer *value);
/* Visit, in rising order, the keys >= from that begin with prefix. The map
 * must not be changed through this reader meanwhile. Errors as kv_get. */
MUST_USE int kv_scan(struct kv_reader *r, struct bytes from,
		     struct bytes prefix, kv_visit visit, void *context);

struct kv_batch {
	struct kv_reader reader; /* sees this batch's own changes */
	const struct kv_batch_ops *ops;
	uint64_t removed; /* kv_remove() calls; 0 at its begin */
};

struct kv_batch_ops {
	void (*put)(struct kv_batch *b, struct bytes key, struct bytes value);
	void (*remove)(struct kv_batch *b, struct bytes key);
	void (*note)(struct kv_batch *b, struct bytes note);
};

void kv_put(struct kv_batch *b, struct bytes key, struct bytes value);
/* A key that is not there is fine. */
void kv_remove(struct kv_batch *b, struct bytes key);
/* Tell those who watch (kv_watch) once the batch is applied. The bytes mean
 * something to the machine and its watchers only; they are no part of the
 * state. */
void kv_note(struct kv_batch *b, struct bytes note);

#endif
