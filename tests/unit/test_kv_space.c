/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a full disk ends nothing and loses nothing: what can not be applied
 * or flushed is tried until there is room; what adds is refused meanwhile, and
 * what frees is not. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kv/command.h"
#include "tests/lib/otherkit.h"
#include "tests/lib/toy.h"

/* --- Refusing ------------------------------------------------------------- */

static void WHEN_LEADER_SAYS_FULL(struct home *h, bool full)
{
	struct heard heard = {.session = HOME_FIRST_SESSION, .full = full};
	struct buffer reply = {0};

	fakenode_sleep(h->node, HOME_SESSION / 5); /* it asks again */
	heard.sent_ms = kv_now_ms();
	heard_encode(&heard, &reply);
	fakenode_message(h->node, FAKENODE_OTHER, buffer_bytes(&reply));
	buffer_deinit(&reply);
}

static void what_adds_is_refused_while_the_leader_says_full(void **state)
{
	struct home *h = *state;
	struct waiter a, b, c;
	struct kv_status *status = calloc(1, sizeof *status);

	GIVEN_FOLLOWER(h);
	WHEN_LEADER_SAYS_FULL(h, true);
	home_propose(h, &a, "a");
	assert_told(h, "a=no space left on the data disk ");
	kv_status(h->kv, status);
	assert_true(status->full);
	assert_false(status->disk_low);
	home_propose(h, &b, "free");
	fakenode_settle(h->node);
	assert_told(h, "free=ok:free; ");

	WHEN_LEADER_SAYS_FULL(h, false);
	home_propose(h, &c, "c");
	fakenode_settle(h->node);
	assert_told(h, "c=ok:free;c; ");
	free(status);
}

static void a_follower_tells_at_once_that_its_disk_is_low(void **state)
{
	struct home *h = *state;
	enum peer_kind kind;
	struct alive alive;
	struct heard heard;
	raft_id to;

	GIVEN_FOLLOWER(h);
	fakenode_sleep(h->node, 100);
	(void)fakenode_sent(h->node, &to);
	fakenode_low(h->node, true);
	fakenode_sleep(h->node, 100);

	assert_int_equal(peer_decode(fakenode_sent(h->node, &to), &kind, &alive,
				     &heard),
			 0);
	assert_int_equal(kind, PEER_ALIVE);
	assert_true(alive.low);
}

static void a_leader_whose_disk_is_low_refuses_what_adds(void **state)
{
	struct home *h = *state;
	struct waiter a, b;

	h->machine = toy_machine(NULL);
	GIVEN_LEADER(h);
	fakenode_commit_entry(h->node, command_birth(bytes_of_text("free")));
	fakenode_low(h->node, true);
	fakenode_sleep(h->node, 100);
	home_propose(h, &a, "a");
	assert_told(h, "a=no space left on the data disk ");

	fakenode_low(h->node, false);
	fakenode_sleep(h->node, 100);
	home_propose(h, &b, "b");
	fakenode_settle(h->node);
	assert_told(h, "b=ok:free;b; ");
}

/* --- Waiting for room ----------------------------------------------------- */

static void a_batch_without_room_is_applied_once_there_is(void **state)
{
	struct home *h = *state;
	struct waiter a, b;

	GIVEN_FOLLOWER(h);
	kv_watch(h->kv, home_noted, h);
	memstore_fill(h->newest, 2);
	home_propose(h, &a, "a");
	home_propose(h, &b, "b");
	fakenode_settle(h->node);

	assert_told(h, "(a) a=ok:a; (b) b=ok:a;b; ");
	assert_log(h, "a;b;");
}

/* A snapshot stands for the entries that wait, and for those behind them. */
static void a_snapshot_takes_the_place_of_what_waits_for_room(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	memstore_fill(h->newest, UINT_MAX);
	fakenode_commit_soon(h->node, fakenode_under_way(h->node, 0));
	fakenode_commit_soon(h->node, entry_new(ENTRY_NOOP, "", 0));
	GIVEN_OTHER(&o, h);
	other_operation(&o, "x");
	other_load(&o);

	assert_told(h, "a=ok:a; ");
	assert_log(h, "a;x;");
	other_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(what_adds_is_refused_while_the_leader_says_full),
		HOME_TEST(a_follower_tells_at_once_that_its_disk_is_low),
		HOME_TEST(a_leader_whose_disk_is_low_refuses_what_adds),
		HOME_TEST(a_batch_without_room_is_applied_once_there_is),
		HOME_TEST(a_snapshot_takes_the_place_of_what_waits_for_room),
	};

	return cmocka_run_group_tests_name("kv/space", tests, NULL, NULL);
}
