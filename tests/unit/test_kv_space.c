/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a full disk ends nothing and loses nothing: what can not be applied
 * or flushed is tried until there is room; what adds is refused meanwhile, and
 * what frees is not. A leader's hands the leadership to one that has room. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/command.h"
#include "tests/lib/otherkit.h"
#include "tests/lib/toy.h"

/* Entries: this node's session, the birth, and theirs. */
enum { OTHER_SESSION = 3, THIRD_SESSION = 4 };

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

static uint64_t GIVEN_SESSION(struct home *h, raft_id id, uint64_t boot)
{
	struct session_owner owner = {id, boot, 1};

	fakenode_commit_entry(h->node, command_open(&owner));
	return h->log.commit;
}

/* Of three voters, of which the others have a session each. */
static void GIVEN_LEADER_OF_THREE(struct home *h)
{
	h->machine = toy_machine(NULL);
	GIVEN_LEADER(h);
	fakenode_voters(h->node);
	fakenode_commit_entry(h->node, command_birth(bytes_of_text("free")));
	assert_int_equal(GIVEN_SESSION(h, FAKENODE_OTHER, 1), OTHER_SESSION);
	assert_int_equal(GIVEN_SESSION(h, FAKENODE_THIRD, 1), THIRD_SESSION);
}

static void WHEN_VOTER_SAYS(struct home *h, uint64_t session, uint64_t applied,
			    bool low)
{
	raft_id id = session == THIRD_SESSION ? FAKENODE_THIRD : FAKENODE_OTHER;
	struct alive a = {.session = session, .applied = applied, .low = low};
	struct buffer message = {0};

	a.sent_ms = kv_now_ms();
	alive_encode(&a, &message);
	fakenode_message(h->node, id, buffer_bytes(&message));
	buffer_deinit(&message);
}

static bool is_full(struct home *h)
{
	struct kv_status *status = calloc(1, sizeof *status);
	bool full;

	kv_status(h->kv, status);
	full = status->full;
	free(status);
	return full;
}

static void a_leader_whose_disk_is_low_hands_over_to_who_has_room(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_LEADER_OF_THREE(h);
	WHEN_VOTER_SAYS(h, OTHER_SESSION, 7, false);
	WHEN_VOTER_SAYS(h, THIRD_SESSION, 9, false);
	fakenode_sleep(h->node, 100);
	assert_int_equal(fakenode_handed_over(h->node), 0);

	fakenode_low(h->node, true);
	fakenode_sleep(h->node, 100);
	assert_int_equal(fakenode_handed_over(h->node), FAKENODE_THIRD);
	assert_false(is_full(h));
	fakenode_role(h->node, FAKENODE_THIRD);
	fakenode_sleep(h->node, 2000);

	assert_int_equal(fakenode_handed_over(h->node), 0);
	assert_false(is_full(h));
	home_propose(h, &a, "a"); /* its own users */
	assert_told(h, "a=no space left on the data disk ");
}

/* It is tried again, not all the time; then nothing is added to its disk. */
static void nobody_takes_over_for_long_and_what_adds_is_refused(void **state)
{
	struct home *h = *state;
	unsigned tries = 0;

	GIVEN_LEADER_OF_THREE(h);
	fakenode_low(h->node, true);
	for (unsigned ms = 0; ms < 4900; ms += 100) {
		WHEN_VOTER_SAYS(h, OTHER_SESSION, 7, false);
		fakenode_sleep(h->node, 100);
		tries += fakenode_handed_over(h->node) != 0;
		assert_false(is_full(h));
	}
	assert_in_range(tries, 4, 5);

	WHEN_VOTER_SAYS(h, OTHER_SESSION, 7, false);
	fakenode_sleep(h->node, 200);
	assert_true(is_full(h));
	fakenode_low(h->node, false);
	fakenode_sleep(h->node, 100);
	assert_false(is_full(h));
}

/* Else the leadership would go round and round. */
static void without_room_anywhere_nobody_is_handed_over_to(void **state)
{
	struct home *h = *state;

	GIVEN_LEADER_OF_THREE(h);
	WHEN_VOTER_SAYS(h, OTHER_SESSION, 7, true);
	WHEN_VOTER_SAYS(h, THIRD_SESSION, 7, false);
	fakenode_low(h->node, true);
	fakenode_sleep(h->node, 100);
	assert_true(is_full(h)); /* one with room is no majority */
	WHEN_VOTER_SAYS(h, THIRD_SESSION, 7, true);
	fakenode_sleep(h->node, 2000);

	assert_int_equal(fakenode_handed_over(h->node), 0);
	assert_true(is_full(h));
}

/* Who is silent can not take over, whatever it said last. */
static void a_leader_does_not_hand_over_to_who_is_silent(void **state)
{
	struct home *h = *state;

	GIVEN_LEADER_OF_THREE(h);
	WHEN_VOTER_SAYS(h, OTHER_SESSION, 7, false);
	fakenode_sleep(h->node, HOME_SESSION - 1000);
	fakenode_low(h->node, true);
	fakenode_sleep(h->node, 100);

	assert_int_equal(fakenode_handed_over(h->node), 0);
}

/* The session of its life before has not ended yet. */
static void a_node_that_was_started_anew_counts_once(void **state)
{
	struct home *h = *state;

	GIVEN_LEADER_OF_THREE(h);
	WHEN_VOTER_SAYS(h, OTHER_SESSION, 7, true);
	WHEN_VOTER_SAYS(h, GIVEN_SESSION(h, FAKENODE_OTHER, 2), 7, true);
	fakenode_sleep(h->node, 100);

	assert_false(is_full(h));
}

