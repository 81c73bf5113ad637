/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a snapshot taken over replaces the state, under readers and
 * proposals, as one step: nobody sees a mixture, everybody who waits is
 * answered exactly once, and every crash leaves the old state or the new one.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/command.h"
#include "kv/swap.h"
#include "tests/lib/otherkit.h"
#include "tests/lib/toy.h"

/* A follower, and another node's state that is as far. */
static void GIVEN_PAIR(struct home *h, struct other *o)
{
	GIVEN_FOLLOWER(h);
	GIVEN_OTHER(o, h);
}

/* --- Making one ----------------------------------------------------------- */

static void a_snapshot_says_where_it_ends_and_who_is_a_member(void **state)
{
	struct home *h = *state;
	struct node_snapshot_info info = {.pos = {0}};
	char folder[128];

	snprintf(folder, sizeof folder, "%s/snapshot-1", h->folder);
	GIVEN_OPEN(h);
	assert_int_equal(fakenode_snapshot(h->node, folder, &info),
			 STATUS_NOT_READY);
	assert_false(home_has(h, "snapshot-1"));
	home_close(h);
	GIVEN_FOLLOWER(h);
	fakenode_commit_entry(h->node, entry_new(ENTRY_MEMBERS, "n1 n2", 5));
	home_done(h, "a", "a=ok:a; ");

	assert_int_equal(fakenode_snapshot(h->node, folder, &info), 0);

	assert_int_equal(info.pos.index, h->log.commit);
	assert_int_equal(info.pos.term, 1);
	assert_int_equal(info.members_index, h->log.commit - 1);
	assert_string_equal(buffer_text(&info.members), "n1 n2");
	buffer_deinit(&info.members);
	assert_int_equal(fakenode_snapshot(h->node, folder, &info),
			 STATUS_EXISTS);
	buffer_deinit(&info.members);
}

/* --- The state ------------------------------------------------------------ */

static void an_installed_state_stands_for_all_that_was(void **state)
{
	struct home *h = *state;
	struct other o;
	struct kv_view *view;
	struct kv_batch *b;
	struct buffer text = {0};
	raft_index before;

	GIVEN_FOLLOWER(h);
	home_done(h, "a", "a=ok:a; ");
	h->log.count -= 1; /* the other one never saw it */
	GIVEN_OTHER(&o, h);
	h->log.count += 1;
	b = h->kv->store->ops->begin(h->kv->store, NULL, NULL);
	kv_put(b, bytes_of_text("extra"), bytes_of_text("1"));
	assert_int_equal(h->kv->store->ops->commit(h->kv->store, b), 0);
	other_operation(&o, "x");
	other_operation(&o, "y");
	view = kv_view_open(h->kv);
	before = h->log.commit;
	other_load(&o);

	assert_true(o.pos.index > before);
	assert_log(h, "x;y;");
	assert_int_equal(atomic_load(&h->kv->applied), o.pos.index);
	assert_string_equal(toy_log(&view->reader, &text), "a;");
	assert_true(home_has(h, "state-2"));
	assert_false(home_has(h, "incoming-1"));
	kv_view_close(h->kv, view);
	assert_int_equal(kv_get(kv_newest(h->kv), bytes_of_text("extra"),
				&text),
			 STATUS_NOT_FOUND); /* replaced, not merged */

	fakenode_commit_entry(h->node, entry_new(ENTRY_NOOP, "", 0));
	assert_int_equal(atomic_load(&h->kv->applied), o.pos.index + 1);
	home_close(h);
	assert_false(home_has(h, "state-1"));
	GIVEN_OPEN(h);
	assert_log(h, "x;y;");
	assert_int_equal(atomic_load(&h->kv->applied), o.pos.index + 1);
	buffer_deinit(&text);
	other_deinit(&o);
}

static void watchers_are_told_that_anything_may_have_changed(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	kv_watch(h->kv, home_noted, h);
	GIVEN_OTHER(&o, h);
	other_operation(&o, "x");
	other_load(&o);
	home_propose(h, &a, "a");
	fakenode_route(h->node, true);
	fakenode_settle(h->node);

	assert_told(h, "() (a) a=ok:x;a; ");
	other_deinit(&o);
}

