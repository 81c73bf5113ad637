/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a barrier is ready only when this node has applied what a ticket
 * asked for after it came says, and never waits longer than its bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "kv/read.h"

struct reads {
	struct barriers b;
	struct barrier_list answers;
	struct buffer text; /* "a=fresh b=fell back " */
};

struct waiter {
	struct reads *r;
	const char *name;
};

static void on_ready(void *context, int status, bool fell_back)
{
	struct waiter *w = context;

	buffer_printf(&w->r->text, "%s=%s ", w->name,
		      status != 0 ? status_text(status)
		      : fell_back ? "fell back"
				  : "fresh");
}

static void GIVEN_READS(struct reads *r)
{
	memset(r, 0, sizeof *r);
	barriers_init(&r->b);
	TAILQ_INIT(&r->answers);
}

static void drop(struct reads *r)
{
	barriers_end(&r->b, &r->answers);
	barriers_tell(&r->answers);
	buffer_deinit(&r->text);
}

static uint64_t add(struct reads *r, struct waiter *w, const char *name,
		    bool strict, uint64_t now)
{
	*w = (struct waiter){r, name};
	return barriers_add(&r->b, strict, 0, now, on_ready, w)->id;
}

static void assert_told(struct reads *r, const char *expected)
{
	barriers_tell(&r->answers);
	assert_string_equal(buffer_text(&r->text), expected);
	buffer_reset(&r->text);
}

/* A ticket must be asked for now. */
static uint64_t ask(struct reads *r, uint64_t now, bool lease_expected)
{
	bool lease;
	uint64_t ticket = barriers_ask(&r->b, now, false, &lease);

	assert_int_not_equal(ticket, 0);
	assert_int_equal(lease, lease_expected);
	return ticket;
}

static void assert_no_ask(struct reads *r, uint64_t now)
{
	bool lease;

	assert_int_equal(barriers_ask(&r->b, now, false, &lease), 0);
}

static void barriers_that_wait_together_share_a_ticket(void **state)
{
	struct reads r;
	struct waiter a, b;
	uint64_t ticket;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	add(&r, &b, "b", false, 0);
	ticket = ask(&r, 0, true);
	assert_no_ask(&r, 1);

	barriers_answered(&r.b, ticket, 7, 0, 6, &r.answers);
	assert_told(&r, "");
	barriers_applied(&r.b, 7, &r.answers);

	assert_told(&r, "a=fresh b=fresh ");
	drop(&r);
}

static void a_barrier_never_joins_a_ticket_under_way(void **state)
{
	struct reads r;
	struct waiter a, b;
	uint64_t first;
	uint64_t second;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	first = ask(&r, 0, true);
	add(&r, &b, "b", false, 1);

	barriers_answered(&r.b, first, 7, 0, 9, &r.answers);

	assert_told(&r, "a=fresh ");
	second = ask(&r, 1, true);
	barriers_answered(&r.b, second, 8, 0, 9, &r.answers);
	assert_told(&r, "b=fresh ");
	drop(&r);
}

static void a_strict_barrier_takes_no_lease(void **state)
{
	struct reads r;
	struct waiter a, b;
	uint64_t first;
	uint64_t second;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	first = ask(&r, 0, true);
	add(&r, &b, "b", true, 0);
	barriers_answered(&r.b, first, 7, 0, 9, &r.answers);
	assert_told(&r, "a=fresh ");

	second = ask(&r, 0, false);

	barriers_answered(&r.b, second, 7, 0, 9, &r.answers);
	assert_told(&r, "b=fresh ");
	drop(&r);
}

static void a_refusal_is_asked_again_after_a_pause(void **state)
{
	struct reads r;
	struct waiter a;
	bool lease;
	uint64_t ticket;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	ticket = ask(&r, 0, true);

	barriers_answered(&r.b, ticket, 0, STATUS_NOT_LEADER, 9, &r.answers);

	assert_told(&r, "");
	assert_no_ask(&r, 5);
	ticket = ask(&r, 20, true);
	barriers_answered(&r.b, ticket, 0, STATUS_NOT_LEADER, 9, &r.answers);
	/* A new leader: no pause. */
	assert_int_not_equal(barriers_ask(&r.b, 21, true, &lease), 0);
	drop(&r);
}

static void a_lost_ticket_is_followed_by_another(void **state)
{
	struct reads r;
	struct waiter a;
	uint64_t first;
	uint64_t second;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	first = ask(&r, 0, true);
	assert_no_ask(&r, 100);
	second = ask(&r, 200, true);

	barriers_answered(&r.b, second, 5, 0, 9, &r.answers);
	barriers_answered(&r.b, first, 5, 0, 9, &r.answers);

	assert_told(&r, "a=fresh ");
	drop(&r);
}

static void a_barrier_that_waits_too_long_cuts_the_node_off(void **state)
{
	struct reads r;
	struct waiter a, b, c;
	uint64_t ticket;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	add(&r, &b, "b", false, 900);
	(void)ask(&r, 0, true);

	barriers_expire(&r.b, 999, &r.answers);
	assert_told(&r, "");
	assert_false(r.b.cut_off);
	barriers_expire(&r.b, 1000, &r.answers);
	assert_true(r.b.cut_off);
	assert_told(&r, "a=fell back b=fell back ");

	/* With nobody waiting a ticket goes on being asked for. */
	ticket = ask(&r, 1200, true);
	barriers_answered(&r.b, ticket, 5, 0, 9, &r.answers);
	assert_false(r.b.cut_off);
	add(&r, &c, "c", false, 1300);
	barriers_expire(&r.b, 1301, &r.answers);
	assert_told(&r, "");
	drop(&r);
}

