/* SPDX-License-Identifier: Apache-2.0 */
/* entry.h - one log entry in memory: immutable once made, counted references.
 *
 * The same object is saved, sent, kept in the tail cache and applied, by
 * several threads, without a copy. Any thread. */
#ifndef RAFT_NODE_ENTRY_H
#define RAFT_NODE_ENTRY_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "raft/raft.h"

enum entry_kind {
	ENTRY_NOOP = 1,	   /* a new leader's first */
	ENTRY_MEMBERS = 2, /* raft.proto Founding; entry 1 */
	ENTRY_COMMAND = 3, /* opaque to raft/: the state machine's */
};

struct entry {
	atomic_uint references;
	enum entry_kind kind;
	raft_index index;
	raft_term term;
	uint64_t time_ns; /* CLOCK_REALTIME of the leader that appended it */
	uint32_t size;
	uint8_t data[];
};

/* One reference, returned. data may be NULL: filled in by the caller before
 * anyone else sees the entry. size <= LIMIT_ENTRY_BYTES. */
struct entry *entry_new(enum entry_kind kind, const void *data, size_t size);
struct entry *entry_ref(struct entry *e);
void entry_unref(struct entry *e); /* NULL is fine */
struct bytes entry_bytes(const struct entry *e);

#endif
