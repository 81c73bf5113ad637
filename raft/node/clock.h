/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - the two clocks of a node. Any thread.
 *
 * Everything the core sees is CLOCK_BOOTTIME, which goes on while the machine
 * sleeps: a lease must not outlive a suspend. Wall time only stamps entries. */
#ifndef RAFT_NODE_CLOCK_H
#define RAFT_NODE_CLOCK_H

#include "raft/raft.h"

raft_ms clock_ms(void);
uint64_t clock_wall_ns(void);

#endif
