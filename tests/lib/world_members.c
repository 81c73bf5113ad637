/* SPDX-License-Identifier: Apache-2.0 */
/* world_members.c - configurations as the logs have them, found without any
 * help of the cores. */
#include "tests/lib/world_core.h"

#include <string.h>

uint32_t world_change_new(struct world *w, const struct raft_members *members)
{
	CHECK(w->change_count + 1 < WORLD_CHANGES);
	w->changes[++w->change_count] = *members;
	return w->change_count;
}

struct raft_change world_change_at(const struct world *w,
				   const struct world_log *log,
				   raft_index index)
{
	struct raft_change change = log->base_change;
	raft_index i;

	for (i = index; i > log->base.index; i--) {
		if (log->entry[i].change == 0)
			continue;
		change.index = i;
		change.members = w->changes[log->entry[i].change];
		break;
	}
	return change;
}

void world_boot_members(const struct world *w, const struct world_log *log,
			struct raft_boot *boot)
{
	struct raft_change newest = world_change_at(w, log, log->last);

	boot->members = newest.members;
	boot->members_index = newest.index;
	if (newest.index > log->base.index)
		boot->before = world_change_at(w, log, newest.index - 1);
}

void world_members_moved(struct world *w, struct world_node *n, raft_index keep)
{
	raft_index i;

	if (n->change > keep)
		n->change = world_change_at(w, &n->log, keep).index;
	for (i = keep + 1; i <= n->log.last; i++) {
		if (n->log.entry[i].change != 0)
			n->change = i;
	}
}

static bool is_same_list(const raft_id *a, const raft_id *b, uint32_t count)
{
	return memcmp(a, b, count * sizeof(*a)) == 0;
}

static bool is_same(const struct raft_members *a, const struct raft_members *b)
{
	return a->voter_count == b->voter_count &&
	       a->outgoing_count == b->outgoing_count &&
	       a->learner_count == b->learner_count &&
	       is_same_list(a->voters, b->voters, a->voter_count) &&
	       is_same_list(a->outgoing, b->outgoing, a->outgoing_count) &&
	       is_same_list(a->learners, b->learners, a->learner_count);
}

void world_check_members(const struct world *w, const struct world_node *n,
			 const struct raft_status *s)
{
	const struct raft_members *want = &n->log.base_change.members;

	if (n->change > n->log.base.index)
		want = &w->changes[n->log.entry[n->change].change];
	CHECK(s->members_index == n->change);			 /* W8 */
	CHECK(is_same(raft_members(n->core), want));		 /* W8 */
	CHECK(s->members_committed == (n->change <= s->commit)); /* W8 */
	CHECK(s->joint == (want->outgoing_count > 0));		 /* W8 */
}

static void check_half(const struct world *w, const struct world_node *n,
		       const raft_id *voters, uint32_t count, raft_index commit)
{
	const struct world_entry *e = &n->log.entry[commit];
	uint32_t i, have = 0;

	for (i = 0; i < count; i++) {
		const struct world_node *v = &w->node[voters[i]];
		const struct world_log *d = &v->disk;

		have += v->lost != 0 || (d->last >= commit &&
					 world_is_same(&d->entry[commit], e));
	}
	CHECK(have > count / 2); /* W9 */
}

void world_check_quorum(const struct world *w, const struct world_node *n,
			raft_index commit)
{
	struct raft_change change = world_change_at(w, &n->log, n->log.last);
	const struct raft_members *m = &change.members;

	check_half(w, n, m->voters, m->voter_count, commit);
	if (m->outgoing_count > 0)
		check_half(w, n, m->outgoing, m->outgoing_count, commit);
}
