/* SPDX-License-Identifier: Apache-2.0 */
/* A follower takes what its leader says, and acknowledges what is durable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/solo.h"

#define LOG(...) ((const raft_term[]){__VA_ARGS__, 0})
#define EMPTY ((const raft_term[]){0})
#define POS(t, i) ((struct raft_pos){.term = (t), .index = (i)})

static struct solo s;

static void an_entry_is_acknowledged_once_it_is_saved(void **state)
{
	const struct raft_act *save, *early, *reply;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, POS(1, 1), 1, LOG(2, 2));

	save = solo_act(&s, RAFT_DO_SAVE, 0);
	assert_int_equal(save->save.keep, 1);
	assert_int_equal(save->save.last, 3);
	assert_int_equal(save->save.source, RAFT_FROM_MESSAGE);
	early = solo_sent(&s, RAFT_APPEND_REPLY, 2, 0); /* of the round */
	assert_int_equal(early->after, 0);
	assert_int_equal(early->send.pos.index, 1);
	reply = solo_sent(&s, RAFT_APPEND_REPLY, 2, 1);
	assert_int_equal(reply->after, save->save.seq);
	assert_int_equal(reply->send.pos.index, 3);
	solo_deinit(&s);
}

static void a_copy_is_acknowledged_with_the_pending_save(void **state)
{
	const struct raft_act *reply;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, POS(1, 1), 1, LOG(2));
	solo_append(&s, 2, POS(2, 2), 1, LOG(2));
	solo_append(&s, 2, POS(1, 1), 1, LOG(2));

	assert_null(solo_act(&s, RAFT_DO_SAVE, 0));
	reply = solo_sent(&s, RAFT_APPEND_REPLY, 2, 0);
	assert_int_equal(reply->after, 1);
	assert_int_equal(reply->send.pos.index, 2);
	solo_deinit(&s);
}

/* Row 22: a save of (T2,2) is overwritten by (T3,2), and that by (T4,2); the
 * completion of the first says nothing of what stands at 2 now. */
static void completion_of_an_overwritten_save_does_not_count(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, POS(1, 1), 1, LOG(2));
	solo_append(&s, 3, POS(1, 1), 1, LOG(3));
	solo_append(&s, 4, POS(1, 1), 1, LOG(2));
	assert_int_equal(raft_term_at(s.core, 2), 2);

	solo_saved(&s, 1);
	assert_int_equal(solo_status(&s).saved, 1);
	solo_saved(&s, 2);
	assert_int_equal(solo_status(&s).saved, 1);
	solo_saved(&s, 3);
	assert_int_equal(solo_status(&s).saved, 2);
	solo_deinit(&s);
}

/* Row 24: index 5 is beyond the log; its term "unknown" must not equal 0. */
static void an_unknown_term_before_the_first_entry_is_no_match(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, POS(0, 5), 6, EMPTY);

	assert_int_equal(solo_status(&s).commit, 1);
	assert_null(solo_sent(&s, RAFT_APPEND_REPLY, 2, 0));
	assert_int_equal(solo_status(&s).counters.messages_ignored, 1);
	solo_deinit(&s);
}

/* Row 26: (prev none, first = 50). */
static void entries_with_a_gap_are_ignored(void **state)
{
	const struct raft_run run = {.term = 2, .last = 60};
	const uint32_t sizes[60] = {0};
	struct raft_event ev = {.kind = RAFT_EV_RECV};
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	ev.recv.msg = (struct raft_msg){
		.kind = RAFT_APPEND, .from = 2, .to = 1, .term = 2, .last = 50};
	ev.recv.runs = &run;
	ev.recv.run_count = 1;
	ev.recv.sizes = sizes;
	solo_step(&s, ev);

	assert_int_equal(solo_status(&s).last, 1);
	assert_int_equal(solo_status(&s).counters.messages_ignored, 1);

	/* The same after the entry that is there: nothing is contradicted. */
	ev.recv.msg.pos = POS(1, 1);
	solo_step(&s, ev);

	assert_int_equal(solo_status(&s).last, 1);
	assert_int_equal(solo_status(&s).counters.messages_ignored, 2);
	solo_deinit(&s);
}

