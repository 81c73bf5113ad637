/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - what nodes say to each other: bodies of frames. Pure.
 *
 * Bytes in, struct out; no sockets, nothing allocated while decoding, so that
 * it can be fuzzed. Encoders append a body to a buffer (frame_begin() and
 * frame_seal() are the caller's). After a decode returns 0:
 *
 *   W1  every count and size is within its bound of limits.h
 *   W2  an append's entries are exactly (pos.index, last], their terms do not
 *       fall, are at least pos.term and at most the message's
 *   W3  terms and indexes are below WIRE_NUMBER_MAX: sums do not overflow;
 *       rounds may be any number
 *   W4  names and addresses are printable words
 *
 * Who speaks to whom is the link's business (peer.c). */
#ifndef RAFT_NODE_WIRE_H
#define RAFT_NODE_WIRE_H

#include "raft/node/entry.h"
#include "raft/raft.h"

enum wire_kind {
	WIRE_HELLO = 1,
	WIRE_FOUND,   /* the founding record, verbatim */
	WIRE_CORE,    /* a core's message, with entries */
	WIRE_PROPOSE, /* proposals of a follower */
	WIRE_REFUSED, /* they were not appended */
	WIRE_OPAQUE,  /* node_send() */
	WIRE_PING,    /* one byte: still here */
};

enum {
	WIRE_LEVEL = 1, /* feature level of this build */
	WIRE_CLUSTER_BYTES = 16,
	WIRE_FOUNDING_BYTES_MAX = 4096,
	WIRE_HELLO_BYTES_MAX = 8192, /* nothing larger before the HELLO */
	WIRE_OPAQUE_BYTES_MAX = 65536,
};
#define WIRE_NUMBER_MAX (1ULL << 62)

/* What a caller wants of the connection. */
enum wire_purpose {
	WIRE_FOR_LINK,
	WIRE_FOR_SNAPSHOT, /* from the caller (snap_wire.h) */
};

struct wire_member {
	char name[LIMIT_NODE_NAME_BYTES + 1];
	raft_id id; /* 0: not known */
	char address[LIMIT_ADDRESS_BYTES + 1];
};

struct wire_founding {
	uint8_t cluster[WIRE_CLUSTER_BYTES];
	uint32_t level;
	size_t count; /* names rising, ids distinct and not 0 */
	struct wire_member members[LIMIT_VOTERS];
};

struct wire_hello {
	uint32_t level;
	bool founded;
	uint8_t cluster[WIRE_CLUSTER_BYTES]; /* zero before founding */
	char name[LIMIT_NODE_NAME_BYTES + 1];
	raft_id id;
	uint64_t boot;
	char target[LIMIT_NODE_NAME_BYTES + 1];
	raft_id target_id; /* 0: not known */
	enum wire_purpose purpose;
	size_t count;
	struct wire_member members[LIMIT_VOTERS];
};

struct wire_refused {
	int reason; /* STATUS_NOT_LEADER or STATUS_FULL */
	raft_term term;
	raft_id leader; /* 0: not known */
};

struct wire_entry {
	enum entry_kind kind;
	raft_term term; /* PROPOSE: 0 */
	uint64_t time_ns;
	struct bytes data; /* points into the body */
};

struct wire_message {
	enum wire_kind kind;
	union {
		struct wire_hello hello;
		struct wire_founding found;
		struct raft_msg core;
		raft_term propose; /* the origin's term */
		struct wire_refused refused;
		struct bytes opaque; /* points into the body */
	};
	struct bytes body;    /* what was decoded */
	size_t count;	      /* of entries: CORE, PROPOSE */
	size_t payload_bytes; /* of all entries */
	struct wire_entry entries[LIMIT_MESSAGE_ENTRIES];
};

/* Decode and check the body of a frame of that kind; body is borrowed, and
 * slices in *out live as long as it does. STATUS_MALFORMED. */
MUST_USE int wire_decode(struct bytes body, uint8_t kind,
			 struct wire_message *out);
/* The record of identity and entry 1. STATUS_MALFORMED. */
MUST_USE int wire_decode_founding(struct bytes body, struct wire_founding *out);

void wire_encode_hello(struct buffer *out, const struct wire_hello *hello);
void wire_encode_founding(struct buffer *out,
			  const struct wire_founding *founding);
/* entries: those of (pos.index, last], borrowed. */
void wire_encode_core(struct buffer *out, const struct raft_msg *msg,
		      struct entry *const *entries, size_t count);
void wire_encode_propose(struct buffer *out, raft_term term,
			 struct entry *const *entries, size_t count);
void wire_encode_refused(struct buffer *out,
			 const struct wire_refused *refused);

#endif
