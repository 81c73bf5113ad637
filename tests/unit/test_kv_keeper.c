/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a leader gives birth once, ends only sessions it does not hear, and
 * tidies only when it has heard them all; a follower tells it what counts.
 * What removes much is made durable soon. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/command.h"
#include "tests/lib/kvkit.h"
#include "tests/lib/toy.h"

/* --- Between nodes -------------------------------------------------------- */

static void a_follower_tells_its_leader_what_it_holds(void **state)
{
	struct home *h = *state;
	enum peer_kind kind;
	struct alive alive;
	struct heard heard;
	raft_id to;

	GIVEN_FOLLOWER(h);
	kv_hold(h->kv, 9);
	kv_hold(h->kv, 9);
	kv_hold(h->kv, 3);
	kv_release(h->kv, 9);
	fakenode_sleep(h->node, 100);

	assert_int_equal(peer_decode(fakenode_sent(h->node, &to), &kind, &alive,
				     &heard),
			 0);
	assert_int_equal(kind, PEER_ALIVE);
	assert_int_equal(to, FAKENODE_OTHER);
	assert_int_equal(alive.session, HOME_FIRST_SESSION);
	assert_int_equal(alive.applied, 2);
	assert_int_equal(alive.held.size, 16);
	assert_int_equal(get_be64(alive.held.data), 3);
	assert_int_equal(get_be64(alive.held.data + 8), 9);
}

static void word_from_the_leader_keeps_a_session(void **state)
{
	struct home *h = *state;
	struct heard heard = {.session = HOME_FIRST_SESSION};
	struct buffer reply = {0};

	GIVEN_FOLLOWER(h);
	fakenode_sleep(h->node, 4000);
	heard.sent_ms = kv_now_ms();
	heard_encode(&heard, &reply);
	fakenode_message(h->node, FAKENODE_OTHER, buffer_bytes(&reply));

	fakenode_sleep(h->node, 7900);
	assert_true(home_session_usable(h));
	fakenode_sleep(h->node, 100);
	assert_false(home_session_usable(h));
	buffer_deinit(&reply);
}

/* What is said on stderr while the leader's word comes. */
static void hear_leader(struct home *h, uint32_t session_ms, char said[512])
{
	struct heard heard = {.session = HOME_FIRST_SESSION,
			      .session_ms = session_ms};
	struct buffer reply = {0};
	int was = dup(STDERR_FILENO);
	int fds[2];
	ssize_t got;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	heard_encode(&heard, &reply);
	fakenode_message(h->node, FAKENODE_OTHER, buffer_bytes(&reply));
	assert_int_equal(dup2(was, STDERR_FILENO), STDERR_FILENO);
	close(was);
	close(fds[1]);
	got = read(fds[0], said, 511);
	assert_true(got >= 0);
	said[got] = '\0';
	close(fds[0]);
	buffer_deinit(&reply);
}

static void a_session_timeout_of_its_own_is_said_once(void **state)
{
	struct home *h = *state;
	char said[512];

	GIVEN_FOLLOWER(h);
	hear_leader(h, HOME_SESSION, said);
	assert_string_equal(said, "");
	hear_leader(h, 0, said); /* of a leader that does not say */
	assert_string_equal(said, "");
	hear_leader(h, 2500, said);
	assert_non_null(strstr(said, " warn "));
	assert_non_null(strstr(said, "--session-timeout differs from the "
				     "leader's, and is to be the same on every "
				     "node: seconds=10 leader=2.5\n"));
	hear_leader(h, 0, said);
	hear_leader(h, 2500, said);
	assert_string_equal(said, "");
	hear_leader(h, HOME_SESSION, said); /* another leader */
	assert_string_equal(said, "");
	hear_leader(h, 2500, said);
	assert_non_null(strstr(said, "leader=2.5"));
}

static void GIVEN_PEER_SESSION(struct home *h)
{
	struct session_owner peer = {FAKENODE_OTHER, 1, 1};

	fakenode_commit_entry(h->node, command_open(&peer));
}

static void hear_peer(struct home *h, uint64_t session, uint64_t held)
{
	uint8_t id[8] = {0};
	struct alive a = {.session = session,
			  .applied = 1,
			  .held = bytes_of(id, sizeof id)};
	struct buffer message = {0};

	put_be64(id, held);
	alive_encode(&a, &message);
	fakenode_message(h->node, FAKENODE_OTHER, buffer_bytes(&message));
	buffer_deinit(&message);
}

