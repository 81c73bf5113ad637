/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - how the node stands, for people. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kv/internal.h"

/* A leader not heard for this long may be gone. */
enum { LEADER_MS = 2 * LIMIT_ELECTION_MS };

static void set_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static void set_cluster(struct kv_status *s, const struct node_status *n)
{
	static const char digits[] = "0123456789abcdef";

	if (!n->founded) {
		return;
	}
	for (size_t i = 0; i < sizeof n->cluster; i++) {
		s->cluster[2 * i] = digits[n->cluster[i] >> 4];
		s->cluster[2 * i + 1] = digits[n->cluster[i] & 15];
	}
}

/* Before founding no id is known, this node's neither: its name tells. */
static void set_member(struct kv_member *m, const struct node_member *n,
		       const struct node_status *node, const char *self,
		       uint64_t now)
{
	raft_id leader = node->raft.leader;

	set_text(m->name, sizeof m->name, n->name);
	set_text(m->address, sizeof m->address, n->address);
	m->voter = n->voter;
	set_text(m->standing, sizeof m->standing,
		 node->founded ? n->standing : "founding");
	if (n->becomes != NULL && node->founded) {
		set_text(m->becomes, sizeof m->becomes, n->becomes);
	}
	set_text(m->replaces, sizeof m->replaces, n->replaces);
	m->self = node->founded ? n->id == node->raft.self
				: strcmp(n->name, self) == 0;
	m->leader = leader != 0 && n->id == leader;
	m->connected = n->connected || m->self;
	m->match = n->match;
	m->repairing = n->repairing;
	m->heard_ms_ago = m->self	   ? 0
			  : n->heard == 0  ? UINT64_MAX
			  : n->heard < now ? now - n->heard
					   : 0;
}

/* Who is cut off knows it before the silence has been long enough. */
static bool has_quorum(const struct node_status *n, bool cut_off, uint64_t now)
{
	const struct raft_status *r = &n->raft;

	if (!n->founded || r->leader == 0 || cut_off) {
		return false;
	}
	if (r->role == RAFT_LEADER) {
		return r->voters_heard > r->voters / 2;
	}
	return r->leader_heard + LEADER_MS > now;
}

static void set_why(struct kv_status *s, const struct node_status *n)
{
	const char *why = n->waiting;

	if (why[0] == '\0') {
		why = n->raft.role == RAFT_LEADER
			      ? "no majority of the voters answers this leader"
			      : "no leader with a majority answers";
	}
	snprintf(s->why, sizeof s->why, "%s%.240s",
		 strncmp(why, "no quorum", 9) != 0 ? "no quorum: " : "", why);
}

static void set_node(struct kv_status *s, const struct node_status *n,
		     uint64_t now)
{
	set_cluster(s, n);
	set_text(s->role, sizeof s->role,
		 n->founded   ? raft_role_text(n->raft.role)
		 : n->joining ? "joining"
			      : "founding");
	s->term = n->raft.term;
	s->commit = n->raft.commit;
	s->last = n->raft.last;
	s->log_bytes = n->log_bytes;
	s->bad_frames = n->bad_frames;
	s->snapshots_sent = n->snapshots.sent;
	s->snapshots_failed = n->snapshots.failed;
	s->snapshots_installed = n->snapshots.installed;
	s->snapshot_bytes_sent = n->snapshots.bytes_sent;
	s->snapshot_bytes_taken = n->snapshots.bytes_taken;
	s->snapshot_bytes_kept = n->snapshots.bytes_kept;
	s->led_ms_ago = n->led == 0    ? UINT64_MAX
			: n->led < now ? now - n->led
				       : 0;
	s->asking = n->asking;
	set_text(s->listens, sizeof s->listens, n->listens);
	set_text(s->elsewhere, sizeof s->elsewhere, n->elsewhere);
	set_text(s->repair, sizeof s->repair, n->damage);
	s->repair_until = n->raft.proof;
	s->joint = n->raft.joint;
	set_text(s->transfer, sizeof s->transfer, n->transfer);
	s->member_count = n->member_count;
	for (size_t i = 0; i < n->member_count; i++) {
		set_member(&s->members[i], &n->members[i], n, s->name, now);
		if (s->members[i].leader) {
			set_text(s->leader, sizeof s->leader,
				 s->members[i].name);
		}
	}
}

void kv_status(struct kv *kv, struct kv_status *status)
{
	struct node_status *node = mem_zalloc(sizeof *node);
	uint64_t now = kv_now_ms();
	bool cut_off;

	*status = (struct kv_status){0};
	node_status(kv->node, node);
	set_text(status->name, sizeof status->name, kv->name);
	set_node(status, node, now);
	status->state_bytes = kv->store->ops->bytes(kv->store);
	status->applied = atomic_load(&kv->applied);
	pthread_mutex_lock(&kv->lock);
	cut_off = kv->barriers.cut_off;
	status->cut_off = cut_off || kv->barriers.behind;
	status->disk_low = node_space_low(kv->node);
	status->full = kv->full;
	status->session = kv->proposals.usable ? kv->proposals.session : 0;
	status->proposals = kv->proposals.count;
	pthread_mutex_unlock(&kv->lock);
	status->quorum = has_quorum(node, cut_off, now);
	if (!status->quorum) {
		set_why(status, node);
	}
	mem_free(node);
}
