/* SPDX-License-Identifier: Apache-2.0 */
/* append.c - the follower's side of replication (Raft 5.3).
 *
 * An append of this term's leader is checked against the entry before its
 * first. Where it agrees, entries held already stay, so that a late, shorter
 * copy takes nothing away (row 20); only a true difference of terms cuts the
 * log, and never what is committed. Acknowledged is what is durable: a reply
 * waits for the save that covers it. */
#include "raft/state.h"

static raft_index smaller(raft_index a, raft_index b)
{
	return a < b ? a : b;
}

static bool are_plausible(const struct raft_msg *m,
			  const struct raft_change *changes, size_t count)
{
	raft_index last = m->pos.index;
	size_t i;

	for (i = 0; i < count; i++) {
		if (changes[i].index <= last || changes[i].index > m->last ||
		    !members_are_valid(&changes[i].members))
			return false;
		last = changes[i].index;
	}
	return true;
}

/* A peer's word is no invariant: are the runs those of (pos.index, last]? */
static bool is_plausible(const struct raft_event *ev)
{
	const struct raft_msg *m = &ev->recv.msg;
	raft_term term = m->pos.term;
	raft_index last = m->pos.index;
	size_t i;

	if ((m->pos.index == 0) != (m->pos.term == 0))
		return false;
	for (i = 0; i < ev->recv.run_count; i++) {
		const struct raft_run *run = &ev->recv.runs[i];

		if (run->last <= last || run->term < term || run->term == 0)
			return false;
		last = run->last;
		term = run->term;
	}
	return last == m->last && term <= m->term &&
	       last - m->pos.index <= LIMIT_MESSAGE_ENTRIES &&
	       are_plausible(m, ev->recv.changes, ev->recv.change_count);
}

static void reject(struct raft *r, const struct raft_msg *m)
{
	struct raft_msg reply = {
		.kind = RAFT_APPEND_REPLY,
		.to = m->from,
		.last = m->pos.index,
		.commit = r->applied,
		.round = m->round,
		.repair = r->repair,
		.reject = true,
	};

	/* Skip our terms above the leader's (5.3); committed entries agree. */
	reply.pos.index = runs_agree(&r->runs, m->pos.index - 1, m->pos.term);
	if (reply.pos.index < r->commit)
		reply.pos.index = r->commit;
	reply.pos.term = runs_term(&r->runs, reply.pos.index);
	act_send(r, reply, 0);
}

static void accept(struct raft *r, const struct raft_msg *m, raft_index held)
{
	struct raft_msg reply = {
		.kind = RAFT_APPEND_REPLY,
		.to = m->from,
		.pos.index = smaller(held, r->saves.index),
		.last = held,
		.commit = r->applied,
		.round = m->round,
		.repair = r->repair,
	};
	raft_seq after = save_covering(r, held);

	/* A heartbeat is answered at once, with what is durable now; so is
	 * the first message of a round, for the reads that wait for it. */
	if (m->last == m->pos.index || after == 0 ||
	    m->round > r->round_heard) {
		act_send(r, reply, 0);
		r->round_heard = m->round;
	}
	if (m->last == m->pos.index || after == 0)
		return;
	reply.pos.index = held;
	act_send(r, reply, after);
}

static void take_changes(struct raft *r, const struct raft_event *ev,
			 raft_index first, raft_index last)
{
	size_t i;

	for (i = 0; i < ev->recv.change_count; i++) {
		const struct raft_change *change = &ev->recv.changes[i];

		if (change->index >= first && change->index <= last)
			members_append(r, change->index, &change->members);
	}
}

/* Take the entries from index at on, which are in the message's run i or after
 * it, in place of whatever is held there. */
static void take(struct raft *r, const struct raft_event *ev, size_t i,
		 raft_index at)
{
	const struct raft_msg *m = &ev->recv.msg;
	bool cut = at <= runs_last(&r->runs);
	raft_index last;

	if (cut) {
		runs_truncate(&r->runs, at - 1);
		save_truncate(r, at - 1);
		members_truncate(r, at - 1); /* row 33 */
	}
	/* Without room for another run the rest is left to a later message. */
	for (; i < ev->recv.run_count; i++) {
		if (!runs_append(&r->runs, ev->recv.runs[i].term,
				 ev->recv.runs[i].last))
			break;
	}
	last = runs_last(&r->runs);
	if (last >= at)
		save_entries(r, at - 1, RAFT_FROM_MESSAGE);
	else if (cut)
		save_entries(r, at - 1, RAFT_FROM_NOTHING);
	take_changes(r, ev, at, last);
	for (; at <= last; at++)
		sizes_append(&r->sizes, at,
			     ev->recv.sizes[at - m->pos.index - 1]);
}

/* Bring our log into agreement with the message's entries; *held: up to where
 * it now agrees. False, changing nothing, if the message contradicts what is
 * committed: no leader can say such a thing. */
static bool merge(struct raft *r, const struct raft_event *ev, raft_index *held)
{
	const struct raft_msg *m = &ev->recv.msg;
	raft_index base = r->runs.base.index;
	raft_index at = m->pos.index;
	size_t i;

	for (i = 0; i < ev->recv.run_count; i++) {
		const struct raft_run *run = &ev->recv.runs[i];

		if (at < base) /* compacted: it agrees (row 23) */
			at = smaller(base, run->last);
		while (at < run->last &&
		       runs_term(&r->runs, at + 1) == run->term)
			at++;
		if (at == run->last)
			continue;
		if (at < r->commit || at < r->before.index ||
		    runs_term(&r->runs, at) > run->term)
			return false;
		take(r, ev, i, at + 1);
		*held = smaller(m->last, runs_last(&r->runs));
		return true;
	}
	*held = at < base ? base : at;
	return true;
}

static bool agrees(const struct raft *r, struct raft_pos pos)
{
	return pos.index < r->runs.base.index ||
	       (pos.index <= runs_last(&r->runs) &&
		runs_term(&r->runs, pos.index) == pos.term);
}

void append_on_append(struct raft *r, const struct raft_event *ev)
{
	const struct raft_msg *m = &ev->recv.msg;
	raft_index held;

	if (!is_plausible(ev) || r->role == RAFT_LEADER ||
	    (r->leader != 0 && r->leader != m->from)) {
		r->counters.messages_ignored++;
		return;
	}
	election_hear(r, r->hard.term, m->from);

	if (snapshot_is_loading(r)) {
		reject(r, m); /* it is heard, no more */
		return;
	}
	if (!agrees(r, m->pos)) {
		if (m->pos.index <= r->commit)
			r->counters.messages_ignored++; /* can not be */
		else
			reject(r, m);
		return;
	}
	if (!merge(r, ev, &held)) {
		r->counters.messages_ignored++;
		return;
	}
	/* Only what this message vouches for is committed (row 18). */
	commit_advance(r, smaller(m->commit, held));
	commit_settle(r, m->settled);
	repair_proven(r, m, held);
	accept(r, m, held);
}
