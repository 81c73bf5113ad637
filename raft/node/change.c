/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - members change, and leaders, because someone asked for it.
 *
 *   node_change() -> a request here -CHANGE-> asked of the leader -> proposed
 *        ^                |      <-CHANGED- under way, or refused    (lead.c)
 *        '--- answered ---'
 *
 *   X1  a request is answered when the configuration it asks for is committed
 *       as far as this node knows, and no older than what the leader judged it
 *       by or made of it, when it was refused, or when its time is over:
 *       exactly once; refused only if no leader that was asked for it can have
 *       begun it
 *   X2  it is asked again of each new leader, or over each new link, saying
 *       so: what is there already is then as good as done
 *   X4  without a leader nobody waits longer than a write would: until
 *       LIMIT_TIMEOUT_MS after the loss of the last one, and not at all then
 */
#include <stdio.h>
#include <string.h>

#include "raft/node/address.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"

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
	if (change->kind == WIRE_CHANGE_REMOVE &&
	    config_successor(&n->configs.now, change->name) != NULL) {
		r->change.kind = WIRE_CHANGE_UNINVITE;
	}
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
	       (status == STATUS_PENDING || status == STATUS_FULL ||
		status == STATUS_BUSY);
}

void change_answered(struct node *n, const struct wire_changed *changed)
{
	for (size_t i = 0; i < n->request_count; i++) {
		struct request *r = &n->requests[i];

		if (r->change.ticket != changed->ticket) {
			continue;
		}
		/* To another start of this node, or before it asked again: what
		 * it is told last is what is done (X1). */
		if (!r->sent || changed->asked + 1 != r->change.asked) {
			return;
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
			r->at = changed->index;
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

/* A node of that name that lost its data was started somehow: so it may again.
 * from: where this node is called; or NULL. */
static void say_invited(const struct wire_change *change, const char *from,
			struct buffer *out)
{
	bool again = change->kind == WIRE_CHANGE_REPLACE &&
		     strcmp(change->old, change->name) == 0;
	bool open = (from != NULL && !address_is_loopback(from)) ||
		    !address_is_loopback(change->address);

	buffer_printf(out,
		      "%s is invited; start it%s: raftfs --id %s%s --join %s "
		      "...",
		      change->name, again ? " as before, or" : "", change->name,
		      open ? " --insecure" : "",
		      from != NULL ? from : "HOST:PORT");
}

static void say_uninvited(const struct wire_member *m, const char *name,
			  struct buffer *out)
{
	buffer_printf(out, "the invitation of %s is taken back", name);
	if (m != NULL) {
		buffer_printf(out,
			      "; %s itself stays a %s, which the same command "
			      "removes",
			      name, config_standing_text(m->standing));
	}
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
	/* An earlier one may look the same: of before it was otherwise. */
	if (!n->raft.members_committed || n->configs.index == 0 ||
	    n->configs.index < r->at) {
		return false;
	}
	switch (change->kind) {
	case WIRE_CHANGE_ADD:
	case WIRE_CHANGE_REPLACE:
		say_invited(change, own != NULL ? own->address : NULL, out);
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
	case WIRE_CHANGE_UNINVITE:
		say_uninvited(m, change->name, out);
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
	if (!node_leads(n) && (way == NULL || link == 0)) {
		return;
	}
	r->leader = r->leader == 0 ? n->raft.leader : r->leader;
	r->open = r->open || r->sent;
	r->sent = true;
	r->term = n->raft.term;
	r->link = link;
	r->change.asked++; /* X2 */
	if (node_leads(n)) {
		lead_asked(n, n->identity.self, &change);
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

	if (led && node_leads(n)) {
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
	lead_turn(n);
}

raft_ms change_due(const struct node *n)
{
	raft_ms due = lead_due(n);

	for (size_t i = 0; i < n->request_count; i++) {
		const struct request *r = &n->requests[i];

		due = due_of(n, r) < due ? due_of(n, r) : due;
		due = r->rest > n->now && r->rest < due ? r->rest : due;
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
