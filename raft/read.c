/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - linearizable reads without log entries (thesis 6.4).
 *
 * A read's index is the commit index when it arrived at the leader, or the
 * leader's first entry if that is later (row 55); it counts once a quorum has
 * acknowledged a round that began after the arrival. Rounds are numbered,
 * appends carry the newest, replies echo it, and no round confirms a read
 * that came after it was sent (row 56). While a round is under way, reads
 * gather for the next one: one round serves many.
 *
 * The lease: a quorum that acknowledged a round sent at time t will elect no
 * other leader before t + election_ms, so reads need no round until
 * t + lease_ms (6.4.1, row 57). A lone voter's never ends. Whoever was told to
 * stand by this leader may be elected at any time: no lease any more (row 58).
 *
 * A follower asks the leader, one request at a time for all that gathered;
 * lost ones are repeated under the same number. */
#include "raft/random.h"
#include "raft/state.h"

#include <string.h>

void read_init(struct raft *r)
{
	r->reads.number = random_next(&r->random) >> 1;
}

/* --- Rounds and lease
 * ---------------------------------------------------------- */

void read_begin_round(struct raft *r)
{
	r->reads.round++;
	r->reads.sent[r->reads.round % ROUNDS_MAX] = r->now;
	replicate_to_all(r);
}

void read_acknowledged(struct raft *r, struct progress *p, uint64_t round)
{
	if (round <= p->round)
		return;
	p->round = round;
	/* Of an older one the send time is forgotten: no lease from it. */
	if (r->reads.round - round < ROUNDS_MAX)
		p->round_sent = r->reads.sent[round % ROUNDS_MAX];
}

static uint64_t round_of(const struct raft *r, const struct progress *p)
{
	return members_is_self(r, p) ? r->reads.round : p->round;
}

static uint64_t sent_of(const struct raft *r, const struct progress *p)
{
	return members_is_self(r, p) ? RAFT_NEVER : p->round_sent;
}

raft_ms read_lease_until(const struct raft *r)
{
	raft_ms since;

	if (r->role != RAFT_LEADER || r->commit < r->noop || r->lease_over)
		return 0;
	since = members_agree(r, sent_of);
	if (since == 0 || since == RAFT_NEVER)
		return since; /* none; or nobody else can lead */
	return since + r->config.lease_ms;
}

static bool is_leased(const struct raft *r)
{
	return r->now < read_lease_until(r);
}

/* --- Answers
 * --------------------------------------------------------------------- */

static void answer(struct raft *r, uint64_t ticket, raft_index index,
		   int status)
{
	struct raft_act *act = act_add(r, RAFT_DO_READ, 0);

	act->read.ticket = ticket;
	act->read.index = index;
	act->read.status = status;
}

static void reply(struct raft *r, raft_id to, uint64_t number, raft_index index,
		  bool reject)
{
	struct raft_msg m = {
		.kind = RAFT_READ_REPLY,
		.to = to,
		.pos.index = index,
		.round = number,
		.reject = reject,
	};

	act_send(r, m, 0);
}

/* The index that a read arriving at the leader now must see. */
static raft_index index_now(const struct raft *r)
{
	return r->commit < r->noop ? r->noop : r->commit;
}

static void forget(struct reads *reads, uint32_t i)
{
	reads->count--;
	memmove(&reads->ticket[i], &reads->ticket[i + 1],
		(reads->count - i) * sizeof(reads->ticket[0]));
}

static void answer_confirmed(struct raft *r)
{
	struct reads *reads = &r->reads;
	uint64_t round = members_agree(r, round_of);
	uint32_t i = 0;

	if (r->commit < r->noop)
		return;
	while (i < reads->count) {
		if (reads->ticket[i].round > round) {
			i++;
			continue;
		}
		answer(r, reads->ticket[i].ticket, reads->ticket[i].index, 0);
		forget(reads, i);
	}
	for (i = 0; i < r->peer_count; i++) {
		struct progress *p = &r->peer[i];

		if (p->read_number == 0 || p->read_round > round)
			continue;
		reply(r, p->id, p->read_number, p->read_index, false);
		p->read_number = 0;
	}
}

