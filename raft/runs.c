/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/runs.h"

#include <string.h>

void runs_init(struct runs *t, struct raft_pos base)
{
	t->base = base;
	t->count = 0;
}

raft_index runs_last(const struct runs *t)
{
	return t->count ? t->run[t->count - 1].last : t->base.index;
}

struct raft_pos runs_last_pos(const struct runs *t)
{
	const struct raft_run *run;

	if (t->count == 0)
		return t->base;
	run = &t->run[t->count - 1];
	return (struct raft_pos){.term = run->term, .index = run->last};
}

/* The run that holds index, which is in (base, last]. */
static uint32_t find(const struct runs *t, raft_index index)
{
	uint32_t low = 0, high = t->count - 1;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->run[middle].last < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

raft_term runs_term(const struct runs *t, raft_index index)
{
	if (index == t->base.index)
		return t->base.term;
	if (index < t->base.index || index > runs_last(t))
		return 0;
	return t->run[find(t, index)].term;
}

raft_index runs_agree(const struct runs *t, raft_index index, raft_term term)
{
	uint32_t i;

	if (index > runs_last(t))
		index = runs_last(t);
	if (index <= t->base.index)
		return t->base.index;

	i = find(t, index);
	if (t->run[i].term <= term)
		return index;
	while (i > 0 && t->run[i].term > term)
		i--;
	return t->run[i].term <= term ? t->run[i].last : t->base.index;
}

bool runs_room(const struct runs *t, raft_term term)
{
	return t->count < RUNS_MAX || t->run[t->count - 1].term == term;
}

bool runs_append(struct runs *t, raft_term term, raft_index last)
{
	CHECK(last > runs_last(t));			  /* T1 */
	CHECK(term > 0 && term >= runs_last_pos(t).term); /* T2 */

	if (!runs_room(t, term))
		return false;
	if (t->count == 0 || t->run[t->count - 1].term != term)
		t->run[t->count++].term = term;
	t->run[t->count - 1].last = last;
	return true;
}

void runs_truncate(struct runs *t, raft_index keep)
{
	CHECK(keep >= t->base.index);

	if (keep >= runs_last(t))
		return;
	if (keep == t->base.index) {
		t->count = 0;
		return;
	}
	t->count = find(t, keep) + 1;
	t->run[t->count - 1].last = keep;
}

void runs_compact(struct runs *t, raft_index index)
{
	uint32_t gone;

	CHECK(index >= t->base.index && index <= runs_last(t));

	if (index == t->base.index)
		return;
	gone = find(t, index);
	t->base.index = index;
	t->base.term = t->run[gone].term;
	if (t->run[gone].last == index)
		gone++;
	t->count -= gone;
	memmove(t->run, t->run + gone, t->count * sizeof(t->run[0]));
}

void runs_check(const struct runs *t)
{
	struct raft_pos last = t->base;
	uint32_t i;

	CHECK(t->count <= RUNS_MAX);
	CHECK((t->base.index == 0) == (t->base.term == 0));
	for (i = 0; i < t->count; i++) {
		CHECK(t->run[i].last > last.index); /* T1 */
		CHECK(t->run[i].term > last.term ||
		      (i == 0 && t->run[i].term == last.term)); /* T2 */
		last.index = t->run[i].last;
		last.term = t->run[i].term;
	}
}
