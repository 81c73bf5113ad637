/* SPDX-License-Identifier: Apache-2.0 */
/* snap_pace.h - so many bytes a second, and not more at once than a late timer
 * explains. Pure. */
#ifndef RAFT_NODE_SNAP_PACE_H
#define RAFT_NODE_SNAP_PACE_H

#include "raft/raft.h"

struct snap_pace {
	uint64_t rate;	 /* bytes a second, above 0 */
	uint64_t budget; /* that may be sent now */
	raft_ms at;	 /* then */
};

/* May so many bytes go? Then they are taken. What was not used is kept for
 * 50 ms, and a piece besides. now never falls. */
MUST_USE bool snap_pace_take(struct snap_pace *p, raft_ms now, uint64_t bytes);
/* After it said no: milliseconds until it will say yes, at least 1. */
raft_ms snap_pace_wait(const struct snap_pace *p, uint64_t bytes);

#endif
