/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/law.h"

#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "tests/sim/trail.h"

enum { TICKETS_MAX = 256 };

/* A read that waits for its index, and what that must not be older than. */
struct ticket {
	uint64_t number;
	raft_index floor;
};

/* Votes seen to be granted, by term. */
struct votes {
	raft_id *to;
	size_t capacity;
};

struct member {
	struct trail trail;
	bool is_damaged;   /* something rotted that no boot has read yet */
	unsigned rot_life; /* in which it did: it may have read it before */
	bool is_mending;   /* it has lost what it had, and is not whole yet */
	bool is_alive;	   /* status is of this life */
	struct raft_status status;
	struct votes votes;
	struct raft_hard told; /* the newest term, and the vote in it */
	/* Entry of the first configuration it was seen in since it was in none;
	 * index 0: in none. */
	struct raft_pos since;
	/* Up to here entries may be settled without it: by a leader in whose
	 * configuration it was not, which may have been lost since. */
	raft_index without;
	struct ticket tickets[TICKETS_MAX];
	size_t ticket_count;
};

/* An entry that exists or existed somewhere: (index, term), and the term of
 * the one before it (L3). */
struct sighting {
	raft_term term;
	raft_term before;
	uint64_t members; /* of the configuration it brings; 0: none seen */
};

struct place {
	struct sighting *seen; /* few */
	uint32_t count;
	uint32_t capacity;
	raft_term committed; /* 0: not */
	raft_term in;	     /* the term in which it was */
};

static struct {
	struct member member[SIM_NODES_MAX];
	raft_id *leader; /* by term */
	size_t leader_capacity;
	struct place *place; /* by index */
	size_t place_capacity;
	raft_index committed;
} law;

void law_begin(void)
{
	memset(&law, 0, sizeof law);
}

raft_index law_committed(void)
{
	return law.committed;
}

raft_term law_term(raft_index index)
{
	return index <= law.committed ? law.place[index].committed : 0;
}

const struct raft_status *law_status(int node)
{
	return law.member[node].is_alive ? &law.member[node].status : NULL;
}

raft_index law_durable_commit(int node)
{
	return law.member[node].trail.commit;
}

/* Make room for [at] in a zeroed array. */
static void *grown(void *array, size_t *capacity, size_t size, uint64_t at)
{
	size_t old = *capacity;

	if (at < old) {
		return array;
	}
	CHECK(at < 1 << 24);
	while (*capacity <= at) {
		*capacity = 2 * *capacity + 64;
	}
	array = mem_realloc(array, *capacity * size);
	memset((char *)array + old * size, 0, (*capacity - old) * size);
	return array;
}

static struct place *place_of(raft_index index)
{
	law.place =
		grown(law.place, &law.place_capacity, sizeof *law.place, index);
	return &law.place[index];
}

/* The node whose disk belongs to this incarnation; -1: none (any more). */
static int node_of(raft_id id)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (law.member[i].trail.id == id) {
			return i;
		}
	}
	return -1;
}

/* --- Entries ----------------------------------------------------------------
 */

static struct sighting *sighting_of(raft_index index, raft_term term)
{
	struct place *p = place_of(index);

	for (uint32_t i = 0; i < p->count; i++) {
		if (p->seen[i].term == term) {
			return &p->seen[i];
		}
	}
	return NULL;
}

/* L3, by induction over the entry before. */
static void note_entry(int node, raft_index index, raft_term term,
		       raft_term before)
{
	struct place *p = place_of(index);
	struct sighting *seen = sighting_of(index, term);

	if (seen != NULL) {
		if (seen->before != before) {
			sim_fail("L3 %s: entry %lu of term %lu follows one of "
				 "term %lu, elsewhere one of term %lu",
				 sim_name(node), (unsigned long)index,
				 (unsigned long)term, (unsigned long)before,
				 (unsigned long)seen->before);
		}
		return;
	}
	if (p->count == p->capacity) {
		p->capacity = 2 * p->capacity + 1;
		p->seen = mem_realloc(p->seen, p->capacity * sizeof *p->seen);
	}
	p->seen[p->count++] = (struct sighting){.term = term, .before = before};
}

