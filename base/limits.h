/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - every bound of raftfs, and how they relate.
 *
 * Units: _bytes, _ms, or a plain count. What the cluster must agree on is
 * only the default here; the value in force is part of the replicated state. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <assert.h>

/* The tree (POSIX limits.h names in brackets). */
enum {
	LIMIT_NAME_BYTES = 255,	     /* NAME_MAX */
	LIMIT_PATH_BYTES = 4096,     /* PATH_MAX, with the NUL */
	LIMIT_LINK_BYTES = 4095,     /* a symbolic link's text */
	LIMIT_WRITE_BYTES = 1 << 20, /* data of one write(2) = one entry */
	LIMIT_INLINE_BYTES = 4096,   /* content kept in the inode record */
	LIMIT_BLOCK_BYTES = 32768,   /* a file's block beyond that */
	LIMIT_PURGE_BLOCKS = 1024,   /* blocks one PURGE entry deletes */
	LIMIT_LINKS = 65000,	     /* LINK_MAX */
};
#define LIMIT_FILE_BYTES (1ULL << 30)
#define LIMIT_TOTAL_BYTES (8ULL << 30)
#define LIMIT_INODES (1ULL << 20)

/* The log and the wire. */
enum {
	LIMIT_ENTRY_BYTES = LIMIT_WRITE_BYTES + 16384, /* payload of an entry */
	LIMIT_MESSAGE_ENTRIES = 1024,  /* entries of one append message */
	LIMIT_MESSAGE_BYTES = 4 << 20, /* payloads of one append message */
	LIMIT_FRAME_BYTES = LIMIT_MESSAGE_BYTES + LIMIT_ENTRY_BYTES + 131072,
	LIMIT_INFLIGHT_MESSAGES = 64, /* unanswered appends to one peer */
	LIMIT_INFLIGHT_BYTES = 16 << 20,
	LIMIT_UNCOMMITTED_BYTES = 64 << 20, /* a leader refuses beyond */
	LIMIT_UNAPPLIED_BYTES = 64 << 20,
	LIMIT_SEGMENT_BYTES = 16 << 20, /* a segment file of the log */
	LIMIT_LOG_BYTES = 64 << 20,	/* kept for members that are away */
	LIMIT_LOG_ENTRIES = 500000,
	LIMIT_LOG_FILE_BYTES = 1 << 20, /* of lines: raftfs.log, and one old */
	LIMIT_VOTERS = 9,
	LIMIT_PEERS = 64, /* members of any kind */
	LIMIT_NODE_NAME_BYTES = 63,
	LIMIT_ADDRESS_BYTES = 255, /* HOST:PORT */
	LIMIT_READS = 64,	   /* ReadIndex tickets pending in the core */
	LIMIT_SNAPSHOT_RATE = 64 << 20, /* bytes a second, of snapshots */
};

/* Proposals and their replies. */
enum {
	LIMIT_PROPOSALS = 65536,       /* waiting and unanswered at one node */
	LIMIT_WINDOW_PROPOSALS = 4096, /* of these, handed over, unapplied */
	LIMIT_WINDOW_BYTES = 16 << 20,
	LIMIT_APPLY_ENTRIES = 1024, /* entries of one atomic apply */
	LIMIT_APPLY_BYTES = 4 << 20,
	LIMIT_RESULT_BYTES = 512, /* result of one operation */
};

/* Time. */
enum {
	LIMIT_HEARTBEAT_MS = 100,
	LIMIT_ELECTION_MS = 600, /* randomised up to twice that */
	LIMIT_DISK_STALL_MS =
		3000,		  /* a save older than this costs leadership */
	LIMIT_BARRIER_MS = 1000,  /* a read waits no longer for a leader */
	LIMIT_TIMEOUT_MS = 5000,  /* --timeout */
	LIMIT_SESSION_MS = 10000, /* --session-timeout */
	LIMIT_SESSION_MS_MIN = 2000,
	LIMIT_TRUNCATE_MS = 100, /* a deferred O_TRUNC waits no longer */
	LIMIT_ORPHAN_MS =
		10000, /* an unlinked inode lives at least this long */
	LIMIT_STAMP_SKEW_MS = 10000, /* time never goes back by less */
};

static_assert((int)LIMIT_ENTRY_BYTES > (int)LIMIT_WRITE_BYTES,
	      "a full write and its header fit in one entry");
static_assert((int)LIMIT_MESSAGE_BYTES >= (int)LIMIT_ENTRY_BYTES,
	      "a message carries at least one entry");
static_assert((int)LIMIT_SEGMENT_BYTES >= 2 * (int)LIMIT_FRAME_BYTES,
	      "one save fits in a segment");
static_assert((int)LIMIT_ELECTION_MS >= 4 * (int)LIMIT_HEARTBEAT_MS,
	      "a few heartbeats may be lost before an election");
static_assert((int)LIMIT_SESSION_MS_MIN >=
		      2 * (int)LIMIT_ELECTION_MS + 4 * (int)LIMIT_HEARTBEAT_MS,
	      "a session outlives an election");
static_assert(LIMIT_INLINE_BYTES <= LIMIT_BLOCK_BYTES,
	      "inline content fits in the first block");

#endif
