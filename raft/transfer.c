/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - handing over the leadership (thesis 3.10).
 *
 *            transfer_propose()            the target has all entries
 *   (leads) -------------------> (waits) ----------------------------> (told)
 *      ^      is_removed()          |         transfer_flush()           |
 *      '----------------------------'------------------------------------'
 *        election_ms passed, the link or the target's vote lost
 *
 * While it is handing over, a leader takes no proposals. TIMEOUT_NOW lets the
 * target stand at once, without a pre-vote and whomever the voters have heard
 * (row 59); so the lease, which rests on their promise, ends with it, and does
 * not come back in this term, whatever becomes of the transfer (row 58). A
 * leader that is still there when the time of the transfer is over has itself
 * elected anew, for without a lease each read costs a round. All of it dies
 * with the role (row 60).
 *
 * In a joint configuration too: the target is of those that stay, needs both
 * majorities as ever, and leaves it.
 *
 * A leader that a committed configuration leaves without a vote hands over
 * too, once all it can reach have been told of that commit in the same step,
 * and resigns (row 40). */
#include "raft/state.h"

bool transfer_is_on(const struct raft *r)
{
	return r->transfer.target != 0;
}

/* Its configuration is committed, and has no use for it. */
static bool is_removed(const struct raft *r)
{
	return r->role == RAFT_LEADER && r->members_index <= r->commit &&
	       !members_is_voter(r);
}

static bool can_lead(const struct raft *r, const struct progress *p)
{
	return p != NULL && p->voter && !members_is_self(r, p);
}

static bool is_better(const struct raft *r, const struct progress *p,
		      const struct progress *than)
{
	bool heard = r->now < p->heard + r->config.election_ms;
	bool other = r->now < than->heard + r->config.election_ms;

	if ((p->repair == 0) != (than->repair == 0))
		return p->repair == 0; /* it may not stand (row 45) */
	return heard != other ? heard : p->match > than->match;
}

/* Who is whole and heard, and of them who has most. */
static const struct progress *best(const struct raft *r)
{
	const struct progress *found = NULL;
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		if (can_lead(r, p) && (found == NULL || is_better(r, p, found)))
			found = p;
	}
	return found;
}

static void begin(struct raft *r, raft_id target)
{
	r->transfer.target = target;
	r->transfer.until = r->now + r->config.election_ms;
	r->transfer.told = false;
}

static void end(struct raft *r)
{
	r->transfer.target = 0;
}

int transfer_propose(struct raft *r, raft_id target)
{
	const struct progress *p;

	if (r->role != RAFT_LEADER)
		return STATUS_NOT_LEADER;
	if (r->commit < r->noop)
		return STATUS_NOT_READY;
	if (transfer_is_on(r))
		return STATUS_PENDING;
	p = target != 0 ? members_find(r, target) : best(r);
	if (!can_lead(r, p) || p->repair != 0)
		return STATUS_NOT_FOUND;
	begin(r, p->id);
	return 0;
}

void transfer_on_lost(struct raft *r, raft_id peer)
{
	if (r->transfer.target == peer && !is_removed(r))
		end(r);
}

void transfer_on_clock(struct raft *r)
{
	if (r->now < transfer_deadline(r))
		return;
	end(r);
	if (is_removed(r))
		election_follow(r, r->hard.term, 0, RAFT_BECAUSE_REMOVED);
	else if (r->lease_over && election_may_renew(r))
		election_renew(r);
}

void transfer_flush(struct raft *r)
{
	const struct progress *p;
	struct raft_msg m = {.kind = RAFT_TIMEOUT_NOW};

	if (r->role != RAFT_LEADER)
		return;
	if (is_removed(r) && !transfer_is_on(r))
		begin(r, best(r)->id);
	if (!transfer_is_on(r) || r->transfer.told)
		return;
	p = members_find(r, r->transfer.target);
	if (p->match < runs_last(&r->runs))
		return;
	m.to = p->id;
	act_send(r, m, 0);
	r->transfer.told = true;
	r->lease_over = true;
	if (is_removed(r))
		election_follow(r, r->hard.term, 0, RAFT_BECAUSE_REMOVED);
}

raft_ms transfer_deadline(const struct raft *r)
{
	if (transfer_is_on(r) || (r->lease_over && election_may_renew(r)))
		return r->transfer.until;
	return RAFT_NEVER;
}
