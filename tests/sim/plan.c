/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c - what is drawn before a run: sizes, times, and how often what goes
 * wrong. Most kinds of fault are left out of most runs: a rare one shows only
 * where it is not drowned by others (swarm testing: Groce and others, 2012). */
#include <stdio.h>
#include <string.h>

#include "tests/sim/inside.h"

static struct sim_random *r(void)
{
	return &sim.plan_random;
}

static uint64_t between(uint64_t low, uint64_t high)
{
	return low + sim_below(r(), high - low + 1);
}

/* As many between 1 and 2 as between 100 and 200. */
static uint64_t scaled(uint64_t low, uint64_t high)
{
	uint64_t octaves = 0;
	uint64_t least;

	while (low << (octaves + 1) <= high) {
		octaves++;
	}
	least = low << sim_below(r(), octaves + 1);
	return between(least, 2 * least - 1 < high ? 2 * least - 1 : high);
}

static bool maybe(unsigned percent)
{
	return sim_below(r(), 100) < percent;
}

/* Of a million: at most so many, and none in some runs. */
static unsigned rate(unsigned percent, unsigned most)
{
	return maybe(percent) ? (unsigned)scaled(most / 64 + 1, most) : 0;
}

static unsigned draw_nodes(void)
{
	static const unsigned sizes[] = {1, 2, 3, 3, 3, 3, 3, 3, 3, 4,
					 4, 5, 5, 5, 5, 5, 6, 7, 7, 3};

	return sizes[sim_below(r(), COUNT_OF(sizes))];
}

static void draw_times(struct sim_plan *p)
{
	p->heartbeat_ms = (uint32_t)between(30, 150);
	p->election_ms = p->heartbeat_ms * (uint32_t)between(4, 8);
	if (maybe(40)) {
		p->heartbeat_ms = LIMIT_HEARTBEAT_MS;
		p->election_ms = LIMIT_ELECTION_MS;
	}
	p->timeout_ms =
		maybe(40) ? LIMIT_TIMEOUT_MS : (uint32_t)between(1000, 5000);
	p->session_ms =
		maybe(40) ? LIMIT_SESSION_MS : (uint32_t)between(2000, 10000);
	p->disk_stall_ms =
		maybe(50) ? LIMIT_DISK_STALL_MS : (uint32_t)between(500, 3000);
	p->fire_ms = (unsigned)scaled(4000, 30000);
}

static void draw_sizes(struct sim_plan *p)
{
	bool is_tight = maybe(60); /* the log is cut to its tip */

	p->message_bytes = (uint32_t)scaled(2048, is_tight ? 4096 : 16384);
	p->segment_bytes = 8192 + 4 * p->message_bytes +
			   (uint32_t)scaled(512, is_tight ? 4096 : 65536);
	p->segment_bytes -= p->segment_bytes % 512;
	p->log_bytes =
		p->segment_bytes * (uint32_t)scaled(1, is_tight ? 3 : 16);
	p->entry_bytes_max = p->message_bytes + p->message_bytes / 2;
	p->cut_tail_entries = (uint32_t)scaled(1, is_tight ? 32 : 512);
	p->flush_entries = (uint32_t)scaled(4, is_tight ? 64 : 2000);
	p->flush_ms = (uint32_t)scaled(500, 20000);
}

static void draw_schedule(struct sim_rates *s)
{
	s->yield = rate(80, 300000);
	s->nap = rate(50, 2000);
	s->nap_ns = scaled(SIM_MS / 10, 20 * SIM_MS);
	s->spurious = rate(30, 20000);
	s->step_ns = between(300, 2000);
}

static void draw_network(struct sim_rates *s, const struct sim_plan *p)
{
	uint64_t most = p->heartbeat_ms * SIM_MS / 5;

	if (maybe(15)) { /* so slow that elections meet: until the calm */
		most = p->election_ms * SIM_MS / 2;
		s->is_slow = true;
	}
	s->delay_ns = scaled(SIM_MS / 20, most);
	s->jitter_ns = maybe(70) ? scaled(SIM_MS / 50, most) : 0;
	s->lose = rate(40, 200000);
	s->lose_other = p->lossless ? 0 : rate(50, 50000);
	s->duplicate = rate(40, 300000);
	s->reorder = rate(40, 300000);
	s->late_ns = scaled(SIM_MS, 3 * SIM_S);
	s->corrupt = rate(20, 500);
	s->refuse = rate(30, 200000);
	s->short_read = rate(30, 300000);
	s->short_write = rate(30, 300000);
	s->window_bytes = (uint32_t)scaled(8192, 1 << 20);
	for (int i = 0; i < SIM_NODES_MAX; i++) {
		for (int j = 0; j < SIM_NODES_MAX; j++) {
			sim.links.delay_ns[i][j] =
				s->delay_ns / 2 + between(0, s->delay_ns);
		}
	}
}

