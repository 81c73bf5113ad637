/* SPDX-License-Identifier: Apache-2.0 */
/* logkit.h - a log on a faultdisk, and a plain account of what it must hold.
 *
 * Every entry's payload follows from its salt, a number no two entries share,
 * so that the account is small and a mix-up is noticed. One thread. */
#ifndef TESTS_LIB_LOGKIT_H
#define TESTS_LIB_LOGKIT_H

#include "raft/node/log.h"
#include "tests/lib/faultdisk.h"

enum {
	LOGKIT_SEGMENT_BYTES = 16384,
	LOGKIT_INDEX_MAX = 2048,
	LOGKIT_SAVE_MAX = 8, /* entries of one save */
};

struct logkit_entry {
	raft_term term;
	uint64_t salt; /* also its time; every third payload is all zero */
	uint32_t size;
};

/* A value: copy it to remember. Entries up to the base keep their terms. */
struct logkit_model {
	struct raft_hard hard;
	raft_index commit;
	raft_index base;
	raft_index last;
	uint64_t salt; /* of the entry made last */
	struct logkit_entry entries[LOGKIT_INDEX_MAX];
};

struct logkit_save {
	struct raft_hard hard;
	raft_index keep;
	raft_index commit;
	size_t count;
	raft_term term; /* of the entries */
	uint32_t sizes[LOGKIT_SAVE_MAX];
};

struct logkit {
	struct faultdisk *disk;
	struct log *log;
	struct buffer problem; /* of the last open */
};

void logkit_init(struct logkit *k); /* an empty disk, no log yet */
void logkit_deinit(struct logkit *k);
MUST_USE int logkit_open(struct logkit *k);
void logkit_close(struct logkit *k);
const char *logkit_problem(struct logkit *k);

/* The account after s. */
void logkit_apply(struct logkit_model *m, const struct logkit_save *s);
/* The account after a reset. */
void logkit_reset(struct logkit_model *m, struct raft_pos pos);
/* Save s, which leads to m. */
MUST_USE int logkit_write(struct logkit *k, const struct logkit_save *s,
			  const struct logkit_model *m);
/* Both, where nothing fails: entries of one term and size behind keep. */
void logkit_append(struct logkit *k, struct logkit_model *m, raft_term term,
		   raft_index keep, size_t count, uint32_t size);
/* The entry of the account; returned. */
struct entry *logkit_entry(const struct logkit_model *m, raft_index index);

/* NULL when the log holds m to the byte; else what differs. Its base may be
 * anywhere from m's up to base_max. */
const char *logkit_differs(struct log *log, const struct logkit_model *m,
			   raft_index base_max);

/* The next number of a seeded sequence, below bound. */
uint64_t logkit_draw(uint64_t *seed, uint64_t bound);

#endif
