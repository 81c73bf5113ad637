/* SPDX-License-Identifier: Apache-2.0 */
/* step.h - one choice at one node: the real raft_step(), and the smallest
 * right driver around it. */
#ifndef TESTS_EXPLORE_STEP_H
#define TESTS_EXPLORE_STEP_H

#include "tests/explore/model.h"

/* What the choice leads to, remembered; 0: nothing changes, or the node does
 * not have this choice. Otherwise a number for step_outcome(). */
uint32_t step_choice(struct model *m, uint32_t node, uint32_t choice);
const struct outcome *step_outcome(const struct model *m, uint32_t number);

/* The outcome of what breaks an invariant; text: which. */
uint32_t step_broken(struct model *m, const char *text);

/* Say what happens, to m->say. */
void step_say(struct model *m, uint32_t node, uint32_t choice);

/* The same with the node at work, which is left as the choice leaves it, not
 * settled; m->has_crashed: it has to be started from its disk. What it sends
 * is in m->sent. Return false if the node does not have the choice; what is
 * broken ends the process. */
bool step_run(struct model *m, uint32_t choice);

#endif
