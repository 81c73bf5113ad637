/* SPDX-License-Identifier: Apache-2.0 */
/* atlas.h - what a cluster can survive: which hosts are fit, and of which
 * configurations they must be a quorum.
 *
 * A configuration may be in force if some core ever had it, unless a later one
 * is committed; and so may what a removal that is under way would leave. Fit is
 * who has the data of a member: not rotten, not wiped.
 * Faults that last are made only where the fit ones stay a quorum of each. */
#ifndef TESTS_SIM_ATLAS_H
#define TESTS_SIM_ATLAS_H

#include "tests/sim/inside.h"

void atlas_reset(void);
/* The core has, or may have, another configuration in force. */
void atlas_saw(const struct raft *core);

/* A removal is asked for; it may come into force for a while. True: so may an
 * earlier one, whose outcome was never heard. */
bool atlas_leaves(int node);
/* It was answered. Refused, the member must not be removed by it any more: the
 * run fails if it is before somebody asks again; unless an earlier one was said
 * to be done. */
void atlas_answered(int node, bool refused);

/* Are these hosts a quorum of each configuration? Or of any? */
bool atlas_is_quorum(const bool *hosts);
bool atlas_is_any_quorum(const bool *hosts);
void atlas_fit(bool *hosts);
bool atlas_is_member(int node); /* of any of them, as a learner too */
bool atlas_is_voter(int node);
/* May it lose its data? May it be removed? */
bool atlas_can_lose(int node);
bool atlas_can_remove(int node);

#endif
