/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - each node's clocks, and its random numbers.
 *
 * A node's boot clock goes at a rate of its own and never back; a new start of
 * the process does not reset it, a new start of the machine does. Its wall
 * clock goes with it, from a start of its own, and may be set. */
#include <sys/random.h>
#include <time.h>

#include "tests/sim/inside.h"

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
ssize_t __wrap_getrandom(void *data, size_t size, unsigned flags);

#define EPOCH_NS 1700000000000000000ULL /* of the wall clock of the world */

void clock_begin(int node)
{
	struct host *h = &sim.hosts[node];

	h->boot_ns = 100 * SIM_S + sim_below(&sim.plan_random, 1000 * SIM_S);
}

/* The world's time as the node counts it; a run is short enough. */
static uint64_t scaled(const struct host *h, uint64_t ns)
{
	return ns + (uint64_t)((int64_t)ns * h->rate_ppm / 1000000);
}

uint64_t clock_boot_ns(int node)
{
	const struct host *h = &sim.hosts[node];

	return h->boot_ns + scaled(h, sim.now);
}

uint64_t clock_world_ns(int node, uint64_t ns)
{
	/* Late rather than early. */
	return ns * 1000000 / (uint64_t)(1000000 + sim.hosts[node].rate_ppm) +
	       2;
}

uint64_t sim_now(void)
{
	return sim.now;
}

uint64_t sim_clock_ms(int node)
{
	return clock_boot_ns(node) / SIM_MS;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	struct sim_task *t = task_current();
	int node = t != NULL ? t->node : SIM_WORLD;
	uint64_t ns;

	if (sim.result == NULL) {
		return __real_clock_gettime(clock, time); /* no run yet */
	}
	if (node == SIM_WORLD) {
		ns = sim.now + (clock == CLOCK_REALTIME ? EPOCH_NS : 0);
	} else {
		task_point();
		ns = clock_boot_ns(node);
		if (clock == CLOCK_REALTIME) {
			ns = EPOCH_NS + (uint64_t)sim.hosts[node].wall_ns + ns -
			     sim.hosts[node].boot_ns;
		}
	}
	time->tv_sec = (time_t)(ns / SIM_S);
	time->tv_nsec = (long)(ns % SIM_S);
	return 0;
}

ssize_t __wrap_getrandom(void *data, size_t size, unsigned flags)
{
	uint8_t *to = data;

	(void)flags;
	for (size_t i = 0; i < size; i++) {
		to[i] = (uint8_t)sim_draw(&sim.nodes);
	}
	return (ssize_t)size;
}
