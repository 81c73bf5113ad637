/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/snap_pace.h"

bool snap_pace_take(struct snap_pace *p, raft_ms now, uint64_t bytes)
{
	uint64_t most = p->rate / 20 + bytes;
	uint64_t full = most * 1000 / p->rate + 1; /* ms: from empty to most */
	uint64_t since = now - p->at;

	if (since > full) {
		since = full; /* the product stays small */
	}
	p->budget += p->rate * since / 1000;
	p->at = now;
	if (p->budget > most) {
		p->budget = most;
	}
	if (p->budget < bytes) {
		return false;
	}
	p->budget -= bytes;
	return true;
}

raft_ms snap_pace_wait(const struct snap_pace *p, uint64_t bytes)
{
	return (bytes - p->budget) * 1000 / p->rate + 1;
}
