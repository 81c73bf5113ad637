/* SPDX-License-Identifier: Apache-2.0 */
/* A save: encode, object (L4), write, sync, and only then take it into the
 * state that readers see. Recovery (log_open.c) takes the same last step for
 * each record it finds, so both arrive at the same state. */
#include "raft/node/log.h"

#include <string.h>

#include "base/mem.h"
#include "raft/node/log_core.h"

enum { PLACES_FIRST = 1024, SCRATCH_KEPT_BYTES = 1 << 20 };

int log_trouble(struct log *log, int rc, const char *name, const char *what)
{
	const char *why = disk_status_text(rc);

	buffer_reset(&log->problem);
	buffer_printf(&log->problem, "%s: %s: %s", name, what, why);
	return rc;
}

const char *log_problem(struct log *log)
{
	return buffer_text(&log->problem);
}

size_t log_record_bytes_max(const struct log *log)
{
	size_t room = log->segment_bytes - SEGMENT_HEADER_BYTES -
		      2 * SEGMENT_SECTOR_BYTES;

	return room < LOG_RECORD_BYTES_MAX ? room : LOG_RECORD_BYTES_MAX;
}

/* --- The state; the mutex is held ------------------------------------------
 */

raft_index log_last(const struct log *log)
{
	return log->base.index + log->count;
}

const struct place *log_place(const struct log *log, raft_index index)
{
	CHECK(index > log->base.index && index <= log_last(log));
	return &log->places[index - log->base.index - 1];
}

static raft_term term_of(const struct log *log, raft_index index)
{
	return index == log->base.index ? log->base.term
					: log_place(log, index)->term;
}

static const char *entries_objection(const struct record *r)
{
	struct bytes rest = r->entries;
	raft_term term = r->keep.term;

	for (uint32_t i = 0; i < r->count; i++) {
		struct record_entry e;

		record_next(&rest, &e);
		if (e.term < term) {
			return "terms fall along the log";
		}
		term = e.term;
	}
	return term > r->hard.term ? "an entry's term is above the node's"
				   : NULL;
}

static const char *objection(const struct log *log, const struct record *r,
			     bool recovering)
{
	raft_index keep = r->keep.index;

	if (r->hard.term < log->hard.term) {
		return "the term falls";
	}
	if (r->hard.term == log->hard.term && log->hard.vote != 0 &&
	    r->hard.vote != log->hard.vote) {
		return "the vote changes within a term";
	}
	if (keep > log_last(log)) {
		return "entries are missing before it";
	}
	if (keep < log->commit) {
		return "committed entries are discarded";
	}
	if (keep < log->base.index && !recovering) {
		return "entries before the log's first are discarded";
	}
	if (keep >= log->base.index && term_of(log, keep) != r->keep.term) {
		return "the term before its entries differs";
	}
	if (r->commit > keep + r->count) {
		return "the commit index is above the last entry";
	}
	return entries_objection(r);
}

const char *log_objection(struct log *log, const struct record *r,
			  bool recovering)
{
	const char *text;

	pthread_mutex_lock(&log->mutex);
	text = objection(log, r, recovering);
	pthread_mutex_unlock(&log->mutex);
	return text;
}

static void places_reserve(struct log *log, size_t more)
{
	size_t need = log->count + more;
	size_t capacity = log->capacity > 0 ? log->capacity : PLACES_FIRST;

	if (need > log->capacity) {
		while (capacity < need) {
			capacity *= 2;
		}
		log->places = mem_realloc(log->places,
					  capacity * sizeof *log->places);
		log->capacity = capacity;
	}
}

void log_take(struct log *log, const struct record *r)
{
	struct bytes rest = r->entries;
	uint32_t at = log->end + RECORD_HEADER_BYTES;

	pthread_mutex_lock(&log->mutex);
	if (r->keep.index < log->base.index) {
		log->base = r->keep;
		log->count = 0;
	}
	log->count = (size_t)(r->keep.index - log->base.index);
	places_reserve(log, r->count);
	for (uint32_t i = 0; i < r->count; i++) {
		struct segment *s = log->segments[log->segment_count - 1];
		struct record_entry e;
		uint32_t size;

		record_next(&rest, &e);
		size = RECORD_ENTRY_BYTES + (uint32_t)e.data.size;
		log->places[log->count++] = (struct place){
			.term = e.term,
			.segment = (uint32_t)s->number,
			.at = at,
			.size = size,
			.kind = (uint32_t)e.kind,
		};
		at += size;
	}
	log->hard = r->hard;
	if (r->commit > log->commit) {
		log->commit = r->commit;
	}
	pthread_mutex_unlock(&log->mutex);
	log->record++;
	log->chain = r->chain;
	log->end += r->size;
}

void log_add_segment(struct log *log, uint64_t number, uint32_t bytes,
		     struct disk_file *file)
{
	struct segment *s = mem_alloc(sizeof *s);

	*s = (struct segment){.number = number,
			      .bytes = bytes,
			      .references = 1,
			      .file = file};
	pthread_mutex_lock(&log->mutex);
	log->segments = mem_realloc(log->segments,
				    (log->segment_count + 1) * sizeof(s));
	log->segments[log->segment_count++] = s;
	pthread_mutex_unlock(&log->mutex);
}

struct segment *log_segment_unref(struct segment *s)
{
	return --s->references == 0 ? s : NULL;
}

void log_segment_close(struct log *log, struct segment *s)
{
	if (s != NULL) {
		log->disk->ops->close(s->file);
		mem_free(s);
	}
}

