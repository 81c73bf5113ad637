/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - latencies, collected and told as "NAME VALUE UNIT" lines. */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Samples of one thread; those beyond the space are counted only. */
struct samples {
	uint32_t *ns;
	size_t space, kept;
	uint64_t count;
};

int64_t clock_ns(void);
void samples_init(struct samples *s, size_t space);
void samples_add(struct samples *s, int64_t ns);
void samples_deinit(struct samples *s);
/* NAME.p50, NAME.p99 in microseconds and NAME.rate of all of them. */
void samples_print(const char *name, struct samples *all, size_t count,
		   int64_t elapsed_ns);
/* Say what went wrong with `what` and end. */
_Noreturn void die(const char *what);

#endif
