/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/quorum.h"

size_t quorum_size(size_t voters)
{
	return voters / 2 + 1;
}

uint64_t quorum_value(const uint64_t *values, size_t count)
{
	uint64_t sorted[LIMIT_VOTERS];
	size_t i, j;

	CHECK(count >= 1 && count <= LIMIT_VOTERS);

	for (i = 0; i < count; i++) {
		for (j = i; j > 0 && sorted[j - 1] < values[i]; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = values[i];
	}
	return sorted[quorum_size(count) - 1];
}

enum quorum_verdict quorum_votes(size_t voters, size_t yes, size_t no)
{
	CHECK(yes + no <= voters);

	if (yes >= quorum_size(voters))
		return QUORUM_WON;
	if (voters - no < quorum_size(voters))
		return QUORUM_LOST;
	return QUORUM_OPEN;
}
