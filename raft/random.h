/* SPDX-License-Identifier: Apache-2.0 */
/* random.h - a small deterministic generator (splitmix64): equal seeds give
 * equal timeouts, so that a run can be repeated. Not for secrets. */
#ifndef RAFT_RANDOM_H
#define RAFT_RANDOM_H

#include <stdint.h>

uint64_t random_next(uint64_t *state);
/* Uniform enough in [low, low + range); range > 0. */
uint64_t random_from(uint64_t *state, uint64_t low, uint64_t range);

#endif
