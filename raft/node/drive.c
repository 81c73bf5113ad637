/* SPDX-License-Identifier: Apache-2.0 */
/* drive.c - the core's events in, its acts out, in the one legal order. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"
#include "raft/node/snap.h"
#include "raft/node/trace.h"

/* --- Entries -------------------------------------------------------------- */

/* Its next start would find that, too; so it is one line with one end. */
static void end_damaged(struct node *n, raft_index index)
{
	char *what = mem_printf("the log is damaged: entry %llu does not read",
				(unsigned long long)index);
	struct buffer unsaid = {0};

	if (mend_want(n, what, &unsaid) == 0) {
		log_fatal("%s: this node ends, and its next start has it "
			  "repaired from its peers",
			  what);
	}
	buffer_deinit(&unsaid);
	mem_free(what);
}

struct entry *drive_entry(struct node *n, raft_index index)
{
	struct entry *e = tail_get(&n->tail, index);
	int rc;

	if (e != NULL) {
		return entry_ref(e);
	}
	rc = log_read(n->log, index, &e);
	if (rc == STATUS_NOT_FOUND) {
		return NULL;
	}
	if (rc == STATUS_CORRUPT) {
		end_damaged(n, index);
	}
	if (rc != 0) {
		log_fatal("cannot read the log index=%llu: %s",
			  (unsigned long long)index, status_text(rc));
	}
	return e;
}

bool drive_gather(struct node *n, raft_index after, raft_index last)
{
	size_t count = (size_t)(last - after);

	CHECK(last >= after && last - after <= LIMIT_MESSAGE_ENTRIES);
	for (size_t i = 0; i < count; i++) {
		n->gathered[i] = drive_entry(n, after + 1 + i);
		if (n->gathered[i] == NULL) {
			while (i > 0) {
				entry_unref(n->gathered[--i]);
			}
			return false;
		}
	}
	return true;
}

static void unref_all(struct entry **entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		entry_unref(entries[i]);
	}
}

/* --- Acts ----------------------------------------------------------------- */

/* The entries of a save, one reference each; index and term are set here. */
static size_t save_entries(struct node *n, const struct raft_act *act,
			   struct entry **entries)
{
	raft_index keep = act->save.keep;
	size_t count = (size_t)(act->save.last - keep);
	const struct wire_message *m = &n->message;
	uint64_t wall = clock_wall_ns();

	switch (act->save.source) {
	case RAFT_FROM_NOTHING:
		return 0;
	case RAFT_FROM_CHANGE:
		CHECK(count == 1 && n->change != NULL);
		entries[0] = entry_ref(n->change);
		break;
	case RAFT_FROM_NOOP:
		CHECK(count == 1);
		entries[0] = entry_new(ENTRY_NOOP, NULL, 0);
		break;
	case RAFT_FROM_PROPOSAL:
		CHECK(count == n->batch.count);
		for (size_t i = 0; i < count; i++) {
			entries[i] = entry_ref(n->batch.entries[i]);
		}
		break;
	case RAFT_FROM_MESSAGE:
		/* Not all of it, when the core had no room for its terms. */
		CHECK(keep >= m->core.pos.index &&
		      act->save.last <= m->core.last);
		for (size_t i = 0; i < count; i++) {
			const struct wire_entry *from =
				&m->entries[keep - m->core.pos.index + i];

			entries[i] = entry_new(from->kind, from->data.data,
					       from->data.size);
			entries[i]->index = keep + 1 + i;
			entries[i]->term = from->term;
			entries[i]->time_ns = from->time_ns;
		}
		return count;
	}
	for (size_t i = 0; i < count; i++) {
		entries[i]->index = keep + 1 + i;
		entries[i]->term = act->save.hard.term;
		entries[i]->time_ns = wall;
	}
	return count;
}

