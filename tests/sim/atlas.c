/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/atlas.h"

#include <string.h>

/* A removal is asked for so long, and what was sent may come later still. */
enum { CONFIGS_MAX = 64, LEAVING_MS = 30000 };

struct config {
	raft_index index;
	raft_term term; /* 0: not known any more */
	struct raft_members members;
};

static struct {
	struct config at[CONFIGS_MAX];
	size_t count;
	struct config settled; /* the newest that is known to be committed */
	uint64_t leaves_until[SIM_NODES_MAX]; /* ns */
	raft_id stays[SIM_NODES_MAX]; /* its removal was refused; 0: not */
	raft_id goes[SIM_NODES_MAX];  /* its removal was said to be done */
	raft_id been[SIM_NODES_MAX];  /* it was seen as a member; 0: not */
} atlas;

void atlas_reset(void)
{
	memset(&atlas, 0, sizeof atlas);
}

static bool is_same(const struct raft_members *a, const struct raft_members *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static void forget(size_t i)
{
	atlas.at[i] = atlas.at[--atlas.count];
}

/* What came before the committed one is over, and what stands in its place;
 * one that was away for long may have it still. */
static bool is_over(const struct config *c)
{
	return c->index < atlas.settled.index ||
	       (c->index == atlas.settled.index &&
		!is_same(&c->members, &atlas.settled.members));
}

static void settle(const struct config *committed)
{
	size_t i = 0;

	atlas.settled = *committed;
	while (i < atlas.count) {
		if (is_over(&atlas.at[i])) {
			forget(i);
		} else {
			i++;
		}
	}
}

static void check_stays(const struct raft_members *m)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		raft_id id = atlas.stays[i];

		if (id != 0 && !sim_has(m->voters, m->voter_count, id) &&
		    !sim_has(m->learners, m->learner_count, id)) {
			sim_fail("%s is removed, which had been refused",
				 sim_name(i));
		}
	}
}

static void note_members(const struct raft_members *m)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		raft_id id = sim.hosts[i].id;

		if (id != 0 && (sim_has(m->voters, m->voter_count, id) ||
				sim_has(m->learners, m->learner_count, id))) {
			atlas.been[i] = id;
		}
	}
}

void atlas_saw(const struct raft *core)
{
	struct raft_status s;
	struct config c;

	raft_status(core, &s);
	memset(&c, 0, sizeof c);
	c.index = s.members_index;
	c.members = *raft_members(core);
	if (is_over(&c)) {
		return;
	}
	for (size_t i = 0; i < atlas.count; i++) {
		if (atlas.at[i].index == c.index &&
		    is_same(&atlas.at[i].members, &c.members)) {
			c.index = 0; /* known */
			break;
		}
	}
	if (c.index != 0) {
		CHECK(atlas.count < CONFIGS_MAX);
		atlas.at[atlas.count++] = c;
		check_stays(&c.members);
		note_members(&c.members);
	}
	if (s.members_committed) {
		c.index = s.members_index;
		settle(&c);
	}
}

static void look_at_all(void)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (sim_core(i) != NULL) {
			atlas_saw(sim_core(i));
		}
	}
}

/* --- Quorums ----------------------------------------------------------------
 */

static int host_of(raft_id id)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (sim.hosts[i].id == id) {
			return i;
		}
	}
	return -1;
}

static bool is_half(const raft_id *voters, uint32_t count, const bool *hosts)
{
	uint32_t have = 0;

	for (uint32_t i = 0; i < count; i++) {
		int at = host_of(voters[i]);

		have += at >= 0 && hosts[at];
	}
	return count == 0 || 2 * have > count;
}

static bool is_quorum_of(const struct raft_members *m, const bool *hosts)
{
	return is_half(m->voters, m->voter_count, hosts) &&
	       is_half(m->outgoing, m->outgoing_count, hosts);
}

static void take_out(raft_id *ids, uint32_t *count, raft_id id)
{
	for (uint32_t i = 0; i < *count; i++) {
		if (ids[i] == id) {
			ids[i] = ids[--*count];
			return;
		}
	}
}

bool atlas_leaves(int node)
{
	bool is_open = atlas.leaves_until[node] > sim.now;

	atlas.leaves_until[node] = sim.now + LEAVING_MS * SIM_MS;
	atlas.stays[node] = 0;
	return is_open;
}

void atlas_answered(int node, bool refused)
{
	raft_id id = sim.hosts[node].id;

	atlas.leaves_until[node] = 0;
	if (!refused) {
		atlas.goes[node] = id;
	}
	/* A joint configuration that is committed is left at some time, whoever
	 * asks, and of whom, until then. */
	atlas.stays[node] = refused && atlas.goes[node] != id ? id : 0;
}

/* Of the nodes that are being removed, those of the nth set are gone; false:
 * there is no such set, or nobody would be left. The first is of nobody. */
