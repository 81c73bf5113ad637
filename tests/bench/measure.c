/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - see measure.h. */
#include "tests/bench/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void die(const char *what)
{
	perror(what);
	exit(1);
}

void samples_init(struct samples *s, size_t space)
{
	*s = (struct samples){.space = space};
	s->ns = malloc(space * sizeof *s->ns);
	if (s->ns == NULL)
		die("memory");
}

void samples_add(struct samples *s, int64_t ns)
{
	s->count++;
	if (s->kept < s->space)
		s->ns[s->kept++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

void samples_deinit(struct samples *s)
{
	free(s->ns);
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void samples_print(const char *name, struct samples *all, size_t count,
		   int64_t elapsed_ns)
{
	uint64_t total = 0;
	size_t kept = 0;
	uint32_t *ns;

	for (size_t i = 0; i < count; i++) {
		total += all[i].count;
		kept += all[i].kept;
	}
	ns = malloc((kept + 1) * sizeof *ns);
	if (ns == NULL || kept == 0)
		die(name);
	kept = 0;
	for (size_t i = 0; i < count; i++) {
		memcpy(ns + kept, all[i].ns, all[i].kept * sizeof *ns);
		kept += all[i].kept;
	}
	qsort(ns, kept, sizeof *ns, ascending);
	printf("%s.p50 %.1f us\n", name, ns[kept / 2] / 1e3);
	printf("%s.p99 %.1f us\n", name, ns[kept * 99 / 100] / 1e3);
	printf("%s.rate %.0f /s\n", name,
	       (double)total * 1e9 / (double)elapsed_ns);
	free(ns);
}
