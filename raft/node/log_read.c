/* SPDX-License-Identifier: Apache-2.0 */
/* Segment files are refcounted: a reader keeps the one it reads from open
 * while the mutex is free. What it read counts only if the entry is still at
 * that place afterwards; then it was there all along, because no place is
 * used twice in the life of a segment. */
#include "base/mem.h"
#include "raft/node/log_core.h"

static bool holds(const struct log *log, raft_index index)
{
	return index > log->base.index && index <= log_last(log);
}

static int read_place(struct log *log, const struct segment *s,
		      const struct place *place, raft_index index,
		      struct entry **entry)
{
	uint8_t *bytes = mem_alloc(place->size);
	struct record_entry e;
	int rc = log->disk->ops->read(s->file, place->at, bytes, place->size);

	if (rc == 0) {
		rc = record_entry_decode(bytes_of(bytes, place->size),
					 log->seed, index, &e);
	}
	if (rc == 0 && e.term != place->term) {
		rc = STATUS_CORRUPT;
	}
	if (rc == 0) {
		*entry = entry_new(e.kind, e.data.data, e.data.size);
		(*entry)->index = index;
		(*entry)->term = e.term;
		(*entry)->time_ns = e.time_ns;
	}
	mem_free(bytes);
	return rc == STATUS_SHORT ? STATUS_CORRUPT : rc;
}

/* Find where index is, and hold its segment. */
static bool place_hold(struct log *log, raft_index index, struct place *place,
		       struct segment **segment)
{
	bool found;

	pthread_mutex_lock(&log->mutex);
	found = holds(log, index);
	if (found) {
		*place = *log_place(log, index);
		*segment = log->segments[place->segment -
					 log->segments[0]->number];
		(*segment)->references++;
	}
	pthread_mutex_unlock(&log->mutex);
	return found;
}

/* Let go, and say whether index is still there. */
static bool place_release(struct log *log, raft_index index,
			  const struct place *place, struct segment *segment)
{
	const struct place *now;
	struct segment *unused;
	bool stayed = false;

	pthread_mutex_lock(&log->mutex);
	if (holds(log, index)) {
		now = log_place(log, index);
		stayed = now->segment == place->segment && now->at == place->at;
	}
	unused = log_segment_unref(segment);
	pthread_mutex_unlock(&log->mutex);
	log_segment_close(log, unused);
	return stayed;
}

int log_read(struct log *log, raft_index index, struct entry **entry)
{
	struct segment *segment;
	struct place place;

	/* Each further turn means that the saver replaced it meanwhile. */
	while (place_hold(log, index, &place, &segment)) {
		struct entry *e = NULL;
		int rc = read_place(log, segment, &place, index, &e);

		if (place_release(log, index, &place, segment)) {
			*entry = e;
			return rc;
		}
		entry_unref(e);
	}
	return STATUS_NOT_FOUND;
}

raft_index log_find(const struct log *log, enum entry_kind kind,
		    raft_index below)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&log->mutex;
	raft_index found = 0;
	size_t i;

	pthread_mutex_lock(mutex);
	i = log->count;
	if (below <= log->base.index) {
		i = 0;
	} else if (below - log->base.index - 1 < i) {
		i = (size_t)(below - log->base.index - 1);
	}
	for (; i > 0 && found == 0; i--) {
		if (log->places[i - 1].kind == (uint32_t)kind) {
			found = log->base.index + i;
		}
	}
	pthread_mutex_unlock(mutex);
	return found;
}
