/* SPDX-License-Identifier: Apache-2.0 */
/* say.h - what a node does, in words, into model.say unless that is NULL. */
#ifndef TESTS_EXPLORE_SAY_H
#define TESTS_EXPLORE_SAY_H

#include "tests/explore/model.h"

void say_choice(const struct model *m, raft_id node, uint32_t choice);
void say_act(const struct model *m, const struct raft_act *act);
void say_save(const struct model *m, const struct pending *p);
void say_durable(const struct model *m);

#endif
