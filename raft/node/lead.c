/* SPDX-License-Identifier: Apache-2.0 */
/* lead.c - what a leader does about members: what it is asked for, and what is
 * to be done.
 *
 *   X3  what a leader does by itself follows from how things stand, not from
 *       what happened (raft.md row 36): out of a committed joint
 *       configuration, bind who was invited and called, promote who has caught
 *       up, tell who was removed
 *
 * Changes are carried out one after the other, each when the one before it is
 * committed; a request is answered once it is under way, or refused (change.c
 * has the rest of its way), and a transfer once more if it comes to nothing. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "raft/node/address.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"

bool node_leads(const struct node *n)
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

/* Is an entry of the leader's own term committed? Before that, what an earlier
 * leader began and this log has not may be committed yet, by another leader
 * (row 30). */
static bool has_committed(const struct node *n)
{
	return raft_term_at(n->core, n->raft.commit) == n->raft.term;
}

/* May a change be proposed now? Only then may one be refused, too: else what
 * was refused could be done after all (X1). */
static bool is_settled(const struct node *n)
{
	return node_leads(n) && has_committed(n) && n->configs.index > 0 &&
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

/* A link of when it was a member may be up although it is gone, with its disk:
 * who is there calls again. */
static bool bind_callers(struct node *n, bool *begun)
{
	bool changed = false;

	for (size_t i = 0; i < n->peer_count; i++) {
		const struct peer *p = n->peers[i];
		const char *name = p->member.name;

		if (!p->guest || p->in == NULL ||
		    config_invited(&n->configs.now, name) == NULL) {
			continue;
		}
		if (p->stale) {
			conn_close(p->in, STATUS_ENDED, "it is to call again");
		} else if (config_bind(draft_of(n, begun), name,
				       p->member.id) == 0) {
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

static void answer(struct node *n, raft_id to, const struct wire_change *change,
		   int status, const char *text)
{
	struct wire_changed changed = {
		.ticket = change->ticket,
		.status = status,
		.asked = change->asked,
		.index = status == 0 ? n->configs.index : 0,
	};
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

static struct asked *asked_before(struct node *n, raft_id from, uint64_t ticket)
{
	for (size_t i = 0; i < n->asked_count; i++) {
		struct asked *a = &n->asked[i];

		if (a->from == from && a->change.ticket == ticket) {
			return a;
		}
	}
	return NULL;
}

void lead_asked(struct node *n, raft_id from, const struct wire_change *change)
{
	struct asked *a = asked_before(n, from, change->ticket);

	if (!node_leads(n)) {
		answer(n, from, change, STATUS_NOT_LEADER, "");
		return;
	}
	/* Over another link: it is done once, or refused (X1). */
	if (a != NULL) {
		a->change = *change;
		a->until = clock_ms() + ASKED_MS;
		return;
	}
	if (n->asked_count == CHANGES_ASKED_MAX) {
		answer(n, from, change, STATUS_FULL,
		       "too many changes are under way");
		return;
	}
	n->asked[n->asked_count++] = (struct asked){
		.from = from,
		.change = *change,
		.began = clock_ms(),
		.until = clock_ms() + ASKED_MS,
	};
	n->dirty = true;
}

void lead_forget(struct node *n, raft_id from)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->asked_count; i++) {
		if (n->asked[i].from != from) {
			n->asked[kept++] = n->asked[i];
		}
	}
	n->asked_count = kept;
	if (n->handing.from == from) {
		n->handing = (struct handing){0};
	}
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

/* One that could do what it is to: others are refused for what they are. */
static bool is_silent(const struct node *n, const struct wire_member *m,
		      enum wire_standing standing)
{
	return m != NULL && m->id != 0 && m->standing == standing &&
	       !is_there(n, m->id);
}

/* It was heard by this leader, and is not any more: that needs no waiting. */
static bool has_gone(const struct node *n, raft_id id)
{
	struct raft_peer_status status;

	return raft_peer(n->core, id, &status) == 0 && status.heard != 0 &&
	       n->now - status.heard > 2 * (raft_ms)n->config.election_ms;
}

static void say_why(struct node *n, raft_id id, struct buffer *problem)
{
	const struct peer *p = peer_of(n, id);

	if (p != NULL && p->problem[0] != 0) {
		buffer_printf(problem, ": %s", p->problem);
	}
}

/* Not what it is asked to be for as long as it is silent. */
static int refuse_silent(struct node *n, const struct asked *a,
			 const struct wire_member *m, struct buffer *problem)
{
	buffer_printf(problem, "%s does not answer", m->name);
	say_why(n, m->id, problem);
	if (m->standing == WIRE_LEARNER && !m->stay) {
		buffer_printf(problem, "; it will be a voter as soon as it has "
				       "caught up");
	}
	return has_gone(n, m->id) ? STATUS_INVALID : refuse_unserved(n, a);
}

/* A transfer that this leader began is over, and it still leads: whoever asked
 * for it hears so. Another leader is asked again, or is what was wanted. */
static void settle_transfer(struct node *n)
{
	const struct handing *h = &n->handing;
	struct buffer problem = {0};

	if (h->target == 0 || n->raft.transfer_target != 0) {
		return;
	}
	if (h->term == n->raft.term) {
		buffer_printf(&problem, "%s did not take over in time",
			      node_name_of(n, h->target));
		say_why(n, h->target, &problem);
		answer(n, h->from, &h->change, STATUS_UNKNOWN,
		       buffer_text(&problem));
	}
	buffer_deinit(&problem);
	n->handing = (struct handing){0};
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
	if (is_silent(n, m, WIRE_VOTER)) {
		return refuse_silent(n, a, m, problem);
	}
	ev.transfer.target = m != NULL ? m->id : 0;
	rc = m != NULL && m->id == 0 ? STATUS_NOT_FOUND : drive_step(n, &ev);
	transfer_text(rc, change->name, problem);
	if (rc == 0) {
		n->handing = (struct handing){
			.from = a->from,
			.change = *change,
			.target = n->raft.transfer_target,
			.term = n->raft.term,
		};
	}
	return rc;
}

/* Nobody is replaced under its own name while it runs: there would be two of
 * it. What is heard only some time after it was asked for was not under way
 * from one that had ended by then. */
static int refuse_running(struct node *n, const struct asked *a,
			  struct buffer *problem)
{
	const struct wire_change *change = &a->change;
	const struct wire_config *now = &n->configs.now;

	for (size_t i = 0; i < now->count; i++) {
		const struct wire_member *m = &now->members[i];

		if (change->kind != WIRE_CHANGE_REPLACE || m->id == 0 ||
		    strcmp(change->old, change->name) != 0 ||
		    strcmp(change->name, m->name) != 0 ||
		    !publish_hears(n, m)) {
			continue;
		}
		if (m->id != n->identity.self &&
		    peer_of(n, m->id)->heard < a->began + SWEEP_MS) {
			return STATUS_PENDING;
		}
		buffer_printf(problem,
			      "%s is running and answers: stop it first, or "
			      "remove it",
			      m->name);
		return STATUS_BUSY;
	}
	return 0;
}

static int carry(struct node *n, const struct asked *a, struct buffer *problem)
{
	const struct wire_change *change = &a->change;
	const struct wire_config *now = &n->configs.now;
	const struct wire_member *m;
	int rc;

	if (change->kind == WIRE_CHANGE_TRANSFER) {
		return carry_transfer(n, a, problem);
	}
	if (!is_settled(n) || now->joint) {
		return STATUS_PENDING;
	}
	if (change->asked > 0 && config_shows(now, change)) {
		return 0; /* X2 */
	}
	m = config_named(now, change->name);
	if (change->kind == WIRE_CHANGE_PROMOTE &&
	    is_silent(n, m, WIRE_LEARNER)) {
		return refuse_silent(n, a, m, problem);
	}
	n->draft = *now;
	rc = config_change(&n->draft, change, problem);
	if (rc == 0) {
		rc = refuse_running(n, a, problem);
	}
	if (rc != 0 || memcmp(&n->draft, now, sizeof *now) == 0) {
		return rc;
	}
	if (n->draft.joint && !is_served(n, &n->draft, problem)) {
		return refuse_unserved(n, a);
	}
	rc = propose(n, &n->draft);
	return rc == STATUS_NOT_READY ? STATUS_PENDING : rc;
}

/* Why it was not looked at, for as long as it could wait. */
static const char *pending_text(const struct node *n)
{
	return has_committed(n) ? "another change is under way"
				: "nothing is committed under this leader yet";
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
		answer(n, first.from, &first.change, rc,
		       rc == STATUS_PENDING ? pending_text(n)
					    : buffer_text(&problem));
		n->dirty = true;
	}
	buffer_deinit(&problem);
}

static void do_due(struct node *n)
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

/* --- Each turn --------------------------------------------------------------
 */

void lead_turn(struct node *n)
{
	if (node_leads(n)) {
		settle_transfer(n);
		do_due(n);
	} else {
		n->handing.target = 0;
	}
	while (!node_leads(n) && n->asked_count > 0) {
		const struct asked *a = &n->asked[--n->asked_count];

		answer(n, a->from, &a->change, STATUS_NOT_LEADER, "");
	}
}

raft_ms lead_due(const struct node *n)
{
	raft_ms due = UINT64_MAX;

	for (size_t i = 0; i < n->asked_count; i++) {
		due = n->asked[i].until < due ? n->asked[i].until : due;
	}
	return due;
}
