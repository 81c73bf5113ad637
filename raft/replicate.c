/* SPDX-License-Identifier: Apache-2.0 */
/* replicate.c - the leader's side of replication (Raft 5.3, thesis 10.2.1).
 *
 * Messages leave at the end of a step, all in replicate_flush(): entries as
 * far as each peer's window goes, else an empty append for whoever is to hear
 * something: a heartbeat, a read round, a commit index it does not know, a
 * link that came up. The leader does not wait for its own disk: that is a
 * voter like the others. */
#include "raft/state.h"

static void send_append(struct raft *r, struct progress *p, raft_index before,
			raft_index last)
{
	struct raft_msg m = {
		.kind = RAFT_APPEND,
		.to = p->id,
		.pos.index = before,
		.pos.term = runs_term(&r->runs, before),
		.last = last,
		.commit = r->commit,
		.settled = r->settled,
		.round = r->reads.round,
		.repair = p->repair,
		.proof = p->proof,
	};

	CHECK(before >= r->runs.base.index); /* its term is known (row 24) */
	act_send(r, m, 0);
	r->counters.appends_sent++;
	p->told = r->commit;
	p->wanted = false;
}

/* The last entry of the next message, and its bytes. */
static raft_index pack(const struct raft *r, raft_index next, uint64_t *bytes)
{
	raft_index last = next;

	*bytes = sizes_at(&r->sizes, next);
	while (last < runs_last(&r->runs) &&
	       last - next + 1 < r->config.message_entries) {
		uint64_t more = sizes_at(&r->sizes, last + 1);

		if (*bytes + more > r->config.message_bytes)
			break;
		*bytes += more;
		last++;
	}
	return last;
}

static void send_entries(struct raft *r, struct progress *p)
{
	unsigned int burst;

	for (burst = 0; burst < BURST_MAX; burst++) {
		raft_index before = p->next - 1;
		raft_index last;
		uint64_t bytes;

		if (p->next > runs_last(&r->runs))
			return;
		last = pack(r, p->next, &bytes);
		if (!progress_ready(p, &r->config, bytes))
			return;
		progress_sent(p, last, bytes);
		send_append(r, p, before, last);
	}
}

static void flush_peer(struct raft *r, struct progress *p)
{
	raft_index base = r->runs.base.index;

	if (p->state == PROGRESS_REPLICATE && p->told < r->commit)
		p->wanted = true;
	if (p->next <= base && p->state != PROGRESS_SNAPSHOT)
		progress_snapshot(p);
	if (p->state == PROGRESS_SNAPSHOT)
		snapshot_offer(r, p);
	send_entries(r, p);
	if (p->wanted)
		send_append(r, p, p->next <= base ? base : p->next - 1,
			    p->next <= base ? base : p->next - 1);
}

void replicate_flush(struct raft *r)
{
	uint32_t i;

	if (r->role != RAFT_LEADER)
		return;
	for (i = 0; i < r->peer_count; i++) {
		if (!members_is_self(r, &r->peer[i]))
			flush_peer(r, &r->peer[i]);
	}
}

void replicate_to_all(struct raft *r)
{
	uint32_t i;

	for (i = 0; i < r->peer_count; i++)
		r->peer[i].wanted = true;
	r->heartbeat_due = r->now + r->config.heartbeat_ms;
}

void replicate_on_reply(struct raft *r, const struct raft_msg *m)
{
	struct progress *p = members_find(r, m->from);
	raft_index match;

	if (r->role != RAFT_LEADER || m->round > r->reads.round ||
	    (!m->reject &&
	     (m->pos.index > m->last || m->last > runs_last(&r->runs)))) {
		r->counters.messages_ignored++;
		return;
	}
	p->heard = r->now;
	p->replied = r->now;
	if (m->commit > p->applied && m->commit <= r->commit)
		p->applied = m->commit;
	read_acknowledged(r, p, m->round);
	repair_heard(r, p, m->repair);

	if (m->reject) {
		if (progress_reject(p, m->last,
				    runs_agree(&r->runs, m->pos.index,
					       m->pos.term)))
			r->counters.appends_rejected++;
		return;
	}
	match = p->match;
	progress_accept(p, m->pos.index, m->last); /* row 16: only here */
	if (p->match > match)
		commit_count(r);
}

void replicate_on_link(struct raft *r, raft_id peer, bool up)
{
	struct progress *p = members_find(r, peer);

	if (p == NULL || peer == r->config.self)
		return;
	if (!up)
		transfer_on_lost(r, peer);
	progress_reset(p, runs_last(&r->runs));
	p->wanted = up; /* at once: it may be caught up and idle (row 29) */
	p->send_due = r->now;
}

static int append_own(struct raft *r, const uint32_t *sizes, size_t count,
		      enum raft_source source)
{
	raft_index last = runs_last(&r->runs);
	size_t i;

	if (!runs_append(&r->runs, r->hard.term, last + count))
		return STATUS_FULL;
	for (i = 0; i < count; i++)
		sizes_append(&r->sizes, last + i + 1, sizes[i]);
	save_entries(r, last, source);
	return 0;
}

/* A new leader's first entry: with it, what came before is committed (5.4.2),
 * and reads may begin (row 55). */
void replicate_noop(struct raft *r)
{
	static const uint32_t size = 0;
	int rc = append_own(r, &size, 1, RAFT_FROM_NOOP);

	CHECK(rc == 0); /* election_on_clock() asked for room */
	r->noop = runs_last(&r->runs);
	r->uncommitted = sizes_sum(&r->sizes, r->commit, r->noop); /* row 28 */
}

static bool has_room(const struct raft *r, uint64_t bytes, size_t count)
{
	uint64_t entries = runs_last(&r->runs) - r->commit;

	/* The sizes of all uncommitted entries of ours stay known. */
	if (entries + count > SIZES_MAX)
		return false;
	return r->uncommitted == 0 ||
	       r->uncommitted + bytes <= r->config.uncommitted_bytes;
}

static int take(struct raft *r, const uint32_t *sizes, size_t count,
		uint64_t bytes, enum raft_source source)
{
	int rc;

	if (!has_room(r, bytes, count))
		return STATUS_FULL;
	rc = append_own(r, sizes, count, source);
	if (rc == 0)
		r->uncommitted += bytes;
	return rc;
}

int replicate_propose(struct raft *r, const uint32_t *sizes, size_t count)
{
	uint64_t bytes = 0;
	size_t i;
	int rc = STATUS_NOT_LEADER;

	CHECK(count > 0);
	for (i = 0; i < count; i++) {
		CHECK(sizes[i] <= LIMIT_ENTRY_BYTES);
		bytes += sizes[i];
	}
	if (r->role == RAFT_LEADER)
		rc = transfer_is_on(r)
			     ? STATUS_PENDING
			     : take(r, sizes, count, bytes, RAFT_FROM_PROPOSAL);
	if (rc != 0)
		r->counters.proposals_refused++;
	return rc;
}

int replicate_change(struct raft *r, uint32_t size)
{
	CHECK(size <= LIMIT_ENTRY_BYTES);
	return take(r, &size, 1, size, RAFT_FROM_CHANGE);
}
