/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - events and acts as text, one line each, for tests and debugging.
 *
 * "recv append n1->n2 t=3 prev=7/2 last=9 ..." The ids are shown as the low
 * 16 bits in hex: enough to tell members apart. */
#ifndef RAFT_NODE_TRACE_H
#define RAFT_NODE_TRACE_H

#include "base/bytes.h"
#include "raft/raft.h"

void trace_event(struct buffer *out, const struct raft_event *ev);
void trace_act(struct buffer *out, const struct raft_act *act);

/* Log a step at debug level: a node does so when the environment had
 * RAFTFS_TRACE set at node_open(). */
void trace_step(const struct raft_event *ev, int rc,
		const struct raft_out *acts);

#endif
