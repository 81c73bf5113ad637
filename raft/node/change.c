/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - members change, and leaders, because someone asked for it.
 *
 *   node_change() -> a request here -CHANGE-> asked of the leader -> proposed
 *        ^                |      <-CHANGED- under way, or refused
 *        '--- answered ---'
 *
 *   X1  a request is answered when the configuration it asks for is committed
 *       as far as this node knows, when it was refused, or when its time is
 *       over: exactly once; refused only if no leader that was asked for it can
 *       have begun it
 *   X2  it is asked again of each new leader, or over each new link, saying
 *       so: what is there already is then as good as done
 *   X3  what a leader does by itself follows from how things stand, not from
 *       what happened (raft.md row 36): out of a committed joint
 *       configuration, bind who was invited and called, promote who has caught
 *       up, tell who was removed
 *   X4  without a leader nobody waits longer than a write would: until
 *       LIMIT_TIMEOUT_MS after the loss of the last one, and not at all then
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/address.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"

static bool is_leader(const struct node *n)
{
	return n->core != NULL && n->raft.role == RAFT_LEADER;
}

/* --- Proposing ------------------------------------------------------------ */

static void say_config(const struct wire_config *c)
{
	struct buffer text = {0};

	for (size_t i = 0; i < c->count; i++) {
		buffer_printf(&text, " %s=%s", c->members[i].name,
			      config_standing_text(c->members[i].standing));
	}
	log_info("members change%s:%s", c->joint ? " jointly" : "",
		 buffer_text(&text));
	buffer_deinit(&text);
}

static int propose(struct node *n, const struct wire_config *draft)
{
	struct raft_members members;
	struct buffer record = {0};
	struct raft_event ev = {.kind = RAFT_EV_CHANGE};
	int rc;

	CHECK(config_valid(draft));
	config_members(draft, &members);
	wire_encode_config(&record, draft);
	n->change = entry_new(ENTRY_MEMBERS, record.data, record.size);
	ev.change.members = &members;
	ev.change.size = n->change->size;
	rc = drive_step(n, &ev);
	entry_unref(n->change);
	n->change = NULL;
	buffer_deinit(&record);
	if (rc == 0) {
		say_config(draft);
	}
	return rc;
}

/* May a change be proposed now? */
static bool is_settled(const struct node *n)
{
	return is_leader(n) && n->configs.index > 0 &&
	       n->raft.members_committed && n->raft.transfer_target == 0;
}

/* Has it answered this leader within the time of an election? */
static bool is_there(const struct node *n, raft_id id)
{
	struct raft_peer_status status;

	return id == n->identity.self ||
	       (raft_peer(n->core, id, &status) == 0 && status.heard != 0 &&
		n->now - status.heard < n->config.election_ms);
}

/* Would a majority of its voters answer? Else nothing would be committed any
 * more, not even the way back; say who is missing. */
static bool is_served(const struct node *n, const struct wire_config *draft,
		      struct buffer *problem)
{
	size_t voters = 0, there = 0;

	for (size_t i = 0; i < draft->count; i++) {
		const struct wire_member *m = &draft->members[i];

		if (m->standing == WIRE_VOTER || m->standing == WIRE_INCOMING) {
			voters++;
			there += is_there(n, m->id);
		}
	}
	if (2 * there > voters) {
		return true;
	}
	buffer_printf(problem,
		      "only %zu of the %zu voters there would be "
		      "answer, so nothing could be changed any more",
		      there, voters);
	return false;
}

/* --- The leader by itself --------------------------------------------------
 */

/* What is made of the configuration in force, copied when it is wanted: a
 * leader looks each turn, and nearly always in vain. */
static struct wire_config *draft_of(struct node *n, bool *begun)
{
	if (!*begun) {
		n->draft = n->configs.now;
		*begun = true;
	}
	return &n->draft;
}

static bool bind_callers(struct node *n, bool *begun)
{
	bool changed = false;

	for (size_t i = 0; i < n->peer_count; i++) {
		const struct peer *p = n->peers[i];
		const char *name = p->member.name;

		if (p->guest && p->in != NULL &&
		    config_invited(&n->configs.now, name) != NULL &&
		    config_bind(draft_of(n, begun), name, p->member.id) == 0) {
			changed = true;
		}
	}
	return changed;
}

static struct catching *catching_of(struct node *n, raft_id id)
{
	struct catching *free = NULL;

