/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - a cluster's configuration, and each step from one to the next.
 *
 * A name is first invited; the leader binds it to the incarnation that comes
 * under it, as a learner; once that has caught up it is a voter, by way of a
 * joint configuration, and so goes whoever is removed or replaced:
 *
 *   -ADD, REPLACE-> INVITED -bind-> LEARNER -promote-> INCOMING -leave-> VOTER
 *                                                  VOTER -REMOVE, promote of
 *                                  its replacement-> OUTGOING -leave-> gone
 *
 * Who is invited in its own place is named twice until it comes: UNINVITE is of
 * the invitation alone, and REMOVE is refused until that is taken back, so that
 * neither, asked twice, does what the other one was for.
 *
 * Pure. A step that is refused leaves the configuration as it was. A draft may
 * be made joint by several steps before it is proposed. */
#ifndef RAFT_NODE_CONFIG_H
#define RAFT_NODE_CONFIG_H

#include "raft/node/wire.h"

/* What struct wire_config promises. */
bool config_valid(const struct wire_config *c);

/* By incarnation; NULL: none, and none has id 0. */
const struct wire_member *config_of(const struct wire_config *c, raft_id id);
/* The newest of that name; NULL: none. */
const struct wire_member *config_named(const struct wire_config *c,
				       const char *name);
/* The one of that name that is invited; NULL: none. */
const struct wire_member *config_invited(const struct wire_config *c,
					 const char *name);
/* The one that is invited in the place of the member of its own name; NULL:
 * nobody is. */
const struct wire_member *config_successor(const struct wire_config *c,
					   const char *name);
/* As the core wants it. */
void config_members(const struct wire_config *c, struct raft_members *members);

/* The step that a member command asks for, any but TRANSFER; problem: one
 * line when it is refused. STATUS_NOT_FOUND, STATUS_EXISTS, STATUS_FULL,
 * STATUS_INVALID. STATUS_PENDING: joint, so not now. */
MUST_USE int config_change(struct wire_config *c,
			   const struct wire_change *change,
			   struct buffer *problem);
/* Is it as the command wants it? */
bool config_shows(const struct wire_config *c,
		  const struct wire_change *change);

/* The invited name is this incarnation. STATUS_NOT_FOUND: nobody invited it;
 * STATUS_EXISTS: the incarnation has a name. */
MUST_USE int config_bind(struct wire_config *c, const char *name, raft_id id);
/* A learner to be a voter, its predecessor to go. STATUS_NOT_FOUND: no such
 * learner, or it is to stay one; STATUS_FULL: voters. */
MUST_USE int config_promote(struct wire_config *c, raft_id id);
/* Out of the joint one. */
void config_leave(struct wire_config *c);

/* "voter", "learner", "incoming", "outgoing", "invited". */
const char *config_standing_text(enum wire_standing standing);
/* What who is invited or learns will be: "voter", or "learner" for good; else
 * "". */
const char *config_becomes(const struct wire_member *m);

#endif
