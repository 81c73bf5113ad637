/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/clock.h"

#include <time.h>

raft_ms clock_ms(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_BOOTTIME, &t) == 0);
	return (raft_ms)t.tv_sec * 1000 + (raft_ms)t.tv_nsec / 1000000;
}

uint64_t clock_wall_ns(void)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}