	for (size_t i = 0; i < LIMIT_PEERS; i++) {
		struct catching *c = &n->catching[i];

		if (c->id == id) {
			return c;
		}
		if (free == NULL && config_of(&n->configs.now, c->id) == NULL) {
			free = c; /* its learner is gone */
		}
	}
	CHECK(free != NULL); /* at most LIMIT_PEERS members */
	*free = (struct catching){.id = id};
	return free;
}

/* Rounds of the thesis, 4.2.1: all that was there when a round began is at the
 * learner when it ends. One that took no longer than an election may take
 * shows that this one would not hold up the others. */
static bool has_caught_up(struct node *n, raft_id id)
{
	struct catching *c = catching_of(n, id);
	struct peer *p = peer_of(n, id);
	struct raft_peer_status status;
	bool quick;

	if (p == NULL || peer_link(p) == 0 ||
	    raft_peer(n->core, id, &status) != 0) {
		c->target = 0;
		return false;
	}
	if (c->target == 0 || c->term != n->raft.term) {
		c->term = n->raft.term;
		c->target = n->raft.last;
		c->began = n->now;
	}
	if (status.match < c->target) {
		return false;
	}
	quick = n->now - c->began <= n->config.election_ms;
	c->target = 0;
	return quick;
}

static bool promote_learners(struct node *n, bool *begun)
{
	const struct wire_config *now = &n->configs.now;
	struct buffer problem = {0};
	bool changed = false;

	for (size_t i = 0; i < now->count; i++) {
		const struct wire_member *m = &now->members[i];

		if (m->standing == WIRE_LEARNER && !m->stay &&
		    has_caught_up(n, m->id) &&
		    config_promote(draft_of(n, begun), m->id) == 0) {
			changed = true;
		}
	}
	changed = changed && is_served(n, &n->draft, &problem);
	buffer_deinit(&problem);
	return changed;
}

/* Removed ones are told, so that they end instead of asking for ever: whatever
 * configuration their log ends with, who decides has the newest (admit.h). */
static void dismiss(struct node *n)
{
	struct wire_hello hello = {0};

	for (size_t i = n->peer_count; i > 0; i--) {
		struct peer *p = n->peers[i - 1];
		struct conn *way = peer_way(p);

		if (!p->guest || way == NULL ||
		    config_invited(&n->configs.now, p->member.name) != NULL ||
		    !accept_decides(n)) {
			continue;
		}
		name_copy(hello.name, sizeof hello.name, p->member.name);
		name_copy(hello.address, sizeof hello.address,
			  p->member.address);
		hello.id = p->member.id;
		accept_deny(n, way, &hello, WIRE_DENIED_REMOVED);
		peer_part(p);
	}
}

/* --- Asked of the leader ---------------------------------------------------
 */

static void answer(struct node *n, raft_id to, uint64_t ticket, int status,
		   const char *text)
{
	struct wire_changed changed = {.ticket = ticket, .status = status};
	struct peer *p = peer_of(n, to);
	struct conn *way = p != NULL ? peer_way(p) : NULL;
	size_t start;

	(void)snprintf(changed.text, sizeof changed.text, "%s", text);
	if (to == n->identity.self) {
		change_answered(n, &changed);
	} else if (way != NULL) {
		wire_encode_changed(conn_frame(way, &start), &changed);
		conn_send(way, start, WIRE_CHANGED);
	}
}

void change_asked(struct node *n, raft_id from,
		  const struct wire_change *change)
{
	struct asked *a = &n->asked[n->asked_count];

	if (!is_leader(n)) {
		answer(n, from, change->ticket, STATUS_NOT_LEADER, "");
		return;
	}
	if (n->asked_count == CHANGES_ASKED_MAX) {
		answer(n, from, change->ticket, STATUS_FULL,
		       "too many changes are under way");
		return;
	}
	*a = (struct asked){
		.from = from,
		.change = *change,
		.began = clock_ms(),
		.until = clock_ms() + ASKED_MS,
	};
	n->asked_count++;
	n->dirty = true;
}

static void transfer_text(int rc, const char *name, struct buffer *out)
{
	if (rc == STATUS_NOT_FOUND && name[0] != 0) {
		buffer_printf(out, "%s is no voter that could lead", name);
	} else if (rc == STATUS_NOT_FOUND) {
		buffer_printf(out, "there is no other voter");
	}
}

