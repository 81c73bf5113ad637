/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/logkit.h"

#include <string.h>

#include "base/mem.h"

uint64_t logkit_draw(uint64_t *seed, uint64_t bound)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % bound;
}

void logkit_init(struct logkit *k)
{
	*k = (struct logkit){.disk = faultdisk_new()};
}

void logkit_deinit(struct logkit *k)
{
	logkit_close(k);
	buffer_deinit(&k->problem);
	faultdisk_free(k->disk);
}

int logkit_open(struct logkit *k)
{
	struct log_config config = {
		.disk = faultdisk_disk(k->disk),
		.segment_bytes = LOGKIT_SEGMENT_BYTES,
		.seed = 0x5eed,
	};

	CHECK(k->log == NULL);
	buffer_reset(&k->problem);
	return log_open(&config, &k->log, &k->problem);
}

void logkit_close(struct logkit *k)
{
	log_close(k->log);
	k->log = NULL;
}

const char *logkit_problem(struct logkit *k)
{
	return buffer_text(&k->problem);
}

void logkit_apply(struct logkit_model *m, const struct logkit_save *s)
{
	CHECK(s->keep + s->count < LOGKIT_INDEX_MAX);
	m->hard = s->hard;
	m->last = s->keep;
	for (size_t i = 0; i < s->count; i++) {
		m->entries[++m->last] = (struct logkit_entry){
			.term = s->term,
			.salt = ++m->salt,
			.size = s->sizes[i],
		};
	}
	if (s->commit > m->commit) {
		m->commit = s->commit;
	}
}

void logkit_reset(struct logkit_model *m, struct raft_pos pos)
{
	CHECK(pos.index >= m->commit && pos.index < LOGKIT_INDEX_MAX);
	m->base = m->last = m->commit = pos.index;
	m->entries[pos.index] = (struct logkit_entry){.term = pos.term};
}

struct entry *logkit_entry(const struct logkit_model *m, raft_index index)
{
	const struct logkit_entry *from = &m->entries[index];
	struct entry *e = entry_new(ENTRY_COMMAND, NULL, from->size);
	uint64_t seed = from->salt;

	for (uint32_t i = 0; i < from->size; i++) {
		e->data[i] = from->salt % 3 == 0
				     ? 0
				     : (uint8_t)logkit_draw(&seed, 256);
	}
	e->index = index;
	e->term = from->term;
	e->time_ns = from->salt;
	return e;
}

int logkit_write(struct logkit *k, const struct logkit_save *s,
		 const struct logkit_model *m)
{
	struct entry *entries[LOGKIT_SAVE_MAX];
	struct log_record record = {
		.hard = s->hard,
		.commit = s->commit,
		.keep = s->keep,
		.entries = entries,
		.count = s->count,
	};
	int rc;

	for (size_t i = 0; i < s->count; i++) {
		entries[i] = logkit_entry(m, s->keep + i + 1);
	}
	rc = log_save(k->log, &record);
	for (size_t i = 0; i < s->count; i++) {
		entry_unref(entries[i]);
	}
	return rc;
}

void logkit_append(struct logkit *k, struct logkit_model *m, raft_term term,
		   raft_index keep, size_t count, uint32_t size)
{
	struct logkit_save s = {
		.hard = {.term = term,
			 .vote = term == m->hard.term ? m->hard.vote : 0},
		.keep = keep,
		.commit = m->commit,
		.count = count,
		.term = term,
	};

	for (size_t i = 0; i < count; i++) {
		s.sizes[i] = size;
	}
	logkit_apply(m, &s);
	CHECK(logkit_write(k, &s, m) == 0);
}

static bool is_entry(struct log *log, const struct logkit_model *m,
		     raft_index index)
{
	struct entry *wanted = logkit_entry(m, index);
	struct entry *got = NULL;
	bool equal = false;

	if (log_read(log, index, &got) == 0) {
		equal = got->index == index && got->term == wanted->term &&
			got->time_ns == wanted->time_ns &&
			got->kind == wanted->kind &&
			bytes_equal(entry_bytes(got), entry_bytes(wanted));
	}
	entry_unref(got);
	entry_unref(wanted);
	return equal;
}

const char *logkit_differs(struct log *log, const struct logkit_model *m,
			   raft_index base_max)
{
	struct log_state state;
	struct entry *none;

	log_state(log, &state);
	if (state.hard.term != m->hard.term ||
	    state.hard.vote != m->hard.vote) {
		return "term or vote";
	}
	if (state.last != m->last) {
		return "last index";
	}
	if (state.base.index < m->base ||
	    (state.base.index > m->base && state.base.index > base_max)) {
		return "base";
	}
	if (state.base.term != m->entries[state.base.index].term) {
		return "term of the base";
	}
	if (state.commit !=
	    (m->commit > state.base.index ? m->commit : state.base.index)) {
		return "commit index";
	}
	for (raft_index i = state.base.index + 1; i <= m->last; i++) {
		if (!is_entry(log, m, i)) {
			return "an entry";
		}
	}
	if (log_read(log, state.base.index, &none) != STATUS_NOT_FOUND ||
	    log_read(log, m->last + 1, &none) != STATUS_NOT_FOUND) {
		return "an entry that is not held";
	}
	return NULL;
}