/* --- How it stands ---------------------------------------------------------
 */

void log_state(const struct log *log, struct log_state *state)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&log->mutex;

	pthread_mutex_lock(mutex);
	*state = (struct log_state){
		.hard = log->hard,
		.commit = log->commit,
		.base = log->base,
		.last = log_last(log),
		.segments = (uint32_t)log->segment_count,
	};
	for (size_t i = 0; i < log->segment_count; i++) {
		state->bytes += log->segments[i]->bytes;
	}
	pthread_mutex_unlock(mutex);
}

raft_term log_term(const struct log *log, raft_index index)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&log->mutex;
	raft_term term = 0;

	pthread_mutex_lock(mutex);
	if (index >= log->base.index && index <= log_last(log)) {
		term = term_of(log, index);
	}
	pthread_mutex_unlock(mutex);
	return term;
}

void log_runs(const struct log *log, size_t sizes_max, struct raft_run **runs,
	      size_t *run_count, uint32_t **sizes, size_t *size_count)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&log->mutex;
	size_t count = 0;

	pthread_mutex_lock(mutex);
	for (size_t i = 0; i < log->count; i++) {
		count += i == 0 ||
			 log->places[i].term != log->places[i - 1].term;
	}
	*runs = mem_alloc((count + 1) * sizeof **runs);
	*run_count = count;
	count = 0;
	for (size_t i = 0; i < log->count; i++) {
		count += i == 0 ||
			 log->places[i].term != log->places[i - 1].term;
		(*runs)[count - 1] = (struct raft_run){
			.term = log->places[i].term,
			.last = log->base.index + i + 1,
		};
	}
	*size_count = log->count < sizes_max ? log->count : sizes_max;
	*sizes = mem_alloc((*size_count + 1) * sizeof **sizes);
	for (size_t i = 0; i < *size_count; i++) {
		(*sizes)[i] = log->places[log->count - *size_count + i].size -
			      RECORD_ENTRY_BYTES;
	}
	pthread_mutex_unlock(mutex);
}

/* --- Saving ----------------------------------------------------------------
 */

static struct record_place next_place(struct log *log)
{
	struct record_place place = {
		.seed = log->seed,
		.number = log->record,
		.chain = log->chain,
	};

	pthread_mutex_lock(&log->mutex);
	place.segment = log->segments[log->segment_count - 1]->number;
	pthread_mutex_unlock(&log->mutex);
	return place;
}

/* Only the saver's thread adds segments, so the last one stays. */
static struct segment *last_segment(struct log *log)
{
	return log->segments[log->segment_count - 1];
}

/* Encode into scratch and look at the result as recovery will. */
static void encode(struct log *log, const struct log_record *record,
		   struct record *r)
{
	size_t size = record_size(record);
	struct record_place place = next_place(log);
	struct raft_pos keep = {.index = record->keep};
	raft_index commit;
	const char *reason;

	pthread_mutex_lock(&log->mutex);
	CHECK(keep.index >= log->base.index && keep.index <= log_last(log));
	keep.term = term_of(log, keep.index);
	commit = record->commit > log->commit ? record->commit : log->commit;
	pthread_mutex_unlock(&log->mutex);

	buffer_reset(&log->scratch);
	record_encode(&place, record, keep, commit,
		      buffer_reserve(&log->scratch, size));
	buffer_grow(&log->scratch, size);

	CHECK(record_decode(buffer_bytes(&log->scratch), 0, &place, r,
			    &reason) == RECORD_VALID);
	CHECK(log_objection(log, r, false) == NULL);
}

static int write_record(struct log *log, const struct record *r)
{
	const struct segment *s = last_segment(log);
	char name[SEGMENT_NAME_BYTES];
	int rc;

	segment_name(s->number, name);
	rc = log->disk->ops->write(s->file, log->end, log->scratch.data,
				   r->size);
	if (rc != 0) {
		return log_trouble(log, rc, name, "write");
	}
	rc = log->disk->ops->sync(s->file);
	return rc == 0 ? 0 : log_trouble(log, rc, name, "sync");
}

int log_save(struct log *log, const struct log_record *record)
{
	struct record r;
	size_t size = record_size(record);
	int rc = 0;

	if (log->is_poisoned) {
		return STATUS_IO;
	}
	CHECK(size <= log->segment_bytes - SEGMENT_HEADER_BYTES);
	if (size > last_segment(log)->bytes - log->end) {
		rc = log_advance(log);
	}
	if (rc == STATUS_NO_SPACE) {
		return rc;
	}
	if (rc == 0) {
		encode(log, record, &r);
		rc = write_record(log, &r);
	}
	if (rc != 0) {
		log->is_poisoned = true;
		return rc == STATUS_NO_SPACE ? STATUS_IO : rc;
	}
	log_take(log, &r);
	if (log->scratch.capacity > SCRATCH_KEPT_BYTES) {
		buffer_deinit(&log->scratch);
	}
	return 0;
}

void log_close(struct log *log)
{
	if (log == NULL) {
		return;
	}
	for (size_t i = 0; i < log->segment_count; i++) {
		CHECK(log->segments[i]->references == 1);
		log_segment_close(log, log_segment_unref(log->segments[i]));
	}
	pthread_mutex_destroy(&log->mutex);
	pthread_cond_destroy(&log->spare_settled);
	mem_free(log->segments);
	mem_free(log->places);
	buffer_deinit(&log->scratch);
	buffer_deinit(&log->problem);
	mem_free(log);
}
