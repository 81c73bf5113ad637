/* SPDX-License-Identifier: Apache-2.0 */
/* random.c - splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014), and the hash of the trace. */
#include "tests/sim/inside.h"

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct sim_random sim_stream(uint64_t name)
{
	return (struct sim_random){
		.state = mix(mix(sim.plan.seed + 0x9e3779b97f4a7c15u) ^
			     name * 0xd1342543de82ef95u),
	};
}

uint64_t sim_draw(struct sim_random *r)
{
	return mix(r->state += 0x9e3779b97f4a7c15u);
}

uint64_t sim_below(struct sim_random *r, uint64_t bound)
{
	return bound > 0 ? sim_draw(r) % bound : 0;
}

bool sim_chance(struct sim_random *r, unsigned of_a_million)
{
	return of_a_million > 0 && sim_below(r, 1000000) < of_a_million;
}

void sim_trace(uint64_t value)
{
	sim.hash = (sim.hash ^ value) * 0x9e3779b97f4a7c15u;
	sim.hash ^= sim.hash >> 29;
}

uint64_t sim_hash(void)
{
	return sim.hash;
}
