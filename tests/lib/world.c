/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/world_core.h"

#include <string.h>

#include "base/mem.h"

bool world_is_same(const struct world_entry *a, const struct world_entry *b)
{
	return a->term == b->term && a->value == b->value;
}

/* --- Life
 * ------------------------------------------------------------------------ */

struct world *world_new(uint32_t count, const struct raft_config *config,
			uint64_t seed)
{
	struct world *w = mem_zalloc(sizeof(*w));
	struct raft_members members = {0};
	raft_id id;

	CHECK(count >= 1 && count <= WORLD_NODES);
	w->node_count = count;
	w->tail = &w->messages;
	w->acts = mem_zalloc(raft_acts_max() * sizeof(w->acts[0]));
	for (id = 1; id <= count; id++) {
		struct world_node *n = &w->node[id];

		n->id = id;
		n->core = mem_zalloc(raft_size());
		n->config = *config;
		n->config.self = id;
		n->config.seed = seed * 1000 + id;
		n->now = 1000;
		members.voters[id - 1] = id;
	}
	members.voter_count = count;
	world_found(w, &members);
	return w;
}

void world_found(struct world *w, const struct raft_members *members)
{
	static const struct raft_members none;
	raft_id id;

	w->founding = *members;
	for (id = 1; id <= w->node_count; id++) {
		struct world_node *n = &w->node[id];
		uint32_t i;
		bool member = false;

		for (i = 0; i < members->voter_count; i++)
			member |= members->voters[i] == id;
		for (i = 0; i < members->learner_count; i++)
			member |= members->learners[i] == id;
		world_crash(w, id);
		n->disk.base_change.members = member ? *members : none;
		world_start(w, id, true);
	}
}

void world_message_free(struct world_message *message)
{
	mem_free(message->entries);
	mem_free(message);
}

static void forget(struct world_node *n)
{
	size_t i;

	for (i = 0; i < n->save_count; i++)
		mem_free(n->save[i].entries);
	for (i = 0; i < n->held_count; i++) {
		if (n->held[i].message != NULL)
			world_message_free(n->held[i].message);
	}
	n->save_count = 0;
	n->held_count = 0;
	n->up = false;
}

void world_free(struct world *w)
{
	raft_id id;

	for (id = 1; id <= w->node_count; id++)
		world_crash(w, id);
	for (id = 1; id <= w->node_count; id++)
		mem_free(w->node[id].core);
	while (w->snapshots != NULL)
		world_snap_drop(w, &w->snapshots);
	while (w->messages != NULL) {
		struct world_message *m = w->messages;

		world_take(w, &w->messages);
		world_message_free(m);
	}
	mem_free(w->acts);
	mem_free(w);
}

void world_crash(struct world *w, raft_id node)
{
	uint64_t i;

	for (i = 1; i <= w->tickets; i++) {
		if (w->ticket[i].node == node)
			w->ticket[i].node = 0;
	}
	forget(&w->node[node]);
	world_snap_forget(w, &w->node[node]);
}

void world_lose(struct world *w, raft_id node)
{
	struct world_log *d = &w->node[node].disk;

	world_crash(w, node);
	d->commit = 0;
	d->base = (struct raft_pos){0};
	d->base_change = (struct raft_change){.members = w->founding};
	d->last = 0;
	w->node[node].lost = ++w->losses;
}

