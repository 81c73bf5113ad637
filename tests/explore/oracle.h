/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.h - what no node sees alone must hold in every state.
 *
 *   E1  one leader a term (Raft 5.2)
 *   E2  nobody gives its vote to two in a term, itself included
 *   E3  who leads has the votes of a majority, in that term
 *   E4  logs that agree at an index agree below (5.3), in memory and on disk
 *   E5  what was committed never changes
 *   E6  what was committed is on the disks of a majority
 *   E7  a leader of a later term has what was committed (5.4)
 *   E8  whoever could win an election has it: by the logs as they are, and by
 *       those that a crash of all would leave
 *   E9  what a leader believes a peer to have, that peer has on its disk
 *
 * What one node must keep by itself is checked with its steps: raft_check()
 * (R1 ...), term and durable vote never go back, nor does commit, and what is
 * applied is durable here. */
#ifndef TESTS_EXPLORE_ORACLE_H
#define TESTS_EXPLORE_ORACLE_H

#include "tests/explore/model.h"

/* What no node knows. */
struct ledger {
	uint64_t log;	/* the committed entries' terms ... */
	uint64_t in;	/* ... and in which term each was committed */
	uint32_t count; /* of committed entries */
	uint16_t crashes, proposals; /* so far */
};

/* Node `slot` of these sites has taken a step: note what it committed, in
 * *ledger. Return what does not hold (static text), or NULL. */
const char *oracle_judge(const struct model *m, const uint32_t *sites,
			 uint32_t slot, struct ledger *ledger);

#endif