static void carry_save(struct node *n, const struct raft_act *act)
{
	struct entry **entries = n->gathered;
	size_t count = save_entries(n, act, entries);
	struct log_record record = {
		.hard = act->save.hard,
		.commit = act->save.commit,
		.keep = act->save.keep,
		.entries = entries,
		.count = count,
	};

	members_saved(n, act->save.keep, entries, count);
	tail_truncate(&n->tail, act->save.keep);
	for (size_t i = 0; i < count; i++) {
		tail_append(&n->tail, entries[i]);
	}
	saver_save(n->saver, act->save.seq, &record);
}

static bool has_entries(const struct raft_msg *msg)
{
	return msg->kind == RAFT_APPEND && msg->last > msg->pos.index;
}

static void transmit(struct node *n, const struct raft_msg *msg,
		     struct entry *const *entries, size_t count)
{
	struct peer *p = peer_of(n, msg->to);
	struct conn *way = p != NULL ? peer_way(p) : NULL;
	struct buffer *out;
	size_t start;

	if (way == NULL) {
		return; /* the core probes when the link is back */
	}
	out = conn_frame(way, &start);
	wire_encode_core(out, msg, entries, count);
	conn_send(way, start, WIRE_CORE);
}

static void carry_send(struct node *n, const struct raft_act *act)
{
	const struct raft_msg *msg = &act->send;
	size_t count =
		has_entries(msg) ? (size_t)(msg->last - msg->pos.index) : 0;

	if (count > 0 && !drive_gather(n, msg->pos.index, msg->last)) {
		return; /* cut away meanwhile (row 26): nothing is sent */
	}
	transmit(n, msg, n->gathered, count);
	unref_all(n->gathered, count);
}

/* One line a transition; a node that can not win an election says so once. */
static void say_role(struct node *n, const struct raft_act *act)
{
	const struct raft_status *was = &n->role_said;

	if (act->role.role == was->role && act->role.leader == was->leader &&
	    (act->role.leader == 0 || act->role.term == was->term)) {
		return;
	}
	if (act->role.role == RAFT_FOLLOWER && act->role.leader == 0 &&
	    was->role == RAFT_PRECANDIDATE) {
		return; /* will try again, for as long as it takes */
	}
	if (act->role.role == RAFT_LEADER) {
		log_info("became leader term=%llu reason=%s",
			 (unsigned long long)act->role.term,
			 raft_reason_text(act->role.reason));
	} else {
		log_info("became %s term=%llu leader=%s reason=%s",
			 raft_role_text(act->role.role),
			 (unsigned long long)act->role.term,
			 node_name_of(n, act->role.leader),
			 raft_reason_text(act->role.reason));
	}
	n->role_said.role = act->role.role;
	n->role_said.leader = act->role.leader;
	n->role_said.term = act->role.term;
}

static void carry(struct node *n, const struct raft_act *act)
{
	switch (act->kind) {
	case RAFT_DO_SAVE:
		carry_save(n, act);
		return;
	case RAFT_DO_SEND:
		carry_send(n, act);
		return;
	case RAFT_DO_APPLY:
		CHECK(act->apply.first == n->delivery.committed + 1 &&
		      act->apply.last >= act->apply.first); /* N4 */
		n->delivery.committed = act->apply.last;
		return;
	case RAFT_DO_READ:
		n->client->read_done(n->context, act->read.ticket,
				     act->read.index, act->read.status);
		return;
	case RAFT_DO_ROLE:
		say_role(n, act);
		n->client->role(n->context, &n->raft);
		return;
	case RAFT_DO_MEMBERS:
		members_enforced(n, act->members.index);
		return;
	case RAFT_DO_SEND_SNAP:
		snap_send(n, act->send_snap.to);
		return;
	case RAFT_DO_LOAD_SNAP:
		snap_load(n, act->load_snap.pos);
		return;
	}
}

/* --- Acts that wait ------------------------------------------------------- */

