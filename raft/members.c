/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - who belongs to the cluster, as the newest configuration says.
 *
 * A member is a voter or a learner. Whoever is asked for a vote answers, if
 * asked by a member, even as a learner: it may have become a voter without
 * knowing yet (row 13). Voters come first, so that a voter's slot is its bit
 * in the sets of answers. */
#include "raft/state.h"

static void add(struct raft *r, raft_id id, bool voter)
{
	CHECK(id != 0 && r->peer_count < LIMIT_PEERS);
	CHECK(members_find(r, id) == NULL);

	if (id == r->config.self)
		r->self_slot = (int)r->peer_count;
	progress_init(&r->peer[r->peer_count++], id, voter, runs_last(&r->runs),
		      r->now);
}

void members_init(struct raft *r, const struct raft_members *members)
{
	uint32_t i;

	CHECK(members->voter_count <= LIMIT_VOTERS);
	CHECK(members->learner_count <= LIMIT_PEERS);
	r->members = *members;
	r->peer_count = 0;
	r->self_slot = -1;
	for (i = 0; i < members->voter_count; i++)
		add(r, members->voters[i], true);
	for (i = 0; i < members->learner_count; i++)
		add(r, members->learners[i], false);
}

struct progress *members_find(struct raft *r, raft_id id)
{
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		if (r->peer[i].id == id)
			return &r->peer[i];
	}
	return NULL;
}

const struct progress *members_self(const struct raft *r)
{
	return r->self_slot < 0 ? NULL : &r->peer[r->self_slot];
}

bool members_is_voter(const struct raft *r)
{
	const struct progress *self = members_self(r);

	return self != NULL && self->voter;
}

bool members_is_lone_voter(const struct raft *r)
{
	return r->members.voter_count == 1 && members_is_voter(r);
}

const struct raft_members *raft_members(const struct raft *r)
{
	return &r->members;
}
