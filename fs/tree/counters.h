/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - the one record of what is counted and what is limited.
 *
 * bytes_used is the sum of what inodes are charged (T3), inodes_used counts
 * those with a name. Written only by entries that change it. */
#ifndef FS_TREE_COUNTERS_H
#define FS_TREE_COUNTERS_H

#include "fs/tree/tree.h"

struct counters {
	uint64_t next;		 /* inode number or chunk id to give next */
	uint64_t file_bytes_max; /* at least LIMIT_INLINE_BYTES */
	struct fs_usage usage;
};

/* As at birth: empty, limits.h in force. */
void counters_init(struct counters *counters);
/* -ESTALE: not born yet. */
MUST_USE int counters_get(struct kv_reader *r, struct counters *counters);
void counters_put(struct kv_batch *b, const struct counters *counters);

#endif
