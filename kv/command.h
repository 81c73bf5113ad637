/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - the envelope of a log entry, and what kv rooms tell each other.
 *
 * The bytes of kv.proto, decoded into plain structs and checked. Slices point
 * into what was decoded. */
#ifndef KV_COMMAND_H
#define KV_COMMAND_H

#include "kv/record.h"
#include "raft/node/entry.h"

enum {
	COMMAND_HEADER_BYTES = 27, /* session, number, low; all not 0 */
	COMMAND_ENVELOPE_BYTES = COMMAND_HEADER_BYTES + 1 + 5,
	/* The most an operation may have. */
	COMMAND_OPERATION_BYTES = LIMIT_ENTRY_BYTES - COMMAND_ENVELOPE_BYTES,
	COMMAND_HELD = 4096, /* ids told with one keep-alive */
};

enum command_kind {
	COMMAND_OPERATION,
	COMMAND_OPEN,
	COMMAND_END,
	COMMAND_BIRTH,
};

struct command {
	enum command_kind kind;
	uint64_t session; /* OPERATION: its session; END: the one to end */
	uint64_t number;  /* OPERATION */
	uint64_t low;	  /* OPERATION; 1 ... number */
	struct session_owner owner; /* OPEN */
	struct bytes operation;	    /* OPERATION, BIRTH */
};

/* STATUS_MALFORMED: does not decode, or breaks a rule of kv.proto. */
MUST_USE int command_decode(struct command *c, struct bytes payload);

/* An entry that carries operation (at most COMMAND_OPERATION_BYTES), still
 * without session and number: stamp it before anyone else sees it. One
 * reference, returned. */
struct entry *command_operation(struct bytes operation);
void command_stamp(struct entry *e, uint64_t session, uint64_t number,
		   uint64_t low);

/* Entries of kv's own; one reference, returned. */
struct entry *command_open(const struct session_owner *owner);
struct entry *command_end(uint64_t session);
struct entry *command_birth(struct bytes operation);

/* --- Between nodes -------------------------------------------------------- */

struct alive {
	uint64_t session;
	uint64_t sent_ms;
	uint64_t applied;
	bool many;
	bool low;	   /* its data disk is nearly full */
	struct bytes held; /* be64 ids */
};

struct heard {
	uint64_t session;
	uint64_t sent_ms;
	bool full;	     /* propose nothing that adds to the state */
	uint32_t session_ms; /* the leader's; 0: not said */
};

void alive_encode(const struct alive *a, struct buffer *out);
void heard_encode(const struct heard *h, struct buffer *out);

enum peer_kind { PEER_ALIVE, PEER_HEARD };

/* Sets the struct of the kind it sets. STATUS_MALFORMED. */
MUST_USE int peer_decode(struct bytes message, enum peer_kind *kind,
			 struct alive *a, struct heard *h);

#endif
