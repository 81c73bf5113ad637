/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/sizes.h"

void sizes_init(struct sizes *z, raft_index low)
{
	z->low = low;
}

void sizes_append(struct sizes *z, raft_index index, uint32_t size)
{
	z->size[index % SIZES_MAX] = size;
	if (index > SIZES_MAX && z->low < index - SIZES_MAX)
		z->low = index - SIZES_MAX;
}

uint32_t sizes_at(const struct sizes *z, raft_index index)
{
	return index > z->low ? z->size[index % SIZES_MAX] : LIMIT_ENTRY_BYTES;
}

uint64_t sizes_sum(const struct sizes *z, raft_index after, raft_index last)
{
	uint64_t sum = 0;
	raft_index i;

	if (after < z->low && after < last) {
		raft_index unknown = last < z->low ? last : z->low;

		sum = (unknown - after) * LIMIT_ENTRY_BYTES;
		after = unknown;
	}
	for (i = after + 1; i <= last; i++)
		sum += sizes_at(z, i);
	return sum;
}