static void a_read_that_waits_for_it_is_answered(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;
	struct waiter b;
	bool lease;

	GIVEN_PAIR(h, &o);
	other_skip(&o, 10);
	home_barrier(h, &a, "a", KV_READS_FRESH);
	fakenode_answer(h->node, fakenode_ticket(h->node, &lease),
			h->log.commit + 10, 0);
	home_barrier(h, &b, "b", KV_READS_FRESH);
	fakenode_answer(h->node, fakenode_ticket(h->node, &lease),
			h->log.commit + 11, 0);
	assert_told(h, "");
	other_load(&o);
	assert_told(h, "a=fresh ");
	fakenode_commit_entry(h->node, entry_new(ENTRY_NOOP, "", 0));
	assert_told(h, "b=fresh ");
	other_deinit(&o);
}

static void a_birth_within_it_counts(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;

	GIVEN_OPEN(h);
	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 0); /* not born */
	GIVEN_OTHER(&o, h);
	other_apply(&o, command_birth(bytes_of_text("skip")));
	other_load(&o);

	fakenode_settle(h->node);
	assert_told(h, "a=ok:a; ");
	other_deinit(&o);
}

struct stop {
	sem_t reached;
	sem_t go_on;
};

static void stop_at_a_note(void *context, uint64_t index, struct bytes note)
{
	struct stop *stop = context;

	(void)index;
	if (bytes_equal(note, bytes_of_text("stop"))) {
		sem_post(&stop->reached);
		sem_wait(&stop->go_on);
	}
}

static void *load_it(void *context)
{
	struct other *o = context;

	assert_int_equal(fakenode_load(o->h->node, o->folder, o->pos), 0);
	return NULL;
}

static void await_install(struct kv *kv)
{
	bool posted = false;

	while (!posted) {
		pthread_mutex_lock(&kv->lock);
		posted = kv->install != NULL;
		pthread_mutex_unlock(&kv->lock);
		sched_yield();
	}
}

/* The apply thread is in the middle of an entry, and more wait behind it: that
 * one is finished, and those are not applied on top of the new state. */
static void entries_before_its_end_are_dropped(void **state)
{
	struct home *h = *state;
	struct stop stop;
	struct other o;
	struct waiter a;
	pthread_t thread;

	sem_init(&stop.reached, 0, 0);
	sem_init(&stop.go_on, 0, 0);
	GIVEN_FOLLOWER(h);
	kv_watch(h->kv, stop_at_a_note, &stop);
	kv_watch(h->kv, home_noted, h);
	home_propose(h, &a, "stop");
	assert_int_equal(fakenode_take(h->node), 1);
	fakenode_commit_soon(h->node, fakenode_under_way(h->node, 0));
	sem_wait(&stop.reached);
	GIVEN_OTHER(&o, h);
	other_operation(&o, "x");
	for (int i = 0; i < 2; i++) {
		fakenode_commit_soon(h->node, entry_new(ENTRY_NOOP, "", 0));
	}
	other_snapshot(&o);
	assert_int_equal(pthread_create(&thread, NULL, load_it, &o), 0);
	await_install(h->kv);
	sem_post(&stop.go_on);
	pthread_join(thread, NULL);

	assert_told(h, "(stop) stop=ok:stop; () ");
	assert_log(h, "stop;x;");
	assert_int_equal(atomic_load(&h->kv->applied), o.pos.index);
	other_deinit(&o);
	sem_destroy(&stop.reached);
	sem_destroy(&stop.go_on);
}

static void it_waits_until_the_disk_has_room(void **state)
{
	struct home *h = *state;
	struct other o;

	GIVEN_PAIR(h, &o);
	other_operation(&o, "x");
	atomic_store(&h->full, 2);

	other_load(&o);

	assert_int_equal(atomic_load(&h->full), 0);
	assert_log(h, "x;");
	other_deinit(&o);
}

static void join_it(void *context)
{
	pthread_join(*(pthread_t *)context, NULL);
}