static void the_first_leader_gives_birth_once(void **state)
{
	struct home *h = *state;

	h->machine = toy_machine(NULL);
	GIVEN_LEADER(h);
	fakenode_sleep(h->node, 100);
	fakenode_await_wake(h->node);
	fakenode_settle(h->node);
	assert_log(h, "born;");

	home_close(h);
	GIVEN_LEADER(h);
	fakenode_sleep(h->node, 100);
	fakenode_sleep(h->node, 10000);
	fakenode_settle(h->node);
	assert_log(h, "born;");
}

static void GIVEN_BORN(struct home *h)
{
	fakenode_commit_entry(h->node, command_birth(bytes_of_text("born")));
}

static void a_leader_ends_a_session_it_does_not_hear(void **state)
{
	struct home *h = *state;
	uint64_t peer;
	struct session s;
	int rc;

	GIVEN_LEADER(h);
	GIVEN_BORN(h);
	GIVEN_PEER_SESSION(h);
	peer = h->log.commit;
	fakenode_settle(h->node);
	hear_peer(h, peer, 5);
	fakenode_sleep(h->node, HOME_SESSION - 1);
	fakenode_settle(h->node);
	assert_int_equal(session_load(kv_newest(h->kv), peer, &s), 0);

	(void)fakenode_take(h->node);
	fakenode_sleep(h->node, 1001);
	do { /* another duty of an earlier tick may come before it */
		fakenode_await_wake(h->node);
		fakenode_settle(h->node);
		rc = session_load(kv_newest(h->kv), peer, &s);
	} while (rc == 0);

	assert_int_equal(rc, STATUS_NOT_FOUND);
	assert_true(home_session_usable(h));
}

/* The roll is called with a time read before a keep-alive came in. */
static void a_keep_alive_later_than_the_roll_counts(void **state)
{
	struct home *h = *state;
	struct session s;
	uint64_t peer;
	uint64_t now;

	GIVEN_LEADER(h);
	GIVEN_BORN(h);
	GIVEN_PEER_SESSION(h);
	peer = h->log.commit;
	fakenode_settle(h->node);
	now = kv_now_ms();
	fakenode_clock(now + 1);
	hear_peer(h, peer, 5);
	fakenode_clock(now);

	kv_duties(h->kv);
	fakenode_settle(h->node);

	assert_int_equal(session_load(kv_newest(h->kv), peer, &s), 0);
}

/* It was ended at once when this node had led for longer than that. */
static void a_new_session_is_given_its_time_by_an_old_leader(void **state)
{
	struct home *h = *state;
	struct session s;
	uint64_t peer;

	GIVEN_LEADER(h);
	GIVEN_BORN(h);
	fakenode_settle(h->node);
	fakenode_sleep(h->node, 2 * HOME_SESSION);
	fakenode_settle(h->node);

	GIVEN_PEER_SESSION(h);
	peer = h->log.commit;
	kv_duties(h->kv);
	fakenode_settle(h->node);

	assert_int_equal(session_load(kv_newest(h->kv), peer, &s), 0);
}

static void a_leader_answers_keep_alives_while_it_has_a_quorum(void **state)
{
	struct home *h = *state;
	enum peer_kind kind;
	struct alive alive;
	struct heard heard;
	raft_id to;

	GIVEN_LEADER(h);
	GIVEN_PEER_SESSION(h);
	hear_peer(h, h->log.commit, 5);
	assert_int_equal(peer_decode(fakenode_sent(h->node, &to), &kind, &alive,
				     &heard),
			 0);
	assert_int_equal(to, FAKENODE_OTHER);
	assert_int_equal(kind, PEER_HEARD);
	assert_int_equal(heard.session, h->log.commit);
	assert_int_equal(heard.session_ms, HOME_SESSION);

	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_lease(h->node, false);
	hear_peer(h, h->log.commit, 5);

	assert_int_equal(fakenode_sent(h->node, &to).size, 0);
}

static void tidy_waits_until_every_session_was_heard(void **state)
{
	struct home *h = *state;

	GIVEN_LEADER(h);
	GIVEN_BORN(h);
	GIVEN_PEER_SESSION(h);
	kv_duties(h->kv);
	assert_int_equal(atomic_load(&h->tidied), 0);

	hear_peer(h, h->log.commit, 5);
	kv_duties(h->kv);
	fakenode_settle(h->node);

	assert_int_equal(atomic_load(&h->tidied), 1);
	assert_log(h, "born;tidy1held;");
}

static void without_a_majority_a_leader_has_no_duties(void **state)
{
	struct home *h = *state;

	GIVEN_LEADER(h);
	GIVEN_BORN(h);
	fakenode_lease(h->node, false);
	fakenode_heard(h->node, 1);

	kv_duties(h->kv);

	assert_int_equal(atomic_load(&h->tidied), 0);
}

