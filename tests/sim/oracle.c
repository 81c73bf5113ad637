/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/oracle.h"

#include <string.h>

#include "tests/sim/agree.h"
#include "tests/sim/client.h"
#include "tests/sim/history.h"
#include "tests/sim/law.h"
#include "tests/sim/load.h"
#include "tests/sim/proof.h"

static uint64_t counts[ORACLE_COUNTS];
static oracle_watch told;
static oracle_role told_role;

const char *oracle_count_name(enum oracle_count count)
{
	static const char *const names[ORACLE_COUNTS] = {
		[ORACLE_CHANGES] = "changes acknowledged",
		[ORACLE_CHANGES_REFUSED] = "changes refused",
		[ORACLE_CHANGES_UNKNOWN] = "changes of unknown outcome",
		[ORACLE_INTERRUPTS] = "interrupts",
		[ORACLE_FRESH] = "fresh reads",
		[ORACLE_STRICT] = "strict reads",
		[ORACLE_LOCAL] = "local reads",
		[ORACLE_FELL_BACK] = "reads that fell back",
		[ORACLE_READS_REFUSED] = "reads refused",
		[ORACLE_STATES] = "states compared",
		[ORACLE_AUDITS] = "audits",
		[ORACLE_HISTORIES] = "histories judged",
		[ORACLE_UNDECIDED] = "histories undecided",
	};

	return names[count];
}

uint64_t oracle_counted(enum oracle_count count)
{
	return counts[count];
}

void oracle_tell(oracle_watch watch, oracle_role role)
{
	told = watch;
	told_role = role;
}

/* --- Hooks ------------------------------------------------------------------
 */

static void on_begin(void)
{
	memset(counts, 0, sizeof counts);
	law_begin();
	agree_begin();
	history_begin();
	client_begin();
	proof_begin();
	load_begin();
}

static void on_event(const struct sim_event *event)
{
	if (event->node >= 0 && event->kind == SIM_EV_DISK &&
	    strncmp(event->text, "rot", 3) == 0) {
		law_damaged(event->node);
	}
	if (event->node >= 0 && event->kind == SIM_EV_LIFE &&
	    strncmp(event->text, "wipe", 4) == 0) {
		history_node_lost(event->node, 0);
	}
	if (told != NULL) {
		told(event);
	}
}

static void on_stepped(int node, const struct raft *core,
		       const struct raft_event *event, int rc,
		       const struct raft_out *out)
{
	law_stepped(node, core, event, rc, out);
	for (size_t i = 0; told_role != NULL && i < out->count; i++) {
		if (out->acts[i].kind == RAFT_DO_ROLE) {
			told_role(node, &out->acts[i]);
		}
	}
}

static void on_died(int node, enum sim_death why, const char *line)
{
	(void)line;
	load_died(node);
	proof_died(node);
	agree_died(node);
	law_died(node);
	if (why != SIM_KILLED && why != SIM_STOPPED) {
		history_node_lost(node, law_durable_commit(node));
	}
}

static bool on_satisfied(struct buffer *problem)
{
	return proof_is_whole(problem);
}

static void take_counts(void)
{
	for (unsigned i = 0; i <= ORACLE_READS_REFUSED; i++) {
		counts[i] = client_counted((enum client_count)i);
	}
	counts[ORACLE_STATES] = agree_compared();
	counts[ORACLE_AUDITS] = proof_audits();
}

static_assert((int)ORACLE_CHANGES == (int)CLIENT_CHANGES &&
		      (int)ORACLE_READS_REFUSED == (int)CLIENT_READS_REFUSED,
	      "the first counts are the clients'");

static void on_end(void)
{
	unsigned judged = 0;
	unsigned undecided = 0;

	take_counts();
	history_judge(&judged, &undecided);
	counts[ORACLE_HISTORIES] = judged;
	counts[ORACLE_UNDECIDED] = undecided;
}

const struct sim_oracle oracle = {
	.begin = on_begin,
	.event = on_event,
	.booted = law_booted,
	.stepped = on_stepped,
	.sent = law_sent,
	.applied = agree_applied,
	.dropped = agree_dropped,
	.up = load_up,
	.busy = client_busy,
	.died = on_died,
	.satisfied = on_satisfied,
	.end = on_end,
};
