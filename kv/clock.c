/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "kv/internal.h"

uint64_t kv_now_ms(void)
{
	struct timespec now;
	int rc = clock_gettime(CLOCK_BOOTTIME, &now);

	CHECK(rc == 0);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t kv_realtime_ns(void)
{
	struct timespec now;
	int rc = clock_gettime(CLOCK_REALTIME, &now);

	CHECK(rc == 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