static bool remove_set(struct raft_members *m, unsigned n)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (atlas.leaves_until[i] <= sim.now) {
			continue;
		}
		if ((n & 1) != 0) {
			take_out(m->voters, &m->voter_count, sim.hosts[i].id);
		}
		n >>= 1;
	}
	return n == 0 && m->voter_count > 0;
}

/* Whatever is removed. */
static bool is_quorum_always(const struct raft_members *m, const bool *hosts)
{
	for (unsigned n = 0; n < 1U << SIM_NODES_MAX; n++) {
		struct raft_members left = *m;

		if (remove_set(&left, n) && !is_quorum_of(&left, hosts)) {
			return false;
		}
	}
	return true;
}

/* Or once the joint configuration is left. */
static bool is_quorum_ever(const struct raft_members *m, const bool *hosts)
{
	for (unsigned n = 0; n < 1U << SIM_NODES_MAX; n++) {
		struct raft_members left = *m;

		if (remove_set(&left, n) &&
		    is_half(left.voters, left.voter_count, hosts)) {
			return true;
		}
	}
	return false;
}

bool atlas_is_quorum(const bool *hosts)
{
	look_at_all();
	for (size_t i = 0; i < atlas.count; i++) {
		if (!is_quorum_always(&atlas.at[i].members, hosts)) {
			return false;
		}
	}
	return true;
}

bool atlas_is_any_quorum(const bool *hosts)
{
	look_at_all();
	for (size_t i = 0; i < atlas.count; i++) {
		if (is_quorum_ever(&atlas.at[i].members, hosts)) {
			return true;
		}
	}
	return false;
}

void atlas_fit(bool *hosts)
{
	for (int i = 0; i < SIM_NODES_MAX; i++) {
		const struct host *h = &sim.hosts[i];

		hosts[i] = i < (int)sim_nodes() && !h->is_damaged &&
			   h->id != 0 && h->in_use;
	}
}

/* --- Members ----------------------------------------------------------------
 */

bool atlas_is_voter(int node)
{
	raft_id id = sim.hosts[node].id;

	look_at_all();
	for (size_t i = 0; id != 0 && i < atlas.count; i++) {
		const struct raft_members *m = &atlas.at[i].members;

		if (sim_has(m->voters, m->voter_count, id) ||
		    sim_has(m->outgoing, m->outgoing_count, id)) {
			return true;
		}
	}
	return false;
}

bool atlas_is_member(int node)
{
	raft_id id = sim.hosts[node].id;

	if (atlas_is_voter(node)) {
		return true;
	}
	for (size_t i = 0; id != 0 && i < atlas.count; i++) {
		const struct raft_members *m = &atlas.at[i].members;

		if (sim_has(m->learners, m->learner_count, id)) {
			return true;
		}
	}
	return false;
}

/* On its way in: no configuration has had it yet. */
static bool is_newcomer(int node)
{
	const struct host *h = &sim.hosts[node];

	return h->in_use && h->joins &&
	       (h->id == 0 || h->id != atlas.been[node]);
}

/* One without data yet has nothing to lose, unless it is this one's turn. */
static bool is_sound(int newcomer, int lost)
{
	return newcomer != lost && is_newcomer(newcomer) &&
	       !sim.hosts[newcomer].is_damaged;
}

/* A newcomer or a learner is made a voter by a leader that does not know what
 * it has lost. */
static struct raft_members promoted(const struct raft_members *m, int node)
{
	struct raft_members all = *m;
	raft_id id = sim.hosts[node].id;
	bool comes = is_newcomer(node);

	if ((comes || sim_has(m->learners, m->learner_count, id)) &&
	    all.voter_count < COUNT_OF(all.voters)) {
		all.voters[all.voter_count++] = comes ? ~(raft_id)node : id;
	}
	return all;
}

bool atlas_can_lose(int node)
{
	bool fit[SIM_NODES_MAX];

	atlas_fit(fit);
	fit[node] = false;
	look_at_all();
	for (size_t i = 0; i < atlas.count; i++) {
		struct raft_members m = atlas.at[i].members;

		for (int n = 0; n < (int)sim_nodes(); n++) {
			m = fit[n] || is_sound(n, node) ? m : promoted(&m, n);
		}
		if (!is_quorum_always(&m, fit)) {
			return false;
		}
	}
	return true;
}

/* What would be left must have a quorum of fit ones, and so must what is now:
 * the change is joint. */
bool atlas_can_remove(int node)
{
	bool fit[SIM_NODES_MAX];

	atlas_fit(fit);
	if (!atlas_is_quorum(fit)) {
		return false;
	}
	for (size_t i = 0; i < atlas.count; i++) {
		struct raft_members m = atlas.at[i].members;

		take_out(m.voters, &m.voter_count, sim.hosts[node].id);
		if (m.voter_count == 0 || !is_quorum_always(&m, fit)) {
			return false;
		}
	}
	return true;
}
