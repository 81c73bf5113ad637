/* SPDX-License-Identifier: Apache-2.0 */
/* sizes.h - the payload sizes of the last entries of the log.
 *
 * A ring by index. The sizes of (low, last] are known, `last` being the
 * log's; an older entry counts as LIMIT_ENTRY_BYTES. */
#ifndef RAFT_SIZES_H
#define RAFT_SIZES_H

#include "raft/raft.h"

enum { SIZES_MAX = 65536 };

struct sizes {
	raft_index low;
	uint32_t size[SIZES_MAX];
};

/* Nothing is known of the entries up to low. */
void sizes_init(struct sizes *z, raft_index low);
/* The entry at index is new and the last one. */
void sizes_append(struct sizes *z, raft_index index, uint32_t size);
uint32_t sizes_at(const struct sizes *z, raft_index index);
/* Of all entries in (after, last]. */
uint64_t sizes_sum(const struct sizes *z, raft_index after, raft_index last);

#endif
