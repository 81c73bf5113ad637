/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - the invariants of the core's state.
 *
 *   R1  base <= applied <= applying <= commit <= last
 *   R2  the log is made of runs (T1, T2), of terms up to the current one
 *   R3  saves: numbers rise, each covers no less than the one before, the
 *       newest covers the whole log; with none pending all is durable
 *   R4  a leader has voted for itself, durably, and knows itself as the
 *       leader; its own match, if it is a member, is what is durable
 *   R5  who stands for election knows no leader; a candidate has voted for
 *       itself
 *   R6  a leader's peers are as progress.h says (P1, P3)
 *   R7  what a leader committed in its term is durable at a majority, or at
 *       one of C_old while the entry of a joint configuration is not committed;
 *       or was, before it lost its log
 *   R8  uncommitted bytes are 0 for all but leaders, and when all is committed
 *   R9  settled <= commit and durable here
 *   R10 reads wait only where a leader is known; a leader's for a round that
 *       is under way or next; a follower's for the request under way or next
 *   R11 answers are kept only while standing for election
 *   R12 a follower does not follow itself
 *   R13 the configuration in force is none or a valid one, and of an entry of
 *       the log or of the state before it; the one before it is older
 *   R14 the peers are the members of the configuration in force, each once,
 *       in their places
 *   R15 a leader hands over to another voter, and no longer than election_ms;
 *       one without a vote in its committed configuration is doing so
 *   R16 a snapshot that is loaded ends beyond what is committed here; who
 *       loads one follows its leader
 *   R17 who is being repaired follows; only then is there a proof
 *
 * Cheap enough for every step of every build: no loop over entries. */
#include "raft/state.h"

static void check_log(const struct raft *r)
{
	CHECK(r->runs.base.index <= r->applied);			/* R1 */
	CHECK(r->applied <= r->applying && r->applying <= r->commit);	/* R1 */
	CHECK(r->commit <= runs_last(&r->runs));			/* R1 */
	runs_check(&r->runs);						/* R2 */
	CHECK(runs_last_pos(&r->runs).term <= r->hard.term);		/* R2 */
	CHECK(r->settled <= r->commit && r->settled <= r->saves.index); /* R9 */
}

static void check_saves(const struct raft *r)
{
	const struct saves *s = &r->saves;
	raft_index last = s->index;
	raft_seq seq = s->durable;
	uint32_t i;

	CHECK(s->count <= SAVES_MAX); /* R3 */
	for (i = 0; i < s->count; i++) {
		const struct save *save = &s->ring[(s->head + i) % SAVES_MAX];

		CHECK(save->seq > seq && save->last >= last); /* R3 */
		seq = save->seq;
		last = save->last;
	}
	CHECK(seq == s->newest && last == runs_last(&r->runs)); /* R3 */
	CHECK(s->hard <= s->newest);				/* R3 */
	CHECK(!r->stage.used);					/* R3 */
}

/* How many of a joint configuration's C_old, or of the voters of a plain one,
 * have saved what is committed? */
static bool is_durable(const struct raft *r, bool outgoing)
{
	size_t voters = 0, have = 0;
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		if (!(outgoing ? p->outgoing : p->voter))
			continue;
		voters++;
		have += p->match >= r->commit || p->had >= r->commit;
	}
	return have >= quorum_size(voters);
}

static void check_leader(const struct raft *r)
{
	bool joint = r->members.outgoing_count > 0;
	uint32_t i;

	CHECK(r->hard.vote == r->config.self);			    /* R4 */
	CHECK(r->leader == r->config.self && save_of_hard(r) == 0); /* R4 */
	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		if (members_is_self(r, p))
			CHECK(p->match == r->saves.index); /* R4 */
		else
			progress_check(p, runs_last(&r->runs)); /* R6 */
	}
	if (r->commit >= r->noop) {
		CHECK(is_durable(r, joint)); /* R7 */
		CHECK(!joint || r->commit < r->members_index ||
		      is_durable(r, false)); /* R7 */
	}
	CHECK(r->commit < runs_last(&r->runs) || r->uncommitted == 0); /* R8 */
}

