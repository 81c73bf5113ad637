/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every proposal is answered once, with what is certain: a number is
 * offered again only under the same session, and an answer that says "not
 * applied" is never wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/command.h"
#include "kv/propose.h"

enum { SESSION = 40 };

/* What was answered, as text: "a=ok:result b=timed out ". */
struct told {
	struct proposals *p;
	struct proposal_list answers;
	struct buffer text;
	int done_count;
};

struct waiter {
	struct told *told;
	const char *name;
};

static void on_done(void *context, int status, struct bytes result)
{
	struct waiter *w = context;

	buffer_printf(&w->told->text, "%s=%s%s%.*s ", w->name,
		      status == 0 ? "" : status_text(status),
		      status == 0 ? "ok:" : "", (int)result.size,
		      (const char *)result.data);
	w->told->done_count++;
}

static void GIVEN_PROPOSALS(struct told *t)
{
	memset(t, 0, sizeof *t);
	t->p = malloc(sizeof *t->p);
	proposals_init(t->p);
	TAILQ_INIT(&t->answers);
}

static void drop(struct told *t)
{
	proposals_end(t->p, &t->answers);
	proposals_tell(&t->answers);
	buffer_deinit(&t->text);
	free(t->p);
}

/* Add one named as its text, due at 1000. */
static uint64_t add(struct told *t, struct waiter *w, const char *name)
{
	int status = 0;

	*w = (struct waiter){t, name};
	return proposals_add(t->p, bytes_of_text(name), 1000, on_done, w,
			     &status);
}

static void assert_told(struct told *t, const char *expected)
{
	proposals_tell(&t->answers);
	assert_string_equal(buffer_text(&t->text), expected);
	buffer_reset(&t->text);
}

/* Take the next, which must be this. */
static void assert_take(struct told *t, uint64_t session, uint64_t number,
			uint64_t low, const char *operation)
{
	struct entry *e = proposals_take(t->p, SIZE_MAX);
	struct command c;

	assert_non_null(e);
	assert_int_equal(command_decode(&c, entry_bytes(e)), 0);
	assert_int_equal(c.session, session);
	assert_int_equal(c.number, number);
	assert_int_equal(c.low, low);
	assert_true(bytes_equal(c.operation, bytes_of_text(operation)));
	entry_unref(e);
}

static void assert_take_nothing(struct told *t)
{
	assert_false(proposals_wanted(t->p));
	assert_null(proposals_take(t->p, SIZE_MAX));
}

static void applied(struct told *t, uint64_t session, uint64_t number,
		    const char *result)
{
	proposals_applied(t->p, session, number, bytes_of_text(result),
			  &t->answers);
}

/* --- Promises ------------------------------------------------------------- */

static void a_proposal_waits_for_a_session(void **state)
{
	struct told t;
	struct waiter a;
	(void)state;

	GIVEN_PROPOSALS(&t);
	add(&t, &a, "a");
	assert_take_nothing(&t);

	proposals_open(t.p, SESSION);

	assert_take(&t, SESSION, 1, 1, "a");
	assert_take_nothing(&t);
	applied(&t, SESSION, 1, "r");
	assert_told(&t, "a=ok:r ");
	drop(&t);
}

static void low_is_the_lowest_number_unanswered(void **state)
{
	struct told t;
	struct waiter a, b, c, d;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	add(&t, &b, "b");
	add(&t, &c, "c");
	assert_take(&t, SESSION, 1, 1, "a");
	assert_take(&t, SESSION, 2, 1, "b");
	applied(&t, SESSION, 2, "");
	assert_take(&t, SESSION, 3, 1, "c");
	applied(&t, SESSION, 1, "");

	add(&t, &d, "d");

	assert_take(&t, SESSION, 4, 3, "d");
	drop(&t);
}

