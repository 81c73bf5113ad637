/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting the log off at its beginning, a segment at a time. Readers see the
 * new base before a file goes. */
#include <string.h>

#include "base/mem.h"
#include "raft/node/log_core.h"

/* How many of the entries are in segments up to this one; the mutex is held.
 */
static size_t count_up_to(const struct log *log, const struct segment *s)
{
	size_t low = 0;
	size_t high = log->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (log->places[middle].segment <= s->number) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

/* Forget the oldest segment if nothing above index is in it; return its
 * number, or 0. Readers see the new base before the file goes. */
static uint64_t forget_oldest(struct log *log, raft_index index)
{
	struct segment *unused = NULL;
	uint64_t number = 0;
	size_t gone;

	pthread_mutex_lock(&log->mutex);
	gone = count_up_to(log, log->segments[0]);
	if (log->segment_count > 1 && log->base.index + gone <= index) {
		number = log->segments[0]->number;
		if (gone > 0) {
			log->base.term = log->places[gone - 1].term;
			log->base.index += gone;
			log->count -= gone;
			memmove(log->places, log->places + gone,
				log->count * sizeof *log->places);
		}
		if (log->commit < log->base.index) {
			log->commit = log->base.index;
		}
		unused = log_segment_unref(log->segments[0]);
		log->segment_count--;
		memmove(log->segments, log->segments + 1,
			log->segment_count * sizeof(log->segments[0]));
	}
	pthread_mutex_unlock(&log->mutex);
	log_segment_close(log, unused);
	return number;
}

int log_cut(struct log *log, raft_index index)
{
	uint64_t number;

	if (log->is_poisoned) {
		return STATUS_IO;
	}
	while ((number = forget_oldest(log, index)) != 0) {
		int rc = log_retire(log, number);

		if (rc != 0) {
			log->is_poisoned = true;
			return rc;
		}
	}
	return 0;
}

raft_index log_excess(const struct log *log, uint64_t bytes)
{
	pthread_mutex_t *mutex = (pthread_mutex_t *)&log->mutex;
	raft_index index = 0;
	uint64_t size = 0;
	size_t first;

	pthread_mutex_lock(mutex);
	first = log->segment_count - 1;
	size = log->segments[first]->bytes;
	while (first > 0 && size + log->segments[first - 1]->bytes <= bytes) {
		first--;
		size += log->segments[first]->bytes;
	}
	if (first > 0) {
		index = log->base.index +
			count_up_to(log, log->segments[first - 1]);
	}
	pthread_mutex_unlock(mutex);
	return index;
}
