/* SPDX-License-Identifier: Apache-2.0 */
/* admit.h - may a caller speak to this node of a cluster, and as what? Pure.
 *
 *   A1  a member of the configuration in force, or of the one before it while
 *       that may come back, is heard: its vote may be needed (raft.md row 13)
 *   A2  whoever may know better than this node is heard
 *   A3  only a leader that has just been confirmed denies for good: a node
 *       that lags behind does not end another one. Nobody knows better than
 *       it: what a log has beyond its own was never committed (Raft 5.4)
 *   A4  an incarnation that is no member is never taken for one of its name
 *       (row 31): it joins, if its name is invited, or is told why not */
#ifndef RAFT_NODE_ADMIT_H
#define RAFT_NODE_ADMIT_H

#include "raft/node/configs.h"

enum admit {
	ADMIT_MEMBER, /* of the configuration in force; or empty, and a founder
		       */
	ADMIT_GUEST,  /* of this cluster, but no member as far as is known */
	ADMIT_JOIN,   /* empty and wanted: hand it the configuration */
	ADMIT_DENIED, /* tell it why, and close */
};

struct admit_self {
	const struct configs *configs;
	bool committed; /* the one in force is */
	bool decides;	/* A3 */
	/* The founding record, while it is still known; else NULL. */
	const struct wire_config *founding;
};

/* found_judge() said 0, and this node has a cluster. */
enum admit admit_judge(const struct admit_self *self,
		       const struct wire_hello *hello,
		       enum wire_denial *denial);

/* What the denied node ends with, or waits for; name: the one that denied. */
void admit_line(const struct wire_denied *denied, bool founded,
		const char *name, struct buffer *out);

#endif