/* A leader that is new has heard nobody yet, and who is slow is not gone: the
 * silent ones have as long as two elections take. */
static int refuse_unserved(const struct node *n, const struct asked *a)
{
	return n->now < a->began + 2 * (raft_ms)n->config.election_ms
		       ? STATUS_PENDING
		       : STATUS_INVALID;
}

/* Of a voter that could lead: others are refused for what they are. */
static bool is_silent(const struct node *n, const struct wire_member *m)
{
	return m != NULL && m->id != 0 && m->standing == WIRE_VOTER &&
	       !is_there(n, m->id);
}

/* It was heard by this leader, and is not any more: that needs no waiting. */
static bool has_gone(const struct node *n, raft_id id)
{
	struct raft_peer_status status;

	return raft_peer(n->core, id, &status) == 0 && status.heard != 0 &&
	       n->now - status.heard > 2 * (raft_ms)n->config.election_ms;
}

static void say_silent(struct node *n, const struct wire_member *m,
		       struct buffer *problem)
{
	const struct peer *p = peer_of(n, m->id);

	buffer_printf(problem, "%s does not answer", m->name);
	if (p != NULL && p->problem[0] != 0) {
		buffer_printf(problem, ": %s", p->problem);
	}
}

/* STATUS_NOT_READY, STATUS_PENDING: not now. */
static int carry_transfer(struct node *n, const struct asked *a,
			  struct buffer *problem)
{
	const struct wire_change *change = &a->change;
	const struct wire_member *m =
		config_named(&n->configs.now, change->name);
	struct raft_event ev = {.kind = RAFT_EV_TRANSFER};
	int rc;

	if (change->name[0] != 0 && m == NULL) {
		buffer_printf(problem, "there is no member %s", change->name);
		return STATUS_NOT_FOUND;
	}
	if (m != NULL && m->id == n->identity.self) {
		return 0; /* it leads */
	}
	if (is_silent(n, m)) {
		say_silent(n, m, problem);
		return has_gone(n, m->id) ? STATUS_INVALID
					  : refuse_unserved(n, a);
	}
	ev.transfer.target = m != NULL ? m->id : 0;
	rc = m != NULL && m->id == 0 ? STATUS_NOT_FOUND : drive_step(n, &ev);
	transfer_text(rc, change->name, problem);
	return rc;
}

static int carry(struct node *n, const struct asked *a, struct buffer *problem)
{
	const struct wire_change *change = &a->change;
	const struct wire_config *now = &n->configs.now;
	int rc;

	if (change->kind == WIRE_CHANGE_TRANSFER) {
		return carry_transfer(n, a, problem);
	}
	if (!is_settled(n) || now->joint) {
		return STATUS_PENDING;
	}
	if (change->again && config_shows(now, change)) {
		return 0; /* X2 */
	}
	n->draft = *now;
	rc = config_change(&n->draft, change, problem);
	if (rc != 0 || memcmp(&n->draft, now, sizeof *now) == 0) {
		return rc;
	}
	if (n->draft.joint && !is_served(n, &n->draft, problem)) {
		return refuse_unserved(n, a);
	}
	rc = propose(n, &n->draft);
	return rc == STATUS_NOT_READY ? STATUS_PENDING : rc;
}

/* The first of those asked for; the others wait for it. */
static void carry_asked(struct node *n)
{
	struct buffer problem = {0};
	struct asked first;
	int rc;

	if (n->asked_count == 0) {
		return;
	}
	first = n->asked[0];
	rc = carry(n, &first, &problem);
	if (rc == STATUS_NOT_READY) {
		rc = STATUS_PENDING;
	}
	if (rc != STATUS_PENDING || n->now >= first.until) {
		n->asked_count--;
		memmove(n->asked, n->asked + 1,
			n->asked_count * sizeof n->asked[0]);
		answer(n, first.from, first.change.ticket, rc,
		       rc == STATUS_PENDING ? "another change is under way"
					    : buffer_text(&problem));
		n->dirty = true;
	}
	buffer_deinit(&problem);
}

static void lead(struct node *n)
{
	bool begun = false;

	if (n->raft.leave_due) {
		config_leave(draft_of(n, &begun));
		(void)propose(n, &n->draft);
		return;
	}
	carry_asked(n);
	if (!is_settled(n)) {
		return;
	}
	dismiss(n);
	if (!n->configs.now.joint &&
	    (bind_callers(n, &begun) || promote_learners(n, &begun))) {
		(void)propose(n, &n->draft);
	}
}

