/* SPDX-License-Identifier: Apache-2.0 */
/* save.c - the one ordered stream of saves, and what of it is durable.
 *
 * A save is made durable as a whole and in order. Completions carry the
 * number, never a log position: a position may have been truncated and filled
 * again since (row 22). When more saves are unfinished than can be told
 * apart, the newest two count as one: durable later, never earlier. */
#include "raft/state.h"

void save_init(struct raft *r)
{
	r->saves.index = runs_last(&r->runs);
}

static raft_seq stage(struct raft *r)
{
	if (!r->stage.used) {
		r->stage.used = true;
		r->stage.keep = runs_last(&r->runs);
		r->stage.source = RAFT_FROM_NOTHING;
		r->stage.act = r->out->count;
		act_add(r, RAFT_DO_SAVE, 0);
	}
	return r->saves.newest + 1;
}

raft_seq save_hard(struct raft *r)
{
	raft_seq seq = stage(r);

	r->saves.hard = seq;
	return seq;
}

raft_seq save_entries(struct raft *r, raft_index keep, enum raft_source source)
{
	raft_seq seq = stage(r);

	CHECK(r->stage.source == RAFT_FROM_NOTHING); /* one event, one source */
	r->stage.keep = keep;
	r->stage.source = source;
	return seq;
}

void save_truncate(struct raft *r, raft_index keep)
{
	struct saves *s = &r->saves;
	uint32_t i;

	CHECK(keep >= r->commit);
	if (s->index > keep)
		s->index = keep;
	for (i = 0; i < s->count; i++) {
		struct save *save = &s->ring[(s->head + i) % SAVES_MAX];

		if (save->last > keep)
			save->last = keep;
	}
}

void save_seal(struct raft *r)
{
	struct saves *s = &r->saves;
	struct raft_act *act;
	struct save *save;

	if (!r->stage.used)
		return;
	r->stage.used = false;
	s->newest++;

	act = &r->out->acts[r->stage.act];
	act->save.seq = s->newest;
	act->save.hard = r->hard;
	act->save.keep = r->stage.keep;
	act->save.last = runs_last(&r->runs);
	act->save.commit = r->commit;
	act->save.source = r->stage.source;

	if (s->count == SAVES_MAX) {
		save = &s->ring[(s->head + s->count - 1) % SAVES_MAX];
	} else {
		save = &s->ring[(s->head + s->count++) % SAVES_MAX];
		save->since = r->now;
	}
	save->seq = s->newest;
	save->last = runs_last(&r->runs);
}

void save_done(struct raft *r, raft_seq seq)
{
	struct saves *s = &r->saves;

	CHECK(seq <= s->newest);
	if (seq <= s->durable)
		return;
	s->durable = seq;
	while (s->count > 0 && s->ring[s->head].seq <= seq) {
		s->index = s->ring[s->head].last;
		s->head = (s->head + 1) % SAVES_MAX;
		s->count--;
	}
}

raft_seq save_covering(const struct raft *r, raft_index index)
{
	const struct saves *s = &r->saves;
	uint32_t i;

	if (index <= s->index)
		return 0;
	for (i = 0; i < s->count; i++) {
		const struct save *save = &s->ring[(s->head + i) % SAVES_MAX];

		if (save->last >= index)
			return save->seq;
	}
	CHECK(r->stage.used && index <= runs_last(&r->runs));
	return s->newest + 1;
}

raft_seq save_of_hard(const struct raft *r)
{
	return r->saves.hard > r->saves.durable ? r->saves.hard : 0;
}

raft_seq save_of_all(const struct raft *r)
{
	const struct saves *s = &r->saves;

	if (r->stage.used)
		return s->newest + 1;
	return s->newest > s->durable ? s->newest : 0;
}

void save_reset(struct raft *r)
{
	CHECK(save_of_all(r) == 0); /* it waited for them */
	r->saves.index = runs_last(&r->runs);
}

raft_ms save_overdue_at(const struct raft *r)
{
	const struct saves *s = &r->saves;

	return s->count ? s->ring[s->head].since + r->config.disk_stall_ms
			: RAFT_NEVER;
}

bool save_stalled(const struct raft *r)
{
	return r->now >= save_overdue_at(r);
}