void world_start(struct world *w, raft_id node, bool fresh)
{
	struct world_node *n = &w->node[node];
	struct world_log *d = &n->disk;
	struct raft_boot boot = {
		.now = n->now,
		.hard = d->hard,
		.base = d->base,
		.commit = d->commit,
		.applied = d->base.index,
		.fresh = fresh,
	};
	struct raft_run *runs = mem_zalloc((WORLD_LOG + 1) * sizeof(*runs));
	uint32_t *sizes = mem_zalloc((WORLD_LOG + 1) * sizeof(*sizes));
	raft_index i;

	for (i = d->base.index + 1; i <= d->last; i++) {
		if (boot.run_count == 0 ||
		    runs[boot.run_count - 1].term != d->entry[i].term)
			runs[boot.run_count++].term = d->entry[i].term;
		runs[boot.run_count - 1].last = i;
		sizes[boot.size_count++] = d->entry[i].size;
	}
	boot.runs = runs;
	boot.sizes = sizes;
	world_boot_members(w, d, &boot);
	n->log = *d;
	n->change = boot.members_index;
	if (n->lost != 0)
		boot.repair = n->lost = ++w->losses; /* each life its own */
	n->settled = 0;
	n->durable = 0;
	n->applied = boot.applied;
	n->commit = boot.commit;
	n->config.seed += ++n->restarts * 7919;
	n->core = raft_init(n->core, &n->config, &boot);
	n->up = true;
	mem_free(runs);
	mem_free(sizes);
}

/* --- Network
 * ---------------------------------------------------------------------- */

static void post(struct world *w, struct world_message *m)
{
	if (w->cut[m->msg.from][m->msg.to]) {
		world_message_free(m);
		return;
	}
	m->next = NULL;
	*w->tail = m;
	w->tail = &m->next;
	w->message_count++;
}

void world_take(struct world *w, struct world_message **at)
{
	struct world_message *m = *at;

	*at = m->next;
	if (w->tail == &m->next)
		w->tail = at;
	m->next = NULL;
	w->message_count--;
}

static struct world_message *duplicate(const struct raft_msg *msg,
				       const struct world_entry *entries)
{
	struct world_message *m = mem_zalloc(sizeof(*m));
	size_t count = 0;

	m->msg = *msg;
	if (msg->kind == RAFT_APPEND)
		count = msg->last - msg->pos.index;
	if (count > 0)
		m->entries = mem_copy(entries, count * sizeof(*entries));
	return m;
}

void world_copy(struct world *w, const struct world_message *message)
{
	post(w, duplicate(&message->msg, message->entries));
}

void world_deliver(struct world *w, struct world_message *m)
{
	struct world_node *n = &w->node[m->msg.to];
	struct raft_event ev = {.kind = RAFT_EV_RECV};
	struct raft_run runs[LIMIT_MESSAGE_ENTRIES];
	uint32_t sizes[LIMIT_MESSAGE_ENTRIES];
	struct raft_change changes[64];
	size_t i, count = 0;

	if (m->msg.kind == RAFT_APPEND)
		count = m->msg.last - m->msg.pos.index;
	ev.recv.msg = m->msg;
	for (i = 0; i < count; i++) {
		if (ev.recv.run_count == 0 ||
		    runs[ev.recv.run_count - 1].term != m->entries[i].term)
			runs[ev.recv.run_count++].term = m->entries[i].term;
		runs[ev.recv.run_count - 1].last = m->msg.pos.index + i + 1;
		sizes[i] = m->entries[i].size;
		if (m->entries[i].change != 0) {
			struct raft_change *change =
				&changes[ev.recv.change_count++];

			CHECK(ev.recv.change_count <= COUNT_OF(changes));
			change->index = m->msg.pos.index + i + 1;
			change->members = w->changes[m->entries[i].change];
		}
	}
	ev.recv.runs = runs;
	ev.recv.sizes = sizes;
	ev.recv.changes = changes;
	if (n->up) {
		if (w->watch.event != NULL)
			w->watch.event(w->watch.context, w, n->id, &ev, m);
		/* The payloads of a save come from this message. */
		n->log.entry[0].value = (uintptr_t)m;
		world_step(w, m->msg.to, ev);
	}
	world_message_free(m);
}

/* --- Carrying out acts
 * ---------------------------------------------------------------- */