/* --- Requests of this node --------------------------------------------------
 */

void change_request(struct node *n, const struct wire_change *change)
{
	struct request *r = &n->requests[n->request_count];

	if (n->request_count == REQUESTS_MAX) {
		n->client->changed(n->context, change->ticket, STATUS_FULL,
				   "too many changes are under way");
		return;
	}
	*r = (struct request){
		.change = *change,
		.until = clock_ms() + CHANGE_MS,
	};
	n->request_count++;
	n->dirty = true;
}

static void done(struct node *n, struct request *r, int status,
		 const char *text)
{
	uint64_t ticket = r->change.ticket;

	*r = n->requests[--n->request_count];
	n->client->changed(n->context, ticket, status, text);
}

/* May a leader have begun it, or begin it yet? */
static bool may_be_done(const struct request *r)
{
	return r->accepted || r->sent || r->open;
}

/* The leader of now has refused it, but could not look: there is something else
 * in its way, which may be what an earlier one made of the same. */
static bool says_nothing(const struct request *r, int status)
{
	return (r->accepted || r->open) &&
	       (status == STATUS_PENDING || status == STATUS_FULL);
}

void change_answered(struct node *n, const struct wire_changed *changed)
{
	for (size_t i = 0; i < n->request_count; i++) {
		struct request *r = &n->requests[i];

		if (r->change.ticket != changed->ticket) {
			continue;
		}
		n->dirty = true;
		if (changed->status == STATUS_NOT_LEADER) {
			r->sent = false; /* there will be another */
			r->rest = clock_ms() + CHANGE_REST_MS;
		} else if (changed->status != 0) {
			done(n, r,
			     says_nothing(r, changed->status) ? STATUS_UNKNOWN
							      : changed->status,
			     changed->text);
		} else {
			r->accepted = true;
		}
		return;
	}
}

static void say_promoted_later(const struct wire_member *m, struct buffer *out)
{
	buffer_printf(out, "%s will be a voter as soon as it has %s", m->name,
		      m->standing == WIRE_INVITED ? "come and caught up"
						  : "caught up");
}

/* Is it as it was asked for? A line for whoever asked is in out then. */
static bool shows(struct node *n, const struct request *r, struct buffer *out)
{
	const struct wire_change *change = &r->change;
	const struct wire_config *now = &n->configs.now;
	const struct wire_member *m = config_named(now, change->name);
	const struct wire_member *own = config_of(now, n->identity.self);

	if (change->kind == WIRE_CHANGE_TRANSFER) {
		buffer_printf(out, "%s leads", node_name_of(n, n->raft.leader));
		return change->name[0] != 0
			       ? m != NULL && m->id == n->raft.leader
			       : n->raft.leader != 0 &&
					 n->raft.leader != r->leader;
	}
	if (!n->raft.members_committed || n->configs.index == 0) {
		return false;
	}
	switch (change->kind) {
	case WIRE_CHANGE_ADD:
	case WIRE_CHANGE_REPLACE:
		buffer_printf(out,
			      "%s is invited; start it: raftfs --id %s --join "
			      "%s ...",
			      change->name, change->name,
			      own != NULL ? own->address : "HOST:PORT");
		break;
	case WIRE_CHANGE_PROMOTE:
		if (m != NULL && m->standing == WIRE_INVITED && !m->stay) {
			say_promoted_later(m, out); /* whenever it comes */
			return true;
		}
		buffer_printf(out, "%s is a voter", change->name);
		break;
	case WIRE_CHANGE_REMOVE:
		buffer_printf(out, "%s is removed", change->name);
		if (m != NULL && m == own && own->standing == WIRE_OUTGOING) {
			return true; /* it will not hear of the end */
		}
		break;
	default:
		buffer_printf(out, "%s is called at %s from now on",
			      change->name, change->address);
		break;
	}
	return config_shows(now, change);
}