static void hold(struct node *n, const struct raft_act *act)
{
	struct held_queue *q = &n->held;
	struct held held = {.act = *act};
	const struct raft_msg *msg = &act->send;

	if (act->kind == RAFT_DO_SEND && has_entries(msg)) {
		held.count = (size_t)(msg->last - msg->pos.index);
		if (!drive_gather(n, msg->pos.index, msg->last)) {
			return;
		}
		held.entries = mem_copy(n->gathered,
					held.count * sizeof(struct entry *));
	}
	if (act->kind == RAFT_DO_APPLY) {
		n->held_applies++;
	}
	if (q->head + q->count == q->capacity) {
		if (q->head > q->count) {
			memmove(q->at, q->at + q->head,
				q->count * sizeof *q->at);
			q->head = 0;
		} else {
			q->capacity = q->capacity > 0 ? 2 * q->capacity : 64;
			q->at = mem_realloc(q->at, q->capacity * sizeof *q->at);
		}
	}
	q->at[q->head + q->count++] = held;
}

static void release(struct node *n)
{
	struct held_queue *q = &n->held;
	struct held held;

	while (q->count > 0 && q->at[q->head].act.after <= n->saved) {
		held = q->at[q->head];
		q->head++;
		q->count--;
		if (held.entries != NULL) {
			transmit(n, &held.act.send, held.entries, held.count);
			unref_all(held.entries, held.count);
			mem_free(held.entries);
			continue;
		}
		if (held.act.kind == RAFT_DO_APPLY) {
			n->held_applies--;
		}
		carry(n, &held.act);
	}
	if (q->count == 0) {
		q->head = 0;
	}
}

void drive_deinit(struct node *n)
{
	struct held_queue *q = &n->held;

	for (size_t i = q->head; i < q->head + q->count; i++) {
		unref_all(q->at[i].entries, q->at[i].count);
		mem_free(q->at[i].entries);
	}
	mem_free(q->at);
	*q = (struct held_queue){0};
	tail_deinit(&n->tail);
	mem_free(n->out.acts);
	mem_free(n->core);
	n->core = NULL;
}

/* --- Steps ---------------------------------------------------------------- */

int drive_step(struct node *n, struct raft_event *ev)
{
	raft_ms now = clock_ms();
	int rc;

	CHECK(n->core != NULL && !n->stepping); /* N1 */
	n->stepping = true;
	n->dirty = true;
	n->now = now > n->now ? now : n->now;
	ev->now = n->now;

	rc = raft_step(n->core, ev, &n->out);
	raft_check(n->core);
	raft_status(n->core, &n->raft);
	publish_lease(n); /* N2 */
	if (n->traced) {
		trace_step(ev, rc, &n->out);
	}
	for (size_t i = 0; i < n->out.count; i++) {
		const struct raft_act *act = &n->out.acts[i];

		if (act->after > n->saved ||
		    (act->kind == RAFT_DO_APPLY && n->held_applies > 0)) {
			hold(n, act);
		} else {
			carry(n, act);
		}
	}
	n->stepping = false;
	return rc;
}

void drive_saved(struct node *n, raft_seq seq)
{
	struct raft_event ev = {.kind = RAFT_EV_SAVED, .saved.seq = seq};

	if (seq <= n->saved) {
		return;
	}
	n->saved = seq;
	release(n);
	(void)drive_step(n, &ev);
}

/* Who asks for votes or leads is whole; an append's number is our own. */
static void note_repair(struct peer *p, const struct raft_msg *msg)
{
	switch (msg->kind) {
	case RAFT_PREVOTE:
	case RAFT_VOTE:
	case RAFT_APPEND:
		p->repairing = false;
		break;
	case RAFT_PREVOTE_REPLY:
	case RAFT_VOTE_REPLY:
	case RAFT_APPEND_REPLY:
		p->repairing = msg->repair != 0;
		break;
	default:
		break;
	}
}

