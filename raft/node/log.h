/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - the durable Raft log: hard state, commit index and entries.
 *
 * Segment files ("log-%016x", number in hex) of one fixed size, zero-written
 * before use, so that a save is one write and one fdatasync inside allocated
 * blocks, and what was never written is known to be zero. A save is one record
 * {term, vote, keep, commit, entries}, checksummed, and chained from the record
 * before and the segment's number.
 *
 *   L1  a record is written only after the one before it is synced: only the
 *       very last can be torn
 *   L2  a record never spans segments
 *   L3  an invalid record with no valid successor, in the newest segment, that
 *       has the marks of a write cut short (segment.h) is a torn tail and is
 *       cut; anything else is damage, and named
 *   L4  term never falls; vote changes within a term only from none;
 *       entries are contiguous; terms do not fall along the log
 *   L5  every byte acknowledged by log_save() is read back or named as damage
 *
 * log_save, log_cut, log_reset: one thread (the saver's). log_read, log_state:
 * any thread. Sources: Raft 5.1; design of segment logs in the thesis, 11.2. */
#ifndef RAFT_NODE_LOG_H
#define RAFT_NODE_LOG_H

#include "raft/node/disk.h"
#include "raft/node/entry.h"
#include "raft/raft.h"

struct log;

struct log_config {
	struct disk *disk;	/* lent until log_close() */
	uint32_t segment_bytes; /* >= twice the largest record, see below */
	uint64_t seed; /* of a new log's checksums; 0: drawn at random */
};

/* What a save holds; raft_act.save with its payloads. */
struct log_record {
	struct raft_hard hard;
	raft_index commit;
	raft_index keep;	/* entries above are discarded first */
	struct entry **entries; /* indexes keep+1, keep+2, ... */
	size_t count;
};

/* Bytes a record may have in all: entries' payloads plus 64 for each. */
enum { LOG_RECORD_BYTES_MAX = LIMIT_FRAME_BYTES };

/* Open, or make anew when the folder holds no segment; recover (L3).
 * problem receives one line for a person: what is damaged and where (file,
 * offset), or what was cut.
 * STATUS_CORRUPT: damage. STATUS_VERSION: written by another format.
 * STATUS_IO, STATUS_NO_SPACE, STATUS_DENIED. */
MUST_USE int log_open(const struct log_config *config, struct log **log,
		      struct buffer *problem);
/* Writes nothing: closing is no different from a crash. */
void log_close(struct log *log);

/* As recovered, and after each save: the durable state. */
struct log_state {
	struct raft_hard hard;
	raft_index commit;
	struct raft_pos base; /* the entry before the first one held */
	raft_index last;
	uint64_t bytes; /* on disk, all segments */
	uint32_t segments;
};
void log_state(const struct log *log, struct log_state *state);
/* The entries' terms as runs and the payload sizes of the last
 * `sizes_max` of them, for raft_boot; returned, mem_free() both. */
void log_runs(const struct log *log, size_t sizes_max, struct raft_run **runs,
	      size_t *run_count, uint32_t **sizes, size_t *size_count);

/* Write one record and sync it: durable on return. STATUS_NO_SPACE: there is no
 * room for the next segment; nothing was written, and the same save may be
 * tried again once there is. After any other error the log is poisoned: every
 * later save fails; the process must end (never retried).
 * The record's keep must be at least base and at most last, and not below the
 * commit index; its bytes at most log_record_bytes_max(). A commit index that
 * is behind the one saved before leaves that as it is. */
MUST_USE int log_save(struct log *log, const struct log_record *record);
/* LOG_RECORD_BYTES_MAX, or less when the segments are small. */
size_t log_record_bytes_max(const struct log *log);
/* After log_save, log_cut or log_reset failed: one line, what failed and where.
 * Lent until the next call; the saver's thread. */
const char *log_problem(struct log *log);

/* The term of the entry at index, base included; 0: it is not held. Any
 * thread. */
raft_term log_term(const struct log *log, raft_index index);

/* Up to which index whole segments, oldest first, must go so that at most
 * `bytes` of files stay (the one in use always does); 0: none. Any thread. */
raft_index log_excess(const struct log *log, uint64_t bytes);

/* The newest entry of that kind below index; 0: none is held. Any thread. */
raft_index log_find(const struct log *log, enum entry_kind kind,
		    raft_index below);

/* Read the entry at index: one reference, returned. STATUS_NOT_FOUND outside
 * (base, last]; STATUS_CORRUPT, STATUS_IO. */
MUST_USE int log_read(struct log *log, raft_index index, struct entry **entry);

/* Drop entries up to index as far as whole segments allow (never above
 * `index`, never the segment in use), oldest first; the new base is then in
 * log_state(). The files may be kept for reuse. Durable order: a crash midway
 * leaves a valid log. */
MUST_USE int log_cut(struct log *log, raft_index index);

/* Forget all entries: the log is empty after pos from now on, which is
 * committed. Term and vote stay. Durable on return; a crash midway leaves the
 * log as it was or as it shall be. The saver's thread. STATUS_INVALID: pos is
 * below the commit index, or of a term the log does not know; STATUS_NO_SPACE:
 * there is no room for a segment now; nothing is changed then. Other errors
 * poison the log as those of log_save() do. */
MUST_USE int log_reset(struct log *log, struct raft_pos pos);

/* The next segment is prepared ahead by one other thread, or when a save
 * needs it, by that. Once log_wants_spare(), log_prepare() writes the zeros;
 * a failure (STATUS_NO_SPACE, ...) harms nothing yet. Any thread. */
bool log_wants_spare(struct log *log);
MUST_USE int log_prepare(struct log *log);

#endif
