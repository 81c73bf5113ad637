/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - a leader proposes another configuration (thesis 4).
 *
 * Voters change by joint consensus only: first a configuration of both, C_old
 * and C_new, then, once that is committed, C_new alone. Learners may change
 * with any of them. One gate for all (row 32): an entry of this leader's own
 * term is committed (row 30, 38), so is the configuration in force, and the
 * new one is a legal successor of it.
 *
 * The driver is told that it owes the way out of a joint configuration by how
 * things stand, not by what happened (row 36). */
#include "raft/state.h"

#include <string.h>

static bool is_same(const raft_id *a, uint32_t a_count, const raft_id *b,
		    uint32_t b_count)
{
	return a_count == b_count && memcmp(a, b, a_count * sizeof(*a)) == 0;
}

static bool is_successor(const struct raft_members *now,
			 const struct raft_members *next)
{
	if (!members_are_valid(next))
		return false;
	if (now->outgoing_count == 0 && next->outgoing_count > 0)
		return is_same(next->outgoing, next->outgoing_count,
			       now->voters, now->voter_count);
	return next->outgoing_count == 0 &&
	       is_same(next->voters, next->voter_count, now->voters,
		       now->voter_count);
}

int change_propose(struct raft *r, const struct raft_members *members,
		   uint32_t size)
{
	int rc;

	if (r->role != RAFT_LEADER)
		return STATUS_NOT_LEADER;
	if (r->commit < r->noop)
		return STATUS_NOT_READY;
	if (r->members_index > r->commit || transfer_is_on(r))
		return STATUS_PENDING;
	if (!is_successor(&r->members, members))
		return STATUS_INVALID;
	rc = replicate_change(r, size);
	if (rc != 0)
		return rc;
	members_append(r, runs_last(&r->runs), members);
	commit_count(r); /* it counts from now on, for all entries */
	return 0;
}

bool change_is_leave_due(const struct raft *r)
{
	return r->role == RAFT_LEADER && r->members.outgoing_count > 0 &&
	       r->commit >= r->noop && r->members_index <= r->commit &&
	       !transfer_is_on(r);
}
