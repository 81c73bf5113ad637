/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - how it stands, for other threads. */
#include <stdio.h>
#include <string.h>

#include "raft/node/address.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"
#include "raft/node/snap.h"

/* A reader that sees this lease sees this commit index or a later one: all
 * that was answered before its request arrived (N2). */
void publish_lease(struct node *n)
{
	atomic_store_explicit(&n->lease_commit, n->raft.commit,
			      memory_order_relaxed);
	atomic_store_explicit(&n->lease_until, n->raft.lease_until,
			      memory_order_release);
}

bool node_lease(const struct node *n, raft_index *index)
{
	raft_ms until =
		atomic_load_explicit(&n->lease_until, memory_order_acquire);
	raft_index commit =
		atomic_load_explicit(&n->lease_commit, memory_order_relaxed);

	if (until == 0 || clock_ms() >= until) {
		return false;
	}
	*index = commit;
	return true;
}

static bool heard_lately(const struct node *n, const struct peer *p)
{
	return p->heard != 0 && n->now - p->heard < HEARD_MS;
}

static bool votes(const struct wire_member *member)
{
	return member->standing == WIRE_VOTER ||
	       member->standing == WIRE_INCOMING ||
	       member->standing == WIRE_OUTGOING;
}

bool publish_hears(struct node *n, const struct wire_member *member)
{
	const struct peer *p = peer_of(n, member->id);

	return member->id == n->identity.self ||
	       (p != NULL && heard_lately(n, p));
}

/* Who is not there, and why. */
static void say_missing(struct node *n, struct buffer *out)
{
	const struct wire_config *c = peers_config(n);

	for (size_t i = 0; i < c->count; i++) {
		const struct wire_member *member = &c->members[i];
		const struct peer *p = peer_of(n, member->id);

		if (votes(member) && !publish_hears(n, member)) {
			buffer_printf(out, "; %s: %s", member->name,
				      p != NULL && p->problem[0] != 0
					      ? p->problem
					      : "silent");
		}
	}
}

static bool is_repairing(struct node *n, const struct wire_member *member)
{
	const struct peer *p = peer_of(n, member->id);

	return member->id == n->identity.self ? n->raft.repairing
					      : p != NULL && p->repairing;
}

/* Those who are there are too many that do not vote. */
static void say_repairs(struct node *n, size_t voters, struct buffer *out)
{
	const struct wire_config *c = peers_config(n);
	const char *separator = "no quorum: damaged, and not voting until "
				"repaired from a leader: ";
	size_t ill = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct wire_member *m = &c->members[i];

		if (votes(m) && is_repairing(n, m)) {
			buffer_printf(out, "%s%s", separator, m->name);
			separator = ", ";
			ill++;
		}
	}
	if (2 * (voters - ill) > voters) {
		say_missing(n, out);
	} else {
		buffer_printf(out, "; too many: raftfsctl recover, or restore "
				   "a backup");
	}
}

static void say_quorum(struct node *n, struct buffer *out)
{
	const struct raft_status *raft = &n->raft;
	const struct wire_config *c = peers_config(n);
	size_t heard = 0, voters = 0, whole = 0;

	if (raft->role == RAFT_LEADER &&
	    2 * raft->voters_heard > raft->voters) {
		return;
	}
	if (raft->role == RAFT_FOLLOWER && raft->leader != 0) {
		return;
	}
	for (size_t i = 0; i < c->count; i++) {
		if (votes(&c->members[i])) {
			voters++;
			heard += publish_hears(n, &c->members[i]) ? 1 : 0;
			whole +=
				publish_hears(n, &c->members[i]) &&
						!is_repairing(n, &c->members[i])
					? 1
					: 0;
		}
	}
	if (whole < heard && 2 * whole <= voters) {
		say_repairs(n, voters, out);
	} else if (2 * heard > voters) {
		buffer_printf(out,
			      "no quorum: no leader elected yet, %zu of %zu "
			      "voters heard",
			      heard, voters);
	} else {
		buffer_printf(out, "no quorum: %zu of %zu voters heard", heard,
			      voters);
		say_missing(n, out);
	}
	if (raft->disk_stalled) {
		buffer_printf(out, "; this node's disk is stalled");
	}
}

/* Why nobody answers at --join; "": not known yet. */
static const char *seed_problem(const struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		if (n->peers[i]->seed) {
			return n->peers[i]->problem;
		}
	}
	return "";
}

static void say_joining(const struct node *n, struct buffer *out)
{
	const char *problem = seed_problem(n);

	buffer_printf(out, "joining: waiting for %s%s%s", n->join,
		      problem[0] != 0 ? ": " : "", problem);
}

