/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/oracle.h"

#include "tests/explore/node.h"
#include "tests/explore/packet.h"

/* The state as the oracles see it. */
struct view {
	uint32_t count;
	uint32_t quorum;
	const struct sight *node[NODES_MAX];
	const struct mail *mail[NODES_MAX];
};

/* --- Elections, from all messages ever sent ---------------------------------
 */

/* Has no byte more than one bit? */
static bool is_single(uint64_t sets)
{
	uint32_t i;

	for (i = 0; i <= TERMS_MAX; i++) {
		uint64_t set = sets >> 8 * i & 255;

		if ((set & (set - 1)) != 0)
			return false;
	}
	return true;
}

static uint32_t size_of(uint64_t set)
{
	return (uint32_t)__builtin_popcountll(set);
}

static const char *judge_votes(const struct view *v)
{
	uint64_t grants[NODES_MAX], stands = 0, leads = 0, seen = 0;
	uint32_t i, term;

	for (i = 0; i < v->count; i++) {
		stands |= v->mail[i]->stands;
		leads |= v->mail[i]->leads;
	}
	for (i = 0; i < v->count; i++) {
		if (v->node[i]->is_leader)
			leads |= 1ull << (8 * v->node[i]->term + i);
	}
	if (!is_single(leads))
		return "E1: two leaders in one term";
	for (i = 0; i < v->count; i++) {
		uint64_t self = 0x0101010101010101u << i;

		/* Who asks for votes has given itself its own. */
		grants[i] = v->mail[i]->grants | (stands & self);
		if ((grants[i] & seen) != 0)
			return "E2: a vote for two in one term";
		seen |= grants[i];
	}
	for (term = 1; term <= TERMS_MAX; term++) {
		for (i = 0; i < v->count; i++) {
			if ((leads >> (8 * term + i) & 1) != 0 &&
			    size_of(grants[i] >> 8 * term & 255) < v->quorum)
				return "E3: a leader without a majority";
		}
	}
	return NULL;
}

/* --- Logs -------------------------------------------------------------------
 */

static bool holds(uint64_t log, raft_index last, const struct ledger *ledger)
{
	return last >= ledger->count &&
	       ((log ^ ledger->log) & log_mask(ledger->count)) == 0;
}

/* The greatest index at which both have the same term; below, all agree? */
static bool is_matching(uint64_t a, raft_index a_last, uint64_t b,
			raft_index b_last)
{
	raft_index i = a_last < b_last ? a_last : b_last;

	while (i > 0 && log_term(a, i) != log_term(b, i))
		i--;
	return ((a ^ b) & log_mask(i)) == 0;
}

static const char *judge_logs(const struct view *v, uint32_t slot)
{
	const struct sight *a = v->node[slot];
	uint32_t i;

	for (i = 0; i < v->count; i++) {
		const struct sight *b = v->node[i];

		if (!is_matching(a->log, a->last, b->log, b->last) ||
		    !is_matching(a->disk, a->disk_last, b->disk, b->disk_last))
			return "E4: logs agree at an index, not below";
	}
	return NULL;
}

static bool is_behind(uint64_t a, raft_index a_last, uint64_t b,
		      raft_index b_last)
{
	unsigned int a_term = log_term(a, a_last);
	unsigned int b_term = log_term(b, b_last);

	return a_term < b_term || (a_term == b_term && a_last <= b_last);
}

/* Could node i win an election that all vote in? */
static bool is_electable(const struct view *v, uint32_t i, bool on_disk)
{
	const struct sight *a = v->node[i];
	uint32_t j, votes = 0;

	for (j = 0; j < v->count; j++) {
		const struct sight *b = v->node[j];

		votes += on_disk ? is_behind(b->disk, b->disk_last, a->disk,
					     a->disk_last)
				 : is_behind(b->log, b->last, a->log, a->last);
	}
	return votes >= v->quorum;
}

/* --- What was committed -----------------------------------------------------
 */

static const char *note_commit(const struct sight *s, struct ledger *ledger)
{
	raft_index i;

	for (i = ledger->count + 1; i <= s->commit; i++) {
		ledger->log |= (uint64_t)log_term(s->log, i) << 4 * (i - 1);
		ledger->in |= (uint64_t)s->term << 4 * (i - 1);
		ledger->count++;
	}
	if (((s->log ^ ledger->log) & log_mask(s->commit)) != 0)
		return "E5: what was committed has changed";
	return NULL;
}

static const char *judge_committed(const struct view *v,
				   const struct ledger *ledger)
{
	raft_term in = log_term(ledger->in, ledger->count);
	uint32_t i, disks = 0;

	for (i = 0; i < v->count; i++) {
		const struct sight *s = v->node[i];
		bool held = holds(s->log, s->last, ledger);
		bool held_on_disk = holds(s->disk, s->disk_last, ledger);

		disks += held_on_disk;
		if (s->is_leader && s->term > in && !held)
			return "E7: a later leader misses what was committed";
		if ((!held && is_electable(v, i, false)) ||
		    (!held_on_disk && is_electable(v, i, true)))
			return "E8: one without what was committed can win";
	}
	if (disks < v->quorum)
		return "E6: committed, but not on a majority of disks";
	return NULL;
}

static const char *judge_match(const struct view *v)
{
	uint32_t i, j;

	for (i = 0; i < v->count; i++) {
		const struct sight *a = v->node[i];

		for (j = 0; j < v->count && a->is_leader; j++) {
			const struct sight *b = v->node[j];

			/* One that went on may have cut off what it had. */
			if (b->disk_term > a->term)
				continue;
			if (a->match[j] > b->disk_last ||
			    ((a->log ^ b->disk) & log_mask(a->match[j])) != 0)
				return "E9: a peer has not what its leader "
				       "believes";
		}
	}
	return NULL;
}

const char *oracle_judge(const struct model *m, const uint32_t *sites,
			 uint32_t slot, struct ledger *ledger)
{
	struct view v = {.count = m->bounds.nodes,
			 .quorum = m->bounds.nodes / 2 + 1};
	const char *broken;
	uint32_t i;

	for (i = 0; i < v.count; i++) {
		const struct site *s = site_at(m, sites[i]);

		v.node[i] = node_sight(m, s->node);
		v.mail[i] = inbox_mail(m, s->inbox);
	}
	broken = note_commit(v.node[slot], ledger);
	if (broken == NULL)
		broken = judge_votes(&v);
	if (broken == NULL)
		broken = judge_logs(&v, slot);
	if (broken == NULL && ledger->count > 0)
		broken = judge_committed(&v, ledger);
	if (broken == NULL)
		broken = judge_match(&v);
	return broken;
}
