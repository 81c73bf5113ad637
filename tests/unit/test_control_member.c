/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: the words of a member command become what was meant, or one line
 * with its usage. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/control/member.h"

static struct message_request request;
static struct kv_member_change change;
static bool list;

/* "add n4 h:4" */
static int parse(enum command_id command, const char *line,
		 struct buffer *problem)
{
	char *copy = strdup(line);
	char *rest = copy;
	char *word;

	memset(&request, 0, sizeof request);
	while (*line != 0 && (word = strsep(&rest, " ")) != NULL) {
		assert_true(request.word_count < MESSAGE_WORDS);
		strcpy(request.words[request.word_count++], word);
	}
	free(copy);
	return member_parse(command, &request, &list, &change, problem);
}

static void GIVEN_MEMBER(const char *line, enum kv_change_kind kind)
{
	struct buffer problem = {0};

	assert_int_equal(parse(COMMAND_MEMBER, line, &problem), 0);
	assert_false(list);
	assert_int_equal(change.kind, kind);
}

static void assert_refused(enum command_id command, const char *line,
			   const char *usage)
{
	struct buffer problem = {0};

	assert_int_equal(parse(command, line, &problem), -EINVAL);
	assert_string_equal(buffer_text(&problem), usage);
	buffer_deinit(&problem);
}

static void each_action_takes_its_words(void **state)
{
	(void)state;

	GIVEN_MEMBER("add n4 h:4", KV_ADD);
	assert_string_equal(change.name, "n4");
	assert_string_equal(change.address, "h:4");
	assert_false(change.stay);
	GIVEN_MEMBER("add n4 h:4 --learner", KV_ADD);
	assert_true(change.stay);
	GIVEN_MEMBER("promote n4", KV_PROMOTE);
	assert_string_equal(change.name, "n4");
	assert_null(change.address);
	GIVEN_MEMBER("remove n4", KV_REMOVE);
	GIVEN_MEMBER("replace n3 n4 h:4", KV_REPLACE);
	assert_string_equal(change.old, "n3");
	assert_string_equal(change.name, "n4");
	assert_string_equal(change.address, "h:4");
	GIVEN_MEMBER("address n4 h:5", KV_ADDRESS);
	assert_string_equal(change.address, "h:5");
}

static void listing_is_the_default(void **state)
{
	struct buffer problem = {0};
	(void)state;

	assert_int_equal(parse(COMMAND_MEMBER, "", &problem), 0);
	assert_true(list);
	assert_int_equal(parse(COMMAND_MEMBER, "list", &problem), 0);
	assert_true(list);
}

static void a_transfer_names_who_shall_lead_or_nobody(void **state)
{
	struct buffer problem = {0};
	(void)state;

	assert_int_equal(parse(COMMAND_TRANSFER, "", &problem), 0);
	assert_int_equal(change.kind, KV_TRANSFER);
	assert_null(change.name);
	assert_int_equal(parse(COMMAND_TRANSFER, "n2", &problem), 0);
	assert_string_equal(change.name, "n2");
	assert_refused(COMMAND_TRANSFER, "n2 n3", "transfer [ID]");
}

static void nonsense_is_told_the_usage(void **state)
{
	(void)state;

	assert_refused(COMMAND_MEMBER, "add n4",
		       "member add ID HOST:PORT [--learner]");
	assert_refused(COMMAND_MEMBER, "add --learner",
		       "member add ID HOST:PORT [--learner]");
	assert_refused(COMMAND_MEMBER, "remove n4 n5", "member remove ID");
	assert_refused(COMMAND_MEMBER, "replace n4 h:4",
		       "member replace OLD ID HOST:PORT");
	assert_refused(COMMAND_MEMBER, "list all",
		       "member list, add, promote, remove, replace or address");
	assert_refused(COMMAND_MEMBER, "evict n4",
		       "member list, add, promote, remove, replace or address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_action_takes_its_words),
		cmocka_unit_test(listing_is_the_default),
		cmocka_unit_test(a_transfer_names_who_shall_lead_or_nobody),
		cmocka_unit_test(nonsense_is_told_the_usage),
	};

	return cmocka_run_group_tests_name("control/member", tests, NULL, NULL);
}
