/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: whoever asks for a change of members is answered exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/kvkit.h"

struct asker {
	int answers;
	int status;
	char text[64];
};

static void on_changed(void *context, int status, const char *text)
{
	struct asker *a = context;

	a->answers++;
	a->status = status;
	(void)snprintf(a->text, sizeof a->text, "%s", text);
}

static uint64_t ask(struct home *h, struct asker *a, enum kv_change_kind kind,
		    const char *name)
{
	struct kv_member_change change = {.kind = kind, .name = name};

	*a = (struct asker){0};
	return kv_change(h->kv, &change, on_changed, a);
}

static void the_answer_of_the_node_is_passed_on(void **state)
{
	struct home *h = *state;
	struct node_change asked;
	struct asker a, b;
	uint64_t first, second;

	GIVEN_FOLLOWER(h);
	ask(h, &a, KV_REMOVE, "n3");
	first = fakenode_change(h->node, &asked);
	assert_int_equal(asked.kind, NODE_REMOVE);
	assert_string_equal(asked.name, "n3");
	ask(h, &b, KV_TRANSFER, NULL);
	second = fakenode_change(h->node, &asked);
	assert_int_equal(asked.kind, NODE_TRANSFER);

	fakenode_changed(h->node, second, 0, "n2 leads");
	fakenode_changed(h->node, first, STATUS_NOT_FOUND, "no n3");
	fakenode_changed(h->node, first, 0, "again");

	assert_int_equal(a.answers, 1);
	assert_int_equal(a.status, STATUS_NOT_FOUND);
	assert_string_equal(a.text, "no n3");
	assert_int_equal(b.answers, 1);
	assert_string_equal(b.text, "n2 leads");
}

static void what_can_not_be_is_answered_at_once(void **state)
{
	struct home *h = *state;
	struct asker a;

	GIVEN_FOLLOWER(h);
	ask(h, &a, KV_PROMOTE, "-n3");

	assert_int_equal(a.answers, 1);
	assert_int_equal(a.status, STATUS_INVALID);
}

static void who_is_interrupted_hears_nothing_more(void **state)
{
	struct home *h = *state;
	struct node_change asked;
	struct asker a;
	uint64_t number;

	GIVEN_FOLLOWER(h);
	number = ask(h, &a, KV_PROMOTE, "n3");
	kv_change_interrupt(h->kv, number);
	kv_change_interrupt(h->kv, number);
	fakenode_changed(h->node, fakenode_change(h->node, &asked), 0, "late");

	assert_int_equal(a.answers, 1);
	assert_int_equal(a.status, STATUS_INTERRUPTED);
}

static void closing_answers_who_still_waits(void **state)
{
	struct home *h = *state;
	struct asker a;

	GIVEN_FOLLOWER(h);
	ask(h, &a, KV_PROMOTE, "n3");
	home_close(h);

	assert_int_equal(a.answers, 1);
	assert_int_equal(a.status, STATUS_ENDED);
}

int main(void)
{
#define HOME(name)                                                             \
	cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)
	const struct CMUnitTest tests[] = {
		HOME(the_answer_of_the_node_is_passed_on),
		HOME(what_can_not_be_is_answered_at_once),
		HOME(who_is_interrupted_hears_nothing_more),
		HOME(closing_answers_who_still_waits),
	};

	return cmocka_run_group_tests_name("kv/change", tests, NULL, NULL);
}
