/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/trail.h"

#include <string.h>

#include "base/mem.h"

void trail_reset(struct trail *t)
{
	for (size_t i = 0; i < t->save_count; i++) {
		mem_free(t->saves[i].terms);
	}
	mem_free(t->saves);
	mem_free(t->terms);
	*t = (struct trail){0};
}

static raft_term term_at(const struct trail *t, raft_index index)
{
	return index <= t->last && index < t->capacity ? t->terms[index] : 0;
}

bool trail_has(const struct trail *t, raft_index index, raft_term term)
{
	return index <= t->base || term_at(t, index) == term;
}

static void make_room(struct trail *t, raft_index last)
{
	size_t capacity = t->capacity;

	if (last < capacity) {
		return;
	}
	while (capacity <= last) {
		capacity = 2 * capacity + 256;
	}
	t->terms = mem_realloc(t->terms, capacity * sizeof *t->terms);
	memset(t->terms + t->capacity, 0,
	       (capacity - t->capacity) * sizeof *t->terms);
	t->capacity = capacity;
}

void trail_save(struct trail *t, const struct raft *core,
		const struct raft_act *act)
{
	struct trail_save *s;
	size_t count = act->save.last - act->save.keep;

	if (t->save_count == t->save_capacity) {
		t->save_capacity = 2 * t->save_capacity + 16;
		t->saves = mem_realloc(t->saves,
				       t->save_capacity * sizeof *t->saves);
	}
	s = &t->saves[t->save_count++];
	*s = (struct trail_save){
		.seq = act->save.seq,
		.hard = act->save.hard,
		.keep = act->save.keep,
		.last = act->save.last,
		.commit = act->save.commit,
		.terms = mem_alloc((count + 1) * sizeof *s->terms)};
	for (size_t i = 0; i < count; i++) {
		s->terms[i] = raft_term_at(core, s->keep + 1 + i);
	}
}

/* The oldest save under way is on disk. */
static void settle(struct trail *t)
{
	struct trail_save s = t->saves[0];

	make_room(t, s.last);
	for (raft_index i = s.keep + 1; i <= s.last; i++) {
		t->terms[i] = s.terms[i - s.keep - 1];
	}
	t->last = s.last;
	t->hard = s.hard;
	t->commit = s.commit > t->commit ? s.commit : t->commit;
	mem_free(s.terms);
	memmove(t->saves, t->saves + 1, --t->save_count * sizeof *t->saves);
}

void trail_saved(struct trail *t, raft_seq seq)
{
	while (t->save_count > 0 && t->saves[0].seq <= seq) {
		settle(t);
	}
}

/* --- Snapshots --------------------------------------------------------------
 */

void trail_load(struct trail *t, const struct raft_act *act)
{
	t->loading = act->load_snap.pos;
}

/* The log is empty after the snapshot. */
static void replace(struct trail *t)
{
	make_room(t, t->loading.index);
	t->terms[t->loading.index] = t->loading.term;
	t->base = t->last = t->loading.index;
	if (t->commit < t->base) {
		t->commit = t->base;
	}
	t->loading = (struct raft_pos){0};
}

void trail_loaded(struct trail *t)
{
	while (t->save_count > 0) {
		settle(t);
	}
	replace(t);
}

/* --- Boot ------------------------------------------------------------------
 */

static raft_index boot_last(const struct raft_boot *boot)
{
	return boot->run_count > 0 ? boot->runs[boot->run_count - 1].last
				   : boot->base.index;
}

static bool is_found(const struct trail *t, const struct raft_boot *boot)
{
	raft_index i = boot->base.index;

	if (t->hard.term != boot->hard.term ||
	    t->hard.vote != boot->hard.vote || t->last != boot_last(boot) ||
	    t->commit > boot->commit ||
	    (i > 0 && term_at(t, i) != boot->base.term)) {
		return false;
	}
	for (size_t r = 0; r < boot->run_count; r++) {
		while (i < boot->runs[r].last) {
			if (term_at(t, ++i) != boot->runs[r].term) {
				return false;
			}
		}
	}
	return true;
}

static void take_over(struct trail *t, const struct raft_boot *boot)
{
	raft_index i = boot->base.index;

	make_room(t, boot_last(boot));
	t->terms[i] = boot->base.term;
	for (size_t r = 0; r < boot->run_count; r++) {
		while (i < boot->runs[r].last) {
			t->terms[++i] = boot->runs[r].term;
		}
	}
	t->hard = boot->hard;
	t->base = boot->base.index;
	t->last = boot_last(boot);
	if (t->commit > boot->commit) {
		t->commit = boot->commit;
	}
}

const char *trail_boot(struct trail *t, raft_id id,
		       const struct raft_boot *boot, bool trust)
{
	bool found = true;

	if (t->id != id) {
		trail_reset(t);
		t->id = id;
	} else if (!trust) {
		found = is_found(t, boot);
		while (!found && t->save_count > 0) {
			settle(t);
			found = is_found(t, boot);
		}
		if (!found && t->loading.index != 0) {
			replace(t);
			found = is_found(t, boot);
		}
	}
	t->loading = (struct raft_pos){0};
	while (t->save_count > 0) {
		mem_free(t->saves[--t->save_count].terms);
	}
	take_over(t, boot);
	return found ? NULL : "what was durable is not what the boot found";
}