static void note_save(int node, const struct raft *core,
		      const struct raft_act *act)
{
	struct member *m = &law.member[node];
	raft_term before = raft_term_at(core, act->save.keep);

	if (act->save.keep < m->status.commit) {
		sim_fail("L5 %s cuts its log after %lu, below its commit "
			 "index %lu",
			 sim_name(node), (unsigned long)act->save.keep,
			 (unsigned long)m->status.commit);
	}
	for (raft_index i = act->save.keep + 1; i <= act->save.last; i++) {
		raft_term term = raft_term_at(core, i);

		note_entry(node, i, term, before);
		before = term;
	}
	trail_save(&m->trail, core, act);
}

/* --- Committing -------------------------------------------------------------
 */

/* L6, of one half. */
static void check_majority(int node, const raft_id *voters, uint32_t count,
			   raft_index index, raft_term term)
{
	uint32_t have = 0;

	for (uint32_t i = 0; i < count; i++) {
		int at = node_of(voters[i]);

		have += at >= 0 &&
			(law.member[at].is_mending ||
			 trail_has(&law.member[at].trail, index, term));
	}
	if (2 * have <= count && count > 0) {
		sim_fail("L6 %s committed entry %lu of term %lu, durable on "
			 "%u of %u voters",
			 sim_name(node), (unsigned long)index,
			 (unsigned long)term, have, count);
	}
}

static void check_quorum(int node, const struct raft *core, raft_index index)
{
	const struct raft_members *m = raft_members(core);
	raft_term term = raft_term_at(core, index);

	check_majority(node, m->voters, m->voter_count, index, term);
	check_majority(node, m->outgoing, m->outgoing_count, index, term);
}

/* L10: entries beyond what others have committed are now committed. */
static void check_leases(int node)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		const struct member *m = &law.member[i];

		if (i != node && m->is_alive && m->status.role == RAFT_LEADER &&
		    sim_clock_ms(i) < m->status.lease_until) {
			sim_fail("L10 %s committed entry %lu while %s had a "
				 "lease at %lu",
				 sim_name(node), (unsigned long)law.committed,
				 sim_name(i), (unsigned long)m->status.commit);
		}
	}
}

/* booting: what is committed already, entry 1 among it, which founders agree
 * on without an election. */
static void note_commit(int node, const struct raft *core,
			const struct raft_status *now, raft_index from,
			bool booting)
{
	raft_index known = law.committed;

	for (raft_index i = from + 1; i <= now->commit; i++) {
		raft_term term = raft_term_at(core, i);
		struct place *p = place_of(i);

		if (term == 0) {
			continue; /* cut off in the same step */
		}
		if (i > law.committed) {
			p->committed = term;
			p->in = now->term;
			law.committed = i;
		} else if (p->committed != term) {
			sim_fail("L5 %s has committed entry %lu of term %lu, "
				 "others of term %lu",
				 sim_name(node), (unsigned long)i,
				 (unsigned long)term,
				 (unsigned long)p->committed);
		}
	}
	if (law.committed > known && !booting) {
		check_quorum(node, core, law.committed);
		check_leases(node);
	}
}

/* --- Leading ----------------------------------------------------------------
 */

/* L1, of one half. What becomes of a vote is not known any more when its
 * voter's disk is gone. */
static void check_votes(int node, const raft_id *voters, uint32_t count,
			raft_term term)
{
	raft_id self = law.member[node].trail.id;
	uint32_t have = 0;

	for (uint32_t i = 0; i < count; i++) {
		int at = node_of(voters[i]);
		const struct votes *v = at >= 0 ? &law.member[at].votes : NULL;

		have += v == NULL || at == node ||
			(term < v->capacity && v->to[term] == self);
	}
	if (2 * have <= count && count > 0) {
		sim_fail("L1 %s leads in term %lu by %u votes of %u",
			 sim_name(node), (unsigned long)term, have, count);
	}
}

/* L1, L4. */
static void note_leader(int node, const struct raft *core, raft_term term)
{
	const struct raft_members *m = raft_members(core);
	raft_id self = law.member[node].trail.id;

	check_votes(node, m->voters, m->voter_count, term);
	check_votes(node, m->outgoing, m->outgoing_count, term);
	law.leader = grown(law.leader, &law.leader_capacity, sizeof *law.leader,
			   term);
	if (law.leader[term] != 0 && law.leader[term] != self) {
		sim_fail("L1 %s leads in term %lu, as another did",
			 sim_name(node), (unsigned long)term);
	}
	law.leader[term] = self;
	for (raft_index i = law.member[node].status.first;
	     i <= law.committed && law.place[i].in < term; i++) {
		if (raft_term_at(core, i) != law.place[i].committed) {
			sim_fail("L4 %s leads in term %lu without entry %lu, "
				 "committed in term %lu",
				 sim_name(node), (unsigned long)term,
				 (unsigned long)i,
				 (unsigned long)law.place[i].in);
		}
	}
}

