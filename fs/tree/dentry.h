/* SPDX-License-Identifier: Apache-2.0 */
/* dentry.h - a name in a directory: two records that say the same, one found
 * by name, one in listing order.
 *
 * A cookie belongs to a name from the moment it appears until it goes, also
 * when the name gets another inode (rename over it): so a listing under
 * change neither skips nor repeats a name that was there all along. Cookies
 * rise within a directory from 3 and are never given twice. */
#ifndef FS_TREE_DENTRY_H
#define FS_TREE_DENTRY_H

#include "fs/tree/tree.h"

struct dentry {
	uint64_t ino;
	uint32_t type; /* S_IFMT bits */
	uint64_t cookie;
};

enum { DENTRY_COOKIE_NONE = 2 }; /* "." and ".." come first in a listing */

/* -ENOENT. */
MUST_USE int dentry_get(struct kv_reader *r, uint64_t dir, struct bytes name,
			struct dentry *entry);
void dentry_put(struct kv_batch *b, uint64_t dir, struct bytes name,
		const struct dentry *entry);
void dentry_remove(struct kv_batch *b, uint64_t dir, struct bytes name,
		   const struct dentry *entry);

/* Read one record of either kind, as a scan gives it. -EUCLEAN. */
MUST_USE int dentry_of_name(struct bytes value, struct dentry *entry);
MUST_USE int dentry_of_cookie(struct bytes key, struct bytes value,
			      struct dentry *entry, struct bytes *name);

#endif