static void a_lost_way_offers_again_under_the_same_number(void **state)
{
	struct told t;
	struct waiter a, b, c;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	add(&t, &b, "b");
	assert_take(&t, SESSION, 1, 1, "a");
	assert_take(&t, SESSION, 2, 1, "b");
	add(&t, &c, "c");

	proposals_offer_again(t.p);

	assert_take(&t, SESSION, 1, 1, "a");
	assert_take(&t, SESSION, 2, 1, "b");
	assert_take(&t, SESSION, 3, 1, "c");
	applied(&t, SESSION, 1, "r");
	applied(&t, SESSION, 1, "r");
	assert_told(&t, "a=ok:r ");
	drop(&t);
}

static void what_was_applied_meanwhile_is_not_offered_again(void **state)
{
	struct told t;
	struct waiter a, b;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	add(&t, &b, "b");
	assert_take(&t, SESSION, 1, 1, "a");
	assert_take(&t, SESSION, 2, 1, "b");
	proposals_offer_again(t.p);

	applied(&t, SESSION, 1, "r");

	assert_take(&t, SESSION, 2, 2, "b");
	assert_take_nothing(&t);
	drop(&t);
}

/* A copy in a log does not change when its proposal is offered again. */
static void a_second_copy_is_another_entry(void **state)
{
	struct told t;
	struct waiter a, b;
	struct entry *first;
	struct entry *second;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	first = proposals_take(t.p, SIZE_MAX);
	proposals_offer_again(t.p);
	second = proposals_take(t.p, SIZE_MAX);
	assert_ptr_not_equal(first, second);
	proposals_ended(t.p, SESSION);
	proposals_open(t.p, SESSION + 1);
	add(&t, &b, "b");
	assert_take(&t, SESSION + 1, 1, 1, "a");

	assert_true(bytes_equal(entry_bytes(first), entry_bytes(second)));
	entry_unref(first);
	entry_unref(second);
	drop(&t);
}

static void never_handed_over_is_timed_out(void **state)
{
	struct told t;
	struct waiter a;
	(void)state;

	GIVEN_PROPOSALS(&t);
	add(&t, &a, "a");
	assert_int_equal(t.p->due_ms, 1000);

	proposals_expire(t.p, 999, &t.answers);
	assert_told(&t, "");
	proposals_expire(t.p, 1000, &t.answers);

	assert_told(&t, "a=timed out before it was proposed ");
	proposals_open(t.p, SESSION);
	assert_take_nothing(&t);
	drop(&t);
}

static void handed_over_is_unknown_at_the_deadline(void **state)
{
	struct told t;
	struct waiter a, b;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	assert_take(&t, SESSION, 1, 1, "a");

	proposals_expire(t.p, 1000, &t.answers);

	assert_told(&t, "a=outcome unknown ");
	proposals_offer_again(t.p);
	assert_take_nothing(&t);
	applied(&t, SESSION, 1, "late");
	assert_told(&t, "");
	/* The number it had counts no more: a copy of it is ignored from the
	 * next entry on. */
	add(&t, &b, "b");
	assert_take(&t, SESSION, 2, 2, "b");
	drop(&t);
}

static void the_end_of_the_session_gives_a_new_number(void **state)
{
	struct told t;
	struct waiter a, b, c;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	add(&t, &b, "b");
	assert_take(&t, SESSION, 1, 1, "a");
	assert_take(&t, SESSION, 2, 1, "b");
	add(&t, &c, "c");

	proposals_ended(t.p, SESSION);
	assert_take_nothing(&t);
	proposals_open(t.p, SESSION + 5);

	assert_take(&t, SESSION + 5, 1, 1, "a");
	assert_take(&t, SESSION + 5, 2, 1, "b");
	assert_take(&t, SESSION + 5, 3, 1, "c");
	applied(&t, SESSION, 1, "old");
	assert_told(&t, "");
	applied(&t, SESSION + 5, 1, "new");
	assert_told(&t, "a=ok:new ");
	drop(&t);
}

/* Its end was applied here, and none of its copies before: it did not happen.
 */
