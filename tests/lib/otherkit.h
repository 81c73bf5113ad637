/* SPDX-License-Identifier: Apache-2.0 */
/* otherkit.h - another node's state beside a home (kvkit.h), and snapshots of
 * it to be loaded there. */
#ifndef TESTS_LIB_OTHERKIT_H
#define TESTS_LIB_OTHERKIT_H

#include "kv/apply.h"
#include "tests/lib/kvkit.h"

struct other {
	struct home *h;
	struct kv_machine machine;
	struct store *store;
	struct feed feed;
	struct applier applier;
	char folder[128]; /* of the last snapshot, in h's data folder */
	struct raft_pos pos;
	unsigned made;
};

/* It has what h's log has; RocksDB if h has. */
void GIVEN_OTHER(struct other *o, struct home *h);
void other_apply(struct other *o, struct entry *e); /* e is given */
void other_skip(struct other *o, unsigned count);   /* entries of nothing */
/* An operation in a session that nobody here knows. */
void other_operation(struct other *o, const char *text);
void other_snapshot(struct other *o);
void other_load(struct other *o); /* make one, and load it in h */
void other_deinit(struct other *o);

/* Is a file or folder of this name in h's data folder? */
bool home_has(struct home *h, const char *name);

#endif
