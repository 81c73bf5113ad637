/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.h - everything that watches and judges a run, as one sim_oracle.
 *
 *   law      all cores together, after every step (L1 ... L10, D1)
 *   agree    what is applied, on every node (A1, A2)
 *   history  what clients were told (H1 ... H5), judged by linear
 *   load     the clients, by client (C1)
 *   proof    the calm (P1 ... P3) */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include "tests/sim/sim.h"

enum oracle_count {
	ORACLE_CHANGES, /* acknowledged */
	ORACLE_CHANGES_REFUSED,
	ORACLE_CHANGES_UNKNOWN,
	ORACLE_INTERRUPTS,
	ORACLE_FRESH, /* reads, answered and sure */
	ORACLE_STRICT,
	ORACLE_LOCAL,
	ORACLE_FELL_BACK,
	ORACLE_READS_REFUSED,
	ORACLE_STATES,	  /* compared with another node's */
	ORACLE_AUDITS,	  /* of a node's whole state in the calm */
	ORACLE_HISTORIES, /* judged */
	ORACLE_UNDECIDED, /* and of these: too hard */
	ORACLE_COUNTS,
};
const char *oracle_count_name(enum oracle_count count);

extern const struct sim_oracle oracle;

/* Of the last run, valid after its end. */
uint64_t oracle_counted(enum oracle_count count);

/* Called with every event, for a narrative; NULL: none. */
typedef void (*oracle_watch)(const struct sim_event *event);
/* And with every change of a node's role, term or leader. */
typedef void (*oracle_role)(int node, const struct raft_act *act);
void oracle_tell(oracle_watch watch, oracle_role role);

#endif
