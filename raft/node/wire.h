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
 *   W4  names, addresses and texts are printable
 *   W5  a configuration is one that a cluster can have (struct wire_config)
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
	WIRE_JOIN,    /* the newest configuration, to whom it invites */
	WIRE_DENIED,
	WIRE_CHANGE,
	WIRE_CHANGED,
};

enum {
	WIRE_LEVEL = 1, /* feature level of this build */
	WIRE_CLUSTER_BYTES = 16,
	WIRE_CONFIG_BYTES_MAX = 32768,
	WIRE_TEXT_BYTES = 255,	     /* words for a person */
	WIRE_HELLO_BYTES_MAX = 8192, /* nothing larger before the HELLO */
	WIRE_OPAQUE_BYTES_MAX = 65536,
};
#define WIRE_NUMBER_MAX (1ULL << 62)

/* What a caller wants of the connection. */
enum wire_purpose {
	WIRE_FOR_LINK,
	WIRE_FOR_SNAPSHOT, /* from the caller (snap_wire.h) */
};

/* What a member is in a configuration (thesis 4.2, 4.3). */
enum wire_standing {
	WIRE_VOTER,
	WIRE_LEARNER,
	WIRE_INCOMING, /* joint: votes in C_new alone */
	WIRE_OUTGOING, /* joint: votes in C_old alone */
	WIRE_INVITED,  /* its incarnation is not known yet: no member for the
			  core */
};

struct wire_member {
	char name[LIMIT_NODE_NAME_BYTES + 1];
	raft_id id; /* 0: not known */
	char address[LIMIT_ADDRESS_BYTES + 1];
	enum wire_standing standing;
	raft_id replaces; /* the member whose place it takes; 0: none */
	bool stay;	  /* a learner for good */
};

/* Names rise; two are equal only when the second replaces the first. Ids are
 * distinct, and 0 of the invited alone. Voters in each half: 1 ...
 * LIMIT_VOTERS. */
struct wire_config {
	uint8_t cluster[WIRE_CLUSTER_BYTES];
	uint32_t level;
	bool joint;
	size_t count;
	struct wire_member members[LIMIT_PEERS];
};

struct wire_hello {
	uint32_t level;
	bool founded;
	uint8_t cluster[WIRE_CLUSTER_BYTES]; /* zero before founding */
	char name[LIMIT_NODE_NAME_BYTES + 1];
	raft_id id;
	uint64_t boot;
	char target[LIMIT_NODE_NAME_BYTES + 1];
	raft_id target_id;		       /* 0: not known */
	char address[LIMIT_ADDRESS_BYTES + 1]; /* where it is called; or "" */
	bool joining;			       /* target is "" then */
	raft_index config; /* entry of the newest one it has */
	bool repairing;	   /* it is damaged, and does not vote */
	enum wire_purpose purpose;
	size_t count; /* of --peers, names rising; none once founded */
	struct wire_member members[LIMIT_VOTERS];
};

struct wire_refused {
	int reason; /* STATUS_NOT_LEADER or STATUS_FULL */
	raft_term term;
	raft_id leader; /* 0: not known */
};

enum wire_denial {
	WIRE_DENIED_LATER = 1, /* not known here: ask the leader at address */
	WIRE_DENIED_REMOVED,   /* was a member, and is none any more */
	WIRE_DENIED_REPLACED,  /* the member of that name is another one */
	WIRE_DENIED_UNKNOWN,   /* nobody added it */
};

struct wire_denied {
	enum wire_denial reason;
	uint8_t cluster[WIRE_CLUSTER_BYTES];
	char name[LIMIT_NODE_NAME_BYTES + 1];
	char address[LIMIT_ADDRESS_BYTES + 1]; /* may be "" */
};

enum wire_change_kind {
	WIRE_CHANGE_ADD = 1,
	WIRE_CHANGE_PROMOTE,
	WIRE_CHANGE_REMOVE,
	WIRE_CHANGE_REPLACE,
	WIRE_CHANGE_ADDRESS,
	WIRE_CHANGE_TRANSFER,
	WIRE_CHANGE_UNINVITE, /* who is invited in its own place */
};

struct wire_change {
	uint64_t ticket;
	enum wire_change_kind kind;
	uint32_t asked; /* so often before: a leader may have carried it out */
	char name[LIMIT_NODE_NAME_BYTES + 1];  /* TRANSFER: may be "" */
	char old[LIMIT_NODE_NAME_BYTES + 1];   /* REPLACE */
	char address[LIMIT_ADDRESS_BYTES + 1]; /* ADD, REPLACE, ADDRESS */
	bool stay;			       /* ADD */
};

struct wire_changed {
	uint64_t ticket;
	int status;
	uint32_t asked; /* of the change that it answers */
	/* status 0: entry of the leader's newest configuration then; earlier
	 * ones tell nothing about the change. */
	raft_index index;
	char text[WIRE_TEXT_BYTES + 1];
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
		struct wire_config config; /* FOUND, JOIN */
		struct raft_msg core;
		raft_term propose; /* the origin's term */
		struct wire_refused refused;
		struct wire_denied denied;
		struct wire_change change;
		struct wire_changed changed;
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
/* The payload of ENTRY_MEMBERS. STATUS_MALFORMED. */
MUST_USE int wire_decode_config(struct bytes body, struct wire_config *out);

/* Has it what its kind needs, and nothing else? */
bool wire_change_valid(const struct wire_change *change);

void wire_encode_hello(struct buffer *out, const struct wire_hello *hello);
void wire_encode_config(struct buffer *out, const struct wire_config *config);
/* entries: those of (pos.index, last], borrowed. */
void wire_encode_core(struct buffer *out, const struct raft_msg *msg,
		      struct entry *const *entries, size_t count);
void wire_encode_propose(struct buffer *out, raft_term term,
			 struct entry *const *entries, size_t count);
void wire_encode_refused(struct buffer *out,
			 const struct wire_refused *refused);
void wire_encode_denied(struct buffer *out, const struct wire_denied *denied);
void wire_encode_change(struct buffer *out, const struct wire_change *change);
void wire_encode_changed(struct buffer *out,
			 const struct wire_changed *changed);

#endif
