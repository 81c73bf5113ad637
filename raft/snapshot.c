/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - a state in the place of a log (Raft 7).
 *
 * The leader asks the driver to send one to a member whose next entry is cut
 * away, once until that has ended; after a failure not before election_ms, and
 * not while it is silent.
 * Then it probes after the snapshot's end (row 51: if that was cut away too,
 * with the next one).
 *
 * The driver has staged and verified what it hands over here. It counts like
 * an append of its leader: only that of the newest term is taken. What is
 * committed here, or agrees at the snapshot's end, stays (row 49); else the
 * whole log goes, because an entry of it contradicts the snapshot or is
 * missing (row 48), and with it the configurations that it held (row 35).
 *
 * The log and the state change places with the snapshot on the driver's side
 * of the fence, so nothing may be saved between LOAD_SNAP, which waits for all
 * saves, and SNAP_LOADED: no vote, no entry, no higher term, no campaign
 * (row 54). The leader is heard all the same. */
#include "raft/state.h"

bool snapshot_is_loading(const struct raft *r)
{
	return r->loading.index != 0;
}

/* --- The leader's side
 * ------------------------------------------------------------ */

void snapshot_offer(struct raft *r, struct progress *p)
{
	if (p->sending || r->now < p->send_due ||
	    r->now >= p->heard + r->config.election_ms)
		return;
	p->sending = true;
	act_add(r, RAFT_DO_SEND_SNAP, 0)->send_snap.to = p->id;
}

void snapshot_on_sent(struct raft *r, const struct raft_event *ev)
{
	struct progress *p = members_find(r, ev->snap_sent.peer);

	/* Of an earlier term, or of a member that was: nobody waits. */
	if (r->role != RAFT_LEADER || p == NULL || !p->sending)
		return;
	p->sending = false;
	p->send_due = r->now + r->config.election_ms;
	if (!ev->snap_sent.ok)
		return;
	CHECK(ev->snap_sent.index <= r->applying); /* it was our state */
	p->send_due = r->now;
	progress_installed(p, ev->snap_sent.index);
}

/* --- The follower's side
 * ---------------------------------------------------------- */

static bool is_plausible(const struct raft_event *ev)
{
	struct raft_pos pos = ev->snap_received.pos;
	const struct raft_change *change = ev->snap_received.change;

	return ev->snap_received.from != 0 && pos.index > 0 && pos.term > 0 &&
	       pos.term <= ev->snap_received.term &&
	       change->index <= pos.index &&
	       members_are_valid(&change->members);
}

static void load(struct raft *r, struct raft_pos pos,
		 const struct raft_change *change)
{
	r->loading = pos;
	r->loading_change = *change;
	act_add(r, RAFT_DO_LOAD_SNAP, save_of_all(r))->load_snap.pos = pos;
}

int snapshot_on_received(struct raft *r, const struct raft_event *ev)
{
	struct raft_pos pos = ev->snap_received.pos;
	raft_id from = ev->snap_received.from;

	if (!is_plausible(ev))
		return STATUS_INVALID;
	if (snapshot_is_loading(r))
		return STATUS_PENDING;
	if (ev->snap_received.term < r->hard.term || r->role == RAFT_LEADER ||
	    (ev->snap_received.term == r->hard.term && r->leader != 0 &&
	     r->leader != from))
		return STATUS_NOT_LEADER;
	election_hear(r, ev->snap_received.term, from);

	if (pos.index <= r->commit)
		return 0; /* row 49 */
	if (runs_term(&r->runs, pos.index) == pos.term)
		commit_advance(r, pos.index);
	else
		load(r, pos, ev->snap_received.change);
	return 0;
}

void snapshot_on_loaded(struct raft *r, struct raft_pos pos)
{
	CHECK(pos.index == r->loading.index && pos.term == r->loading.term);

	runs_init(&r->runs, pos);
	sizes_init(&r->sizes, pos.index);
	save_reset(r);
	r->commit = pos.index;
	r->applying = pos.index;
	r->applied = pos.index;
	members_load(r, &r->loading_change);
	r->loading = (struct raft_pos){0};
	r->loading_change = (struct raft_change){0};
	election_delay(r);
}