static void a_leader_whose_disk_is_low_refuses_what_adds(void **state)
{
	struct home *h = *state;
	struct waiter a, b;

	h->machine = toy_machine(NULL);
	GIVEN_LEADER(h);
	fakenode_commit_entry(h->node, command_birth(bytes_of_text("free")));
	fakenode_low(h->node, true);
	fakenode_sleep(h->node, 1100); /* it has heard of nobody with room */
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

static void what_fits_into_memory_is_applied_without_any_room(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	fakenode_low(h->node, true);
	fakenode_roomless(h->node, true);
	home_propose(h, &a, "free");
	fakenode_settle(h->node);

	assert_told(h, "free=ok:free; ");
}

/* A read is bounded on a node whose disk is full, and the status says so. */
static void a_read_does_not_wait_for_what_waits_for_room(void **state)
{
	struct home *h = *state;
	struct waiter a, b;
	struct kv_status *status = calloc(1, sizeof *status);
	uint64_t ticket;
	bool lease;

	GIVEN_FOLLOWER(h);
	memstore_fill(h->newest, UINT_MAX);
	fakenode_commit_soon(h->node, entry_new(ENTRY_NOOP, "", 0));
	home_barrier(h, &a, "a", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, h->log.commit, 0);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS);
	assert_told(h, "a=fell back ");
	kv_status(h->kv, status);
	assert_true(status->cut_off);

	home_barrier(h, &b, "b", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, h->log.commit, 0);
	assert_told(h, "b=fell back ");
	free(status);
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

/* A log of entries that the state on the disk, which is full, lacks. */
static void GIVEN_STARTED_ON_A_FULL_DISK(struct home *h)
{
	GIVEN_FOLLOWER(h);
	home_done(h, "a", "a=ok:a; ");
	home_close(h);
	fakelog_append(&h->log, entry_new(ENTRY_NOOP, "", 0));
	h->filled = UINT_MAX;
	GIVEN_OPEN(h);
	h->filled = 0;
}

/* It ended at once, until somebody had made room by hand. */
static void a_node_starts_on_a_full_disk(void **state)
{
	struct home *h = *state;
	raft_index applied;
	struct waiter b;

	GIVEN_STARTED_ON_A_FULL_DISK(h);
	applied = atomic_load(&h->kv->applied);
	assert_int_equal(applied, h->log.commit - 1);

	memstore_fill(h->newest, 1);
	fakenode_deliver(h->node);
	assert_int_equal(atomic_load(&h->kv->applied), applied + 1);
	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);
	home_propose(h, &b, "b");
	fakenode_settle(h->node);
	assert_told(h, "b=ok:a;b; ");
}

/* It has shown more before it ended, and does not go back. */
static void nothing_older_is_read_until_the_rest_is_applied(void **state)
{
	struct home *h = *state;
	struct waiter w[2];

	GIVEN_STARTED_ON_A_FULL_DISK(h);
	home_barrier(h, &w[0], "fresh", KV_READS_FRESH);
	home_barrier(h, &w[1], "local", KV_READS_LOCAL);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS);
	assert_told(h, "fresh=no quorum local=no quorum ");

	memstore_fill(h->newest, 0);
	fakenode_deliver(h->node);
	home_barrier(h, &w[0], "fresh", KV_READS_FRESH);
	home_barrier(h, &w[1], "local", KV_READS_LOCAL);
	assert_told(h, "fresh=fell back local=fresh ");
}

/* What is said as the node ends. */
static void close_and_hear(struct home *h, char *said, size_t size)
{
	int before = dup(STDERR_FILENO);
	int ends[2];
	ssize_t count;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	home_close(h);
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	close(before);
	close(ends[1]);
	count = read(ends[0], said, size - 1);
	close(ends[0]);
	said[count > 0 ? count : 0] = 0;
}

/* The log has what the state on the disk lacks. */
static void a_clean_end_on_a_full_disk_is_no_error(void **state)
{
	struct home *h = *state;
	char said[1024];

	GIVEN_FOLLOWER(h);
	home_done(h, "a", "a=ok:a; ");
	memstore_fill(h->newest, UINT_MAX);
	close_and_hear(h, said, sizeof said);
	assert_non_null(strstr(said, " warn "));
	assert_non_null(strstr(said, "can not be made durable: no space"));
	assert_null(strstr(said, " error "));

	GIVEN_OPEN(h);
	assert_log(h, "a;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(what_adds_is_refused_while_the_leader_says_full),
		HOME_TEST(a_follower_tells_at_once_that_its_disk_is_low),
		HOME_TEST(a_leader_whose_disk_is_low_refuses_what_adds),
		HOME_TEST(
			a_leader_whose_disk_is_low_hands_over_to_who_has_room),
		HOME_TEST(nobody_takes_over_for_long_and_what_adds_is_refused),
		HOME_TEST(without_room_anywhere_nobody_is_handed_over_to),
		HOME_TEST(a_leader_does_not_hand_over_to_who_is_silent),
		HOME_TEST(a_node_that_was_started_anew_counts_once),
		HOME_TEST(a_batch_without_room_is_applied_once_there_is),
		HOME_TEST(what_fits_into_memory_is_applied_without_any_room),
		HOME_TEST(a_read_does_not_wait_for_what_waits_for_room),
		HOME_TEST(a_snapshot_takes_the_place_of_what_waits_for_room),
		HOME_TEST(a_node_starts_on_a_full_disk),
		HOME_TEST(nothing_older_is_read_until_the_rest_is_applied),
		HOME_TEST(a_clean_end_on_a_full_disk_is_no_error),
	};

	return cmocka_run_group_tests_name("kv/space", tests, NULL, NULL);
}