void read_abandon(struct raft *r, int status)
{
	struct reads *reads = &r->reads;
	uint32_t i;

	for (i = 0; i < reads->count; i++)
		answer(r, reads->ticket[i].ticket, 0, status);
	reads->count = 0;
	reads->asking = false;
	if (r->role != RAFT_LEADER)
		return;
	for (i = 0; i < r->peer_count; i++) {
		if (r->peer[i].read_number != 0)
			reply(r, r->peer[i].id, r->peer[i].read_number, 0,
			      true);
		r->peer[i].read_number = 0;
	}
}

/* --- Requests
 * -------------------------------------------------------------------- */

int read_local(struct raft *r, uint64_t ticket, bool lease)
{
	struct read_ticket *t;

	if (r->leader == 0)
		return STATUS_NOT_LEADER;
	if (r->role == RAFT_LEADER && lease && is_leased(r)) {
		answer(r, ticket, r->commit, 0);
		return 0;
	}
	if (r->reads.count == LIMIT_READS)
		return STATUS_FULL;

	t = &r->reads.ticket[r->reads.count++];
	*t = (struct read_ticket){.ticket = ticket, .lease = lease};
	if (r->role == RAFT_LEADER) {
		t->round = r->reads.round + 1;
		t->index = index_now(r);
	}
	return 0;
}

void read_on_read(struct raft *r, const struct raft_msg *m)
{
	struct progress *p = members_find(r, m->from);

	if (m->round == 0 || r->role != RAFT_LEADER) {
		reply(r, m->from, m->round, 0, true);
		return;
	}
	if (m->lease && is_leased(r)) {
		reply(r, m->from, m->round, r->commit, false);
		return;
	}
	if (p->read_number == m->round)
		return; /* repeated: it waits already */
	p->read_number = m->round;
	p->read_round = r->reads.round + 1;
	p->read_index = index_now(r);
}

void read_on_reply(struct raft *r, const struct raft_msg *m)
{
	struct reads *reads = &r->reads;
	uint32_t i = 0;

	if (!reads->asking || m->from != r->leader ||
	    m->round != reads->number) {
		r->counters.messages_ignored++;
		return;
	}
	reads->asking = false;
	while (i < reads->count) {
		if (reads->ticket[i].round != m->round) {
			i++;
			continue;
		}
		answer(r, reads->ticket[i].ticket, m->reject ? 0 : m->pos.index,
		       m->reject ? STATUS_NO_QUORUM : 0);
		forget(reads, i);
	}
}

/* --- The end of a step
 * -------------------------------------------------------------- */

static bool is_round_wanted(const struct raft *r)
{
	uint64_t next = r->reads.round + 1;
	uint32_t i;

	if (r->now >= r->heartbeat_due)
		return true;
	if (members_agree(r, round_of) < r->reads.round)
		return false; /* one is under way */
	for (i = 0; i < r->reads.count; i++) {
		if (r->reads.ticket[i].round == next)
			return true;
	}
	for (i = 0; i < r->peer_count; i++) {
		if (r->peer[i].read_number != 0 &&
		    r->peer[i].read_round == next)
			return true;
	}
	return false;
}

static void ask(struct raft *r)
{
	struct raft_msg m = {
		.kind = RAFT_READ,
		.to = r->leader,
		.round = r->reads.number,
		.lease = r->reads.lease,
	};

	act_send(r, m, 0);
	r->reads.asked = r->now;
}

static void gather(struct raft *r)
{
	struct reads *reads = &r->reads;
	uint32_t i;

	reads->asking = true;
	reads->number++;
	reads->lease = true;
	for (i = 0; i < reads->count; i++) {
		reads->ticket[i].round = reads->number;
		reads->lease = reads->lease && reads->ticket[i].lease;
	}
	ask(r);
}

void read_flush(struct raft *r)
{
	if (r->role == RAFT_LEADER) {
		if (is_round_wanted(r))
			read_begin_round(r);
		answer_confirmed(r);
		return;
	}
	if (r->reads.count == 0)
		return;
	if (!r->reads.asking)
		gather(r);
	else if (r->now >= read_deadline(r))
		ask(r);
}

void read_link_up(struct raft *r, raft_id peer)
{
	if (r->reads.asking && peer == r->leader)
		ask(r);
}

raft_ms read_deadline(const struct raft *r)
{
	if (r->role == RAFT_LEADER)
		return r->heartbeat_due;
	return r->reads.asking ? r->reads.asked + r->config.heartbeat_ms
			       : RAFT_NEVER;
}
