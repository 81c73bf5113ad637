/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - who belongs to the cluster (thesis 4).
 *
 * In force is the newest configuration of the log, committed or not. The one
 * before it is kept too, for when the newest is truncated; it is committed,
 * because a leader proposes none before (change.c), so two are enough.
 *
 * While the configuration is joint, each decision (a vote, a commit, a read
 * round, the lease, check-quorum) needs a majority of each half; all of them
 * are made here, from what is known of each member (row 37).
 *
 * What a leader knows of a member, and a candidate its answer, belongs to the
 * member, whatever becomes of the others. A leader that is in its own
 * configuration no more counts for nothing (4.2.2), but goes on. */
#include "raft/state.h"

/* --- Configurations
 * -------------------------------------------------------------- */

static bool holds(const raft_id *list, uint32_t count, raft_id id)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (list[i] == id)
			return true;
	}
	return false;
}

static bool is_rising(const raft_id *list, uint32_t count)
{
	raft_id last = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (list[i] <= last)
			return false;
		last = list[i];
	}
	return true;
}

static bool votes_in(const struct raft_members *m, raft_id id)
{
	return holds(m->voters, m->voter_count, id) ||
	       holds(m->outgoing, m->outgoing_count, id);
}

bool members_are_valid(const struct raft_members *m)
{
	uint32_t i, count;

	if (m->voter_count < 1 || m->voter_count > LIMIT_VOTERS ||
	    m->outgoing_count > LIMIT_VOTERS || m->learner_count > LIMIT_PEERS)
		return false;
	if (!is_rising(m->voters, m->voter_count) ||
	    !is_rising(m->outgoing, m->outgoing_count) ||
	    !is_rising(m->learners, m->learner_count))
		return false;
	count = m->voter_count + m->learner_count;
	for (i = 0; i < m->outgoing_count; i++) {
		if (!holds(m->voters, m->voter_count, m->outgoing[i]))
			count++;
	}
	for (i = 0; i < m->learner_count; i++) {
		if (votes_in(m, m->learners[i]))
			return false;
	}
	return count <= LIMIT_PEERS;
}

static bool is_none(const struct raft_members *m)
{
	return m->voter_count == 0 && m->outgoing_count == 0 &&
	       m->learner_count == 0;
}

/* --- The one in force
 * ------------------------------------------------------------ */

static void add(struct raft *r, raft_id id)
{
	if (members_find(r, id) != NULL)
		return;
	CHECK(r->peer_count < LIMIT_PEERS);
	progress_init(&r->peer[r->peer_count++], id, runs_last(&r->runs),
		      r->now);
}

static void stand(const struct raft_members *m, struct progress *p)
{
	p->voter = holds(m->voters, m->voter_count, p->id);
	p->outgoing = holds(m->outgoing, m->outgoing_count, p->id);
}

/* Put the configuration in force; who stays keeps what is known of it. */
static void enforce(struct raft *r, raft_index index,
		    const struct raft_members *m)
{
	uint32_t i, kept = 0;

	for (i = 0; i < r->peer_count; i++) {
		raft_id id = r->peer[i].id;

		if (!votes_in(m, id) &&
		    !holds(m->learners, m->learner_count, id))
			continue;
		if (kept != i)
			r->peer[kept] = r->peer[i];
		kept++;
	}
	r->peer_count = kept;
	for (i = 0; i < m->voter_count; i++)
		add(r, m->voters[i]);
	for (i = 0; i < m->outgoing_count; i++)
		add(r, m->outgoing[i]);
	for (i = 0; i < m->learner_count; i++)
		add(r, m->learners[i]);
	for (i = 0; i < r->peer_count; i++)
		stand(m, &r->peer[i]);
	r->members = *m;
	r->members_index = index;
	r->members_changed = true;
}