/* n->message is a core's message from p over c, decoded and checked. */
void drive_receive(struct node *n, struct conn *c, struct peer *p)
{
	const struct wire_message *m = &n->message;
	struct raft_event ev = {.kind = RAFT_EV_RECV, .recv.msg = m->core};
	size_t runs = 0;

	note_repair(p, &m->core);
	if (!members_receive(n, &ev)) {
		conn_close(c, STATUS_MALFORMED, "a configuration of no sense");
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		if (runs == 0 || n->runs[runs - 1].term != m->entries[i].term) {
			n->runs[runs++].term = m->entries[i].term;
		}
		n->runs[runs - 1].last = m->core.pos.index + 1 + i;
		n->sizes[i] = (uint32_t)m->entries[i].data.size;
	}
	ev.recv.runs = n->runs;
	ev.recv.run_count = runs;
	ev.recv.sizes = n->sizes;
	(void)drive_step(n, &ev);
}

/* --- The end of a turn ---------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
	struct node *n = timer->data;
	struct raft_event ev = {.kind = RAFT_EV_CLOCK};

	n->dirty = true;
	n->due = 0;
	if (n->core != NULL && clock_ms() >= raft_deadline(n->core)) {
		(void)drive_step(n, &ev);
	}
}

/* The client's tick, which must not be called within a step either. */
static void tick(struct node *n)
{
	raft_ms next;

	n->now = clock_ms();
	if (n->now < n->tick_due) {
		return;
	}
	next = n->client->tick(n->context, n->now);
	n->tick_due = n->now + 1000;
	if (next < n->tick_due) {
		n->tick_due = next > n->now ? next : n->now + 1;
	}
}

static void arm(struct node *n)
{
	raft_ms due = n->tick_due;

	if (n->core != NULL && raft_deadline(n->core) < due) {
		due = raft_deadline(n->core);
	}
	if (n->route.reopen != 0 && n->route.reopen < due) {
		due = n->route.reopen;
	}
	if (n->leaving != 0 && n->leaving < due) {
		due = n->leaving;
	}
	if (change_due(n) < due) {
		due = change_due(n);
	}
	if (due == n->due) {
		return;
	}
	n->due = due;
	n->now = clock_ms();
	uv_update_time(&n->loop);
	CHECK(uv_timer_start(&n->timer, on_timer,
			     due > n->now ? due - n->now : 0, 0) == 0);
}

/* Ask for a cut when at least the oldest segment may go. */
static void cut(struct node *n)
{
	/* On a disk that runs full, not even a tail is kept. */
	bool low = reserve_is_low(&n->reserve);
	struct cut_view v = {
		.now = n->now,
		.last = n->raft.last,
		.flushed = atomic_load(&n->inbox.flushed),
		.applied = n->delivery.applied,
		.settled = n->raft.settled,
		.tail = low ? 0 : n->cut_tail,
	};
	struct log_state state;
	raft_index oldest;
	raft_index to;

	if (snap_is_loading(n) || !cut_due(&n->cut, v.applied, v.now)) {
		return;
	}
	log_state(n->log, &state);
	oldest = log_excess(n->log, state.bytes - 1);
	v.excess = (struct cut_excess){
		.tail = log_excess(n->log, CUT_TAIL_BYTES),
		.limit = log_excess(n->log, n->log_bytes),
		.pinned = log_excess(n->log, CUT_PIN_BYTES),
	};
	to = cut_look(&n->cut, &v);
	if (oldest > 0 && to >= oldest) {
		saver_cut(n->saver, to);
	}
}

void drive_turn(struct node *n)
{
	if (n->stopped || !n->dirty) {
		return;
	}
	n->dirty = false;
	tick(n);
	if (n->core != NULL) {
		if (n->follow) {
			peers_follow(n);
		}
		peers_settle(n);
		mend_turn(n);
		snap_turn(n);
		deliver_turn(n);
		propose_turn(n);
		change_turn(n);
		deliver_turn(n);
		cut(n);
		tail_trim(&n->tail, n->raft.saved);
	} else {
		change_turn(n); /* their time passes */
	}
	peers_flush(n);
	accept_flush(n);
	publish_status(n);
	arm(n);
	node_leave_turn(n);
}
