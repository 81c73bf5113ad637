/* SPDX-License-Identifier: Apache-2.0 */
/* judge_register.c - J1: is the history of a register linearizable?
 *
 * Every value is written once, so the test is simple (Gibbons and Korach,
 * "Testing shared memories", 1997). All operations of one value form a
 * cluster; let f be the earliest return and s the latest call in it. With
 * f < s the value certainly ruled from f to s (a forward zone), else there
 * was some moment between s and f (a backward zone). An order exists exactly
 * when no read ends before its write begins, no two forward zones overlap,
 * and no backward zone lies inside a forward one.
 *
 * A write of unknown outcome that nobody saw is left out; one that was seen
 * happened, at some time after its call. A failed overwrite may have left
 * the file empty (its O_TRUNC). So may, until it ended, one whose writer did
 * not run for 100 ms between its open and its write. */
#include <stdlib.h>
#include <string.h>

#include "tests/cluster/judge.h"

enum { PAUSE_NS = 90000000 }; /* before the 100 ms are over */

struct value {
	struct token token;
	int64_t call_ns;  /* of its write */
	int64_t first_ns; /* earliest return */
	int64_t last_ns;  /* latest call */
	bool seen, acknowledged;
};

struct values {
	const char *file;
	struct value *all;
	size_t count;
	int64_t empty_ns; /* the earliest it may have become empty */
};

static struct value *find(struct values *v, struct token token)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->all[i].token.writer == token.writer &&
		    v->all[i].token.number == token.number)
			return &v->all[i];
	return NULL;
}

static void gather_writes(struct judge *j, struct values *v)
{
	/* The value it was made with. */
	v->all[v->count++] = (struct value){.token = {0, 1},
					    .call_ns = INT64_MIN,
					    .first_ns = INT64_MIN,
					    .last_ns = INT64_MIN,
					    .acknowledged = true};
	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];
		bool ok = e->outcome == OUTCOME_OK;

		if ((e->action != ACTION_OVERWRITE &&
		     e->action != ACTION_REPLACE) ||
		    strcmp(e->file, v->file) != 0)
			continue;
		if (e->outcome == OUTCOME_MISSING)
			violation(j, "%s: missing for %u.%u", v->file,
				  e->token.writer, e->token.number);
		if (e->action == ACTION_OVERWRITE && !ok &&
		    (e->write_ns != 0 || e->outcome == OUTCOME_UNKNOWN) &&
		    e->call_ns < v->empty_ns)
			v->empty_ns = e->call_ns;
		if (!ok &&
		    (e->outcome != OUTCOME_UNKNOWN ||
		     (e->action == ACTION_OVERWRITE && e->write_ns == 0)))
			continue;
		v->all[v->count++] = (struct value){
			.token = e->token,
			.call_ns = e->call_ns,
			.first_ns = ok ? e->return_ns : INT64_MAX,
			.last_ns = e->call_ns,
			.acknowledged = ok};
	}
}

/* A read that returned a whole text. */
static void gather_read(struct judge *j, struct values *v, struct token token,
			int64_t call_ns, int64_t return_ns, bool stale,
			const char *who)
{
	struct value *value = find(v, token);

	if (value == NULL) {
		violation(j, "%s: %s got %u.%u, which was never written there",
			  v->file, who, token.writer, token.number);
		return;
	}
	if (return_ns < value->call_ns)
		violation(j, "%s: %s got %u.%u before it was written", v->file,
			  who, token.writer, token.number);
	if (stale)
		return;
	value->seen = true;
	if (return_ns < value->first_ns)
		value->first_ns = return_ns;
	if (call_ns > value->last_ns)
		value->last_ns = call_ns;
}

/* Did this read meet what such a writer had emptied? */
static bool met_pause(const struct judge *j, const struct event *read)
{
	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];

		if (e->action == ACTION_OVERWRITE &&
		    strcmp(e->file, read->file) == 0 &&
		    e->write_ns - e->call_ns >= PAUSE_NS &&
		    e->call_ns <= read->return_ns &&
		    (read->call_ns <= e->return_ns || may_be_stale(j, read)))
			return true;
	}
	return false;
}

static void gather_reads(struct judge *j, struct values *v)
{
	char who[64];

	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];

		if (e->action != ACTION_READ || strcmp(e->file, v->file) != 0)
			continue;
		snprintf(who, sizeof who, "writer %u on node %u", e->writer,
			 e->node);
		if (e->outcome == OUTCOME_OK)
			gather_read(j, v, e->token, e->call_ns, e->return_ns,
				    may_be_stale(j, e), who);
		else if (e->outcome == OUTCOME_TORN)
			violation(j, "%s: %s got a torn text", v->file, who);
		else if (e->outcome == OUTCOME_MISSING)
			violation(j, "%s: %s found no file", v->file, who);
		else if (e->outcome == OUTCOME_EMPTY &&
			 e->return_ns < v->empty_ns && !met_pause(j, e))
			violation(j, "%s: %s found it empty", v->file, who);
	}
}

/* What each node holds at the end is one more read. */
static void gather_end(struct judge *j, struct values *v)
{
	struct token token;
	char who[64];
	size_t size, used;

	for (size_t t = 0; t < j->tree_count; t++) {
		char *data = content(j, t, v->file, &size);

		snprintf(who, sizeof who, "node %zu at the end", t + 1);
		if (data == NULL)
			violation(j, "%s: %s has no such file", v->file, who);
		else if (size == 0 && j->end_ns < v->empty_ns)
			violation(j, "%s: %s found it empty", v->file, who);
		else if (size > 0 && (!token_parse(data, size, &token, &used) ||
				      used != size))
			violation(j, "%s: %s has a torn text", v->file, who);
		else if (size > 0)
			gather_read(j, v, token, j->end_ns, j->end_ns, false,
				    who);
		free(data);
	}
}

static bool is_forward(const struct value *v)
{
	return v->first_ns < v->last_ns;
}

static void judge_order(struct judge *j, const struct values *v)
{
	for (size_t i = 0; i < v->count; i++) {
		const struct value *a = &v->all[i];

		if (!is_forward(a) || (!a->seen && !a->acknowledged))
			continue;
		for (size_t k = 0; k < v->count; k++) {
			const struct value *b = &v->all[k];

			if (k == i || (!b->seen && !b->acknowledged))
				continue;
			if (is_forward(b) && k < i)
				continue; /* seen from the other side */
			if (a->first_ns < b->last_ns &&
			    b->first_ns < a->last_ns)
				violation(j,
					  "%s: %u.%u still there although "
					  "%u.%u came between",
					  v->file, a->token.writer,
					  a->token.number, b->token.writer,
					  b->token.number);
		}
	}
}

static void judge_register(struct judge *j, const char *file)
{
	struct values v = {.file = file, .empty_ns = INT64_MAX};

	v.all = calloc(j->count + 1, sizeof *v.all);
	if (v.all == NULL)
		exit(2);
	gather_writes(j, &v);
	gather_reads(j, &v);
	gather_end(j, &v);
	judge_order(j, &v);
	free(v.all);
}

void judge_registers(struct judge *j)
{
	each_file(j, ACTION_OVERWRITE, ACTION_REPLACE, judge_register);
}
