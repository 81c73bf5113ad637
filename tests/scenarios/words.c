/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenarios/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

raft_id node_of(struct stage *s, const char *word)
{
	raft_id id;

	if (word != NULL && isupper((unsigned char)word[0])) {
		id = (raft_id)(word[0] - 'A' + 1);
		if (s->w != NULL && id <= s->w->node_count)
			return id;
	}
	s->error = "no such node";
	return 1;
}

uint64_t number_of(struct stage *s, const char *word, uint64_t missing)
{
	char *end;
	uint64_t value;

	if (word == NULL)
		return missing;
	value = strtoull(word, &end, 10);
	if (end == word)
		s->error = "not a number";
	return value;
}

const char *option(const struct words *words, const char *name)
{
	size_t i, length = strlen(name);

	for (i = 0; i < words->count; i++) {
		if (strncmp(words->word[i], name, length) == 0 &&
		    words->word[i][length] == '=')
			return words->word[i] + length + 1;
	}
	return NULL;
}

bool link_of(struct stage *s, const char *word, raft_id *from, raft_id *to)
{
	if (word == NULL || strlen(word) != 4 || strncmp(word + 1, "->", 2))
		return false;
	*from = node_of(s, word);
	*to = node_of(s, word + 3);
	return true;
}

void tell_refusal(struct stage *s, int rc)
{
	if (rc != 0)
		fprintf(s->out, "refused: %s\n", status_text(rc));
}
