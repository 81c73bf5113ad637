/* SPDX-License-Identifier: Apache-2.0 */
/* token.c - texts that name their writer; a history's lines. */
#include "tests/cluster/token.h"

#include <string.h>
#include <time.h>

static const char *const actions[] = {
	[ACTION_OVERWRITE] = "overwrite", [ACTION_REPLACE] = "replace",
	[ACTION_READ] = "read",		  [ACTION_APPEND] = "append",
	[ACTION_TAIL] = "tail",		  [ACTION_MOVE] = "move",
	[ACTION_CLAIM] = "claim",	  [ACTION_MKDIR] = "mkdir",
};
static const char *const outcomes[] = {
	[OUTCOME_OK] = "ok",	       [OUTCOME_NO] = "no",
	[OUTCOME_UNKNOWN] = "unknown", [OUTCOME_EXISTS] = "exists",
	[OUTCOME_MISSING] = "missing", [OUTCOME_EMPTY] = "empty",
	[OUTCOME_TORN] = "torn",
};
enum {
	ACTIONS = sizeof actions / sizeof *actions,
	OUTCOMES = sizeof outcomes / sizeof *outcomes
};

uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *p = data;

	if (hash == 0)
		hash = 14695981039346656037ULL;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * 1099511628211ULL;
	return hash;
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

size_t token_text(struct token token, char *out)
{
	uint64_t h = hash_bytes(0, &token, sizeof token);
	size_t filler = h % 16 == 0 ? h / 16 % 3000 : h / 16 % 100;
	int head, tail;

	head = sprintf(out, "%u.%u %zu ", token.writer, token.number, filler);
	for (size_t i = 0; i < filler; i++) {
		h = h * 6364136223846793005ULL + 1442695040888963407ULL;
		out[(size_t)head + i] = (char)('a' + (h >> 33) % 26);
	}
	tail = sprintf(out + (size_t)head + filler, " %u.%u\n", token.writer,
		       token.number);
	return (size_t)head + filler + (size_t)tail;
}

bool token_parse(const char *in, size_t size, struct token *token, size_t *used)
{
	char head[32] = {0}, text[TOKEN_BYTES_MAX];
	size_t want;

	memcpy(head, in, size < sizeof head - 1 ? size : sizeof head - 1);
	if (sscanf(head, "%u.%u ", &token->writer, &token->number) != 2)
		return false;
	want = token_text(*token, text);
	if (want > size || memcmp(text, in, want) != 0)
		return false;
	*used = want;
	return true;
}

void event_print(FILE *out, const struct event *e)
{
	fprintf(out, "%u %u %s %s %lld %s %s %u.%u %016llx %lld %lld %d\n",
		e->writer, e->node, actions[e->action], outcomes[e->outcome],
		(long long)e->write_ns, e->file, e->to[0] != '\0' ? e->to : "-",
		e->token.writer, e->token.number, (unsigned long long)e->hash,
		(long long)e->call_ns, (long long)e->return_ns, e->error);
}

static int word(const char *text, const char *const *words, int count)
{
	for (int i = 1; i < count; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	return 0;
}

bool event_parse(const char *line, struct event *e)
{
	char action[16], outcome[16];
	unsigned long long hash;
	long long from, until, write;

	*e = (struct event){0};
	if (sscanf(line,
		   "%u %u %15s %15s %lld %63s %63s %u.%u %llx %lld %lld %d",
		   &e->writer, &e->node, action, outcome, &write, e->file,
		   e->to, &e->token.writer, &e->token.number, &hash, &from,
		   &until, &e->error) != 13)
		return false;
	e->action = (enum action)word(action, actions, ACTIONS);
	e->outcome = (enum outcome)word(outcome, outcomes, OUTCOMES);
	e->write_ns = write;
	e->hash = hash;
	e->call_ns = from;
	e->return_ns = until;
	return e->action != 0 && e->outcome != 0 && e->writer < WRITERS_MAX;
}
