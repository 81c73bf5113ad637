/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: through leader changes, lost and doubled entries, ended sessions,
 * restarts and damage, every proposal takes effect at most once, is answered
 * with what is certain, and the state fits the log or is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/command.h"
#include "kv/internal.h"
#include "tests/lib/fakenode.h"
#include "tests/lib/memstore.h"
#include "tests/lib/toy.h"

enum { TIMEOUT = 5000, SESSION = 10000, PEER_SESSION = 1 };

struct home {
	char folder[64];
	struct memdisk *disk;
	struct fakelog log;
	atomic_int tidied;
	struct kv_machine machine;
	struct kv *kv;
	struct node *node;
	/* What was answered, by any thread. */
	pthread_mutex_t lock;
	struct buffer told;
};

static int open_memory(void *context, const char *path, struct store **store,
		       struct buffer *problem)
{
	struct home *h = context;

	(void)path;
	(void)problem;
	*store = memstore_open(h->disk);
	return 0;
}

static void on_failed(void *context, const char *line)
{
	(void)context;
	fail_msg("%s", line);
}

static int open_home(struct home *h, struct buffer *problem)
{
	struct kv_config config = {
		.name = "n1",
		.data = h->folder,
		.timeout_ms = TIMEOUT,
		.session_ms = SESSION,
		.machine = &h->machine,
		.failed = on_failed,
	};
	struct kv_below below = {open_memory, h};

	fakenode_use(&h->log);
	return kv_open_on(&config, &below, &h->kv, problem);
}

static void GIVEN_OPEN(struct home *h)
{
	struct buffer problem = {0};

	assert_int_equal(open_home(h, &problem), 0);
	h->node = h->kv->node;
	buffer_deinit(&problem);
}

/* A follower with a leader, a way and an open session. */
static void GIVEN_FOLLOWER(struct home *h)
{
	GIVEN_OPEN(h);
	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);
	fakenode_commit_entry(h->node, command_birth(bytes_of_text("skip")));
}

static void GIVEN_LEADER(struct home *h)
{
	GIVEN_OPEN(h);
	fakenode_role(h->node, FAKENODE_SELF);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);
	fakenode_lease(h->node, true);
}

static void close_home(struct home *h)
{
	if (h->kv != NULL) {
		fakenode_route(h->node, false);
		kv_close(h->kv);
		h->kv = NULL;
	}
}

static int setup(void **state)
{
	struct home *h = calloc(1, sizeof *h);

	strcpy(h->folder, "/tmp/test_kv_kv.XXXXXX");
	assert_non_null(mkdtemp(h->folder));
	h->disk = memdisk_new();
	h->machine = toy_machine(&h->tidied);
	pthread_mutex_init(&h->lock, NULL);
	fakenode_clock(1000000);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct home *h = *state;
	char command[128];

	close_home(h);
	fakelog_deinit(&h->log);
	memdisk_free(h->disk);
	buffer_deinit(&h->told);
	pthread_mutex_destroy(&h->lock);
	snprintf(command, sizeof command, "rm -rf '%s'", h->folder);
	assert_int_equal(system(command), 0);
	free(h);
	return 0;
}

/* --- Asking and being told ------------------------------------------------ */

struct waiter {
	struct home *h;
	const char *name;
	uint64_t id;
};

static void on_done(void *context, int status, struct bytes result)
{
	struct waiter *w = context;

	pthread_mutex_lock(&w->h->lock);
	buffer_printf(&w->h->told, "%s=%s%.*s ", w->name,
		      status == 0 ? "ok:" : status_text(status),
		      (int)result.size, (const char *)result.data);
	pthread_mutex_unlock(&w->h->lock);
}

static void on_ready(void *context, int status, bool fell_back)
{
	struct waiter *w = context;

	pthread_mutex_lock(&w->h->lock);
	buffer_printf(&w->h->told, "%s=%s ", w->name,
		      status != 0 ? status_text(status)
		      : fell_back ? "fell back"
				  : "fresh");
	pthread_mutex_unlock(&w->h->lock);
}

static void on_noted(void *context, uint64_t index, struct bytes note)
{
	struct home *h = context;

	(void)index;
	pthread_mutex_lock(&h->lock);
	buffer_printf(&h->told, "(%.*s) ", (int)note.size,
		      (const char *)note.data);
	pthread_mutex_unlock(&h->lock);
}

static void propose(struct home *h, struct waiter *w, const char *name)
{
	*w = (struct waiter){.h = h, .name = name};
	w->id = kv_propose(h->kv, bytes_of_text(name), kv_now_ms() + TIMEOUT,
			   on_done, w);
}

