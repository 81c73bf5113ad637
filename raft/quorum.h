/* SPDX-License-Identifier: Apache-2.0 */
/* quorum.h - the arithmetic of majorities, and nothing else.
 *
 * Always from all values anew: no order is kept that could go stale. */
#ifndef RAFT_QUORUM_H
#define RAFT_QUORUM_H

#include "raft/raft.h"

enum quorum_verdict {
	QUORUM_OPEN, /* the missing voters decide */
	QUORUM_WON,
	QUORUM_LOST,
};

/* The smallest count that is more than half of the voters. */
size_t quorum_size(size_t voters);
/* The greatest value that a majority has reached. 1 <= count <= LIMIT_VOTERS.
 */
uint64_t quorum_value(const uint64_t *values, size_t count);
/* How an election of this many voters stands after yes and no votes. */
enum quorum_verdict quorum_votes(size_t voters, size_t yes, size_t no);

#endif