static void *load_in_vain(void *context)
{
	struct other *o = context;

	assert_int_equal(fakenode_load(o->h->node, o->folder, o->pos),
			 STATUS_ENDED);
	return NULL;
}

/* The state is the old one then, at the next start too. */
static void it_does_not_wait_for_room_when_the_node_stops(void **state)
{
	struct home *h = *state;
	struct other o;
	pthread_t thread;

	GIVEN_PAIR(h, &o);
	other_operation(&o, "x");
	other_snapshot(&o);
	atomic_store(&h->full, UINT_MAX);
	assert_int_equal(pthread_create(&thread, NULL, load_in_vain, &o), 0);
	while (atomic_load(&h->full) == UINT_MAX) {
		sched_yield();
	}
	fakenode_on_stop(h->node, join_it, &thread);
	home_close(h);

	atomic_store(&h->full, 0);
	GIVEN_OPEN(h);
	assert_log(h, "");
	assert_false(home_has(h, "state-2"));
	other_deinit(&o);
}

/* --- Proposals ------------------------------------------------------------ */

/* a's entry is within the snapshot, b's is behind it, c's is lost. */
static void what_was_under_way_is_settled_exactly_once(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;
	struct waiter b;
	struct waiter c;
	struct waiter d;
	struct entry *late;

	GIVEN_PAIR(h, &o);
	home_propose(h, &a, "a");
	home_propose(h, &b, "b");
	home_propose(h, &c, "c");
	assert_int_equal(fakenode_take(h->node), 3);
	other_apply(&o, fakenode_under_way(h->node, 0));
	late = fakenode_under_way(h->node, 1);
	fakenode_lose(h->node);
	home_propose(h, &d, "d");
	other_load(&o);

	assert_told(h, "a=ok:a; ");
	fakenode_commit_entry(h->node, late);
	assert_told(h, "b=ok:a;b; ");
	fakenode_route(h->node, true);
	fakenode_settle(h->node);
	assert_told(h, "c=ok:a;b;c; d=ok:a;b;c;d; ");
	assert_log(h, "a;b;c;d;");
	other_deinit(&o);
}

/* The same entries again behind it: a late copy changes nothing. */
static void a_copy_behind_it_changes_nothing(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;
	struct entry *copy;

	GIVEN_PAIR(h, &o);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	other_apply(&o, fakenode_under_way(h->node, 0));
	copy = fakenode_under_way(h->node, 0);
	fakenode_lose(h->node);
	other_load(&o);
	fakenode_commit_entry(h->node, copy);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);

	assert_told(h, "a=ok:a; ");
	assert_log(h, "a;");
	other_deinit(&o);
}

/* The session ended within the snapshot, with all that it knew: a was applied
 * before, b was not, and nobody can tell. c was never handed over. */
static void what_an_ended_session_did_is_unknown(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;
	struct waiter b;
	struct waiter c;

	GIVEN_PAIR(h, &o);
	home_propose(h, &a, "a");
	home_propose(h, &b, "b");
	assert_int_equal(fakenode_take(h->node), 2);
	other_apply(&o, fakenode_under_way(h->node, 0));
	other_apply(&o, command_end(HOME_FIRST_SESSION));
	other_apply(&o, fakenode_under_way(h->node, 1));
	fakenode_lose(h->node);
	home_propose(h, &c, "c");
	other_load(&o);

	assert_told(h, "a=outcome unknown b=outcome unknown ");
	assert_false(home_session_usable(h));
	fakenode_settle(h->node);
	assert_told(h, "c=ok:a;c; ");
	assert_true(home_session_usable(h));
	assert_log(h, "a;c;");
	other_deinit(&o);
}

static void a_session_opened_within_it_is_used(void **state)
{
	struct home *h = *state;
	struct other o;

	GIVEN_OPEN(h);
	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_route(h->node, true);
	assert_int_equal(fakenode_take(h->node), 1); /* the opening */
	GIVEN_OTHER(&o, h);
	other_apply(&o, fakenode_under_way(h->node, 0));
	other_apply(&o, command_birth(bytes_of_text("skip")));
	fakenode_lose(h->node);
	other_load(&o);

	assert_true(home_session_usable(h));
	home_done(h, "a", "a=ok:a; ");
	other_deinit(&o);
}

