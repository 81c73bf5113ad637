/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - how it stands, for other threads. */
#include <stdio.h>
#include <string.h>

#include "raft/node/address.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"

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

/* Who is not there, and why. */
static void say_missing(const struct node *n, struct buffer *out)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		const struct peer *p = &n->peers[i];

		if (!heard_lately(n, p)) {
			buffer_printf(out, "; %s: %s", p->member.name,
				      p->problem[0] != 0 ? p->problem
							 : "silent");
		}
	}
}

static void say_quorum(const struct node *n, struct buffer *out)
{
	const struct raft_status *raft = &n->raft;
	size_t heard = 1;

	if (raft->role == RAFT_LEADER &&
	    2 * raft->voters_heard > raft->voters) {
		return;
	}
	if (raft->role == RAFT_FOLLOWER && raft->leader != 0) {
		return;
	}
	for (size_t i = 0; i < n->peer_count; i++) {
		heard += heard_lately(n, &n->peers[i]);
	}
	if (2 * heard > raft->voters) {
		buffer_printf(out,
			      "no quorum: no leader elected yet, %zu of %u "
			      "voters heard",
			      heard, (unsigned)raft->voters);
	} else {
		buffer_printf(out, "no quorum: %zu of %u voters heard", heard,
			      (unsigned)raft->voters);
		say_missing(n, out);
	}
	if (raft->disk_stalled) {
		buffer_printf(out, "; this node's disk is stalled");
	}
}

static void say_waiting(const struct node *n, struct buffer *out)
{
	if (n->failed) {
		buffer_printf(out, "%s", n->failure);
	} else if (!n->identity.founded) {
		found_waiting(&n->found, out);
	} else {
		say_quorum(n, out);
	}
}

static void fill_member(struct node *n, const struct wire_member *member,
			struct node_member *to)
{
	const struct peer *p = peer_named(n, member->name);
	struct raft_peer_status progress;

	*to = (struct node_member){.id = member->id};
	name_copy(to->name, sizeof to->name, member->name);
	name_copy(to->address, sizeof to->address, member->address);
	to->voter = n->identity.founded;
	if (p == NULL) {
		to->connected = true;
		to->heard = n->now;
		to->match = n->raft.role == RAFT_LEADER ? n->raft.saved : 0;
		return;
	}
	to->id = p->member.id;
	to->connected = p->state == PEER_UP && p->in != NULL;
	to->heard = p->heard;
	if (n->core != NULL &&
	    raft_peer(n->core, p->member.id, &progress) == 0) {
		to->match = progress.match;
	}
}

void publish_status(struct node *n)
{
	struct node_status *s = &n->published;
	const struct wire_member *members = n->configured;
	size_t count = n->configured_count;
	struct buffer waiting = {0};
	struct log_state log;

	if (n->identity.founded) {
		members = n->identity.founding.members;
		count = n->identity.founding.count;
	}
	say_waiting(n, &waiting);
	log_state(n->log, &log);

	pthread_mutex_lock(&n->status_mutex);
	s->raft = n->raft;
	s->raft.self = n->identity.self;
	s->founded = n->identity.founded;
	memcpy(s->cluster, n->identity.founding.cluster, sizeof s->cluster);
	(void)snprintf(s->waiting, sizeof s->waiting, "%s",
		       buffer_text(&waiting));
	s->log_bytes = log.bytes;
	s->bad_frames = n->bad_frames;
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