static void barrier(struct home *h, struct waiter *w, const char *name,
		    enum kv_reads reads)
{
	*w = (struct waiter){.h = h, .name = name};
	w->id = kv_barrier(h->kv, reads, on_ready, w);
}

static void assert_told(struct home *h, const char *expected)
{
	pthread_mutex_lock(&h->lock);
	assert_string_equal(buffer_text(&h->told), expected);
	buffer_reset(&h->told);
	pthread_mutex_unlock(&h->lock);
}

static void assert_log(struct home *h, const char *expected)
{
	struct buffer text = {0};

	assert_string_equal(toy_log(kv_newest(h->kv), &text), expected);
	buffer_deinit(&text);
}

static bool session_is_usable(struct home *h)
{
	struct kv_status *status = malloc(sizeof *status);
	bool usable;

	kv_status(h->kv, status);
	usable = status->session != 0;
	free(status);
	return usable;
}

/* --- Changing ------------------------------------------------------------- */

static void a_proposal_is_answered_when_it_is_applied(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	kv_watch(h->kv, on_noted, h);
	propose(h, &a, "a");
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
	propose(h, &a, "a");
	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_route(h->node, true);
	assert_int_equal(fakenode_take(h->node), 1);
	assert_int_equal(fakenode_take(h->node), 1);

	fakenode_commit(h->node, 0);
	assert_true(session_is_usable(h));
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
	propose(h, &a, "a");
	propose(h, &b, "b");
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
	propose(h, &a, "a");
	propose(h, &b, "b");
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
	propose(h, &a, "a");
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
	propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	fakenode_sleep(h->node, TIMEOUT);
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
	fakenode_sleep(h->node, TIMEOUT - 100);
	propose(h, &a, "a");
	assert_told(h, "");

	/* It has been long enough by now: at once. */
	fakenode_sleep(h->node, 100);
	propose(h, &b, "b");
	assert_told(h, "b=timed out before it was proposed ");
	fakenode_sleep(h->node, TIMEOUT);

	assert_told(h, "a=timed out before it was proposed ");
}

static void a_session_ended_by_the_leader_is_opened_anew(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;

	GIVEN_FOLLOWER(h);
	propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);

	fakenode_commit_entry(h->node, command_end(PEER_SESSION));
	fakenode_commit(h->node, 0);
	assert_told(h, "");
	assert_false(session_is_usable(h));
	propose(h, &b, "b");
	fakenode_settle(h->node);

	assert_told(h, "a=ok:a; b=ok:a;b; ");
	assert_log(h, "a;b;");
}

static void silence_ends_the_use_of_a_session(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	fakenode_sleep(h->node, SESSION * 8 / 10 - 1);
	assert_true(session_is_usable(h));

	fakenode_sleep(h->node, 1);
	assert_false(session_is_usable(h));
	propose(h, &a, "a");
	fakenode_settle(h->node);

	assert_true(session_is_usable(h));
	assert_told(h, "a=ok:a; ");
}

static void an_interrupted_proposal_that_waits_is_given_up(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_OPEN(h);
	propose(h, &a, "a");

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
	propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	propose(h, &b, "b");
	barrier(h, &c, "c", KV_READS_STRICT);

	close_home(h);

	assert_told(h, "a=outcome unknown b=session ended c=session ended ");
}

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
	assert_int_equal(alive.session, PEER_SESSION);
	assert_int_equal(alive.applied, 2);
	assert_int_equal(alive.held.size, 16);
	assert_int_equal(get_be64(alive.held.data), 3);
	assert_int_equal(get_be64(alive.held.data + 8), 9);
}

static void word_from_the_leader_keeps_a_session(void **state)
{
	struct home *h = *state;
	struct heard heard = {.session = PEER_SESSION};
	struct buffer reply = {0};

	GIVEN_FOLLOWER(h);
	fakenode_sleep(h->node, 4000);
	heard.sent_ms = kv_now_ms();
	heard_encode(&heard, &reply);
	fakenode_message(h->node, FAKENODE_OTHER, buffer_bytes(&reply));

	fakenode_sleep(h->node, 7900);
	assert_true(session_is_usable(h));
	fakenode_sleep(h->node, 100);
	assert_false(session_is_usable(h));
	buffer_deinit(&reply);
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

	GIVEN_LEADER(h);
	fakenode_sleep(h->node, 100);
	fakenode_await_wake(h->node);
	fakenode_settle(h->node);
	assert_log(h, "born;");

	close_home(h);
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

	GIVEN_LEADER(h);
	GIVEN_BORN(h);
	GIVEN_PEER_SESSION(h);
	peer = h->log.commit;
	fakenode_settle(h->node);
	hear_peer(h, peer, 5);
	fakenode_sleep(h->node, SESSION - 1);
	fakenode_settle(h->node);
	assert_int_equal(session_load(kv_newest(h->kv), peer, &s), 0);

	(void)fakenode_take(h->node);
	fakenode_sleep(h->node, 1001);
	fakenode_await_wake(h->node);
	fakenode_settle(h->node);

	assert_int_equal(session_load(kv_newest(h->kv), peer, &s),
			 STATUS_NOT_FOUND);
	assert_true(session_is_usable(h));
}

