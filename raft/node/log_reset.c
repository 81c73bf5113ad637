/* SPDX-License-Identifier: Apache-2.0 */
/* A reset is one rename: the next segment, whose header says that the log
 * begins with it, gets its name. Before that nothing has changed; after it the
 * segments before are rubbish, which recovery (log_open.c) removes if this does
 * not come to it. Readers see the new state before the first file goes. */
#include "base/mem.h"
#include "raft/node/log_core.h"

static const char *objection(struct log *log, struct raft_pos pos)
{
	const char *text = NULL;

	pthread_mutex_lock(&log->mutex);
	if (pos.index < log->commit) {
		text = "it would discard committed entries";
	} else if (pos.term > log->hard.term) {
		text = "its term is above the node's";
	}
	pthread_mutex_unlock(&log->mutex);
	return text;
}

/* Take the new base; the segments before the last one are returned. */
static struct segment **forget_all(struct log *log, struct raft_pos pos,
				   size_t *count)
{
	struct segment **old = log->segments;

	pthread_mutex_lock(&log->mutex);
	*count = log->segment_count - 1;
	log->segments = mem_copy(&old[*count], sizeof(struct segment *));
	log->segment_count = 1;
	log->base = pos;
	log->count = 0;
	log->commit = pos.index;
	pthread_mutex_unlock(&log->mutex);
	return old;
}

static int retire(struct log *log, struct segment *s)
{
	uint64_t number = s->number;
	struct segment *unused;

	pthread_mutex_lock(&log->mutex);
	unused = log_segment_unref(s);
	pthread_mutex_unlock(&log->mutex);
	log_segment_close(log, unused);
	return log_retire(log, number);
}

int log_reset(struct log *log, struct raft_pos pos)
{
	struct segment **old;
	const char *text;
	size_t count;
	int rc;

	if (log->is_poisoned) {
		return STATUS_IO;
	}
	text = objection(log, pos);
	if (text != NULL) {
		return log_trouble(log, STATUS_INVALID, "a reset", text);
	}
	rc = log_begin_anew(log, pos);
	if (rc == STATUS_NO_SPACE) {
		return rc; /* nothing has begun */
	}
	if (rc == 0) {
		old = forget_all(log, pos, &count);
		for (size_t i = 0; i < count; i++) {
			int failed = retire(log, old[i]);

			rc = rc == 0 ? failed : rc;
		}
		mem_free(old);
	}
	log->is_poisoned = rc != 0;
	return rc == STATUS_NO_SPACE ? STATUS_IO : rc;
}
