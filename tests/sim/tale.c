/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/tale.h"

/* What one node says within this long is told as one thing. */
#define TOGETHER_NS (3 * SIM_MS)

static struct {
	FILE *out;
	int node;
	uint64_t time_ns;
} tale;

void tale_begin(FILE *out)
{
	tale.out = out;
	tale.node = SIM_NODES_MAX;
	tale.time_ns = 0;
}

static void line(int node, const char *mark, const char *text)
{
	uint64_t now = sim_now();
	unsigned long us = (unsigned long)(now / 1000);

	if (node == tale.node && now - tale.time_ns < TOGETHER_NS) {
		fprintf(tale.out, "%21s > %s%s\n", "", mark, text);
	} else {
		fprintf(tale.out, "%6lu.%03lu.%03lu  %-5s %s%s\n", us / 1000000,
			us / 1000 % 1000, us % 1000,
			node == SIM_WORLD ? "world" : sim_name(node), mark,
			text);
	}
	tale.node = node;
	tale.time_ns = now;
}

void tale_event(const struct sim_event *e)
{
	char text[640];

	switch (e->kind) {
	case SIM_EV_SENT:
	case SIM_EV_ARRIVED:
	case SIM_EV_LOST:
	case SIM_EV_DUPLICATED:
		return;
	case SIM_EV_LINK:
		snprintf(text, sizeof text, "to %s: %s",
			 e->other == SIM_WORLD ? "?" : sim_name(e->other),
			 e->text);
		line(e->node, "link ", text);
		return;
	case SIM_EV_CUT:
		line(e->node, "network: ", e->text);
		return;
	case SIM_EV_PHASE:
		line(e->node, "======== ", e->text);
		return;
	case SIM_EV_FAILED:
		line(e->node, "FAILED: ", e->text);
		return;
	case SIM_EV_CLIENT:
		line(e->node, "client ", e->text);
		return;
	case SIM_EV_LOG:
		line(e->node, "log: ", e->text);
		return;
	case SIM_EV_DISK:
	case SIM_EV_LIFE:
	case SIM_EV_CLOCK:
		line(e->node, "", e->text);
		return;
	}
}

/* The name of an incarnation's node. */
static const char *name_of(raft_id id)
{
	for (int n = 0; n < (int)sim_nodes(); n++) {
		if (sim_id(n) == id) {
			return sim_name(n);
		}
	}
	return "someone";
}

void tale_role(int node, const struct raft_act *act)
{
	char text[160];

	snprintf(text, sizeof text, "%s in term %lu%s%s (%s)",
		 raft_role_text(act->role.role), (unsigned long)act->role.term,
		 act->role.leader != 0 ? ", leader " : "",
		 act->role.leader != 0 ? name_of(act->role.leader) : "",
		 raft_reason_text(act->role.reason));
	line(node, "", text);
}