static void check_role(const struct raft *r)
{
	CHECK(r->role == RAFT_LEADER || r->uncommitted == 0); /* R8 */
	switch (r->role) {
	case RAFT_FOLLOWER:
		CHECK(r->leader != r->config.self); /* R12 */
		break;
	case RAFT_CANDIDATE:
		CHECK(r->hard.vote == r->config.self); /* R5 */
		CHECK(r->leader == 0);		       /* R5 */
		break;
	case RAFT_PRECANDIDATE:
		CHECK(r->leader == 0); /* R5 */
		break;
	case RAFT_LEADER:
		check_leader(r);
		break;
	}
}

static void check_reads(const struct raft *r)
{
	const struct reads *reads = &r->reads;
	uint32_t i;

	CHECK(reads->count <= LIMIT_READS);		   /* R10 */
	CHECK(reads->count == 0 || r->leader != 0);	   /* R10 */
	CHECK(!reads->asking || r->role == RAFT_FOLLOWER); /* R10 */
	for (i = 0; i < reads->count; i++) {
		const struct read_ticket *t = &reads->ticket[i];

		if (r->role == RAFT_LEADER)
			CHECK(t->round > 0 && t->round <= reads->round + 1);
		else
			CHECK(t->round == 0 || t->round == reads->number);
	} /* R10 */
}

static bool is_none(const struct raft_change *change)
{
	return change->index == 0 && change->members.voter_count == 0;
}

static void check_members(const struct raft *r)
{
	const struct raft_members *m = &r->members;
	uint32_t i, voters = 0, outgoing = 0, learners = 0;

	CHECK(r->members_index <= runs_last(&r->runs));	   /* R13 */
	CHECK(r->peer_count == 0 || members_are_valid(m)); /* R13 */
	if (!is_none(&r->before)) {
		CHECK(members_are_valid(&r->before.members)); /* R13 */
		CHECK(r->before.index < r->members_index);    /* R13 */
	}
	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		voters += p->voter;
		outgoing += p->outgoing;
		learners += !p->voter && !p->outgoing;
		CHECK(r->role == RAFT_PRECANDIDATE ||
		      r->role == RAFT_CANDIDATE ||
		      p->answer == PROGRESS_SILENT); /* R11 */
	}
	CHECK(voters == m->voter_count && outgoing == m->outgoing_count &&
	      learners == m->learner_count); /* R14 */
}

static void check_transfer(const struct raft *r)
{
	const struct transfer *t = &r->transfer;
	bool found = false;
	uint32_t i;

	if (r->role != RAFT_LEADER) {
		CHECK(t->target == 0 && !r->lease_over); /* R15 */
		return;
	}
	CHECK(t->target != 0 || members_is_voter(r) ||
	      r->members_index > r->commit); /* R15 */
	if (t->target == 0)
		return;
	for (i = 0; i < r->peer_count; i++)
		found |= r->peer[i].id == t->target && r->peer[i].voter;
	CHECK(found && t->target != r->config.self); /* R15 */
	CHECK(r->now < t->until);		     /* R15 */
	CHECK(!t->told || r->lease_over);	     /* R15 */
}

static void check_snapshot(const struct raft *r)
{
	if (!snapshot_is_loading(r))
		return;
	CHECK(r->role == RAFT_FOLLOWER && r->leader != 0);    /* R16 */
	CHECK(r->loading.index > r->commit);		      /* R16 */
	CHECK(r->loading.term <= r->hard.term);		      /* R16 */
	CHECK(r->loading_change.index <= r->loading.index);   /* R16 */
	CHECK(members_are_valid(&r->loading_change.members)); /* R16 */
}

static void check_repair(const struct raft *r)
{
	CHECK(r->repair == 0 || r->role == RAFT_FOLLOWER); /* R17 */
	CHECK(r->repair != 0 || r->proof == 0);		   /* R17 */
}

void raft_check(const struct raft *r)
{
	check_repair(r);
	check_log(r);
	check_members(r);
	check_transfer(r);
	check_snapshot(r);
	check_saves(r);
	check_role(r);
	check_reads(r);
}
