/* SPDX-License-Identifier: Apache-2.0 */
/* tell.h - what happens in a scenario, as the lines a script expects. */
#ifndef TESTS_SCENARIOS_TELL_H
#define TESTS_SCENARIOS_TELL_H

#include <stdio.h>

#include "tests/lib/world.h"

typedef unsigned long long ull;

struct stage {
	struct world *w;
	FILE *out;
	bool quiet;
	bool manual[WORLD_NODES + 1];
	const char *error;
};

char letter(raft_id id); /* A, B, ...; '-': none */
void tell_message(FILE *out, const struct raft_msg *m);
void tell_members(FILE *out, const struct raft_members *m);
void tell_status(struct stage *s, const struct world_node *n);
void tell_log(struct stage *s, const struct world_node *n);

/* What a world calls for each event and act; context is the stage. */
void tell_event(void *context, struct world *w, raft_id node,
		const struct raft_event *ev,
		const struct world_message *message);
void tell_act(void *context, struct world *w, raft_id node,
	      const struct raft_act *act, const struct world_message *message);

#endif
