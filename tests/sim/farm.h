/* SPDX-License-Identifier: Apache-2.0 */
/* farm.h - many seeds, played by forked workers; totals and failures.
 *
 * A worker plays one seed at a time. One that crashes or takes too long is a
 * failed seed, not a failed farm. Now and then a seed is played a second time,
 * by whichever worker is free: its trace hash must be the same. */
#ifndef TESTS_SIM_FARM_H
#define TESTS_SIM_FARM_H

#include "tests/sim/oracle.h"

enum { FARM_WORKERS_MAX = 64, FARM_FAILURES_SHOWN = 50 };

struct farm_options {
	const uint64_t *kept; /* seeds played first, whatever the range */
	size_t kept_count;
	uint64_t first;
	uint64_t count;
	unsigned workers;
	unsigned seconds;      /* begin no new seed after this; 0: no limit */
	unsigned seed_seconds; /* one seed may take, on the wall's clock */
	unsigned again; /* every so many seeds is played twice; 0: none */
};

struct farm_totals {
	uint64_t played;
	uint64_t next; /* the first of the range that was not begun */
	uint64_t failed;
	uint64_t again; /* played a second time */
	uint64_t virtual_ns;
	uint64_t sim[SIM_COUNTS];
	uint64_t oracle[ORACLE_COUNTS];
	double seconds;
	uint64_t failures[FARM_FAILURES_SHOWN]; /* seeds */
};

/* Failures are printed as they happen, with how to replay them. */
void farm_run(const struct farm_options *options, struct farm_totals *totals);

void farm_print(const struct farm_totals *totals);
/* Is enough of everything in it? What is not is printed. */
bool farm_floors(const struct farm_totals *totals);

#endif
