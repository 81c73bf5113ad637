/* SPDX-License-Identifier: Apache-2.0 */
/* judge.c - read a history, put it to every check, say what is wrong.
 *
 *   judge [--calm=MS] HISTORY MINIMUM TREE...
 *
 * HISTORY: a folder with the writers' files w1 w2 ..., and perhaps a file
 * `stale` with lines "NODE FROM UNTIL" (ns), see judge.h. At least MINIMUM
 * changes must have been acknowledged. --calm: none may have failed, or taken
 * longer than that. Exit code 0 only without a violation. */
#include "tests/cluster/judge.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 512, SHOWN_MAX = 30 };

void violation(struct judge *j, const char *format, ...)
{
	va_list args;

	if (++j->violations > SHOWN_MAX)
		return;
	fputs("violation: ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

char *content(const struct judge *j, size_t tree, const char *file,
	      size_t *size)
{
	char path[4096], *data = NULL;
	size_t space = 0, got;
	FILE *in;

	snprintf(path, sizeof path, "%s/%s", j->trees[tree], file);
	in = fopen(path, "r");
	if (in == NULL)
		return NULL;
	*size = 0;
	do {
		space += 65536;
		data = realloc(data, space);
		if (data == NULL)
			die("memory");
		got = fread(data + *size, 1, space - *size, in);
		*size += got;
	} while (*size == space);
	if (ferror(in))
		die(path);
	fclose(in);
	return data;
}

bool may_be_stale(const struct judge *j, const struct event *e)
{
	for (size_t i = 0; i < j->window_count; i++)
		if (e->node == j->windows[i].node &&
		    e->return_ns >= j->windows[i].from_ns &&
		    e->call_ns <= j->windows[i].until_ns)
			return true;
	return false;
}

void each_file(struct judge *j, enum action first, enum action second,
	       void (*each)(struct judge *j, const char *file))
{
	const char *seen[256];
	size_t count = 0, k;

	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];

		if (e->action != first && e->action != second)
			continue;
		for (k = 0; k < count && strcmp(seen[k], e->file) != 0; k++)
			;
		if (k < count || count == sizeof seen / sizeof *seen)
			continue;
		seen[count++] = e->file;
		each(j, e->file);
	}
}

static void load_writer(struct judge *j, const char *path)
{
	char line[LINE_BYTES_MAX];
	FILE *in = fopen(path, "r");

	if (in == NULL)
		return;
	while (fgets(line, sizeof line, in) != NULL) {
		if ((j->count & (j->count - 1)) == 0) /* full: double it */
			j->events = realloc(j->events, (2 * j->count +
							1) * sizeof *j->events);
		if (j->events == NULL)
			die("memory");
		if (!event_parse(line, &j->events[j->count])) {
			printf("not a history: %s: %s", path, line);
			exit(2);
		}
		j->count++;
	}
	fclose(in);
}

static void load_windows(struct judge *j, const char *path)
{
	FILE *in = fopen(path, "r");
	long long from, until;
	unsigned node;

	if (in == NULL)
		return;
	while (j->window_count < WINDOWS_MAX &&
	       fscanf(in, "%u %lld %lld", &node, &from, &until) == 3)
		j->windows[j->window_count++] = (struct window){
			.node = node, .from_ns = from, .until_ns = until};
	fclose(in);
}

static bool is_change(enum action action)
{
	return action != ACTION_READ && action != ACTION_TAIL;
}

static size_t summary(const struct judge *j)
{
	size_t changes = 0, refused = 0, unknown = 0, reads = 0, stale = 0;

	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];

		if (!is_change(e->action)) {
			reads++;
			stale += may_be_stale(j, e);
		} else if (e->outcome == OUTCOME_OK) {
			changes++;
		} else if (e->outcome == OUTCOME_UNKNOWN) {
			unknown++;
		} else if (e->outcome == OUTCOME_NO) {
			refused++;
		}
	}
	printf("judged %zu operations: %zu changes acknowledged, %zu refused, "
	       "%zu unknown; %zu reads, of which %zu may be stale; "
	       "%zu violations\n",
	       j->count, changes, refused, unknown, reads, stale,
	       j->violations);
	return changes;
}

static bool has_failed(const struct event *e)
{
	return e->outcome == OUTCOME_NO || e->outcome == OUTCOME_UNKNOWN;
}

/* Whatever went on in the cluster, nobody noticed. */
static void judge_calm(struct judge *j, long long most_ms)
{
	long long longest = 0;

	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];
		long long ms = (e->return_ns - e->call_ns) / 1000000;

		if (!is_change(e->action))
			continue;
		if (has_failed(e) || ms > most_ms)
			violation(j,
				  "a change of writer %u at node %u %s after "
				  "%lld ms",
				  e->writer, e->node,
				  has_failed(e) ? "failed" : "was done only",
				  ms);
		longest = ms > longest ? ms : longest;
	}
	printf("the longest change took %lld ms; ", longest);
}

int main(int argc, char **argv)
{
	struct judge j = {.end_ns = now_ns()};
	char path[4096];
	long long calm_ms = -1;

	if (argc > 1 && strncmp(argv[1], "--calm=", 7) == 0) {
		calm_ms = strtoll(argv[1] + 7, NULL, 10);
		argc--;
		argv++;
	}

	if (argc < 4 || argc - 3 > TREES_MAX) {
		fputs("usage: judge [--calm=MS] HISTORY MINIMUM TREE...\n",
		      stderr);
		return 2;
	}
	for (int i = 3; i < argc; i++)
		j.trees[j.tree_count++] = argv[i];
	for (int w = 1; w < WRITERS_MAX; w++) {
		snprintf(path, sizeof path, "%s/w%d", argv[1], w);
		load_writer(&j, path);
	}
	snprintf(path, sizeof path, "%s/stale", argv[1]);
	load_windows(&j, path);

	judge_registers(&j);
	judge_logs(&j);
	judge_names(&j);
	if (calm_ms >= 0)
		judge_calm(&j, calm_ms);

	if (summary(&j) < strtoul(argv[2], NULL, 10)) {
		printf("violation: fewer than %s changes were acknowledged\n",
		       argv[2]);
		return 1;
	}
	free(j.events);
	return j.violations != 0;
}