static void after_the_end_a_deadline_is_certain(void **state)
{
	struct told t;
	struct waiter a;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	assert_take(&t, SESSION, 1, 1, "a");
	proposals_offer_again(t.p);
	assert_take(&t, SESSION, 1, 1, "a");

	proposals_ended(t.p, SESSION);
	proposals_expire(t.p, 1000, &t.answers);

	assert_told(&t, "a=timed out before it was proposed ");
	drop(&t);
}

/* P3a: its end is known from a snapshot alone. */
static void what_a_lost_session_was_given_is_unknown(void **state)
{
	struct told t;
	struct waiter a;
	struct waiter b;
	struct waiter c;
	struct waiter d;
	(void)state;

	GIVEN_PROPOSALS(&t);
	(void)add(&t, &a, "a");
	(void)add(&t, &b, "b");
	(void)add(&t, &c, "c");
	proposals_open(t.p, SESSION);
	assert_take(&t, SESSION, 1, 1, "a");
	assert_take(&t, SESSION, 2, 1, "b");
	assert_take(&t, SESSION, 3, 1, "c");
	(void)add(&t, &d, "d");
	applied(&t, SESSION, 1, "x");
	proposals_offer_again(t.p);

	proposals_lost(t.p, &t.answers);

	assert_told(&t, "a=ok:x b=outcome unknown c=outcome unknown ");
	assert_take_nothing(&t);
	proposals_open(t.p, SESSION + 1);
	assert_take(&t, SESSION + 1, 1, 1, "d");
	applied(&t, SESSION + 1, 1, "y");
	assert_told(&t, "d=ok:y ");
	drop(&t);
}

static void a_suspended_session_hands_nothing_over(void **state)
{
	struct told t;
	struct waiter a, b;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	assert_take(&t, SESSION, 1, 1, "a");

	proposals_suspend(t.p);
	add(&t, &b, "b");
	proposals_offer_again(t.p);

	assert_take_nothing(&t);
	applied(&t, SESSION, 1, "r");
	assert_told(&t, "a=ok:r ");
	drop(&t);
}

static void an_interrupt_answers_at_once_what_waits(void **state)
{
	struct told t;
	struct waiter a;
	uint64_t id;
	(void)state;

	GIVEN_PROPOSALS(&t);
	id = add(&t, &a, "a");

	proposals_interrupt(t.p, id, 10, &t.answers);

	assert_told(&t, "a=interrupted ");
	proposals_interrupt(t.p, id, 10, &t.answers);
	assert_told(&t, "");
	drop(&t);
}

static void an_interrupt_gives_what_is_under_way_a_second(void **state)
{
	struct told t;
	struct waiter a, b;
	uint64_t first;
	uint64_t second;
	int status;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	a = (struct waiter){&t, "a"};
	b = (struct waiter){&t, "b"};
	first = proposals_add(t.p, bytes_of_text("a"), 9000, on_done, &a,
			      &status);
	second = proposals_add(t.p, bytes_of_text("b"), 9000, on_done, &b,
			       &status);
	assert_take(&t, SESSION, 1, 1, "a");
	assert_take(&t, SESSION, 2, 1, "b");

	proposals_interrupt(t.p, first, 10, &t.answers);
	proposals_interrupt(t.p, second, 10, &t.answers);
	applied(&t, SESSION, 2, "r");
	assert_int_equal(t.p->due_ms, 1010);
	proposals_expire(t.p, 1010, &t.answers);

	assert_told(&t, "b=ok:r a=interrupted ");
	drop(&t);
}

static void the_window_bounds_what_is_handed_over(void **state)
{
	struct told t;
	static struct waiter many[LIMIT_WINDOW_PROPOSALS + 1];
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	for (size_t i = 0; i < COUNT_OF(many); i++) {
		add(&t, &many[i], "x");
	}
	for (uint64_t n = 1; n <= LIMIT_WINDOW_PROPOSALS; n++) {
		assert_take(&t, SESSION, n, 1, "x");
	}

	assert_take_nothing(&t);
	applied(&t, SESSION, 2, "");
	assert_take_nothing(&t);
	applied(&t, SESSION, 1, "");
	assert_take(&t, SESSION, LIMIT_WINDOW_PROPOSALS + 1, 3, "x");
	proposals_tell(&t.answers);
	drop(&t);
}

