/* SPDX-License-Identifier: Apache-2.0 */
/* snap_wire.h - what is said while a snapshot is on its way. Pure.
 *
 * Bodies of frames on a connection whose HELLO is WIRE_FOR_SNAPSHOT, from the
 * leader (S) to a follower (R):
 *
 *   S OFFER  what it is: position, members, files
 *   R HAVE   what of it lies here from an earlier attempt, with hashes
 *   S CHUNK  files in their order, each from its beginning, or from where a
 *            piece ended that S has found to be the same
 *   R ACK    so much has been written; S is never far ahead
 *   S DONE   nothing more comes: pieces that were not sent again hold
 *   R VERDICT, at any time; S closes
 *
 * Both say PING now and then. As in wire.h, nothing is allocated while
 * decoding, and after a decode returns 0:
 *
 *   SW1  counts and sizes are within the bounds below, sums do not overflow
 *   SW2  names are plain file names, strictly rising; files of pieces too
 *   SW3  a chunk's data checks against its sum */
#ifndef RAFT_NODE_SNAP_WIRE_H
#define RAFT_NODE_SNAP_WIRE_H

#include "base/bytes.h"
#include "raft/raft.h"

/* Above every enum wire_kind. */
enum snap_kind {
	SNAP_OFFER = 64,
	SNAP_HAVE,
	SNAP_CHUNK,
	SNAP_ACK,
	SNAP_DONE, /* one byte */
	SNAP_VERDICT,
};

enum {
	SNAP_FILES_MAX = 4096,
	SNAP_NAME_BYTES = 63,
	SNAP_MEMBERS_BYTES_MAX = 65536,
	SNAP_CHUNK_BYTES = 256 << 10,
	SNAP_WINDOW_BYTES = 4 << 20, /* of chunks that no ACK tells of */
	SNAP_FRAME_BYTES_MAX = 1 << 20,
};
#define SNAP_BYTES_MAX (1ULL << 40) /* of all files */

struct snap_file {
	char name[SNAP_NAME_BYTES + 1];
	uint64_t size;
};

struct snap_offer {
	raft_term term; /* of the leader that offers it */
	struct raft_pos pos;
	raft_index members_index; /* 1 ... pos.index */
	struct bytes members;	  /* points into the body */
	size_t count;		  /* of files, at least 1 */
	uint64_t bytes;		  /* of all of them */
};

struct snap_piece {
	uint32_t file;
	uint64_t size; /* not 0 */
	uint64_t hash;
};

struct snap_chunk {
	uint32_t file;
	uint64_t at;
	uint64_t hash;	   /* of the whole file, when this is its end */
	struct bytes data; /* points into the body */
};

struct snap_verdict {
	int status;
	raft_index index;
};

/* About 300 KiB. */
struct snap_message {
	enum snap_kind kind;
	union {
		struct snap_offer offer;
		size_t pieces; /* HAVE */
		struct snap_chunk chunk;
		uint64_t ack;
		struct snap_verdict verdict;
	};
	union {
		struct snap_file files[SNAP_FILES_MAX];	 /* OFFER */
		struct snap_piece piece[SNAP_FILES_MAX]; /* HAVE */
	};
};

/* Decode and check the body of a frame of that kind; slices in *out live as
 * long as body. STATUS_MALFORMED; STATUS_CORRUPT: SW3. */
MUST_USE int snap_decode(struct bytes body, uint8_t kind,
			 struct snap_message *out);

/* May a file of a snapshot be called so? */
bool snap_name_valid(const char *name);

/* Append a body to out. What is given keeps the bounds. */
void snap_encode_offer(struct buffer *out, const struct snap_offer *offer,
		       const struct snap_file *files);
void snap_encode_have(struct buffer *out, const struct snap_piece *pieces,
		      size_t count);
void snap_encode_chunk(struct buffer *out, const struct snap_chunk *chunk,
		       uint64_t sum);
void snap_encode_ack(struct buffer *out, uint64_t bytes);
void snap_encode_done(struct buffer *out);
void snap_encode_verdict(struct buffer *out,
			 const struct snap_verdict *verdict);

#endif
