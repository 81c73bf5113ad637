/* SPDX-License-Identifier: Apache-2.0 */
/* explore.c - every behaviour of a few real cores, within bounds.
 *
 * usage: explore [NAME=VALUE...]
 *
 *   TERMS=3 CRASHES=2 PROPOSALS=2    the bounds
 *   NODES=3 HEARTBEATS=1 ENTRIES=1 LAG=0 PREVOTES=0 PROMISES=0 SYMMETRY=1
 *                                    what can happen: struct bounds, model.h
 *   SECONDS=1800 STATES=20000000     where it ends if it is not complete
 *   NEAREST=0                        1: shortest story (search.h)
 *   QUIET=0                          1: no line every ten seconds
 *   WALK=0 SEED=1                    starts of walk.h, instead of all this
 *
 * Exit code: 0 nothing is broken, and the last line says whether all was
 * seen; 1 something is, and the story is told; 2 wrong usage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/explore/search.h"
#include "tests/explore/walk.h"

enum { WALK_CHOICES = 400 };

struct options {
	struct bounds bounds;
	uint32_t seconds;
	uint32_t states;
	uint32_t walk;
	uint32_t seed;
	bool nearest;
	bool quiet;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool set(struct options *o, const char *name, size_t length,
		uint32_t value)
{
	const struct {
		const char *name;
		uint32_t *number;
		bool *truth;
	} known[] = {
		{"NODES", &o->bounds.nodes, NULL},
		{"TERMS", &o->bounds.terms, NULL},
		{"CRASHES", &o->bounds.crashes, NULL},
		{"PROPOSALS", &o->bounds.proposals, NULL},
		{"LAG", &o->bounds.lag, NULL},
		{"ENTRIES", &o->bounds.entries, NULL},
		{"HEARTBEATS", NULL, &o->bounds.heartbeats},
		{"PREVOTES", NULL, &o->bounds.prevotes},
		{"PROMISES", NULL, &o->bounds.promises},
		{"SYMMETRY", NULL, &o->bounds.symmetry},
		{"SECONDS", &o->seconds, NULL},
		{"STATES", &o->states, NULL},
		{"WALK", &o->walk, NULL},
		{"SEED", &o->seed, NULL},
		{"NEAREST", NULL, &o->nearest},
		{"QUIET", NULL, &o->quiet},
	};
	size_t i;

	for (i = 0; i < COUNT_OF(known); i++) {
		if (strlen(known[i].name) != length ||
		    strncmp(known[i].name, name, length) != 0)
			continue;
		if (known[i].number != NULL)
			*known[i].number = value;
		else
			*known[i].truth = value != 0;
		return true;
	}
	return false;
}

static bool parse(struct options *o, int count, char **words)
{
	int i;

	for (i = 1; i < count; i++) {
		const char *sign = strchr(words[i], '=');
		char *end;
		unsigned long value;

		if (sign == NULL || sign[1] < '0' || sign[1] > '9')
			return false;
		value = strtoul(sign + 1, &end, 10);
		if (*end != '\0' || value >= UINT32_MAX ||
		    !set(o, words[i], (size_t)(sign - words[i]),
			 (uint32_t)value))
			return false;
	}
	return o->bounds.nodes >= 2 && o->bounds.nodes <= NODES_MAX &&
	       o->bounds.terms <= TERMS_MAX && o->bounds.lag <= LAG_MAX &&
	       o->bounds.crashes <= UINT16_MAX &&
	       o->bounds.proposals <= UINT16_MAX && o->bounds.entries > 0 &&
	       o->bounds.entries <= LIMIT_MESSAGE_ENTRIES;
}

static void report(const struct search *s, double took)
{
	const struct model *m = s->model;

	printf("%u states in %.1f s (%.0f a second), %u dropped, %u expanded, "
	       "%u waiting; %u kinds, %u nodes, %u messages, %u inboxes, "
	       "%u steps\n",
	       s->count, took, s->count / took, s->dropped, s->expanded,
	       s->queued, s->kinds.count, m->nodes.count, m->packets.count,
	       m->inboxes.count, m->steps.count);
	fflush(stdout);
}

static bool explore(const struct options *o, struct model *m)
{
	struct search *s = search_new(m, o->nearest);
	double start = now_s(), told = start, now = start;
	bool going = true, holds;

	while (going && now - start < o->seconds && s->count < o->states) {
		going = search_go(s, 1024);
		now = now_s();
		if (!o->quiet && now - told >= 10) {
			report(s, now - start);
			told = now;
		}
	}
	report(s, now_s() - start);
	holds = s->broken == NULL;
	if (!holds)
		search_story(s, stdout);
	else if (going)
		printf("not complete: nothing is broken in what was seen\n");
	else
		printf("complete: nothing is broken within the bounds\n");
	search_free(s);
	return holds;
}

int main(int argc, char **argv)
{
	struct options o = {
		.bounds = {.nodes = 3,
			   .terms = 3,
			   .crashes = 2,
			   .proposals = 2,
			   .entries = 1,
			   .heartbeats = true,
			   .symmetry = true},
		.seconds = 1800,
		.states = 20000000,
		.seed = 1,
	};
	struct model *m;
	bool holds;

	if (!parse(&o, argc, argv)) {
		fprintf(stderr, "usage: explore [NAME=VALUE...], see "
				"tests/explore/explore.c\n");
		return 2;
	}
	m = model_new(&o.bounds);
	holds = o.walk > 0 ? walk(m, o.walk, WALK_CHOICES, o.seed, stdout)
			   : explore(&o, m);
	model_free(m);
	return holds ? 0 : 1;
}
