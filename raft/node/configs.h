/* SPDX-License-Identifier: Apache-2.0 */
/* configs.h - the configurations that a node goes by.
 *
 * The newest of its log, which is in force, and the one before it, for when
 * the newest is truncated. That one is committed: a leader proposes none
 * before (raft.h), so two are enough. Plain memory, the loop's. */
#ifndef RAFT_NODE_CONFIGS_H
#define RAFT_NODE_CONFIGS_H

#include "raft/node/config.h"

struct configs {
	raft_index index; /* of the entry that holds it; 0: there is none */
	raft_index before_index;
	struct wire_config now;
	struct wire_config before;
};

/* The one at index, and none before it; 0: none at all. */
void configs_reset(struct configs *c, raft_index index,
		   const struct wire_config *config);
/* index is above that of the newest one. */
void configs_append(struct configs *c, raft_index index,
		    const struct wire_config *config);
/* Forget what is above keep. */
void configs_truncate(struct configs *c, raft_index keep);
/* In force; NULL: none. */
const struct wire_config *configs_now(const struct configs *c);

#endif
