/* SPDX-License-Identifier: Apache-2.0 */
/* world_snap.c - snapshots between the nodes of a world. They carry no bytes:
 * what they hold is what was committed up to their end (W2, W4). */
#include "tests/lib/world_core.h"

#include <string.h>

#include "base/mem.h"

static void post(struct world *w, struct world_snapshot *snapshot)
{
	struct world_snapshot **at = &w->snapshots;

	while (*at != NULL)
		at = &(*at)->next;
	snapshot->next = NULL;
	*at = snapshot;
}

static struct world_snapshot *take(struct world_snapshot **at)
{
	struct world_snapshot *snapshot = *at;

	*at = snapshot->next;
	snapshot->next = NULL;
	return snapshot;
}

static void tell(struct world *w, raft_id node, struct raft_event *ev)
{
	if (w->watch.event != NULL)
		w->watch.event(w->watch.context, w, node, ev, NULL);
}

/* The end of one: whoever waits for it hears. */
static void answer(struct world *w, struct world_snapshot *snapshot, bool ok)
{
	struct world_node *n = &w->node[snapshot->from];
	struct raft_event ev = {.kind = RAFT_EV_SNAP_SENT};

	ev.snap_sent.peer = snapshot->to;
	ev.snap_sent.index = snapshot->pos.index;
	ev.snap_sent.ok = ok;
	if (!snapshot->answered && n->up && n->restarts == snapshot->life) {
		n->sending[snapshot->to] = false;
		tell(w, n->id, &ev);
		world_step(w, n->id, ev);
	}
	mem_free(snapshot);
}

void world_snap_send(struct world *w, struct world_node *n, raft_id to)
{
	struct world_snapshot *snapshot;
	struct raft_status s;

	raft_status(n->core, &s);
	/* A leader of a later term may ask before it has heard the end of
	 * what it asked for in an earlier one; that is one request then. */
	if (n->sending[to])
		return;
	CHECK(s.first > 1); /* W10 */
	n->sending[to] = true;
	snapshot = mem_zalloc(sizeof(*snapshot));
	snapshot->from = n->id;
	snapshot->to = to;
	snapshot->term = s.term;
	snapshot->life = n->restarts;
	snapshot->pos.index = n->applied;
	snapshot->pos.term = n->log.entry[n->applied].term;
	snapshot->change = world_change_at(w, &n->log, n->applied);
	if (snapshot->change.members.voter_count == 0)
		snapshot->change.members = w->founding;
	post(w, snapshot);
}

void world_snap_copy(struct world *w, const struct world_snapshot *snapshot)
{
	struct world_snapshot *copy = mem_copy(snapshot, sizeof(*snapshot));

	copy->answered = true;
	post(w, copy);
}

void world_snap_drop(struct world *w, struct world_snapshot **at)
{
	answer(w, take(at), false);
}

void world_snap_deliver(struct world *w, struct world_snapshot **at)
{
	struct world_snapshot *snapshot = take(at);
	struct world_node *n = &w->node[snapshot->to];
	struct raft_event ev = {.kind = RAFT_EV_SNAP_RECEIVED};
	struct raft_status s;
	int rc;

	if (!n->up || n->loading != NULL) {
		answer(w, snapshot, false);
		return;
	}
	ev.snap_received.from = snapshot->from;
	ev.snap_received.term = snapshot->term;
	ev.snap_received.pos = snapshot->pos;
	ev.snap_received.change = &snapshot->change;
	tell(w, n->id, &ev);
	n->loading = snapshot; /* if it is to be, this is the one */
	rc = world_step(w, n->id, ev);
	raft_status(n->core, &s);
	if (s.loading)
		return;
	n->loading = NULL;
	answer(w, snapshot, rc == 0);
}

void world_snap_load(struct world *w, struct world_node *n, struct raft_pos pos)
{
	const struct world_snapshot *snapshot = n->loading;
	(void)w;

	CHECK(snapshot != NULL && pos.index == snapshot->pos.index &&
	      pos.term == snapshot->pos.term);
	CHECK(n->save_count == 0); /* W10: it waited for all of them */
	n->load_due = true;
}

static void put(const struct world *w, struct world_log *log,
		const struct world_snapshot *snapshot)
{
	raft_index i, last = snapshot->pos.index;

	CHECK(last <= w->committed &&
	      w->entry[last].term == snapshot->pos.term);
	for (i = 1; i <= last; i++)
		log->entry[i] = w->entry[i];
	log->last = last;
	log->commit = last;
	log->base = snapshot->pos;
	log->base_change = snapshot->change;
}

void world_load(struct world *w, raft_id node, bool crash)
{
	struct world_node *n = &w->node[node];
	struct world_snapshot *snapshot = n->loading;
	struct raft_event ev = {.kind = RAFT_EV_SNAP_LOADED};

	CHECK(n->load_due && n->save_count == 0); /* W10 */
	put(w, &n->disk, snapshot);
	w->loads++;
	if (crash) {
		world_crash(w, node);
		return;
	}
	put(w, &n->log, snapshot);
	n->loading = NULL;
	n->load_due = false;
	n->applied = snapshot->pos.index;
	n->change = snapshot->change.index;
	ev.snap_loaded.pos = snapshot->pos;
	tell(w, node, &ev);
	world_step(w, node, ev);
	answer(w, snapshot, true);
}

void world_snap_forget(struct world *w, struct world_node *n)
{
	struct world_snapshot *loading = n->loading;

	memset(n->sending, 0, sizeof(n->sending));
	n->loading = NULL;
	n->load_due = false;
	if (loading != NULL)
		answer(w, loading, false);
}