/* Of what a core has cut away it does not know the term. */
static raft_term term_of(const struct raft *core, raft_index index)
{
	raft_term term = raft_term_at(core, index);

	return term != 0 ? term : law_term(index);
}

/* L8, of one peer. A peer that has gone on to a later term may have cut off
 * what it once acknowledged to this leader. */
static void check_match(int node, const struct raft *core,
			const struct raft_status *s, raft_id id)
{
	int at = node_of(id);
	const struct trail *t;
	struct raft_pos *since;
	struct raft_peer_status peer;

	if (at < 0 || raft_peer(core, id, &peer) != 0 ||
	    law.member[at].is_mending) {
		return;
	}
	t = &law.member[at].trail;
	if (t->hard.term > s->term) {
		return;
	}
	if (peer.match > t->last ||
	    !trail_has(t, peer.match, term_of(core, peer.match))) {
		sim_fail("L8 %s takes entry %lu as matched on %s, which has "
			 "saved up to %lu",
			 sim_name(node), (unsigned long)peer.match,
			 sim_name(at), (unsigned long)t->last);
	}
	/* What was settled before it came it never had. */
	since = &law.member[at].since;
	if (since->index == 0) {
		since->index = s->members_index;
		since->term = term_of(core, s->members_index);
	}
	if (s->settled > t->last && s->settled > since->index &&
	    s->settled > law.member[at].without) {
		sim_fail("L8 %s takes entry %lu as settled, %s has saved up "
			 "to %lu",
			 sim_name(node), (unsigned long)s->settled,
			 sim_name(at), (unsigned long)t->last);
	}
}

static bool is_member(const struct raft_members *m, raft_id id)
{
	return sim_has(m->voters, m->voter_count, id) ||
	       sim_has(m->outgoing, m->outgoing_count, id) ||
	       sim_has(m->learners, m->learner_count, id);
}

/* Who was removed and is added again comes as anyone else does, and so does
 * who was in a configuration that was lost. */
static void note_removed(const struct raft_members *members,
			 const struct raft_status *s)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		struct member *m = &law.member[i];
		struct raft_pos *since = &m->since;
		raft_term committed = law_term(since->index);
		bool is_out = !is_member(members, m->trail.id);

		if (is_out && s->settled > m->without) {
			m->without = s->settled;
		}
		if ((since->index < s->members_index && is_out) ||
		    (committed != 0 && committed != since->term)) {
			*since = (struct raft_pos){0};
		}
	}
}

static void check_leader(int node, const struct raft *core,
			 const struct raft_status *was,
			 const struct raft_status *s)
{
	const struct raft_members *members = raft_members(core);

	if (s->role != RAFT_LEADER) {
		return;
	}
	if (s->commit > was->commit &&
	    raft_term_at(core, s->commit) != s->term) {
		sim_fail("L5 %s, leading in term %lu, commits up to entry %lu "
			 "of term %lu",
			 sim_name(node), (unsigned long)s->term,
			 (unsigned long)s->commit,
			 (unsigned long)raft_term_at(core, s->commit));
	}
	note_removed(members, s);
	for (uint32_t i = 0; i < members->voter_count; i++) {
		check_match(node, core, s, members->voters[i]);
	}
	for (uint32_t i = 0; i < members->outgoing_count; i++) {
		check_match(node, core, s, members->outgoing[i]);
	}
	for (uint32_t i = 0; i < members->learner_count; i++) {
		check_match(node, core, s, members->learners[i]);
	}
}

/* --- Voting, reading --------------------------------------------------------
 */

/* L2: seen by who gets it, as nobody forgets what it has sent. */
static void note_vote(const struct raft_msg *m)
{
	int voter = node_of(m->from);
	struct votes *v;

	if (m->kind != RAFT_VOTE_REPLY || m->reject || voter < 0) {
		return;
	}
	v = &law.member[voter].votes;
	v->to = grown(v->to, &v->capacity, sizeof *v->to, m->term);
	if (v->to[m->term] != 0 && v->to[m->term] != m->to) {
		sim_fail("L2 %s voted for two in term %lu", sim_name(voter),
			 (unsigned long)m->term);
	}
	v->to[m->term] = m->to;
}

