/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - kv's own keys and records in the state database.
 *
 *   mapplied               kv.Applied
 *   mborn                  empty; there once the birth is applied
 *   mmembers               payload of the newest ENTRY_MEMBERS
 *   mmembersat             and the index of that entry
 *   sh session             kv.Session
 *   sr session number      result of an applied operation
 *
 * Numbers are 8 bytes, big-endian. Everything that does not begin with 'm' or
 * 's' is the machine's. */
#ifndef KV_RECORD_H
#define KV_RECORD_H

#include "kv/batch.h"

enum { RECORD_KEY_BYTES = 18 }; /* the longest of kv's keys */

struct record_key {
	uint8_t data[RECORD_KEY_BYTES];
	size_t size;
};

struct bytes record_bytes(const struct record_key *key);
struct record_key record_applied(void);
struct record_key record_born(void);
struct record_key record_members(void);
struct record_key record_sessions(void); /* prefix of all headers */
struct record_key record_session(uint64_t session);
struct record_key record_result(uint64_t session, uint64_t number);

/* The newest ENTRY_MEMBERS applied, and where it stands in the log. */
void membership_stage(struct kv_batch *b, uint64_t index, struct bytes payload);
/* index 0 and an empty payload: none yet. STATUS_CORRUPT, STATUS_IO. */
MUST_USE int membership_load(struct kv_reader *r, uint64_t *index,
			     struct buffer *payload);

struct applied {
	uint64_t index;
	uint64_t term;
	uint64_t time_ns;
};

/* One life of one node: rises within an incarnation. */
struct session_owner {
	uint64_t incarnation;
	uint64_t boot;
	uint64_t opening;
};

struct session {
	uint64_t id; /* in the key */
	struct session_owner owner;
	uint64_t low; /* results below are forgotten */
};

/* All of 0 when the state is empty. STATUS_CORRUPT, STATUS_IO. */
MUST_USE int applied_load(struct kv_reader *r, struct applied *a);
void applied_stage(struct kv_batch *b, const struct applied *a);

/* STATUS_NOT_FOUND: ended, or never opened. STATUS_CORRUPT, STATUS_IO. */
MUST_USE int session_load(struct kv_reader *r, uint64_t id, struct session *s);
void session_stage(struct kv_batch *b, const struct session *s);

/* Every live session, in rising order of id. visit as kv_visit. */
typedef bool (*session_visit)(void *context, const struct session *s);
MUST_USE int session_each(struct kv_reader *r, session_visit visit,
			  void *context);

#endif