static void note_leader(struct world *w, const struct world_node *n,
			raft_term term)
{
	raft_index i;

	CHECK(term < WORLD_TERMS);
	CHECK(w->leader[term] == 0 || w->leader[term] == n->id); /* W1 */
	w->leader[term] = n->id;
	for (i = 1; i <= w->committed && w->in[i] < term; i++) /* W3 */
		CHECK(i <= n->log.last &&
		      world_is_same(&n->log.entry[i], &w->entry[i]));
}

static void note_read(struct world *w, const struct world_node *n,
		      const struct raft_act *act)
{
	struct world_ticket *t = &w->ticket[act->read.ticket];

	CHECK(t->node == n->id); /* W7 */
	t->node = 0;
	if (act->read.status != 0) {
		w->reads_failed++;
		return;
	}
	CHECK(act->read.index >= t->least); /* W6 */
	w->reads_done++;
}

static void release(struct world *w, struct world_node *n,
		    struct world_held *held)
{
	const struct raft_act *act = &held->act;
	raft_index i;

	if (w->watch.act != NULL)
		w->watch.act(w->watch.context, w, n->id, act, held->message);
	switch (act->kind) {
	case RAFT_DO_SAVE:
		break;
	case RAFT_DO_SEND:
		post(w, held->message);
		break;
	case RAFT_DO_APPLY:
		CHECK(act->apply.first == n->applied + 1); /* W4 */
		for (i = act->apply.first; i <= act->apply.last; i++) {
			CHECK(i <= n->disk.last &&
			      world_is_same(&n->disk.entry[i], &w->entry[i]));
		} /* W4 */
		n->applied = act->apply.last;
		break;
	case RAFT_DO_READ:
		note_read(w, n, act);
		break;
	case RAFT_DO_ROLE:
		if (act->role.role == RAFT_LEADER)
			note_leader(w, n, act->role.term);
		break;
	case RAFT_DO_MEMBERS:
		CHECK(act->members.index == n->change); /* W8 */
		break;
	case RAFT_DO_SEND_SNAP:
		world_snap_send(w, n, act->send_snap.to);
		break;
	case RAFT_DO_LOAD_SNAP:
		world_snap_load(w, n, act->load_snap.pos);
		break;
	}
}

static void stage_save(struct world *w, struct world_node *n,
		       const struct raft_event *ev, const struct raft_act *act)
{
	const struct world_message *m =
		(const void *)(uintptr_t)n->log.entry[0].value;
	struct world_save *save;
	raft_index i;

	CHECK(act->save.keep <= n->log.last && act->save.last < WORLD_LOG);
	CHECK(act->save.commit <= act->save.last);
	for (i = act->save.keep + 1; i <= act->save.last; i++) {
		struct world_entry *e = &n->log.entry[i];

		switch (act->save.source) {
		case RAFT_FROM_NOTHING:
			CHECK(!"entries from nothing");
			break;
		case RAFT_FROM_CHANGE:
			*e = (struct world_entry){
				.term = act->save.hard.term,
				.value = ++w->value,
				.size = ev->change.size,
				.change =
					world_change_new(w, ev->change.members),
			};
			break;
		case RAFT_FROM_NOOP:
			*e = (struct world_entry){.term = act->save.hard.term};
			break;
		case RAFT_FROM_PROPOSAL:
			*e = (struct world_entry){
				.term = act->save.hard.term,
				.value = ++w->value,
				.size = ev->propose
						.sizes[i - act->save.keep - 1],
			};
			break;
		case RAFT_FROM_MESSAGE:
			*e = m->entries[i - m->msg.pos.index - 1];
			break;
		}
	}
	n->log.last = act->save.last;
	world_members_moved(w, n, act->save.keep);
	CHECK(n->loading == NULL || ev->kind == RAFT_EV_SNAP_RECEIVED);
	/* W10 */

	CHECK(n->save_count < WORLD_SAVES);
	save = &n->save[n->save_count++];
	*save = (struct world_save){.seq = act->save.seq,
				    .hard = act->save.hard,
				    .keep = act->save.keep,
				    .last = act->save.last,
				    .commit = act->save.commit};
	if (save->last > save->keep)
		save->entries = mem_copy(&n->log.entry[save->keep + 1],
					 (save->last - save->keep) *
						 sizeof(struct world_entry));
}