void members_init(struct raft *r, const struct raft_boot *boot)
{
	const struct raft_change *before = &boot->before;

	CHECK(is_none(&boot->members) || members_are_valid(&boot->members));
	CHECK(is_none(&before->members) || members_are_valid(&before->members));
	CHECK(boot->members_index <= runs_last(&r->runs));
	CHECK(before->index == 0 || before->index < boot->members_index);
	enforce(r, boot->members_index, &boot->members);
	r->before = *before;
	r->members_changed = false; /* the driver knows */
}

void members_append(struct raft *r, raft_index index,
		    const struct raft_members *members)
{
	CHECK(index > r->members_index);
	r->before.index = r->members_index;
	r->before.members = r->members;
	enforce(r, index, members);
}

void members_truncate(struct raft *r, raft_index keep)
{
	if (r->members_index <= keep)
		return;
	CHECK(r->before.index <= keep); /* append.c: it is committed */
	enforce(r, r->before.index, &r->before.members);
	r->before = (struct raft_change){0};
}

void members_load(struct raft *r, const struct raft_change *change)
{
	enforce(r, change->index, &change->members);
	r->before = (struct raft_change){0};
}

void members_tell(struct raft *r)
{
	if (!r->members_changed)
		return;
	r->members_changed = false;
	act_add(r, RAFT_DO_MEMBERS, 0)->members.index = r->members_index;
}

void members_renew(struct raft *r)
{
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		struct progress *p = &r->peer[i];

		progress_init(p, p->id, runs_last(&r->runs), r->now);
		stand(&r->members, p);
	}
}

/* --- This node, and others
 * ------------------------------------------------------- */

struct progress *members_find(struct raft *r, raft_id id)
{
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		if (r->peer[i].id == id)
			return &r->peer[i];
	}
	return NULL;
}

struct progress *members_self(struct raft *r)
{
	return members_find(r, r->config.self);
}

bool members_is_self(const struct raft *r, const struct progress *p)
{
	return p->id == r->config.self;
}

bool members_is_voter(const struct raft *r)
{
	return votes_in(&r->members, r->config.self);
}

bool members_may_stand(const struct raft *r)
{
	return members_is_voter(r) ||
	       (r->members_index > r->commit &&
		votes_in(&r->before.members, r->config.self));
}

bool members_is_lone_voter(const struct raft *r)
{
	const struct raft_members *m = &r->members;

	return m->voter_count == 1 && m->voters[0] == r->config.self &&
	       (m->outgoing_count == 0 ||
		(m->outgoing_count == 1 && m->outgoing[0] == r->config.self));
}

const struct raft_members *raft_members(const struct raft *r)
{
	return &r->members;
}

/* --- Decisions
 * ------------------------------------------------------------------- */

static uint64_t half_agrees(const struct raft *r, bool outgoing,
			    members_value value)
{
	uint64_t values[LIMIT_VOTERS];
	size_t count = 0;
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		if (outgoing ? p->outgoing : p->voter)
			values[count++] = value(r, p);
	}
	return quorum_value(values, count);
}

uint64_t members_agree(const struct raft *r, members_value value)
{
	uint64_t least = half_agrees(r, false, value);

	if (r->members.outgoing_count > 0) {
		uint64_t other = half_agrees(r, true, value);

		least = other < least ? other : least;
	}
	return least;
}

static enum quorum_verdict half_elects(const struct raft *r, bool outgoing)
{
	size_t voters = 0, yes = 0, no = 0;
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		if (!(outgoing ? p->outgoing : p->voter))
			continue;
		voters++;
		yes += p->answer == PROGRESS_GRANTED;
		no += p->answer == PROGRESS_REFUSED;
	}
	return quorum_votes(voters, yes, no);
}

enum quorum_verdict members_elect(const struct raft *r)
{
	enum quorum_verdict incoming = half_elects(r, false);
	enum quorum_verdict outgoing = QUORUM_WON;

	if (r->members.outgoing_count > 0)
		outgoing = half_elects(r, true);
	if (incoming == QUORUM_LOST || outgoing == QUORUM_LOST)
		return QUORUM_LOST;
	if (incoming == QUORUM_WON && outgoing == QUORUM_WON)
		return QUORUM_WON;
	return QUORUM_OPEN;
}
