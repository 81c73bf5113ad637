/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - the words of a script's line. What makes no sense is noted in
 * stage.error. */
#ifndef TESTS_SCENARIOS_WORDS_H
#define TESTS_SCENARIOS_WORDS_H

#include "tests/scenarios/tell.h"

enum { WORDS_MAX = 12 };

struct words {
	size_t count;
	char *word[WORDS_MAX]; /* NULL after the last */
};

raft_id node_of(struct stage *s, const char *word);
uint64_t number_of(struct stage *s, const char *word, uint64_t missing);
/* The text after "name=" among the words, or NULL. */
const char *option(const struct words *words, const char *name);
/* "A->B" */
bool link_of(struct stage *s, const char *word, raft_id *from, raft_id *to);
/* Say why a request was refused; nothing if it was not. */
void tell_refusal(struct stage *s, int rc);

/* Commands of members.c. */
void cmd_snap(struct stage *s, const struct words *words);
void cmd_change(struct stage *s, const struct words *words);
void cmd_leave(struct stage *s, const struct words *words);
void cmd_transfer(struct stage *s, const struct words *words);
void cmd_members(struct stage *s, const struct words *words);
void cmd_load(struct stage *s, const struct words *words);

#endif
