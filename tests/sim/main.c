/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the program: one seed with its story, or many with their totals.
 *
 *   sim --seed N [--tell] [--html FILE [--window FROM-TO]]
 *   sim --from N --count N [--workers N] [--seconds N] [--kept FILE]
 *       [--floors] [--ledger FILE --commit TEXT]
 *
 * Exit code 0 only if no seed failed, and with --floors enough of everything
 * was counted. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/farm.h"
#include "tests/sim/page.h"
#include "tests/sim/tale.h"

enum { KEPT_MAX = 4096, SEED_SECONDS = 120, AGAIN = 64 };

struct arguments {
	bool one;
	uint64_t seed;
	bool tell;
	const char *html;
	struct page_window window;
	struct farm_options farm;
	bool floors;
	const char *ledger;
	const char *commit;
};

static void usage(void)
{
	fputs("usage: sim --seed N [--tell] [--html FILE [--window MS-MS]]\n"
	      "       sim --from N --count N [--workers N] [--seconds N]\n"
	      "           [--kept FILE] [--floors] [--ledger FILE --commit "
	      "TEXT]\n",
	      stderr);
	exit(2);
}

/* --- One seed ---------------------------------------------------------------
 */

static int play_one(const struct arguments *a)
{
	static struct sim_result result;
	struct sim_options options = {.seed = a->seed,
				      .oracle = &oracle,
				      .tell = a->tell || a->html != NULL};

	if (a->html != NULL) {
		page_begin(&a->window);
		oracle_tell(page_event, page_role);
	} else if (a->tell) {
		tale_begin(stdout);
		oracle_tell(tale_event, tale_role);
	}
	sim_run(&options, &result);
	printf("seed %lu: %s%s, %.3f s of virtual time, trace %016lx\n",
	       (unsigned long)a->seed, result.failed ? "FAILED: " : "passed",
	       result.failure, (double)result.virtual_ns / 1e9,
	       (unsigned long)result.hash);
	if (a->html != NULL && !page_write(a->html, &options, &result)) {
		perror(a->html);
		return 2;
	}
	return result.failed;
}

/* --- Many -------------------------------------------------------------------
 */

/* Lines of a seed, then perhaps words about it; # begins a comment. */
static size_t load_kept(const char *path, uint64_t *seeds)
{
	FILE *in = fopen(path, "r");
	char line[256];
	size_t count = 0;
	char *end;

	if (in == NULL) {
		perror(path);
		exit(2);
	}
	while (count < KEPT_MAX && fgets(line, sizeof line, in) != NULL) {
		seeds[count] = strtoull(line, &end, 10);
		count += end != line;
	}
	fclose(in);
	return count;
}

/* What was played, for the record. */
static void add_to_ledger(const struct arguments *a,
			  const struct farm_totals *t)
{
	FILE *out = fopen(a->ledger, "a");

	if (out == NULL) {
		perror(a->ledger);
		exit(2);
	}
	fprintf(out, "%lu-%lu %s %.0f %lu\n", (unsigned long)a->farm.first,
		(unsigned long)(t->next - 1), a->commit, t->seconds,
		(unsigned long)t->failed);
	fclose(out);
}

static int play_many(const struct arguments *a)
{
	static struct farm_totals totals;
	bool enough = true;

	farm_run(&a->farm, &totals);
	farm_print(&totals);
	if (a->floors) {
		enough = farm_floors(&totals);
	}
	if (a->ledger != NULL && totals.next > a->farm.first) {
		add_to_ledger(a, &totals);
	}
	return totals.failed > 0 || !enough;
}

/* --- Arguments --------------------------------------------------------------
 */

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (end == text || *end != '\0') {
		usage();
	}
	return n;
}

static void window(struct arguments *a, const char *text)
{
	unsigned long from;
	unsigned long to;

	if (sscanf(text, "%lu-%lu", &from, &to) != 2) {
		usage();
	}
	a->window = (struct page_window){.from_ns = from * SIM_MS,
					 .to_ns = to * SIM_MS};
}

enum {
	SEED,
	TELL,
	HTML,
	WINDOW,
	FROM,
	COUNT,
	WORKERS,
	SECONDS,
	KEPT,
	FLOORS,
	LEDGER,
	COMMIT
};

static const struct option names[] = {
	[SEED] = {"seed", required_argument, NULL, SEED},
	[TELL] = {"tell", no_argument, NULL, TELL},
	[HTML] = {"html", required_argument, NULL, HTML},
	[WINDOW] = {"window", required_argument, NULL, WINDOW},
	[FROM] = {"from", required_argument, NULL, FROM},
	[COUNT] = {"count", required_argument, NULL, COUNT},
	[WORKERS] = {"workers", required_argument, NULL, WORKERS},
	[SECONDS] = {"seconds", required_argument, NULL, SECONDS},
	[KEPT] = {"kept", required_argument, NULL, KEPT},
	[FLOORS] = {"floors", no_argument, NULL, FLOORS},
	[LEDGER] = {"ledger", required_argument, NULL, LEDGER},
	[COMMIT] = {"commit", required_argument, NULL, COMMIT},
	[COMMIT + 1] = {NULL, 0, NULL, 0},
};

static void take(struct arguments *a, int name, const char *value)
{
	static uint64_t kept[KEPT_MAX];

	switch (name) {
	case SEED:
		a->one = true;
		a->seed = number(value);
		break;
	case TELL:
		a->tell = true;
		break;
	case HTML:
		a->html = value;
		break;
	case WINDOW:
		window(a, value);
		break;
	case FROM:
		a->farm.first = number(value);
		break;
	case COUNT:
		a->farm.count = number(value);
		break;
	case WORKERS:
		a->farm.workers = (unsigned)number(value);
		break;
	case SECONDS:
		a->farm.seconds = (unsigned)number(value);
		break;
	case KEPT:
		a->farm.kept = kept;
		a->farm.kept_count = load_kept(value, kept);
		break;
	case FLOORS:
		a->floors = true;
		break;
	case LEDGER:
		a->ledger = value;
		break;
	case COMMIT:
		a->commit = value;
		break;
	default:
		usage();
	}
}

int main(int argc, char **argv)
{
	struct arguments a = {.farm = {.workers = 2,
				       .seed_seconds = SEED_SECONDS,
				       .again = AGAIN},
			      .window.to_ns = UINT64_MAX,
			      .commit = "-"};
	int name;

	while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
		take(&a, name, optarg);
	}
	if (optind != argc || a.farm.workers < 1 ||
	    a.farm.workers > FARM_WORKERS_MAX ||
	    (!a.one && a.farm.count == 0 && a.farm.kept_count == 0)) {
		usage();
	}
	return a.one ? play_one(&a) : play_many(&a);
}