static void large_proposals_wait_for_room(void **state)
{
	struct told t;
	struct waiter w[20];
	uint8_t *megabyte = calloc(1, LIMIT_WRITE_BYTES);
	size_t taken = 0;
	struct entry *e;
	int status;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	for (size_t i = 0; i < COUNT_OF(w); i++) {
		w[i] = (struct waiter){&t, "w"};
		proposals_add(t.p, bytes_of(megabyte, LIMIT_WRITE_BYTES), 1000,
			      on_done, &w[i], &status);
	}

	while ((e = proposals_take(t.p, SIZE_MAX)) != NULL) {
		entry_unref(e);
		taken++;
	}

	assert_int_equal(taken, LIMIT_WINDOW_BYTES / (LIMIT_WRITE_BYTES + 32));
	drop(&t);
	free(megabyte);
}

static void what_is_too_big_or_too_many_is_refused(void **state)
{
	struct told t;
	uint8_t *bytes = calloc(1, LIMIT_ENTRY_BYTES);
	struct waiter w = {&t, "w"};
	int status = 0;
	size_t count = 0;
	(void)state;

	GIVEN_PROPOSALS(&t);
	assert_int_equal(proposals_add(t.p, bytes_of(bytes, LIMIT_ENTRY_BYTES),
				       1000, on_done, &w, &status),
			 0);
	assert_int_equal(status, STATUS_TOO_BIG);
	while (proposals_add(t.p, bytes_of(bytes, LIMIT_WRITE_BYTES), 1000,
			     on_done, &w, &status) != 0) {
		count++;
	}

	assert_int_equal(status, STATUS_FULL);
	assert_int_equal(count, LIMIT_UNCOMMITTED_BYTES / LIMIT_WRITE_BYTES);
	assert_int_equal(t.done_count, 0);
	drop(&t);
	free(bytes);
}

static void the_close_says_what_is_certain(void **state)
{
	struct told t;
	struct waiter a, b;
	(void)state;

	GIVEN_PROPOSALS(&t);
	proposals_open(t.p, SESSION);
	add(&t, &a, "a");
	assert_take(&t, SESSION, 1, 1, "a");
	add(&t, &b, "b");

	proposals_end(t.p, &t.answers);

	assert_told(&t, "a=outcome unknown b=session ended ");
	assert_int_equal(t.p->count, 0);
	drop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proposal_waits_for_a_session),
		cmocka_unit_test(low_is_the_lowest_number_unanswered),
		cmocka_unit_test(a_lost_way_offers_again_under_the_same_number),
		cmocka_unit_test(
			what_was_applied_meanwhile_is_not_offered_again),
		cmocka_unit_test(a_second_copy_is_another_entry),
		cmocka_unit_test(never_handed_over_is_timed_out),
		cmocka_unit_test(handed_over_is_unknown_at_the_deadline),
		cmocka_unit_test(the_end_of_the_session_gives_a_new_number),
		cmocka_unit_test(after_the_end_a_deadline_is_certain),
		cmocka_unit_test(what_a_lost_session_was_given_is_unknown),
		cmocka_unit_test(a_suspended_session_hands_nothing_over),
		cmocka_unit_test(an_interrupt_answers_at_once_what_waits),
		cmocka_unit_test(an_interrupt_gives_what_is_under_way_a_second),
		cmocka_unit_test(the_window_bounds_what_is_handed_over),
		cmocka_unit_test(large_proposals_wait_for_room),
		cmocka_unit_test(what_is_too_big_or_too_many_is_refused),
		cmocka_unit_test(the_close_says_what_is_certain),
	};

	return cmocka_run_group_tests_name("kv/propose", tests, NULL, NULL);
}