static void what_is_committed_is_never_cut(void **state)
{
	(void)state;

	solo_init(&s, 3, 2, 2, LOG(1, 2, 2));
	solo_append(&s, 3, POS(1, 1), 3, LOG(3, 3));

	assert_int_equal(raft_term_at(s.core, 2), 2);
	assert_int_equal(solo_status(&s).last, 3);
	assert_int_equal(solo_status(&s).counters.messages_ignored, 1);
	solo_deinit(&s);
}

static void a_refusal_skips_a_whole_term(void **state)
{
	const struct raft_act *reply;
	(void)state;

	solo_init(&s, 3, 4, 0, LOG(1, 1, 4, 4, 4));
	solo_append(&s, 5, POS(3, 5), 0, LOG(5));

	reply = solo_sent(&s, RAFT_APPEND_REPLY, 2, 0);
	assert_true(reply->send.reject);
	assert_int_equal(reply->send.last, 5);
	assert_int_equal(reply->send.pos.index, 2);
	assert_int_equal(reply->send.pos.term, 1);
	solo_deinit(&s);
}

static void a_conflict_is_cut_at_its_first_entry(void **state)
{
	const struct raft_act *save;
	(void)state;

	solo_init(&s, 3, 3, 1, LOG(1, 2, 3, 3));
	solo_append(&s, 4, POS(1, 1), 1, LOG(2, 4));

	save = solo_act(&s, RAFT_DO_SAVE, 0);
	assert_int_equal(save->save.keep, 2);
	assert_int_equal(save->save.last, 3);
	assert_int_equal(save->save.hard.term, 4);
	assert_null(solo_act(&s, RAFT_DO_SAVE, 1));
	assert_int_equal(solo_status(&s).saved, 2);
	solo_deinit(&s);
}

static void committed_entries_are_applied_once_saved(void **state)
{
	const struct raft_act *apply;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	solo_append(&s, 2, POS(1, 1), 2, LOG(2, 2));
	apply = solo_act(&s, RAFT_DO_APPLY, 0);
	assert_int_equal(apply->after, 1);
	assert_int_equal(apply->apply.first, 2);
	assert_int_equal(apply->apply.last, 2);

	solo_saved(&s, 1);
	solo_append(&s, 2, POS(2, 3), 3, EMPTY);
	apply = solo_act(&s, RAFT_DO_APPLY, 0);
	assert_int_equal(apply->after, 0);
	assert_int_equal(apply->apply.first, 3);
	solo_deinit(&s);
}

static void an_old_leader_is_told_the_term(void **state)
{
	const struct raft_act *reply;
	(void)state;

	solo_init(&s, 3, 5, 1, LOG(1));
	solo_append(&s, 4, POS(1, 1), 1, LOG(4));

	reply = solo_sent(&s, RAFT_APPEND_REPLY, 2, 0);
	assert_true(reply->send.reject);
	assert_int_equal(reply->send.term, 5);
	assert_int_equal(solo_status(&s).last, 1);
	solo_deinit(&s);
}

/* More unfinished saves than are told apart: later is fine, earlier is not. */
static void a_very_slow_disk_only_delays_acknowledgements(void **state)
{
	raft_index i;
	(void)state;

	solo_init(&s, 3, 2, 1, LOG(1));
	for (i = 1; i <= 300; i++)
		solo_append(&s, 2, POS(i == 1 ? 1 : 2, i), 1, LOG(2));
	solo_saved(&s, 10);
	assert_int_equal(solo_status(&s).saved, 11);
	solo_saved(&s, 299);
	assert_true(solo_status(&s).saved <= 300);
	solo_saved(&s, 300);
	assert_int_equal(solo_status(&s).saved, 301);
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_acknowledged_once_it_is_saved),
		cmocka_unit_test(a_copy_is_acknowledged_with_the_pending_save),
		cmocka_unit_test(
			completion_of_an_overwritten_save_does_not_count),
		cmocka_unit_test(
			an_unknown_term_before_the_first_entry_is_no_match),
		cmocka_unit_test(entries_with_a_gap_are_ignored),
		cmocka_unit_test(what_is_committed_is_never_cut),
		cmocka_unit_test(a_refusal_skips_a_whole_term),
		cmocka_unit_test(a_conflict_is_cut_at_its_first_entry),
		cmocka_unit_test(committed_entries_are_applied_once_saved),
		cmocka_unit_test(an_old_leader_is_told_the_term),
		cmocka_unit_test(a_very_slow_disk_only_delays_acknowledgements),
	};

	return cmocka_run_group_tests_name("raft/append", tests, NULL, NULL);
}