/* A transfer that came to nothing ends the lease for the whole term. */
static void without_a_lease_the_duties_go_on(void **state)
{
	struct home *h = *state;

	GIVEN_OPEN(h);
	fakenode_role(h->node, FAKENODE_SELF);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);

	kv_duties(h->kv);
	fakenode_settle(h->node);

	assert_log(h, "born;");
}

/* --- Flush ---------------------------------------------------------------- */

/* Remove the thousand blocks of a file, as a purge does. */
static int remove_many(void *context, struct kv_batch *b,
		       const struct kv_at *at, struct bytes operation,
		       struct buffer *result)
{
	uint8_t key[5] = "b";

	(void)context;
	(void)at;
	(void)operation;
	(void)result;
	for (unsigned n = 0; n < KV_FLUSH_REMOVED; n++) {
		key[3] = (uint8_t)(n >> 8);
		key[4] = (uint8_t)n;
		kv_remove(b, bytes_of(key, sizeof key));
	}
	return 0;
}

/* Only a flushed removal gives space back. */
static void what_removes_much_is_flushed_soon(void **state)
{
	struct home *h = *state;
	struct waiter a;
	int looks = 1000;

	h->machine.apply = remove_many;
	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "purge");
	fakenode_settle(h->node);
	fakenode_sleep(h->node, KV_FLUSH_REMOVED_MS);

	while (fakenode_flushed(h->node) < h->log.commit && --looks > 0) {
		(void)poll(NULL, 0, 10);
	}
	assert_true(looks > 0);
}

/* The keeper looks about once a second. */
static void let_it_look(void)
{
	(void)poll(NULL, 0, 1500);
}

static bool is_reopened(struct home *h, unsigned count)
{
	int looks = 1000;

	while (memstore_reopened(h->newest) < count && --looks > 0) {
		(void)poll(NULL, 0, 10);
	}
	return memstore_reopened(h->newest) == count;
}

/* It may hold on to a full disk that is none any more. */
static void a_store_that_keeps_failing_is_opened_anew(void **state)
{
	struct home *h = *state;

	GIVEN_FOLLOWER(h);
	home_done(h, "a", "a=ok:a; ");
	memstore_strain(h->newest, true);
	fakenode_roomless(h->node, true);
	let_it_look();
	fakenode_sleep(h->node, KV_MEND_MS);
	let_it_look();
	assert_int_equal(memstore_reopened(h->newest), 0); /* it is right */
	fakenode_roomless(h->node, false);
	assert_true(is_reopened(h, 1));

	let_it_look();
	fakenode_sleep(h->node, KV_MEND_MS);
	let_it_look();
	assert_int_equal(memstore_reopened(h->newest), 1); /* more seldom */
	fakenode_sleep(h->node, KV_MEND_MS);
	assert_true(is_reopened(h, 2));
	assert_log(h, "a;");
}

static void a_store_that_has_failed_and_goes_on_is_left_alone(void **state)
{
	struct home *h = *state;

	GIVEN_FOLLOWER(h);
	memstore_strain(h->newest, true);
	let_it_look();
	memstore_strain(h->newest, false);
	fakenode_sleep(h->node, KV_MEND_MS);
	let_it_look();
	memstore_strain(h->newest, true);
	let_it_look();

	assert_int_equal(memstore_reopened(h->newest), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(a_follower_tells_its_leader_what_it_holds),
		HOME_TEST(word_from_the_leader_keeps_a_session),
		HOME_TEST(a_session_timeout_of_its_own_is_said_once),
		HOME_TEST(the_first_leader_gives_birth_once),
		HOME_TEST(a_leader_ends_a_session_it_does_not_hear),
		HOME_TEST(a_new_session_is_given_its_time_by_an_old_leader),
		HOME_TEST(a_keep_alive_later_than_the_roll_counts),
		HOME_TEST(a_leader_answers_keep_alives_while_it_has_a_quorum),
		HOME_TEST(tidy_waits_until_every_session_was_heard),
		HOME_TEST(without_a_majority_a_leader_has_no_duties),
		HOME_TEST(without_a_lease_the_duties_go_on),
		HOME_TEST(what_removes_much_is_flushed_soon),
		HOME_TEST(a_store_that_keeps_failing_is_opened_anew),
		HOME_TEST(a_store_that_has_failed_and_goes_on_is_left_alone),
	};

	return cmocka_run_group_tests_name("kv/keeper", tests, NULL, NULL);
}
