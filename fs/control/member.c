/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control/member.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *word;
	const char *usage;
	size_t words; /* after it */
	enum kv_change_kind kind;
} actions[] = {
	{"add", "add ID HOST:PORT [--learner]", 2, KV_ADD},
	{"promote", "promote ID", 1, KV_PROMOTE},
	{"remove", "remove ID", 1, KV_REMOVE},
	{"replace", "replace OLD ID HOST:PORT", 3, KV_REPLACE},
	{"address", "address ID HOST:PORT", 2, KV_ADDRESS},
};

static int take(const struct message_request *request, size_t action,
		struct kv_member_change *change, struct buffer *problem)
{
	size_t count = request->word_count - 1;
	const char(*words)[MESSAGE_WORD_BYTES + 1] = request->words + 1;

	change->kind = actions[action].kind;
	if (change->kind == KV_ADD && count > 0 &&
	    strcmp(words[count - 1], "--learner") == 0) {
		change->stay = true;
		count--;
	}
	if (count != actions[action].words) {
		buffer_printf(problem, "member %s", actions[action].usage);
		return -EINVAL;
	}
	if (change->kind == KV_REPLACE) {
		change->old = words[0];
		words++;
		count--;
	}
	change->name = words[0];
	change->address = count > 1 ? words[1] : NULL;
	return 0;
}

int member_parse(enum command_id command, const struct message_request *request,
		 bool *list, struct kv_member_change *change,
		 struct buffer *problem)
{
	const char *word = request->word_count > 0 ? request->words[0] : "";

	*list = false;
	*change = (struct kv_member_change){.kind = KV_TRANSFER};
	if (command == COMMAND_TRANSFER) {
		if (request->word_count > 1) {
			buffer_printf(problem, "transfer [ID]");
			return -EINVAL;
		}
		change->name = word[0] != 0 ? word : NULL;
		return 0;
	}
	*list = request->word_count == 0 ||
		(strcmp(word, "list") == 0 && request->word_count == 1);
	if (*list) {
		return 0;
	}
	for (size_t i = 0; i < COUNT_OF(actions); i++) {
		if (strcmp(word, actions[i].word) == 0) {
			return take(request, i, change, problem);
		}
	}
	buffer_printf(problem, "member list, add, promote, remove, replace or "
			       "address");
	return -EINVAL;
}
