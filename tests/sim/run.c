/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - one run, and nothing of it left. */
#include <string.h>

#include "tests/sim/atlas.h"

struct sim_run sim = {.who = SIM_WORLD};

enum sim_phase sim_phase(void)
{
	return sim.phase;
}

void sim_count(enum sim_count count)
{
	sim.counts[count]++;
}

uint64_t sim_counted(enum sim_count count)
{
	return sim.counts[count];
}

bool sim_healed(int node)
{
	return sim.healed[node];
}

uint64_t sim_stalled_until(int node)
{
	return sim.hosts[node].stalled_until;
}

const char *sim_count_name(enum sim_count count)
{
	static const char *const names[SIM_COUNTS] = {
		[SIM_STEPS] = "steps",
		[SIM_ELECTIONS] = "elections",
		[SIM_COMMITS] = "commits",
		[SIM_MESSAGES] = "messages",
		[SIM_LOST] = "lost",
		[SIM_DUPLICATED] = "duplicated",
		[SIM_REORDERED] = "reordered",
		[SIM_BROKEN] = "broken connections",
		[SIM_PARTITIONS] = "partitions",
		[SIM_KILLS] = "kills",
		[SIM_POWER_CUTS] = "power cuts",
		[SIM_RESTARTS] = "restarts",
		[SIM_STOPS] = "clean stops",
		[SIM_OUTAGES] = "long outages",
		[SIM_PAUSES] = "pauses",
		[SIM_WIPES] = "wipes",
		[SIM_STALLS] = "stalled disks",
		[SIM_SYNC_FAILS] = "failed syncs",
		[SIM_FULLS] = "full disks",
		[SIM_ROTS] = "rotten bytes",
		[SIM_REPAIRS] = "repairs",
		[SIM_TORN] = "torn writes",
		[SIM_CLOCK_JUMPS] = "clock jumps",
		[SIM_SNAPSHOTS] = "snapshots",
		[SIM_INSTALLS] = "installs",
		[SIM_CHANGES] = "membership changes",
		[SIM_TRANSFERS] = "transfers",
		[SIM_OPERATIONS] = "operations",
		[SIM_DONE] = "done",
		[SIM_UNKNOWN] = "unknown",
		[SIM_READS] = "reads",
		[SIM_FALLBACKS] = "fallbacks",
	};

	return names[count];
}

static void begin(const struct sim_options *options, struct sim_result *result)
{
	*result = (struct sim_result){0};
	sim = (struct sim_run){
		.options = *options,
		.result = result,
		.plan.seed = options->seed,
		.who = SIM_WORLD,
		.hash = options->seed,
	};
	sim.schedule = sim_stream(STREAM_SCHEDULE);
	sim.net = sim_stream(STREAM_NET);
	sim.disk = sim_stream(STREAM_DISK);
	sim.nodes = sim_stream(STREAM_NODE);
	sim.plan_random = sim_stream(STREAM_PLAN);
	sim.fault = sim_stream(STREAM_FAULT);
	sim.stores = sim_stream(STREAM_STATE);
	life_reset();
	plan_draw();
	atlas_reset();
	for (int i = 0; i < (int)sim_nodes(); i++) {
		disk_begin(i);
		state_begin(i);
	}
}

static void end(struct sim_result *result)
{
	result->hash = sim.hash;
	result->virtual_ns = sim.now;
	memcpy(result->counts, sim.counts, sizeof result->counts);
	for (int i = 0; i < (int)sim_nodes(); i++) {
		state_end(i);
	}
	task_reset();
	net_reset();
	disk_reset();
	for (int i = SIM_WORLD; i < SIM_NODES_MAX; i++) {
		arena_reset(i);
	}
}

void sim_run(const struct sim_options *options, struct sim_result *result)
{
	const struct sim_oracle *oracle = options->oracle;

	begin(options, result);
	if (oracle != NULL && oracle->begin != NULL) {
		oracle->begin();
	}
	bulk_begin();
	churn_begin();
	sim_spawn(SIM_WORLD, "director", fault_main, NULL);
	task_run();
	end(result);
}