/* D2: pre-votes speak of terms that nobody is in. */
void law_sent(int node, const struct raft_msg *m)
{
	struct raft_hard *told = &law.member[node].told;

	if (m->kind == RAFT_PREVOTE || m->kind == RAFT_PREVOTE_REPLY ||
	    m->term < told->term) {
		return;
	}
	if (m->term > told->term) {
		*told = (struct raft_hard){.term = m->term};
	}
	if (m->kind == RAFT_VOTE) {
		told->vote = m->from;
	} else if (m->kind == RAFT_VOTE_REPLY && !m->reject) {
		told->vote = m->to;
	}
}

static void check_told(int node, const struct raft_boot *boot)
{
	struct raft_hard told = law.member[node].told;

	if (boot->hard.term < told.term ||
	    (boot->hard.term == told.term && told.vote != 0 &&
	     boot->hard.vote != told.vote)) {
		sim_fail("D2 %s told others of term %lu and its vote for %lx, "
			 "and boots in term %lu with its vote for %lx",
			 sim_name(node), (unsigned long)told.term,
			 (unsigned long)told.vote,
			 (unsigned long)boot->hard.term,
			 (unsigned long)boot->hard.vote);
	}
}

static void note_ticket(struct member *m, uint64_t number)
{
	CHECK(m->ticket_count < TICKETS_MAX);
	m->tickets[m->ticket_count++] =
		(struct ticket){.number = number, .floor = law.committed};
}

/* L9. */
static void note_read(int node, const struct raft_act *act)
{
	struct member *m = &law.member[node];

	for (size_t i = 0; i < m->ticket_count; i++) {
		struct ticket t = m->tickets[i];

		if (t.number != act->read.ticket) {
			continue;
		}
		if (act->read.status == 0 && act->read.index < t.floor) {
			sim_fail("L9 %s reads at %lu, asked when %lu was "
				 "committed",
				 sim_name(node), (unsigned long)act->read.index,
				 (unsigned long)t.floor);
		}
		m->tickets[i] = m->tickets[--m->ticket_count];
		return;
	}
	sim_fail("L9 %s answers ticket %lu, which does not wait",
		 sim_name(node), (unsigned long)act->read.ticket);
}

/* --- Snapshots, configurations ----------------------------------------------
 */

/* L11. */
static void note_load(int node, const struct raft_act *act)
{
	struct member *m = &law.member[node];
	struct raft_pos pos = act->load_snap.pos;

	if (law_term(pos.index) != pos.term || pos.index <= m->status.commit) {
		sim_fail("L11 %s loads a snapshot to %lu of term %lu, having "
			 "committed %lu; committed there is one of term %lu",
			 sim_name(node), (unsigned long)pos.index,
			 (unsigned long)pos.term,
			 (unsigned long)m->status.commit,
			 (unsigned long)law_term(pos.index));
	}
	trail_load(&m->trail, act);
}

static uint64_t hash_members(const struct raft_members *m)
{
	uint64_t hash =
		XXH3_64bits(m->voters, m->voter_count * sizeof m->voters[0]);

	hash = XXH3_64bits_withSeed(
		m->outgoing, m->outgoing_count * sizeof m->outgoing[0], hash);
	return XXH3_64bits_withSeed(m->learners,
				    m->learner_count * sizeof m->learners[0],
				    hash) |
	       1;
}

/* L12: the configuration in force is that of the entry at index. */
static void note_members(int node, const struct raft *core, raft_index index)
{
	uint64_t hash = hash_members(raft_members(core));
	struct sighting *seen =
		index != 0 ? sighting_of(index, term_of(core, index)) : NULL;

	if (seen == NULL) {
		return; /* none, or below the base and never seen as an entry */
	}
	if (seen->members != 0 && seen->members != hash) {
		sim_fail("L12 %s takes another configuration from entry %lu "
			 "than others",
			 sim_name(node), (unsigned long)index);
	}
	seen->members = hash;
}

/* --- A step -----------------------------------------------------------------
 */

