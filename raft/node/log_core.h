/* SPDX-License-Identifier: Apache-2.0 */
/* log_core.h - the inside of struct log: for the log_*.c files.
 *
 * The entries (base, base + count] each have a place; segments are in order
 * of their numbers, which have no gaps; the last one is in use, and whatever
 * it holds behind `end` is zero. The places' segments never fall as the index
 * grows: an entry is written after the one before it. */
#ifndef RAFT_NODE_LOG_CORE_H
#define RAFT_NODE_LOG_CORE_H

#include <pthread.h>

#include "raft/node/segment.h"

#define SPARE_NAME "log-spare"	 /* zero-written and synced, to be renamed */
#define SPARE_NEW_NAME "log-new" /* being made into that */

struct place {
	raft_term term;
	uint32_t segment; /* number */
	uint32_t at;
	uint32_t size; /* with the entry's header */
	uint32_t kind; /* enum entry_kind */
};
static_assert(sizeof(struct place) <= 24, "24 bytes for each entry held");

struct segment {
	uint64_t number;
	uint32_t bytes;
	uint32_t references; /* the log's and each reader's; log->mutex */
	struct disk_file *file;
};

enum spare { SPARE_NONE, SPARE_BUSY, SPARE_READY };

struct log {
	struct disk *disk;
	uint32_t segment_bytes; /* of new ones */
	uint64_t seed;

	/* The saver's thread only. */
	uint64_t record; /* number of the next one */
	uint64_t chain;	 /* checksum of the last one */
	uint64_t begun;	 /* segment of the last reset; 0: none */
	uint32_t end;	 /* where the next one goes */
	bool is_poisoned;
	struct buffer scratch;
	struct buffer problem;

	pthread_mutex_t mutex; /* for all below; never held over the disk */
	pthread_cond_t spare_settled; /* it is no longer busy */
	enum spare spare;
	struct raft_hard hard;
	raft_index commit;
	struct raft_pos base;
	struct place *places;
	size_t count;
	size_t capacity;
	struct segment **segments;
	size_t segment_count;
};

/* log.c. These take the mutex themselves. */

/* What in r breaks L4 against the state so far; NULL: nothing. r may reach
 * below the base only in recovery, which learns the base from it. */
const char *log_objection(struct log *log, const struct record *r,
			  bool recovering);
/* Take r, which stands at log->end of the last segment, into the state. */
void log_take(struct log *log, const struct record *r);
/* One more segment, the last; the file is given. */
void log_add_segment(struct log *log, uint64_t number, uint32_t bytes,
		     struct disk_file *file);
/* Set the problem, "NAME: WHAT: why rc", and return rc. */
MUST_USE int log_trouble(struct log *log, int rc, const char *name,
			 const char *what);

/* With the mutex held: */
raft_index log_last(const struct log *log);
const struct place *log_place(const struct log *log, raft_index index);
/* One reference less. Return s when that was the last: close it then, with the
 * mutex free. */
struct segment *log_segment_unref(struct segment *s);
void log_segment_close(struct log *log, struct segment *s); /* NULL is fine */

/* log_spare.c */

/* Begin the next segment: from the spare, or made now. STATUS_NO_SPACE: it can
 * not be made; try again. The saver's thread. */
MUST_USE int log_advance(struct log *log);
/* Begin the next segment as the first of a log that is empty after base. Once
 * it is durable, those before it do not count. The saver's thread. */
MUST_USE int log_begin_anew(struct log *log, struct raft_pos base);
/* The file of a segment that is no longer needed: kept as the stuff of the
 * next spare or removed, durably. The saver's thread. */
MUST_USE int log_retire(struct log *log, uint64_t number);

#endif
