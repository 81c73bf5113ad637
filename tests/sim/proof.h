/* SPDX-License-Identifier: Apache-2.0 */
/* proof.h - in the calm: are the healed nodes served, whole and the same?
 *
 *   P1  each healed node has changes acknowledged, and strict and fresh reads
 *       answered, though the others are down or half connected
 *   P2  then, when no client has anything under way, each healed node has
 *       applied all that is committed, and all of them to the same index
 *   P3  what it holds there is a sound tree, the same as the others' (A1), and
 *       every name is what the applied changes made of it (H5) */
#ifndef TESTS_SIM_PROOF_H
#define TESTS_SIM_PROOF_H

#include "tests/sim/client.h"

void proof_begin(void);
void proof_step(struct client *c); /* of a healed node: do what is missing */
void proof_died(int node);
bool proof_is_given(void); /* P1, of all healed nodes */
/* All of it; else problem says what is missing. */
bool proof_is_whole(struct buffer *problem);
uint64_t proof_audits(void); /* of nodes, for P3 */

#endif
