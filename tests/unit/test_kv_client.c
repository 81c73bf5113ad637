/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: through leader changes, lost and doubled entries and ended sessions,
 * every proposal takes effect at most once and is answered with what is
 * certain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/command.h"
#include "tests/lib/kvkit.h"

/* --- Changing ------------------------------------------------------------- */

static void a_proposal_is_answered_when_it_is_applied(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	kv_watch(h->kv, home_noted, h);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	assert_told(h, "");

	fakenode_commit(h->node, 0);

	assert_told(h, "(a) a=ok:a; ");
	assert_log(h, "a;");
}

static void proposals_wait_for_the_session_and_the_birth(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_OPEN(h);
	home_propose(h, &a, "a");
	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_route(h->node, true);
	assert_int_equal(fakenode_take(h->node), 1);
	assert_int_equal(fakenode_take(h->node), 1);

	fakenode_commit(h->node, 0);
	assert_true(home_session_usable(h));
	assert_int_equal(fakenode_take(h->node), 1);
	fakenode_commit_entry(h->node, command_birth(bytes_of_text("born")));
	fakenode_await_wake(h->node);
	assert_int_equal(fakenode_take(h->node), 2);
	fakenode_commit(h->node, 1);

	assert_told(h, "a=ok:born;a; ");
}

static void an_entry_in_the_log_twice_is_applied_once(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	home_propose(h, &b, "b");
	assert_int_equal(fakenode_take(h->node), 2);

	fakenode_commit(h->node, 0);
	fakenode_commit(h->node, 0);
	fakenode_commit(h->node, 1);
	fakenode_commit(h->node, 0);

	assert_told(h, "a=ok:a; b=ok:a;b; ");
	assert_log(h, "a;b;");
}

static void what_a_lost_leader_had_is_offered_to_the_next(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	home_propose(h, &b, "b");
	assert_int_equal(fakenode_take(h->node), 2);
	fakenode_commit(h->node, 1);
	fakenode_lose(h->node);
	fakenode_route(h->node, false);
	assert_told(h, "b=ok:b; ");

	fakenode_route(h->node, true);
	assert_int_equal(fakenode_take(h->node), 1);
	fakenode_commit(h->node, 0);

	assert_told(h, "a=ok:b;a; ");
}

/* Both the lost copy and the one offered again get into the log. */
static void offered_again_it_still_happens_once(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	fakenode_route(h->node, false);
	fakenode_route(h->node, true);
	assert_int_equal(fakenode_take(h->node), 2);

	fakenode_commit(h->node, 1);
	fakenode_commit(h->node, 0);

	assert_told(h, "a=ok:a; ");
	assert_log(h, "a;");
}

static void a_late_copy_of_what_was_given_up_may_happen_once(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	fakenode_sleep(h->node, HOME_TIMEOUT);
	assert_told(h, "a=outcome unknown ");
	fakenode_route(h->node, true);
	assert_int_equal(fakenode_take(h->node), 1);

	fakenode_commit(h->node, 0);
	fakenode_commit(h->node, 0);

	assert_told(h, "");
	assert_log(h, "a;");
}

static void without_a_leader_a_proposal_times_out(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;

	GIVEN_FOLLOWER(h);
	fakenode_route(h->node, false);
	fakenode_sleep(h->node, HOME_TIMEOUT - 100);
	home_propose(h, &a, "a");
	assert_told(h, "");

	/* It has been long enough by now, for all that wait and at once. */
	fakenode_sleep(h->node, 100);
	assert_told(h, "a=timed out before it was proposed ");
	home_propose(h, &b, "b");

	assert_told(h, "b=timed out before it was proposed ");
}

static void a_session_ended_by_the_leader_is_opened_anew(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);

	fakenode_commit_entry(h->node, command_end(HOME_FIRST_SESSION));
	fakenode_commit(h->node, 0);
	assert_told(h, "");
	assert_false(home_session_usable(h));
	home_propose(h, &b, "b");
	fakenode_settle(h->node);

	assert_told(h, "a=ok:a; b=ok:a;b; ");
	assert_log(h, "a;b;");
}

static void silence_ends_the_use_of_a_session(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	fakenode_sleep(h->node, HOME_SESSION * 8 / 10 - 1);
	assert_true(home_session_usable(h));

	fakenode_sleep(h->node, 1);
	assert_false(home_session_usable(h));
	home_propose(h, &a, "a");
	fakenode_settle(h->node);

	assert_true(home_session_usable(h));
	assert_told(h, "a=ok:a; ");
}

static void an_interrupted_proposal_that_waits_is_given_up(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_OPEN(h);
	home_propose(h, &a, "a");

	kv_interrupt(h->kv, a.id);

	assert_told(h, "a=interrupted ");
}

static void close_answers_what_is_left(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;
	struct waiter c;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	home_propose(h, &b, "b");
	home_barrier(h, &c, "c", KV_READS_STRICT);

	home_close(h);

	assert_told(h, "a=outcome unknown b=session ended c=session ended ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(a_proposal_is_answered_when_it_is_applied),
		HOME_TEST(proposals_wait_for_the_session_and_the_birth),
		HOME_TEST(an_entry_in_the_log_twice_is_applied_once),
		HOME_TEST(what_a_lost_leader_had_is_offered_to_the_next),
		HOME_TEST(offered_again_it_still_happens_once),
		HOME_TEST(a_late_copy_of_what_was_given_up_may_happen_once),
		HOME_TEST(without_a_leader_a_proposal_times_out),
		HOME_TEST(a_session_ended_by_the_leader_is_opened_anew),
		HOME_TEST(silence_ends_the_use_of_a_session),
		HOME_TEST(an_interrupted_proposal_that_waits_is_given_up),
		HOME_TEST(close_answers_what_is_left),
	};

	return cmocka_run_group_tests_name("kv/client", tests, NULL, NULL);
}
