/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - what the clients of all nodes do, drawn for each run: how many they
 * are, how fast, what mix of calls, on which objects.
 *
 * Under fire they do anything. In the calm those of healed nodes prove that
 * they are served (proof.h), the others go on until that is done. */
#ifndef TESTS_SIM_LOAD_H
#define TESTS_SIM_LOAD_H

#include "tests/sim/client.h"

void load_begin(void);
void load_up(int node); /* its clients begin */
void load_died(int node);
/* No change waits for its answer on a node that runs. */
bool load_rests(void);
unsigned load_home(void); /* the object that all may change: a register */

#endif