static void a_leader_answers_keep_alives_while_it_has_a_quorum(void **state)
{
	struct home *h = *state;
	raft_id to;

	GIVEN_LEADER(h);
	GIVEN_PEER_SESSION(h);
	hear_peer(h, h->log.commit, 5);
	assert_true(fakenode_sent(h->node, &to).size > 0);
	assert_int_equal(to, FAKENODE_OTHER);

	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_lease(h->node, false);
	hear_peer(h, h->log.commit, 5);

	assert_int_equal(fakenode_sent(h->node, &to).size, 0);
}

static void tidy_waits_until_every_session_was_heard(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_LEADER(h);
	GIVEN_BORN(h);
	GIVEN_PEER_SESSION(h);
	fakenode_sleep(h->node, 100);
	fakenode_sleep(h->node, 1000);
	propose(h, &a, "a");
	fakenode_settle(h->node);
	assert_int_equal(atomic_load(&h->tidied), 0);

	hear_peer(h, 3, 5);
	fakenode_sleep(h->node, 1000);
	fakenode_await_wake(h->node);
	fakenode_settle(h->node);

	assert_int_equal(atomic_load(&h->tidied), 1);
	assert_log(h, "born;a;tidy;");
}

/* --- Reading -------------------------------------------------------------- */

static void a_lease_answers_a_fresh_read_at_once(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_LEADER(h);

	barrier(h, &a, "a", KV_READS_FRESH);

	assert_int_equal(a.id, 0);
	assert_told(h, "a=fresh ");
}

static void a_local_read_asks_nobody(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;

	GIVEN_OPEN(h);

	barrier(h, &a, "a", KV_READS_LOCAL);

	assert_told(h, "a=fresh ");
	assert_int_equal(fakenode_ticket(h->node, &lease), 0);
}

static void a_follower_waits_until_the_read_index_is_applied(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	barrier(h, &a, "a", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	assert_int_not_equal(ticket, 0);

	fakenode_answer(h->node, ticket, h->log.commit + 1, 0);
	assert_told(h, "");
	fakenode_commit_entry(h->node, entry_new(ENTRY_NOOP, "", 0));

	assert_told(h, "a=fresh ");
}

static void a_strict_read_does_not_take_the_lease(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;
	uint64_t ticket;

	GIVEN_LEADER(h);
	barrier(h, &a, "a", KV_READS_STRICT);
	assert_told(h, "");
	ticket = fakenode_ticket(h->node, &lease);
	assert_false(lease);

	fakenode_answer(h->node, ticket, h->log.commit, 0);

	assert_told(h, "a=fresh ");
}

static void a_new_leader_is_asked_at_once(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	barrier(h, &a, "a", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, 0, STATUS_NO_QUORUM);
	assert_int_equal(fakenode_ticket(h->node, &lease), 0);

	fakenode_role(h->node, 0);
	fakenode_role(h->node, FAKENODE_OTHER);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, h->log.commit, 0);

	assert_told(h, "a=fresh ");
}

static void cut_off_reads_fall_back_until_a_leader_answers(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;
	struct waiter c;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	fakenode_role(h->node, 0);
	barrier(h, &a, "a", KV_READS_FRESH);
	fakenode_answer(h->node, fakenode_ticket(h->node, &lease), 0,
			STATUS_NOT_LEADER);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS);
	assert_told(h, "a=fell back ");
	barrier(h, &b, "b", KV_READS_FRESH);
	assert_told(h, "b=fell back ");

	ticket = fakenode_ticket(h->node, &lease);
	assert_int_not_equal(ticket, 0);
	fakenode_answer(h->node, ticket, h->log.commit, 0);
	barrier(h, &c, "c", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, h->log.commit, 0);

	assert_told(h, "c=fresh ");
}

/* --- Recovery ------------------------------------------------------------- */

static void GIVEN_HISTORY(struct home *h)
{
	struct waiter a;
	struct waiter b;

	GIVEN_FOLLOWER(h);
	propose(h, &a, "a");
	propose(h, &b, "b");
	fakenode_settle(h->node);
	assert_told(h, "a=ok:a; b=ok:a;b; ");
}

