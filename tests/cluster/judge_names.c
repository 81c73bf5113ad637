/* SPDX-License-Identifier: Apache-2.0 */
/* judge_names.c - J4 and J5: renames, and names that many race for.
 *
 * Where a writer's file may be is a set of places (bits): an acknowledged
 * rename makes it one place, a rename of unknown outcome may add its target,
 * at once or at any later time. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/cluster/judge.h"

enum { PLACES = 4, PENDING_MAX = 256 };

struct pending {
	unsigned from, to;
};

static unsigned place_of(const char *file)
{
	return (unsigned)(file[1] - '0') % PLACES; /* dN/... */
}

/* All that pending renames could make of the set. */
static unsigned closure(unsigned set, const struct pending *p, size_t count)
{
	unsigned before;

	do {
		before = set;
		for (size_t i = 0; i < count; i++)
			if (set & 1U << p[i].from)
				set |= 1U << p[i].to;
	} while (set != before);
	return set;
}

static unsigned replay_moves(struct judge *j, unsigned writer)
{
	struct pending pending[PENDING_MAX];
	size_t count = 0;
	unsigned set = 1; /* made in d0 */

	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];
		unsigned from = place_of(e->file), to = place_of(e->to);

		if (e->action != ACTION_MOVE || e->writer != writer)
			continue;
		set = closure(set, pending, count);
		if (e->outcome == OUTCOME_OK) {
			if (!(set & 1U << from))
				violation(j, "%s was moved but was elsewhere",
					  e->file);
			set = 1U << to;
		} else if (e->outcome == OUTCOME_MISSING) {
			set &= ~(1U << from);
			if (set == 0)
				violation(j, "%s is gone", e->file);
		} else if (e->outcome == OUTCOME_UNKNOWN &&
			   count < PENDING_MAX) {
			pending[count++] =
				(struct pending){.from = from, .to = to};
		}
	}
	return closure(set, pending, count);
}

static void judge_moves(struct judge *j, unsigned writer)
{
	unsigned allowed = replay_moves(j, writer);

	for (size_t t = 0; t < j->tree_count; t++) {
		unsigned found = 0, places = 0;

		for (unsigned p = 0; p < PLACES; p++) {
			char name[NAME_BYTES_MAX];
			struct token token;
			size_t size, used;
			char *data;

			snprintf(name, sizeof name, "d%u/t%u", p, writer);
			data = content(j, t, name, &size);
			if (data == NULL)
				continue;
			found |= 1U << p;
			places++;
			if (!token_parse(data, size, &token, &used) ||
			    token.writer != writer || token.number != 0)
				violation(j, "%s: not what it was", name);
			free(data);
		}
		if (places != 1)
			violation(j, "t%u: in %u places on node %zu", writer,
				  places, t + 1);
		else if (!(found & allowed))
			violation(j, "t%u: in a place no rename took it to",
				  writer);
	}
}

struct race {
	size_t won, unknown, lost;
	int64_t first_call_ns; /* of whoever may have won */
	int64_t first_loss_ns; /* earliest return of EEXIST */
};

static void judge_claim(struct judge *j, const char *file)
{
	struct race r = {.first_call_ns = INT64_MAX,
			 .first_loss_ns = INT64_MAX};

	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];

		if ((e->action != ACTION_CLAIM && e->action != ACTION_MKDIR) ||
		    strcmp(e->file, file) != 0)
			continue;
		r.won += e->outcome == OUTCOME_OK;
		r.unknown += e->outcome == OUTCOME_UNKNOWN;
		r.lost += e->outcome == OUTCOME_EXISTS;
		if (e->outcome == OUTCOME_EXISTS) {
			if (e->return_ns < r.first_loss_ns)
				r.first_loss_ns = e->return_ns;
		} else if (e->outcome != OUTCOME_NO) {
			if (e->call_ns < r.first_call_ns)
				r.first_call_ns = e->call_ns;
		}
	}
	if (r.won > 1)
		violation(j, "%s: %zu winners", file, r.won);
	if (r.lost > 0 && r.won + r.unknown == 0)
		violation(j, "%s: EEXIST, but nobody made it", file);
	if (r.first_loss_ns < r.first_call_ns)
		violation(j, "%s: EEXIST before anyone made it", file);
	for (size_t t = 0; t < j->tree_count; t++) {
		char path[4096];
		struct stat st;
		bool there;

		snprintf(path, sizeof path, "%s/%s", j->trees[t], file);
		there = stat(path, &st) == 0;
		if (!there && r.won + r.lost > 0)
			violation(j, "%s: lost on node %zu", file, t + 1);
		if (there && r.won + r.unknown == 0)
			violation(j, "%s: there, but refused", file);
	}
}

void judge_names(struct judge *j)
{
	bool moved[WRITERS_MAX] = {false};

	for (size_t i = 0; i < j->count; i++)
		if (j->events[i].action == ACTION_MOVE)
			moved[j->events[i].writer] = true;
	for (unsigned w = 0; w < WRITERS_MAX; w++)
		if (moved[w])
			judge_moves(j, w);
	each_file(j, ACTION_CLAIM, ACTION_MKDIR, judge_claim);
}
