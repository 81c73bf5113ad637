/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - the invariants of the core's state.
 *
 *   R1  base <= applied <= applying <= commit <= last
 *   R2  the log is made of runs (T1, T2), of terms up to the current one
 *   R3  saves: numbers rise, each covers no less than the one before, the
 *       newest covers the whole log; with none pending all is durable
 *   R4  a leader is a voter that has voted for itself, durably, and knows
 *       itself as the leader; its own match is what is durable
 *   R5  who stands for election knows no leader; a candidate has voted for
 *       itself
 *   R6  a leader's peers are as progress.h says (P1, P3)
 *   R7  what a leader committed in its term is durable at a majority
 *   R8  uncommitted bytes are 0 for all but leaders, and when all is committed
 *   R9  settled <= commit and durable here
 *   R10 reads wait only where a leader is known; a leader's for a round that
 *       is under way or next; a follower's for the request under way or next
 *   R11 nobody votes twice in an election, and only voters do
 *   R12 a follower does not follow itself; an observer follows nobody
 *
 * Cheap enough for every step of every build: no loop over entries. */
#include "raft/quorum.h"
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

static void check_leader(const struct raft *r)
{
	uint64_t match[LIMIT_VOTERS];
	uint32_t i;

	CHECK(members_is_voter(r));				    /* R4 */
	CHECK(r->hard.vote == r->config.self);			    /* R4 */
	CHECK(r->leader == r->config.self && save_of_hard(r) == 0); /* R4 */
	CHECK(members_self(r)->match == r->saves.index);	    /* R4 */
	for (i = 0; i < r->peer_count; i++) {
		if ((int)i != r->self_slot)
			progress_check(&r->peer[i], runs_last(&r->runs));
	} /* R6 */
	for (i = 0; i < r->members.voter_count; i++)
		match[i] = r->peer[i].match;
	CHECK(r->commit < r->noop ||
	      r->commit <=
		      quorum_value(match, r->members.voter_count));    /* R7 */
	CHECK(r->commit < runs_last(&r->runs) || r->uncommitted == 0); /* R8 */
}

static void check_role(const struct raft *r)
{
	uint32_t voters = (1u << r->members.voter_count) - 1;

	CHECK((r->granted & r->refused) == 0);		      /* R11 */
	CHECK(((r->granted | r->refused) & ~voters) == 0);    /* R11 */
	CHECK(r->role == RAFT_LEADER || r->uncommitted == 0); /* R8 */
	switch (r->role) {
	case RAFT_FOLLOWER:
		CHECK(r->leader != r->config.self);		  /* R12 */
		CHECK(members_self(r) != NULL || r->leader == 0); /* R12 */
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

void raft_check(const struct raft *r)
{
	check_log(r);
	check_saves(r);
	check_role(r);
	check_reads(r);
}