static void draw_disk(struct sim_rates *s)
{
	s->write_ns = maybe(50) ? scaled(1000, 300000) : 0;
	s->sync_ns = scaled(20000, 10 * SIM_MS);
	s->slow_sync = rate(40, 20000);
	s->slow_ns = scaled(10 * SIM_MS, 2 * SIM_S);
}

/* The mean time between two of a kind, from low on; 0: none in this run. */
static uint32_t every(unsigned percent, uint32_t low_ms)
{
	return maybe(percent) ? (uint32_t)scaled(low_ms, 16 * low_ms) : 0;
}

/* What makes elections comes as often as elections can take place. */
static void draw_faults(struct sim_rates *s, uint32_t election_ms)
{
	s->kill_ms = every(50, election_ms);
	s->power_ms = every(50, election_ms);
	s->all_ms = every(15, 4 * election_ms);
	s->stop_ms = every(25, 2 * election_ms);
	s->pause_ms = every(40, election_ms);
	s->cut_ms = every(60, election_ms);
	s->break_ms = every(40, election_ms / 2);
	s->stall_ms = every(30, election_ms);
	s->full_ms = every(25, 500);
	s->sync_fail_ms = every(20, 1000);
	s->rot_ms = every(10, 2000);
	s->jump_ms = every(20, 500);
	s->aim = maybe(60) ? (unsigned)between(100000, 900000) : 0;
	s->down_ms = (uint32_t)scaled(5, 2000);
	s->outage = maybe(50) ? (unsigned)between(50000, 900000) : 0;
	s->outage_ms = (uint32_t)scaled(4000, 32000);
}

static void draw_clocks(void)
{
	unsigned most = maybe(60) ? (unsigned)scaled(10, 70000) : 0;

	for (unsigned i = 0; i < SIM_NODES_MAX; i++) {
		struct host *h = &sim.hosts[i];

		h->rate_ppm = (int64_t)between(0, 2 * most) - most;
		h->wall_ns = (int64_t)between(0, 2000) * (int64_t)SIM_MS;
		clock_begin((int)i);
	}
}

void plan_draw(void)
{
	struct sim_plan *p = &sim.plan;

	p->nodes = draw_nodes();
	p->rocksdb = p->seed % 50 == 49;
	p->lossless = maybe(70);
	draw_times(p);
	draw_sizes(p);
	draw_schedule(&sim.rates);
	draw_network(&sim.rates, p);
	draw_disk(&sim.rates);
	draw_faults(&sim.rates, p->election_ms);
	draw_clocks();
	if (sim.options.nodes != 0) {
		p->nodes = sim.options.nodes;
	}
	if (sim.options.fire_ms != 0) {
		p->fire_ms = sim.options.fire_ms;
	}
	if (maybe(40)) {
		p->spares = (unsigned)between(1, 3);
	}
	if (p->spares > SIM_NODES_MAX - p->nodes) {
		p->spares = SIM_NODES_MAX - p->nodes;
	}
	if (p->spares > 0 || maybe(40)) {
		sim.rates.churn_ms =
			(uint32_t)scaled(p->election_ms, 8 * p->election_ms);
	}
	if (maybe(30) && sim.rates.rot_ms == 0) {
		sim.rates.rot_ms = (uint32_t)scaled(500, 8000);
	}
	for (unsigned i = 0; i < sim_nodes(); i++) {
		struct host *h = &sim.hosts[i];

		(void)snprintf(h->name, sizeof h->name, "n%u", i + 1);
		(void)snprintf(h->address, sizeof h->address, "10.0.0.%u:7000",
			       i + 1);
		(void)snprintf(h->folder, sizeof h->folder, "/sim/data");
		h->state = SIM_DOWN;
		h->on = true;
	}
}

const struct sim_plan *sim_plan(void)
{
	return &sim.plan;
}
