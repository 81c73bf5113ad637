/* SPDX-License-Identifier: Apache-2.0 */
/* node.h - one node, as a number and at work (model.core, model.rest). */
#ifndef TESTS_EXPLORE_NODE_H
#define TESTS_EXPLORE_NODE_H

#include "tests/explore/model.h"

/* Put a node to work, as it is at IMAGE_NOW. */
void node_load(struct model *m, uint32_t node);
/* Settle the node at work; its number. */
uint32_t node_store(struct model *m);
/* Start the node at work from its disk, at m->now. */
void node_boot(struct model *m, raft_id self, bool fresh);
/* The number of a node with this disk that has just started. */
uint32_t node_started(struct model *m, raft_id self, const struct disk *disk,
		      bool fresh);
uint32_t node_reorder(struct model *m, uint32_t node, uint32_t order);
const struct sight *node_sight(const struct model *m, uint32_t node);

/* For a core that is not a model's: its config. */
void node_config(const struct bounds *bounds, raft_id self,
		 struct raft_config *config);

#endif
