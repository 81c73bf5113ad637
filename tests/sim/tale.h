/* SPDX-License-Identifier: Apache-2.0 */
/* tale.h - a run told in lines: virtual time, node, event, what followed.
 *
 *    3.218.440  n2  election timeout: candidate in term 4
 *                     > leader in term 4
 *
 * What a node does within the next few milliseconds follows indented. Frames
 * are not told: they are in the page (page.h). */
#ifndef TESTS_SIM_TALE_H
#define TESTS_SIM_TALE_H

#include <stdio.h>

#include "tests/sim/sim.h"

void tale_begin(FILE *out);
void tale_event(const struct sim_event *event);
void tale_role(int node, const struct raft_act *act);

#endif