/* --- Refused -------------------------------------------------------------- */

static void what_does_not_end_there_is_refused(void **state)
{
	struct home *h = *state;
	struct raft_pos pos;
	struct other o;

	GIVEN_PAIR(h, &o);
	other_operation(&o, "x");
	other_snapshot(&o);
	pos = o.pos;
	pos.index++;
	assert_int_equal(fakenode_load(h->node, o.folder, pos), STATUS_CORRUPT);
	pos = o.pos;
	pos.term++;
	assert_int_equal(fakenode_load(h->node, o.folder, pos), STATUS_CORRUPT);
	assert_int_equal(fakenode_load(h->node, "/nowhere/at/all", o.pos),
			 STATUS_CORRUPT);

	assert_true(home_has(h, "incoming-1"));
	assert_false(home_has(h, "state-2"));
	home_done(h, "a", "a=ok:a; ");
	other_deinit(&o);
}

/* --- Many ----------------------------------------------------------------- */

enum { LOADS = 30, READERS = 3 };

struct readers {
	struct kv *kv;
	atomic_bool stop;
};

/* The toy's text only grows, and is the same twice in one view. */
static void *read_on(void *context)
{
	struct readers *r = context;
	struct buffer text = {0};
	struct buffer again = {0};
	size_t longest = 0;

	while (!atomic_load(&r->stop)) {
		struct kv_view *view = kv_view_open(r->kv);

		(void)toy_log(&view->reader, &text);
		(void)toy_log(kv_newest(r->kv), &again);
		assert_true(text.size >= longest);
		assert_true(again.size >= text.size);
		longest = again.size;
		(void)toy_log(&view->reader, &again);
		assert_int_equal(again.size, text.size);
		kv_view_close(r->kv, view);
	}
	buffer_deinit(&text);
	buffer_deinit(&again);
	return NULL;
}

static void readers_live_through_many_installs(void **state)
{
	struct home *h = *state;
	struct readers r = {.stop = false};
	pthread_t threads[READERS];
	struct other o;

	GIVEN_PAIR(h, &o);
	r.kv = h->kv;
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r),
				 0);
	}
	for (int i = 0; i < LOADS; i++) {
		struct entry *e = entry_new(ENTRY_NOOP, "", 0);

		other_operation(&o, "x");
		other_load(&o);
		fakenode_commit_entry(h->node, e);
		other_skip(&o, 1);
		(void)swap_sweep(h->kv->store);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(swap_sweep(h->kv->store), 0);
	other_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(a_snapshot_says_where_it_ends_and_who_is_a_member),
		HOME_TEST_ON_ROCKSDB(
			a_snapshot_says_where_it_ends_and_who_is_a_member),
		HOME_TEST(an_installed_state_stands_for_all_that_was),
		HOME_TEST_ON_ROCKSDB(
			an_installed_state_stands_for_all_that_was),
		HOME_TEST(watchers_are_told_that_anything_may_have_changed),
		HOME_TEST(a_read_that_waits_for_it_is_answered),
		HOME_TEST(a_birth_within_it_counts),
		HOME_TEST(entries_before_its_end_are_dropped),
		HOME_TEST(it_waits_until_the_disk_has_room),
		HOME_TEST(it_does_not_wait_for_room_when_the_node_stops),
		HOME_TEST(what_was_under_way_is_settled_exactly_once),
		HOME_TEST(a_copy_behind_it_changes_nothing),
		HOME_TEST(what_an_ended_session_did_is_unknown),
		HOME_TEST(a_session_opened_within_it_is_used),
		HOME_TEST(what_does_not_end_there_is_refused),
		HOME_TEST(readers_live_through_many_installs),
		HOME_TEST_ON_ROCKSDB(readers_live_through_many_installs),
	};

	return cmocka_run_group_tests_name("kv/install", tests, NULL, NULL);
}
