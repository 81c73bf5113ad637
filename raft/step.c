/* SPDX-License-Identifier: Apache-2.0 */
/* step.c - one event in, acts out; and the rule of terms (Raft 5.1).
 *
 * A message is dropped, and counted, unless it is for this node and plausible.
 * Requests are answered whoever sends them: it may be a member, and this node
 * one too, without this node knowing it yet (row 13); the driver lets in none
 * but nodes of this cluster. Answers count only from those who were asked. */
#include "raft/state.h"

#include <string.h>

enum {
	ACTS_PER_PEER = BURST_MAX + 3, /* appends, a snapshot, vote, reply */
	ACTS_MAX = LIMIT_PEERS * ACTS_PER_PEER + LIMIT_READS + 8,
};
/* Beyond these a peer lies; below them nothing overflows. */
#define TERM_MAX (UINT64_MAX / 4)
#define INDEX_MAX (UINT64_MAX / 4)

size_t raft_size(void)
{
	return sizeof(struct raft);
}

size_t raft_acts_max(void)
{
	return ACTS_MAX;
}

static void config_check(const struct raft_config *c)
{
	CHECK(c->self != 0);
	CHECK(c->heartbeat_ms > 0 && c->election_ms > c->heartbeat_ms);
	CHECK(c->lease_ms < c->election_ms);
	CHECK(c->disk_stall_ms > 0);
	CHECK(c->message_entries > 0 &&
	      c->message_entries <= LIMIT_MESSAGE_ENTRIES);
	CHECK(c->message_bytes > 0);
	CHECK(c->inflight_messages > 0 &&
	      c->inflight_messages <= LIMIT_INFLIGHT_MESSAGES);
	CHECK(c->inflight_bytes > 0);
}

static void boot_log(struct raft *r, const struct raft_boot *boot)
{
	raft_index last;
	size_t i;

	runs_init(&r->runs, boot->base);
	for (i = 0; i < boot->run_count; i++) {
		bool room = runs_append(&r->runs, boot->runs[i].term,
					boot->runs[i].last);
		CHECK(room);
	}
	last = runs_last(&r->runs);
	CHECK(boot->size_count <= last);
	sizes_init(&r->sizes, last - boot->size_count);
	for (i = 0; i < boot->size_count; i++)
		sizes_append(&r->sizes, last - boot->size_count + i + 1,
			     boot->sizes[i]);

	CHECK(boot->base.index <= boot->applied);
	CHECK(boot->applied <= boot->commit && boot->commit <= last);
	r->commit = boot->commit;
	r->applying = boot->applied;
	r->applied = boot->applied;
}

struct raft *raft_init(void *memory, const struct raft_config *config,
		       const struct raft_boot *boot)
{
	struct raft *r = memory;

	config_check(config);
	memset(r, 0, sizeof(*r));
	r->config = *config;
	r->now = boot->now;
	/* Two lives of a node differ even if the seed does not. */
	r->random = config->seed ^ (config->self << 32) ^ boot->now;
	r->hard = boot->hard;
	boot_log(r, boot);
	save_init(r);
	r->repair = boot->repair;
	members_init(r, boot);
	read_init(r);
	election_init(r, boot);
	raft_check(r);
	return r;
}

struct raft_act *act_add(struct raft *r, enum raft_act_kind kind,
			 raft_seq after)
{
	struct raft_act *act;

	CHECK(r->out->count < r->out->capacity);
	act = &r->out->acts[r->out->count++];
	memset(act, 0, sizeof(*act));
	act->kind = kind;
	act->after = after;
	return act;
}

void act_send(struct raft *r, struct raft_msg msg, raft_seq after)
{
	raft_seq hard = save_of_hard(r);

	msg.from = r->config.self;
	if (msg.term == 0)
		msg.term = r->hard.term;
	act_add(r, RAFT_DO_SEND, after > hard ? after : hard)->send = msg;
}

/* --- Messages
 * ------------------------------------------------------------------ */

static bool is_asking(const struct raft_msg *m)
{
	return m->kind == RAFT_PREVOTE || m->kind == RAFT_VOTE ||
	       m->kind == RAFT_APPEND;
}

/* A leader may be no member of its own newest configuration. */
static bool is_leading(const struct raft *r, const struct raft_msg *m)
{
	return m->from == r->leader &&
	       (m->kind == RAFT_READ_REPLY || m->kind == RAFT_TIMEOUT_NOW);
}

static bool is_plausible(struct raft *r, const struct raft_msg *m)
{
	return m->to == r->config.self && m->from != r->config.self &&
	       m->from != 0 && m->term > 0 && m->term < TERM_MAX &&
	       m->pos.term < TERM_MAX && m->pos.index < INDEX_MAX &&
	       m->last < INDEX_MAX &&
	       (is_asking(m) || is_leading(r, m) ||
		members_find(r, m->from) != NULL);
}

/* Of an older term: tell a request's sender ours; a reply is void (row 4). */
static void on_stale(struct raft *r, const struct raft_msg *m)
{
	struct raft_msg reply = {.to = m->from, .reject = true};

	switch (m->kind) {
	case RAFT_VOTE:
		reply.kind = RAFT_VOTE_REPLY;
		r->counters.votes_refused++;
		break;
	case RAFT_APPEND:
		reply.kind = RAFT_APPEND_REPLY;
		reply.last = m->pos.index;
		break;
	case RAFT_READ:
		reply.kind = RAFT_READ_REPLY;
		reply.round = m->round;
		break;
	default:
		r->counters.messages_ignored++;
		return;
	}
	act_send(r, reply, 0);
}

