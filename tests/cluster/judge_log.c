/* SPDX-License-Identifier: Apache-2.0 */
/* judge_log.c - J2 and J3: files that were only appended to. */
#include <stdlib.h>
#include <string.h>

#include "tests/cluster/judge.h"

struct line {
	const struct event *event;
	size_t end; /* offset behind it */
};

static const struct event *append_of(const struct judge *j, const char *file,
				     struct token token)
{
	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];

		if (e->action == ACTION_APPEND &&
		    e->token.writer == token.writer &&
		    e->token.number == token.number)
			return strcmp(e->file, file) == 0 ? e : NULL;
	}
	return NULL;
}

/* Split the file; every line is whole and may be there. */
static size_t split(struct judge *j, const char *file, const char *data,
		    size_t size, struct line *lines)
{
	struct token token;
	size_t at = 0, used, count = 0;

	while (at < size) {
		const struct event *e;

		if (!token_parse(data + at, size - at, &token, &used)) {
			violation(j, "%s: torn at byte %zu", file, at);
			return count;
		}
		at += used;
		e = append_of(j, file, token);
		if (e == NULL || e->outcome == OUTCOME_NO) {
			violation(j, "%s: %u.%u is there but was %s", file,
				  token.writer, token.number,
				  e == NULL ? "never appended" : "refused");
			continue;
		}
		if (count < j->count)
			lines[count++] = (struct line){.event = e, .end = at};
	}
	return count;
}

static void judge_presence(struct judge *j, const char *file,
			   const struct line *lines, size_t count)
{
	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];
		size_t found = 0;

		if (e->action != ACTION_APPEND || strcmp(e->file, file) != 0)
			continue;
		for (size_t k = 0; k < count; k++)
			found += lines[k].event == e;
		if (found > 1)
			violation(j, "%s: %u.%u stands %zu times", file,
				  e->token.writer, e->token.number, found);
		if (found == 0 && e->outcome == OUTCOME_OK)
			violation(j, "%s: %u.%u was acknowledged and is lost",
				  file, e->token.writer, e->token.number);
		if (e->outcome == OUTCOME_MISSING)
			violation(j, "%s: missing for %u.%u", file,
				  e->token.writer, e->token.number);
	}
}

/* A line that returned before another was called stands before it. */
static void judge_line_order(struct judge *j, const char *file,
			     const struct line *lines, size_t count)
{
	int64_t latest_call_ns = INT64_MIN;

	for (size_t i = 0; i < count; i++) {
		const struct event *e = lines[i].event;

		if (e->outcome == OUTCOME_OK && e->return_ns < latest_call_ns)
			violation(j, "%s: %u.%u stands behind a later line",
				  file, e->token.writer, e->token.number);
		if (e->call_ns > latest_call_ns)
			latest_call_ns = e->call_ns;
	}
}

static void judge_tail(struct judge *j, const struct event *e, const char *data,
		       size_t size, const struct line *lines, size_t count)
{
	size_t seen = e->token.number;

	if (e->outcome == OUTCOME_TORN || seen > size ||
	    (seen > 0 && e->hash != hash_bytes(0, data, seen))) {
		violation(j, "%s: writer %u on node %u read no prefix of it",
			  e->file, e->writer, e->node);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct event *a = lines[i].event;

		if (lines[i].end <= seen && a->call_ns > e->return_ns)
			violation(j, "%s: writer %u read %u.%u too early",
				  e->file, e->writer, a->token.writer,
				  a->token.number);
		if (lines[i].end > seen && a->outcome == OUTCOME_OK &&
		    a->return_ns < e->call_ns && !may_be_stale(j, e))
			violation(j,
				  "%s: writer %u on node %u did not see %u.%u, "
				  "which was acknowledged before",
				  e->file, e->writer, e->node, a->token.writer,
				  a->token.number);
	}
}

static void judge_log(struct judge *j, const char *file)
{
	size_t size = 0, other_size, count;
	char *data = content(j, 0, file, &size), *other;
	struct line *lines = calloc(j->count + 1, sizeof *lines);

	if (lines == NULL)
		exit(2);
	if (data == NULL) {
		violation(j, "%s: node 1 has no such file", file);
		free(lines);
		return;
	}
	for (size_t t = 1; t < j->tree_count; t++) {
		other = content(j, t, file, &other_size);
		if (other == NULL || other_size != size ||
		    memcmp(other, data, size) != 0)
			violation(j, "%s: nodes 1 and %zu differ", file, t + 1);
		free(other);
	}
	count = split(j, file, data, size, lines);
	judge_presence(j, file, lines, count);
	judge_line_order(j, file, lines, count);
	for (size_t i = 0; i < j->count; i++) {
		const struct event *e = &j->events[i];

		if (e->action == ACTION_TAIL && strcmp(e->file, file) == 0 &&
		    (e->outcome == OUTCOME_OK || e->outcome == OUTCOME_TORN))
			judge_tail(j, e, data, size, lines, count);
	}
	free(lines);
	free(data);
}

void judge_logs(struct judge *j)
{
	each_file(j, ACTION_APPEND, ACTION_APPEND, judge_log);
}