static void carry_out(struct world *w, struct world_node *n,
		      const struct raft_event *ev, const struct raft_act *act)
{
	struct world_held held = {.act = *act};

	if (act->kind == RAFT_DO_SAVE)
		stage_save(w, n, ev, act);
	if (act->kind == RAFT_DO_SEND) {
		CHECK(act->send.kind != RAFT_APPEND ||
		      act->send.last <= n->log.last);
		held.message = duplicate(
			&act->send, &n->log.entry[act->send.pos.index + 1]);
	}
	if (act->after <= n->durable) {
		release(w, n, &held);
		return;
	}
	CHECK(n->held_count < WORLD_HELD);
	n->held[n->held_count++] = held;
}

/* --- What no node sees
 * ------------------------------------------------------------------ */

static void check_commit(struct world *w, struct world_node *n,
			 const struct raft_status *s)
{
	raft_index i;

	CHECK(s->commit >= n->commit); /* row 19 */
	if (s->role == RAFT_LEADER && s->commit > n->commit)
		world_check_quorum(w, n, s->commit);
	for (i = n->commit + 1; i <= s->commit; i++) {
		if (i > w->committed) {
			w->entry[i] = n->log.entry[i];
			w->in[i] = s->term;
		}
		CHECK(world_is_same(&w->entry[i], &n->log.entry[i])); /* W2 */
	}
	n->commit = s->commit;
	if (n->commit > w->committed)
		w->committed = n->commit;
}

static void check_leader(struct world *w, const struct world_node *n,
			 const struct raft_status *s)
{
	struct raft_peer_status peer;
	raft_id id;
	raft_index i;

	if (s->role != RAFT_LEADER)
		return;
	if (n->now < s->lease_until)
		CHECK(s->commit == w->committed); /* W6 */
	for (id = 1; id <= w->node_count; id++) {
		const struct world_log *d = &w->node[id].disk;

		if (raft_peer(n->core, id, &peer) != 0 || w->node[id].lost != 0)
			continue;
		CHECK(peer.match <= d->last); /* W5 */
		for (i = peer.match; i > 0 && i + 8 > peer.match; i--)
			CHECK(world_is_same(&d->entry[i],
					    &n->log.entry[i])); /* W5 */
		CHECK(s->settled <= n->settled || s->settled <= d->last);
	}
}

int world_step(struct world *w, raft_id node, struct raft_event ev)
{
	struct world_node *n = &w->node[node];
	struct raft_out out = {.acts = w->acts, .capacity = raft_acts_max()};
	struct raft_status s;
	size_t i;
	int rc;

	CHECK(n->up);
	ev.now = n->now;
	rc = raft_step(n->core, &ev, &out);
	raft_check(n->core);
	for (i = 0; i < out.count; i++) {
		if (out.acts[i].kind == RAFT_DO_SAVE)
			carry_out(w, n, &ev, &out.acts[i]);
	}
	raft_status(n->core, &s);
	CHECK(s.last == n->log.last);
	world_check_members(w, n, &s);
	check_commit(w, n, &s);
	for (i = 0; i < out.count; i++) {
		if (out.acts[i].kind != RAFT_DO_SAVE)
			carry_out(w, n, &ev, &out.acts[i]);
	}
	check_leader(w, n, &s);
	if (n->lost != 0 && !s.repairing) {
		n->lost = 0;
		w->repairs++;
	}
	n->settled = s.settled;
	return rc;
}

