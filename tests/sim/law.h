/* SPDX-License-Identifier: Apache-2.0 */
/* law.h - what must be true of all cores together, after every step of one.
 *
 *   L1   one leader a term (Raft 5.2), voted for by a majority of the
 *        configuration in force, of both its halves while it is joint
 *   L2   a voter has one vote a term, over restarts too
 *   L3   logs that have an entry of the same index and term are the same up
 *        to there (log matching, 5.3)
 *   L4   a new leader has every entry committed in an earlier term (5.4)
 *   L5   a committed entry never changes, anywhere; a leader commits by
 *        counting only entries of its own term (5.4.2)
 *   L6   when an entry is committed, it is durable on a majority of the
 *        configuration in force, of both its halves while it is joint
 *   L7   term, commit and applied never fall, nor does a vote change, in a
 *        life; base <= applied <= commit <= last, saved <= last
 *   L8   what a leader takes as matched or settled is durable there
 *   L9   a read index is not older than what was committed anywhere when it
 *        was asked for; each accepted ticket is answered once
 *   L10  while a lease runs nothing is committed that its holder has not
 *        committed
 *   L11  a snapshot that is loaded is of committed entries, and newer than
 *        the commit index it replaces
 *   L12  the configuration that an entry brings is the same for all
 *   D1   a boot finds what was durable (trail.h)
 *   D2   and the term and the vote that the node had told others of
 *
 * Where sources say "committed", this is from the first core on that knew.
 * Broken laws end the run (sim_fail). All memory is the world's. */
#ifndef TESTS_SIM_LAW_H
#define TESTS_SIM_LAW_H

#include "tests/sim/sim.h"

void law_begin(void);
void law_booted(int node, const struct raft *core,
		const struct raft_boot *boot);
void law_stepped(int node, const struct raft *core,
		 const struct raft_event *event, int rc,
		 const struct raft_out *out);
void law_sent(int node, const struct raft_msg *m); /* it leaves the node */
void law_died(int node);
/* The disk of the node is not what was written: believe what it boots with. */
void law_damaged(int node);

/* Committed anywhere: the highest index. */
raft_index law_committed(void);
/* The term of a committed entry; 0: not committed. */
raft_term law_term(raft_index index);

/* What of a node's commit index is durable. */
raft_index law_durable_commit(int node);
/* How the node's core stood after its last step; NULL: not since its death. */
const struct raft_status *law_status(int node);

#endif