static void a_restart_keeps_everything(void **state)
{
	struct home *h = *state;
	struct waiter c;

	GIVEN_HISTORY(h);
	close_home(h);

	GIVEN_FOLLOWER(h);
	assert_log(h, "a;b;");
	propose(h, &c, "c");
	fakenode_settle(h->node);

	assert_told(h, "c=ok:a;b;c; ");
}

static void what_was_not_flushed_comes_back_from_the_log(void **state)
{
	struct home *h = *state;
	struct memdisk *forgetful = memdisk_new();

	GIVEN_OPEN(h);
	close_home(h);
	for (int i = 0; i < 3000; i++) {
		struct entry *e = command_birth(bytes_of_text("born"));

		fakelog_append(&h->log, e);
	}

	GIVEN_OPEN(h);

	assert_log(h, "born;");
	assert_int_equal(h->kv->applied, 3000);
	memdisk_free(forgetful);
}

static void assert_refused(struct home *h, const char *word)
{
	struct buffer problem = {0};

	assert_int_equal(open_home(h, &problem), STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), word));
	assert_non_null(strstr(buffer_text(&problem), h->folder));
	h->kv = NULL;
	buffer_deinit(&problem);
}

static void a_database_that_lost_its_tail_is_refused(void **state)
{
	struct home *h = *state;

	GIVEN_HISTORY(h);
	close_home(h);
	memdisk_free(h->disk);
	h->disk = memdisk_new();

	assert_refused(h, "lost its tail");
}

static void a_database_ahead_of_the_log_is_refused(void **state)
{
	struct home *h = *state;

	GIVEN_HISTORY(h);
	close_home(h);
	fakelog_deinit(&h->log);

	assert_refused(h, "the log lost its tail");
}

static void a_log_that_begins_too_late_is_refused(void **state)
{
	struct home *h = *state;

	GIVEN_HISTORY(h);
	close_home(h);
	h->log.base += 100;
	h->log.commit += 100;

	assert_refused(h, "begins after");
}

static void a_missing_or_damaged_marker_is_refused(void **state)
{
	struct home *h = *state;
	char path[96];

	GIVEN_HISTORY(h);
	close_home(h);
	snprintf(path, sizeof path, "%s/state", h->folder);
	assert_int_equal(truncate(path, 10), 0);
	assert_refused(h, "damaged");
	assert_int_equal(unlink(path), 0);

	assert_refused(h, "missing");
}

static void the_status_names_the_lack_of_a_quorum(void **state)
{
	struct home *h = *state;
	struct kv_status *status = malloc(sizeof *status);

	GIVEN_FOLLOWER(h);
	kv_status(h->kv, status);
	assert_true(status->quorum);
	assert_string_equal(status->role, "follower");
	assert_int_equal(status->applied, 2);

	fakenode_role(h->node, 0);
	kv_status(h->kv, status);

	assert_false(status->quorum);
	assert_non_null(strstr(status->why, "quorum"));
	free(status);
}

#define HOME_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		HOME_TEST(a_follower_tells_its_leader_what_it_holds),
		HOME_TEST(word_from_the_leader_keeps_a_session),
		HOME_TEST(the_first_leader_gives_birth_once),
		HOME_TEST(a_leader_ends_a_session_it_does_not_hear),
		HOME_TEST(a_leader_answers_keep_alives_while_it_has_a_quorum),
		HOME_TEST(tidy_waits_until_every_session_was_heard),
		HOME_TEST(a_lease_answers_a_fresh_read_at_once),
		HOME_TEST(a_local_read_asks_nobody),
		HOME_TEST(a_follower_waits_until_the_read_index_is_applied),
		HOME_TEST(a_strict_read_does_not_take_the_lease),
		HOME_TEST(a_new_leader_is_asked_at_once),
		HOME_TEST(cut_off_reads_fall_back_until_a_leader_answers),
		HOME_TEST(a_restart_keeps_everything),
		HOME_TEST(what_was_not_flushed_comes_back_from_the_log),
		HOME_TEST(a_database_that_lost_its_tail_is_refused),
		HOME_TEST(a_database_ahead_of_the_log_is_refused),
		HOME_TEST(a_log_that_begins_too_late_is_refused),
		HOME_TEST(a_missing_or_damaged_marker_is_refused),
		HOME_TEST(the_status_names_the_lack_of_a_quorum),
	};

	return cmocka_run_group_tests_name("kv/kv", tests, NULL, NULL);
}
