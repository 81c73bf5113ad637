/* SPDX-License-Identifier: Apache-2.0 */
/* agree.h - every node applies the same, to the same effect.
 *
 *   A1  what is applied at an index is the same operation, with the same time
 *       and result, on every node and in every life, and the state after it
 *       is the same
 *   A2  only committed entries are applied; in a life their indexes rise, but
 *       for those of a batch that could not be committed
 *
 * The state is compared after every operation where it is in memory, and as a
 * whole when asked (agree_whole). Memory is the world's. */
#ifndef TESTS_SIM_AGREE_H
#define TESTS_SIM_AGREE_H

#include "tests/sim/sim.h"

void agree_begin(void);
void agree_applied(int node, const struct kv_at *at, struct bytes operation,
		   struct bytes result);
void agree_dropped(int node, raft_index applied);
void agree_died(int node);

/* Compare the whole state of a node (r: a view of it) with what another node
 * had at the same applied index, which is returned; 0: it can not be read.
 * Checks the tree's own invariants too. *compared: it had been seen before. */
raft_index agree_whole(int node, struct kv_reader *r, bool *compared);

raft_index agree_last(void);   /* the highest that is applied anywhere */
uint64_t agree_compared(void); /* states so far */

/* The number of the client's operation (history.h); 0: not a client's. */
uint64_t agree_number(struct bytes operation);

#endif