static void say_waiting(struct node *n, struct buffer *out)
{
	if (n->failed) {
		buffer_printf(out, "%s", n->failure);
	} else if (!n->identity.founded && n->join[0] != 0) {
		say_joining(n, out);
	} else if (!n->identity.founded) {
		found_waiting(&n->found, out);
	} else {
		say_quorum(n, out);
	}
}

static void fill_self(const struct node *n, struct node_member *to)
{
	to->id = n->identity.self;
	to->connected = true;
	to->heard = n->now;
	to->match = n->raft.role == RAFT_LEADER ? n->raft.saved : 0;
	to->repairing = n->raft.repairing;
}

static void fill_peer(const struct node *n, const struct peer *p,
		      struct node_member *to)
{
	struct raft_peer_status progress;

	to->id = p->member.id;
	to->connected = p->state == PEER_UP && p->in != NULL;
	to->heard = p->heard;
	to->repairing = p->repairing;
	if (n->core != NULL &&
	    raft_peer(n->core, p->member.id, &progress) == 0) {
		to->match = progress.match;
	}
}

static void fill_member(struct node *n, const struct wire_member *member,
			struct node_member *to)
{
	const struct wire_config *config = peers_config(n);
	const struct wire_member *old;
	struct wire_hello by_name = {.id = member->id};
	const struct peer *p;

	*to = (struct node_member){.id = member->id};
	name_copy(to->name, sizeof to->name, member->name);
	name_copy(to->address, sizeof to->address, member->address);
	to->standing = config_standing_text(member->standing);
	to->becomes = config_becomes(member);
	old = config != NULL ? config_of(config, member->replaces) : NULL;
	if (old != NULL) {
		name_copy(to->replaces, sizeof to->replaces, old->name);
	}
	to->voter = n->identity.founded && votes(member);
	if (member->id == n->identity.self ||
	    (member->id == 0 && !n->identity.founded &&
	     strcmp(member->name, n->identity.name) == 0)) {
		fill_self(n, to);
		return;
	}
	name_copy(by_name.name, sizeof by_name.name, member->name);
	p = n->identity.founded ? peer_of(n, member->id)
				: peer_for(n, &by_name);
	if (p != NULL) {
		fill_peer(n, p, to);
	}
}

static raft_ms led_until(const struct node *n, raft_ms before)
{
	const struct raft_status *raft = &n->raft;
	raft_ms led = raft->role == RAFT_FOLLOWER && raft->leader != 0
			      ? raft->leader_heard
			      : 0;

	if (raft->role == RAFT_LEADER &&
	    2 * raft->voters_heard > raft->voters) {
		led = n->now;
	}
	return led > before ? led : before;
}

void publish_status(struct node *n)
{
	struct node_status *s = &n->published;
	const struct wire_config *c = peers_config(n);
	const struct wire_member *members = n->configured;
	size_t count = n->configured_count;
	struct buffer waiting = {0};
	struct log_state log;

	if (c != NULL) {
		members = c->members;
		count = c->count;
	}
	say_waiting(n, &waiting);
	log_state(n->log, &log);

	pthread_mutex_lock(&n->status_mutex);
	s->raft = n->raft;
	s->raft.self = n->identity.self;
	s->founded = n->identity.founded;
	s->joining = !s->founded && n->join[0] != 0;
	s->asking = n->join[0] != 0 && !n->seeded && seed_problem(n)[0] == 0;
	memcpy(s->cluster, n->identity.founding.cluster, sizeof s->cluster);
	(void)snprintf(s->waiting, sizeof s->waiting, "%s",
		       buffer_text(&waiting));
	name_copy(s->listens, sizeof s->listens, n->listens);
	name_copy(s->elsewhere, sizeof s->elsewhere, n->elsewhere);
	s->led = led_until(n, s->led);
	s->damage[0] = 0;
	if (n->raft.repairing) {
		pthread_mutex_lock(&n->mend_mutex);
		(void)snprintf(s->damage, sizeof s->damage, "%s", n->mend.what);
		pthread_mutex_unlock(&n->mend_mutex);
	}
	s->log_bytes = log.bytes;
	s->bad_frames = n->bad_frames;
	name_copy(s->transfer, sizeof s->transfer,
		  n->raft.transfer_target != 0
			  ? node_name_of(n, n->raft.transfer_target)
			  : "");
	snap_status(n, &s->snapshots);
	s->member_count = count;
	for (size_t i = 0; i < count; i++) {
		fill_member(n, &members[i], &s->members[i]);
	}
	pthread_mutex_unlock(&n->status_mutex);
	buffer_deinit(&waiting);
}

void node_status(struct node *n, struct node_status *status)
{
	pthread_mutex_lock(&n->status_mutex);
	*status = n->published;
	pthread_mutex_unlock(&n->status_mutex);
}