bool world_save(struct world *w, raft_id node)
{
	struct world_node *n = &w->node[node];
	struct raft_event ev = {.kind = RAFT_EV_SAVED};
	struct world_save save;
	size_t i, kept = 0;

	if (!n->up || n->save_count == 0)
		return false;
	save = n->save[0];
	memmove(&n->save[0], &n->save[1], --n->save_count * sizeof(n->save[0]));
	CHECK(save.keep <= n->disk.last);
	for (i = 0; i < save.last - save.keep; i++)
		n->disk.entry[save.keep + 1 + i] = save.entries[i];
	mem_free(save.entries);
	n->disk.hard = save.hard;
	n->disk.last = save.last;
	n->disk.commit = save.commit;
	if (n->disk.commit < n->disk.base.index)
		n->disk.commit = n->disk.base.index;
	n->durable = save.seq;

	for (i = 0; i < n->held_count; i++) {
		if (n->held[i].act.after <= n->durable)
			release(w, n, &n->held[i]);
		else
			n->held[kept++] = n->held[i];
	}
	n->held_count = kept;
	ev.saved.seq = save.seq;
	if (w->watch.event != NULL)
		w->watch.event(w->watch.context, w, node, &ev, NULL);
	world_step(w, node, ev);
	return true;
}

void world_apply_report(struct world *w, raft_id node)
{
	struct raft_event ev = {.kind = RAFT_EV_APPLIED};

	ev.applied.index = w->node[node].applied;
	world_step(w, node, ev);
}

int world_propose(struct world *w, raft_id node, size_t count, uint32_t size)
{
	struct raft_event ev = {.kind = RAFT_EV_PROPOSE};
	uint32_t sizes[LIMIT_MESSAGE_ENTRIES];
	size_t i;

	CHECK(count <= LIMIT_MESSAGE_ENTRIES);
	for (i = 0; i < count; i++)
		sizes[i] = size;
	ev.propose.sizes = sizes;
	ev.propose.count = count;
	return world_step(w, node, ev);
}

int world_read(struct world *w, raft_id node, bool lease, uint64_t *ticket)
{
	struct raft_event ev = {.kind = RAFT_EV_READ};
	struct world_ticket *t;
	int rc;

	CHECK(w->tickets + 1 < WORLD_TICKETS);
	t = &w->ticket[++w->tickets];
	t->node = node;
	t->least = w->committed;
	*ticket = w->tickets;
	ev.read.ticket = w->tickets;
	ev.read.lease = lease;
	rc = world_step(w, node, ev);
	if (rc != 0)
		t->node = 0;
	return rc;
}

int world_change(struct world *w, raft_id node,
		 const struct raft_members *members)
{
	struct raft_event ev = {.kind = RAFT_EV_CHANGE};

	ev.change.members = members;
	ev.change.size = 20;
	return world_step(w, node, ev);
}

int world_transfer(struct world *w, raft_id node, raft_id target)
{
	struct raft_event ev = {.kind = RAFT_EV_TRANSFER};

	ev.transfer.target = target;
	return world_step(w, node, ev);
}

void world_compact(struct world *w, raft_id node, raft_index index)
{
	struct world_node *n = &w->node[node];
	struct raft_event ev = {.kind = RAFT_EV_COMPACTED};

	ev.compacted.index = index;
	ev.compacted.term = n->log.entry[index].term;
	n->disk.base_change = world_change_at(w, &n->log, index);
	n->log.base_change = n->disk.base_change;
	n->log.base.index = n->disk.base.index = index;
	n->log.base.term = n->disk.base.term = n->log.entry[index].term;
	if (n->disk.commit < index)
		n->disk.commit = index;
	world_step(w, node, ev);
}

void world_check_logs(struct world *w)
{
	raft_id a, b;
	raft_index i;

	for (a = 1; a <= w->node_count; a++) {
		for (b = a + 1; b <= w->node_count; b++) {
			const struct world_log *x = &w->node[a].log;
			const struct world_log *y = &w->node[b].log;

			i = x->last < y->last ? x->last : y->last;
			while (i > 0 && x->entry[i].term != y->entry[i].term)
				i--;
			for (; i > 0; i--)
				CHECK(world_is_same(&x->entry[i],
						    &y->entry[i]));
		}
	}
}
