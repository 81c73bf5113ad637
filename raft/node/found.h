/* SPDX-License-Identifier: Apache-2.0 */
/* found.h - who belongs together: judging a HELLO, and how a cluster begins.
 *
 * Pure: what peers said in, what to do out. A cluster is founded only after
 * the node whose name sorts first has reached every node of --peers and found
 * each of them empty and with the same peers:
 *
 *   EMPTY --found_ready(), found_make()--> FOUNDED    at the first name
 *   EMPTY --found_accept() of a FOUND----> FOUNDED    at the others
 *
 *   F1  a node takes over at most one founding record, and only one that
 *       lists its name with its own incarnation
 *   F2  whoever is founded hands the record to members that are still empty,
 *       so that a crash anywhere is healed by the next handshake
 *   F3  a name that comes back empty was a member and is refused (row 31),
 *       by those who are: admit.h */
#ifndef RAFT_NODE_FOUND_H
#define RAFT_NODE_FOUND_H

#include "raft/node/identity.h"

/* The founding nodes as this one was told, and what it knows of each. */
struct found_peer {
	struct wire_member member; /* id once heard; own always */
	bool heard;		   /* empty, reached and not lost since */
	bool agrees;		   /* has the same list of names */
	char problem[128];	   /* why not, for a person; may be empty */
};

struct found {
	char name[LIMIT_NODE_NAME_BYTES + 1];
	size_t count; /* names rising, own included */
	struct found_peer peers[LIMIT_VOTERS];
};

/* members: names rising, this one's included. */
void found_init(struct found *f, const char *name, raft_id self,
		const struct wire_member *members, size_t count);
/* An empty peer of the list said this. */
void found_heard(struct found *f, const struct wire_hello *hello);
/* It can not be reached (any more). */
void found_lost(struct found *f, const char *name, const char *why);
/* This node is to found the cluster now. */
bool found_ready(const struct found *f);
void found_make(const struct found *f, const uint8_t *cluster,
		struct wire_config *out);
/* May an empty node take over this record? STATUS_FOREIGN: no (F1). */
MUST_USE int found_accept(const struct found *f,
			  const struct wire_config *founding);
/* "the cluster is not founded yet, waiting for n2 (10.0.0.2:7000): connection
 * refused". */
void found_waiting(const struct found *f, struct buffer *out);

/* May the two speak? expected: the name that was dialled; NULL for a peer
 * that called, or for whoever answers there.
 * 0: yes; a node of a cluster then asks admit_judge().
 * STATUS_INVALID: not meant for this node, or of its own name;
 * STATUS_NOT_FOUND: for another incarnation of it, or it has called itself:
 * answer and close;
 * STATUS_VERSION: another feature level;
 * STATUS_FOREIGN: another cluster, or none of --peers: answer and close.
 * The line for a person is in problem. */
struct found_self {
	const struct identity *identity;
	const struct wire_member *members; /* --peers, before founding */
	size_t count;
};
MUST_USE int found_judge(const struct found_self *self,
			 const struct wire_hello *hello, const char *expected,
			 struct buffer *problem);

/* Both have a cluster, and not the same. */
bool found_is_foreign(const struct identity *self,
		      const struct wire_hello *hello);

/* 32 hex digits and a NUL. */
void found_cluster_text(const uint8_t *cluster, char text[33]);

#endif
