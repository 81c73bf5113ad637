/* SPDX-License-Identifier: Apache-2.0 */
/* commit.c - what is committed, settled, and handed out to be applied.
 *
 * The commit index never falls (row 19). A leader counts only entries of its
 * own term (Raft 5.4.2, row 15), always from all match indexes anew (row 17).
 * It may commit before its own disk has an entry; applying waits for that. */
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

static uint64_t match_of(const struct raft *r, const struct progress *p)
{
	(void)r;
	return p->match;
}

void commit_count(struct raft *r)
{
	struct progress *self = members_self(r);
	raft_index least = RAFT_NEVER, index;
	uint32_t i;

	/* The leader's own disk votes like any other (row 42). */
	if (self != NULL)
		self->match = r->saves.index;
	for (i = 0; i < r->peer_count; i++) {
		if (r->peer[i].match < least)
			least = r->peer[i].match;
	}
	index = members_agree(r, match_of);
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
