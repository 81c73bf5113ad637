/* SPDX-License-Identifier: Apache-2.0 */
/* memversion.h - versions of a map that share what did not change.
 *
 *   M1  versions, leaves and items never change once anyone else sees them:
 *       a batch works on a version of its own and copies a leaf before it
 *       changes one that is shared
 *   M2  no leaf is empty, none holds more than LEAF_ITEMS; keys rise through
 *       a leaf and from leaf to leaf
 *   M3  a version's hash is the sum of its items' hashes
 *
 * References are counted and may be taken and dropped by any thread; changing
 * is for the one that has the only reference. */
#ifndef TESTS_LIB_MEMVERSION_H
#define TESTS_LIB_MEMVERSION_H

#include "kv/batch.h"

struct version;

/* One reference, returned. Empty, with room for so many leaves. */
struct version *version_new(size_t capacity);
struct version *version_copy(const struct version *from);
struct version *version_ref(struct version *v);
void version_unref(struct version *v);

void version_put(struct version *v, struct bytes key, struct bytes value);
void version_remove(struct version *v, struct bytes key);

/* As kv_get() and kv_scan(). */
int version_get(const struct version *v, struct bytes key,
		struct buffer *value);
int version_scan(const struct version *v, struct bytes from,
		 struct bytes prefix, kv_visit visit, void *context);
/* Of the content, less that of one key. */
uint64_t version_hash(const struct version *v, struct bytes without);
uint64_t version_bytes(const struct version *v); /* of keys and values */

#endif