/* L7. */
static void check_own(int node, const struct raft_status *was,
		      const struct raft_status *s)
{
	const char *broken = NULL;

	if (s->term < was->term) {
		broken = "its term falls";
	} else if (s->term == was->term && was->vote != 0 &&
		   s->vote != was->vote) {
		broken = "its vote changes within a term";
	} else if (s->commit < was->commit) {
		broken = "its commit index falls";
	} else if (s->applied < was->applied) {
		broken = "its applied index falls";
	} else if (s->first > s->applied + 1 || s->applied > s->commit ||
		   s->commit > s->last || s->saved > s->last) {
		broken = "not base <= applied <= commit <= last";
	}
	if (broken != NULL) {
		sim_fail("L7 %s: %s (term %lu, vote %lx, first %lu, applied "
			 "%lu, commit %lu, saved %lu, last %lu)",
			 sim_name(node), broken, (unsigned long)s->term,
			 (unsigned long)s->vote, (unsigned long)s->first,
			 (unsigned long)s->applied, (unsigned long)s->commit,
			 (unsigned long)s->saved, (unsigned long)s->last);
	}
}

void law_booted(int node, const struct raft *core, const struct raft_boot *boot)
{
	struct member *m = &law.member[node];
	raft_term before = boot->base.term;
	raft_index i = boot->base.index;
	struct trail was = m->trail;
	struct raft_status s;
	const char *broken;

	raft_status(core, &s);
	if (m->trail.id != s.self) {
		m->votes = (struct votes){0};
		m->told = (struct raft_hard){0};
		m->since = (struct raft_pos){0};
		m->without = 0;
	} else {
		check_told(node, boot); /* whatever has rotted */
	}
	broken = trail_boot(&m->trail, s.self, boot,
			    m->is_damaged && boot->repair != 0);
	if (broken != NULL) {
		sim_fail("D1 %s: %s: term %lu, last %lu, commit %lu, was term "
			 "%lu, last %lu, commit %lu",
			 sim_name(node), broken, (unsigned long)s.term,
			 (unsigned long)s.last, (unsigned long)s.commit,
			 (unsigned long)was.hard.term, (unsigned long)was.last,
			 (unsigned long)was.commit);
	}
	if (boot->repair != 0 || sim_life(node) > m->rot_life) {
		m->is_damaged = false;
	}
	m->is_mending = boot->repair != 0;
	m->is_alive = true;
	m->ticket_count = 0;
	m->status = s;
	for (size_t r = 0; r < boot->run_count; r++) {
		while (i < boot->runs[r].last) {
			note_entry(node, ++i, boot->runs[r].term, before);
			before = boot->runs[r].term;
		}
	}
	note_commit(node, core, &s, boot->base.index, true);
	note_members(node, core, s.members_index);
}

void law_stepped(int node, const struct raft *core,
		 const struct raft_event *event, int rc,
		 const struct raft_out *out)
{
	struct member *m = &law.member[node];
	struct raft_status was = m->status;
	struct raft_status s;

	if (event->kind == RAFT_EV_SAVED) {
		trail_saved(&m->trail, event->saved.seq);
	} else if (event->kind == RAFT_EV_RECV) {
		note_vote(&event->recv.msg);
	} else if (event->kind == RAFT_EV_READ && rc == 0) {
		note_ticket(m, event->read.ticket);
	}
	if (event->kind == RAFT_EV_SNAP_LOADED) {
		trail_loaded(&m->trail);
	}
	for (size_t i = 0; i < out->count; i++) {
		if (out->acts[i].kind == RAFT_DO_SAVE) {
			note_save(node, core, &out->acts[i]);
		} else if (out->acts[i].kind == RAFT_DO_LOAD_SNAP) {
			note_load(node, &out->acts[i]);
		}
	}
	raft_status(core, &s);
	m->status = s;
	m->is_mending = m->is_mending && s.repairing;
	check_own(node, &was, &s);
	if (s.role == RAFT_LEADER &&
	    (was.role != RAFT_LEADER || was.term != s.term)) {
		note_leader(node, core, s.term);
	}
	if (s.commit > was.commit) {
		note_commit(node, core, &s, was.commit, false);
	}
	if (s.members_index != was.members_index) {
		note_members(node, core, s.members_index);
	}
	check_leader(node, core, &was, &s);
	for (size_t i = 0; i < out->count; i++) {
		if (out->acts[i].kind == RAFT_DO_READ) {
			note_read(node, &out->acts[i]);
		}
	}
}

void law_died(int node)
{
	law.member[node].is_alive = false;
	law.member[node].ticket_count = 0;
}

void law_damaged(int node)
{
	law.member[node].is_damaged = true;
	law.member[node].rot_life = sim_life(node);
}
