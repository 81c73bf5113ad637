/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/batch.h"

int kv_get(struct kv_reader *r, struct bytes key, struct buffer *value)
{
	return r->ops->get(r, key, value);
}

int kv_scan(struct kv_reader *r, struct bytes from, struct bytes prefix,
	    kv_visit visit, void *context)
{
	return r->ops->scan(r, from, prefix, visit, context);
}

void kv_put(struct kv_batch *b, struct bytes key, struct bytes value)
{
	b->ops->put(b, key, value);
}

void kv_remove(struct kv_batch *b, struct bytes key)
{
	b->removed++;
	b->ops->remove(b, key);
}

void kv_note(struct kv_batch *b, struct bytes note)
{
	b->ops->note(b, note);
}