static void on_current(struct raft *r, const struct raft_event *ev)
{
	const struct raft_msg *m = &ev->recv.msg;

	switch (m->kind) {
	case RAFT_VOTE:
		election_on_vote(r, m);
		break;
	case RAFT_VOTE_REPLY:
		election_on_vote_reply(r, m);
		break;
	case RAFT_APPEND:
		append_on_append(r, ev);
		break;
	case RAFT_APPEND_REPLY:
		replicate_on_reply(r, m);
		break;
	case RAFT_READ:
		read_on_read(r, m);
		break;
	case RAFT_READ_REPLY:
		read_on_reply(r, m);
		break;
	case RAFT_TIMEOUT_NOW:
		election_on_timeout_now(r, m);
		break;
	default:
		r->counters.messages_ignored++;
		break;
	}
}

static void on_recv(struct raft *r, const struct raft_event *ev)
{
	const struct raft_msg *m = &ev->recv.msg;

	if (!is_plausible(r, m)) {
		r->counters.messages_ignored++;
		return;
	}
	/* Pre-votes speak of a term that does not exist yet. */
	if (m->kind == RAFT_PREVOTE) {
		election_on_prevote(r, m);
		return;
	}
	if (m->kind == RAFT_PREVOTE_REPLY) {
		election_on_prevote_reply(r, m);
		return;
	}
	if (m->term < r->hard.term) {
		on_stale(r, m);
		return;
	}
	if (m->kind == RAFT_VOTE && election_is_promised(r, m)) {
		election_on_vote(r, m); /* refuses, its term unheard */
		return;
	}
	if (m->term > r->hard.term && snapshot_is_loading(r)) {
		r->counters.messages_ignored++;
		return;
	}
	if (m->term > r->hard.term)
		election_follow(r, m->term, 0, RAFT_BECAUSE_HIGHER_TERM);
	on_current(r, ev);
}

/* --- The other events
 * ------------------------------------------------------------ */

static void on_saved(struct raft *r, raft_seq seq)
{
	save_done(r, seq);
	election_on_saved(r);
	if (r->role == RAFT_LEADER)
		commit_count(r);
}

static void on_applied(struct raft *r, raft_index index)
{
	CHECK(index <= r->applying);
	if (index > r->applied)
		r->applied = index;
}

static void on_link(struct raft *r, raft_id peer, bool up)
{
	if (r->role == RAFT_LEADER)
		replicate_on_link(r, peer, up);
	else if (up)
		read_link_up(r, peer);
}

static void on_compacted(struct raft *r, struct raft_pos pos)
{
	CHECK(!snapshot_is_loading(r));
	CHECK(pos.index <= r->applied && pos.index <= r->saves.index);
	CHECK(pos.index >= r->runs.base.index);
	CHECK(runs_term(&r->runs, pos.index) == pos.term);
	runs_compact(&r->runs, pos.index);
}

static int on_event(struct raft *r, const struct raft_event *ev)
{
	switch (ev->kind) {
	case RAFT_EV_CLOCK:
		break;
	case RAFT_EV_RECV:
		on_recv(r, ev);
		break;
	case RAFT_EV_PROPOSE:
		return replicate_propose(r, ev->propose.sizes,
					 ev->propose.count);
	case RAFT_EV_READ:
		return read_local(r, ev->read.ticket, ev->read.lease);
	case RAFT_EV_SAVED:
		on_saved(r, ev->saved.seq);
		break;
	case RAFT_EV_APPLIED:
		on_applied(r, ev->applied.index);
		break;
	case RAFT_EV_LINK:
		on_link(r, ev->link.peer, ev->link.up);
		break;
	case RAFT_EV_COMPACTED:
		on_compacted(r, (struct raft_pos){ev->compacted.term,
						  ev->compacted.index});
		break;
	case RAFT_EV_SNAP_SENT:
		snapshot_on_sent(r, ev);
		break;
	case RAFT_EV_SNAP_RECEIVED:
		return snapshot_on_received(r, ev);
	case RAFT_EV_SNAP_LOADED:
		snapshot_on_loaded(r, ev->snap_loaded.pos);
		break;
	case RAFT_EV_CHANGE:
		return change_propose(r, ev->change.members, ev->change.size);
	case RAFT_EV_TRANSFER:
		return transfer_propose(r, ev->transfer.target);
	}
	return 0;
}

static bool is_request(const struct raft_event *ev)
{
	return ev->kind == RAFT_EV_PROPOSE || ev->kind == RAFT_EV_READ ||
	       ev->kind == RAFT_EV_CHANGE || ev->kind == RAFT_EV_TRANSFER;
}

static void role_tell(struct raft *r, enum raft_role role, raft_term term,
		      raft_id leader)
{
	struct raft_act *act;

	if (r->role == role && r->hard.term == term && r->leader == leader)
		return;
	act = act_add(r, RAFT_DO_ROLE, 0);
	act->role.role = r->role;
	act->role.term = r->hard.term;
	act->role.leader = r->leader;
	act->role.reason = r->reason;
}

int raft_step(struct raft *r, const struct raft_event *ev, struct raft_out *out)
{
	enum raft_role role = r->role;
	raft_term term = r->hard.term;
	raft_id leader = r->leader;
	int rc;

	CHECK(out->capacity >= raft_acts_max());
	CHECK(ev->now >= r->now);
	out->count = 0;
	r->out = out;
	r->now = ev->now;

	/* A message may come in time although we wake late; a local request
	 * must not be taken by a leader that should have resigned. */
	if (is_request(ev))
		election_on_clock(r);
	rc = on_event(r, ev);
	members_tell(r);
	election_on_clock(r);
	read_flush(r);
	replicate_flush(r);
	transfer_flush(r);
	commit_apply(r);
	save_seal(r);
	role_tell(r, role, term, leader);

	r->out = NULL;
	return rc;
}