static void a_strict_barrier_fails_without_a_quorum(void **state)
{
	struct reads r;
	struct waiter a;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", true, 0);
	(void)ask(&r, 0, false);

	barriers_expire(&r.b, LIMIT_BARRIER_MS, &r.answers);

	assert_told(&r, "a=no quorum ");
	assert_true(r.b.cut_off);
	drop(&r);
}

/* Else a walk of three names takes three times as long to fail. */
static void cut_off_no_strict_barrier_goes_on_waiting(void **state)
{
	struct reads r;
	struct waiter a, b;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	add(&r, &b, "b", true, 900);

	barriers_expire(&r.b, LIMIT_BARRIER_MS, &r.answers);

	assert_told(&r, "a=fell back b=no quorum ");
	drop(&r);
}

static void waiting_for_apply_is_bounded_and_no_cut(void **state)
{
	struct reads r;
	struct waiter a;
	uint64_t ticket;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	ticket = ask(&r, 0, true);
	barriers_answered(&r.b, ticket, 100, 0, 9, &r.answers);

	barriers_expire(&r.b, LIMIT_BARRIER_MS, &r.answers);

	assert_told(&r, "a=fell back ");
	assert_false(r.b.cut_off);
	drop(&r);
}

/* Else each name of a path would wait for what is not applied for long. */
static void behind_no_fresh_barrier_waits_for_apply(void **state)
{
	struct reads r;
	struct waiter a, b, c, d;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	barriers_answered(&r.b, ask(&r, 0, true), 7, 0, 6, &r.answers);
	barriers_expire(&r.b, LIMIT_BARRIER_MS, &r.answers);
	assert_told(&r, "a=fell back ");

	add(&r, &b, "b", false, 1100);
	add(&r, &c, "c", true, 1100);
	barriers_answered(&r.b, ask(&r, 1100, false), 7, 0, 6, &r.answers);
	assert_told(&r, "b=fell back ");
	barriers_applied(&r.b, 7, &r.answers);
	assert_told(&r, "c=fresh ");

	add(&r, &d, "d", false, 1200);
	barriers_answered(&r.b, ask(&r, 1200, true), 8, 0, 7, &r.answers);
	assert_told(&r, "");
	barriers_applied(&r.b, 8, &r.answers);
	assert_told(&r, "d=fresh ");
	drop(&r);
}

/* B4; and one that is unproven anyway is not proven by it. */
static void who_owes_what_it_has_shown_falls_back_when_it_has_it(void **state)
{
	struct reads r;
	struct waiter a;
	(void)state;

	GIVEN_READS(&r);
	barriers_owe(&r.b, 7);
	add(&r, &a, "a", false, 0);
	barriers_applied(&r.b, 6, &r.answers);
	barriers_expire(&r.b, LIMIT_BARRIER_MS, &r.answers);
	assert_told(&r, "a=no quorum ");
	barriers_applied(&r.b, 7, &r.answers);
	add(&r, &a, "a", false, LIMIT_BARRIER_MS);
	barriers_expire(&r.b, 2 * LIMIT_BARRIER_MS, &r.answers);
	assert_told(&r, "a=fell back ");

	atomic_store(&r.b.unproven, true);
	barriers_owe(&r.b, 8);
	barriers_applied(&r.b, 8, &r.answers);
	assert_true(r.b.unproven);
	drop(&r);
}

static void an_interrupted_barrier_is_answered_at_once(void **state)
{
	struct reads r;
	struct waiter a, b;
	uint64_t first;
	uint64_t second;
	uint64_t ticket;
	(void)state;

	GIVEN_READS(&r);
	first = add(&r, &a, "a", false, 0);
	second = add(&r, &b, "b", false, 0);
	ticket = ask(&r, 0, true);
	barriers_interrupt(&r.b, first, &r.answers);
	assert_told(&r, "a=interrupted ");
	barriers_answered(&r.b, ticket, 100, 0, 9, &r.answers);
	barriers_interrupt(&r.b, second, &r.answers);
	assert_told(&r, "b=interrupted ");
	barriers_interrupt(&r.b, second, &r.answers);
	assert_told(&r, "");
	drop(&r);
}

static void tickets_under_way_are_bounded(void **state)
{
	struct reads r;
	struct waiter a;
	(void)state;

	GIVEN_READS(&r);
	add(&r, &a, "a", false, 0);
	for (uint64_t i = 0; i < READ_TICKETS; i++) {
		(void)ask(&r, i * 1000, true);
	}

	assert_no_ask(&r, 1000000);
	drop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(barriers_that_wait_together_share_a_ticket),
		cmocka_unit_test(a_barrier_never_joins_a_ticket_under_way),
		cmocka_unit_test(a_strict_barrier_takes_no_lease),
		cmocka_unit_test(a_refusal_is_asked_again_after_a_pause),
		cmocka_unit_test(a_lost_ticket_is_followed_by_another),
		cmocka_unit_test(
			a_barrier_that_waits_too_long_cuts_the_node_off),
		cmocka_unit_test(a_strict_barrier_fails_without_a_quorum),
		cmocka_unit_test(cut_off_no_strict_barrier_goes_on_waiting),
		cmocka_unit_test(waiting_for_apply_is_bounded_and_no_cut),
		cmocka_unit_test(behind_no_fresh_barrier_waits_for_apply),
		cmocka_unit_test(
			who_owes_what_it_has_shown_falls_back_when_it_has_it),
		cmocka_unit_test(an_interrupted_barrier_is_answered_at_once),
		cmocka_unit_test(tickets_under_way_are_bounded),
	};

	return cmocka_run_group_tests_name("kv/read", tests, NULL, NULL);
}
