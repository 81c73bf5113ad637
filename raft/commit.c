/* SPDX-License-Identifier: Apache-2.0 */
/* commit.c - what is committed, settled, and handed out to be applied.
 *
 * The commit index never falls (row 19). A leader counts only entries of its
 * own term (Raft 5.4.2, row 15), always from all match indexes anew (row 17).
 * It may commit before its own disk has an entry; applying waits for that. */
#include "raft/quorum.h"
#include "raft/state.h"

void commit_advance(struct raft *r, raft_index index)
{
	if (index <= r->commit)
		return;
	CHECK(index <= runs_last(&r->runs));
	if (r->role == RAFT_LEADER)
		r->uncommitted -= sizes_sum(&r->sizes, r->commit, index);
	r->commit = index;
}

void commit_settle(struct raft *r, raft_index index)
{
	if (index > r->commit)
		index = r->commit;
	if (index > r->saves.index)
		index = r->saves.index;
	if (index > r->settled)
		r->settled = index;
}

void commit_count(struct raft *r)
{
	uint64_t match[LIMIT_VOTERS];
	raft_index least = RAFT_NEVER, index;
	uint32_t i;

	/* The leader's own disk votes like any other (row 42). */
	r->peer[r->self_slot].match = r->saves.index;
	for (i = 0; i < r->peer_count; i++) {
		raft_index m = r->peer[i].match;

		if (i < r->members.voter_count)
			match[i] = m;
		if (m < least)
			least = m;
	}
	index = quorum_value(match, r->members.voter_count);
	if (runs_term(&r->runs, index) == r->hard.term)
		commit_advance(r, index);
	commit_settle(r, least);
}

void commit_apply(struct raft *r)
{
	struct raft_act *act;

	if (r->applying == r->commit)
		return;
	act = act_add(r, RAFT_DO_APPLY, save_covering(r, r->commit));
	act->apply.first = r->applying + 1;
	act->apply.last = r->commit;
	r->applying = r->commit;
}