/* The time is over. */
static void expire(struct node *n, struct request *r)
{
	const struct wire_member *m =
		config_named(&n->configs.now, r->change.name);
	const char *why = n->published.waiting[0] != 0
				  ? n->published.waiting
				  : "the leader does not answer";
	struct buffer text = {0};

	if (!may_be_done(r)) {
		done(n, r, STATUS_TIMED_OUT, why);
	} else if (!r->accepted) {
		buffer_printf(&text, "it may still be done: %s", why);
		done(n, r, STATUS_UNKNOWN, buffer_text(&text));
	} else if (r->change.kind != WIRE_CHANGE_PROMOTE || m == NULL) {
		done(n, r, STATUS_UNKNOWN, "it is not known to be done yet");
	} else {
		say_promoted_later(m, &text);
		done(n, r, 0, buffer_text(&text));
	}
	buffer_deinit(&text);
}

static void ask(struct node *n, struct request *r)
{
	struct peer *p = peer_of(n, n->raft.leader);
	struct conn *way = p != NULL ? peer_way(p) : NULL;
	uint64_t link = p != NULL ? peer_link(p) : 0;
	const struct wire_change change = r->change;
	size_t start;

	if ((r->sent && r->term == n->raft.term && r->link == link) ||
	    n->now < r->rest) {
		return;
	}
	if (!is_leader(n) && (way == NULL || link == 0)) {
		return;
	}
	r->leader = r->leader == 0 ? n->raft.leader : r->leader;
	r->open = r->open || r->sent;
	r->sent = true;
	r->term = n->raft.term;
	r->link = link;
	r->change.again = true; /* X2 */
	if (is_leader(n)) {
		change_asked(n, n->identity.self, &change);
	} else {
		wire_encode_change(conn_frame(way, &start), &change);
		conn_send(way, start, WIRE_CHANGE);
	}
}

/* --- Each turn --------------------------------------------------------------
 */

/* As for writes: an election is waited for, and no longer than the time they
 * are given, from the loss of the leader on. */
static raft_ms due_of(const struct node *n, const struct request *r)
{
	raft_ms lost = n->unled + LIMIT_TIMEOUT_MS;

	return !r->accepted && n->unled != 0 && lost < r->until ? lost
								: r->until;
}

static void look_for_leader(struct node *n)
{
	bool led = n->core != NULL && n->raft.leader != 0;

	if (led && is_leader(n)) {
		led = 2 * n->raft.voters_heard > n->raft.voters;
	}
	n->unled = led ? 0 : n->unled != 0 ? n->unled : n->now;
}

void change_turn(struct node *n)
{
	struct buffer text = {0};

	look_for_leader(n);
	for (size_t i = n->request_count; i > 0; i--) {
		struct request *r = &n->requests[i - 1];

		buffer_reset(&text);
		if (r->accepted && shows(n, r, &text)) {
			done(n, r, 0, buffer_text(&text));
		} else if (n->now >= due_of(n, r)) {
			expire(n, r);
		} else {
			ask(n, r);
		}
	}
	buffer_deinit(&text);
	if (is_leader(n)) {
		lead(n);
	}
	while (!is_leader(n) && n->asked_count > 0) {
		const struct asked *a = &n->asked[--n->asked_count];

		answer(n, a->from, a->change.ticket, STATUS_NOT_LEADER, "");
	}
}

raft_ms change_due(const struct node *n)
{
	raft_ms due = UINT64_MAX;

	for (size_t i = 0; i < n->request_count; i++) {
		const struct request *r = &n->requests[i];

		due = due_of(n, r) < due ? due_of(n, r) : due;
		due = r->rest > n->now && r->rest < due ? r->rest : due;
	}
	for (size_t i = 0; i < n->asked_count; i++) {
		due = n->asked[i].until < due ? n->asked[i].until : due;
	}
	return due;
}

void change_removed(struct node *n)
{
	struct buffer text = {0};

	buffer_printf(&text, "%s is removed", n->identity.name);
	for (size_t i = n->request_count; i > 0; i--) {
		struct request *r = &n->requests[i - 1];

		if (r->change.kind == WIRE_CHANGE_REMOVE &&
		    strcmp(r->change.name, n->identity.name) == 0) {
			done(n, r, 0, buffer_text(&text));
		}
	}
	buffer_deinit(&text);
}

void change_stop(struct node *n)
{
	while (n->request_count > 0) {
		struct request *r = &n->requests[0];

		if (may_be_done(r)) {
			done(n, r, STATUS_UNKNOWN,
			     "this node is ending, and it may still be done");
		} else {
			done(n, r, STATUS_ENDED, "this node is ending");
		}
	}
}
