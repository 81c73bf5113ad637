/* SPDX-License-Identifier: Apache-2.0 */
/* segment.h - the bytes of a segment file: its header and its records. Pure.
 *
 * All numbers are little-endian, all checksums XXH3-64. The first block:
 *
 *     0   8  "raftlog" and a zero byte
 *     8   4  format version        12   4  size of the file
 *    16   8  segment number        24   8  seed: drawn once for each log
 *    32   8  number of its first record
 *    40   8  checksum of the record before that (the chain goes on)
 *    48  16  term, vote            64   8  commit index, as of its start
 *    72  16  index and term of the log's last entry then
 *    88   8  number of the segment with which this log was begun anew: the
 *            ones before it do not count any more; 0: never
 *  4088   8  checksum of the block up to here
 *
 * Then records, each from a sector of its own, then zeros to the end:
 *
 *     0   4  magic                  4   4  size in all, whole sectors
 *     8   8  segment number        16   8  record number: no gaps
 *    24   8  checksum of the record before
 *    32  16  term, vote            48  16  keep: index and term
 *    64   8  commit index          72   4  number of entries
 *    76   4  how many of its sectors are all zero
 *    80   8  checksum of the header, seeded with the log's seed
 *    88   -  entries, then zeros
 *   -16   8  checksum of all before, seeded with that of the record before
 *    -8   8  the record's number (4) and an end mark (4)
 *
 * An entry is {checksum 8, term 8, time 8, size 4, kind 4, data}; its checksum
 * is seeded with seed ^ index, so that it proves itself where it is read.
 *
 * Torn or rotten? Space not yet written is zero. A write that power cut short
 * leaves a prefix of the bytes or some of the sectors, and zeros elsewhere:
 * its last byte is zero, or it has more zero sectors than its header says, or
 * of a header cut short nothing follows. A record that fails its checksum and
 * shows none of these was once there in full: it is damaged. Zeroing more of
 * a torn record leaves it torn, so that a cut may be cut short too. What
 * cannot be told apart is rot that turns the last byte, a sector or a header
 * into zeros. Then nobody knows whether the record was acknowledged, and it is
 * taken for torn: power cuts are the rule, and such rot is not; and refusing
 * to start after each power cut would cost more than it saves. */
#ifndef RAFT_NODE_SEGMENT_H
#define RAFT_NODE_SEGMENT_H

#include "raft/node/log.h"

enum {
	SEGMENT_VERSION = 1,
	SEGMENT_HEADER_BYTES = 4096,
	SEGMENT_SECTOR_BYTES = 512,
	SEGMENT_BYTES_MIN = 8192,
	SEGMENT_BYTES_MAX = 256 << 20,
	SEGMENT_NAME_BYTES = 24,
	RECORD_HEADER_BYTES = 88,
	RECORD_ENTRY_BYTES = 32,
	RECORD_TRAILER_BYTES = 16,
};

struct segment_header {
	uint32_t bytes;
	uint64_t number;
	uint64_t seed;
	uint64_t record; /* number of its first one */
	uint64_t chain;	 /* checksum of the record before */
	struct raft_hard hard;
	raft_index commit;
	struct raft_pos last;
	uint64_t begun; /* segment; 0: the log was never reset */
};

/* "log-%016x"; and back: false when it is not such a name. */
void segment_name(uint64_t number, char name[SEGMENT_NAME_BYTES]);
bool segment_number(const char *name, uint64_t *number);

/* block: SEGMENT_HEADER_BYTES of them. */
void segment_encode(const struct segment_header *h, uint8_t *block);
/* Set the block's checksum; segment_encode() has. */
void segment_seal(uint8_t *block);
/* STATUS_CORRUPT; STATUS_VERSION: whole, but another format's: h->number
 * is then that format. */
MUST_USE int segment_decode(const uint8_t *block, struct segment_header *h);

/* Where a record stands in the chain. */
struct record_place {
	uint64_t seed;
	uint64_t segment;
	uint64_t number;
	uint64_t chain; /* checksum of the record before */
};

struct record {
	uint32_t size;
	struct raft_hard hard;
	struct raft_pos keep;
	raft_index commit;
	uint32_t count;
	uint64_t chain;	      /* its own checksum */
	struct bytes entries; /* borrowed: count of them, well-formed */
};

struct record_entry {
	raft_term term;
	uint64_t time_ns;
	enum entry_kind kind;
	struct bytes data; /* borrowed */
};

/* Bytes that r will take, whole sectors. */
size_t record_size(const struct log_record *r);
/* Write r into out, record_size() bytes. keep is r->keep with its term,
 * commit is saved instead of r->commit. */
void record_encode(const struct record_place *place, const struct log_record *r,
		   struct raft_pos keep, raft_index commit, uint8_t *out);

enum record_verdict {
	RECORD_VALID,
	RECORD_NONE, /* its header is all zero, or there is no room for one */
	RECORD_TORN,
	RECORD_DAMAGED,
};

/* Judge the record at `at` of a whole segment; r only when valid; otherwise
 * *reason says why in a few words. */
enum record_verdict record_decode(struct bytes segment, size_t at,
				  const struct record_place *place,
				  struct record *r, const char **reason);
/* Where behind `at` a valid record with a number above place->number stands;
 * 0: nowhere. */
size_t record_after(struct bytes segment, size_t at,
		    const struct record_place *place);

/* Take the next entry off the front of entries, which record_decode()
 * found well-formed. */
void record_next(struct bytes *entries, struct record_entry *e);
/* Check and take one entry of in, which holds exactly one. STATUS_CORRUPT. */
MUST_USE int record_entry_decode(struct bytes in, uint64_t seed,
				 raft_index index, struct record_entry *e);

/* The size without trailing zeros. */
size_t segment_used(struct bytes bytes);

#endif
