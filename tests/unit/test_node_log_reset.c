/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: after a reset the log is empty behind its position, whatever it
 * held; wherever the power goes it is as it was or as it shall be, and what is
 * left of the old one never counts again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/segment.h"
#include "tests/lib/logtest.h"

static const struct raft_pos far = {.index = 900, .term = 4};

static void save(struct fixture *f, raft_term term, raft_id vote, size_t count,
		 raft_index commit)
{
	struct logkit_save s = {
		.hard = {.term = term, .vote = vote},
		.keep = f->model.last,
		.commit = commit,
		.count = count,
		.term = term,
	};

	for (size_t i = 0; i < count; i++) {
		s.sizes[i] = 3500;
	}
	logkit_apply(&f->model, &s);
	assert_int_equal(logkit_write(&f->kit, &s, &f->model), 0);
}

/* Three entries to a segment: eight in three segments, two are committed. */
static void GIVEN_A_LOG(struct fixture *f)
{
	save(f, 1, 0, 3, 0);
	save(f, 1, 0, 3, 2);
	save(f, 4, 7, 2, 2);
}

static void reset(struct fixture *f, struct raft_pos pos)
{
	logkit_reset(&f->model, pos);
	assert_int_equal(log_reset(f->kit.log, pos), 0);
}

/* --- What it leaves ------------------------------------------------------- */

static void a_reset_leaves_an_empty_log_after_the_position(void **state)
{
	struct fixture *f = *state;
	struct log_state s;

	GIVEN_A_LOG(f);
	reset(f, far);

	log_state(f->kit.log, &s);
	assert_int_equal(s.base.index, 900);
	assert_int_equal(s.base.term, 4);
	assert_int_equal(s.last, 900);
	assert_int_equal(s.commit, 900);
	assert_int_equal(s.hard.term, 4);
	assert_int_equal(s.hard.vote, 7);
	assert_int_equal(s.segments, 1);
	assert_int_equal(log_term(f->kit.log, 900), 4);
	assert_int_equal(log_term(f->kit.log, 8), 0);
	assert_false(faultdisk_has(f->kit.disk, FIRST));
	assert_holds(f);
	crash_and_open(f, 1);
	assert_holds(f);
}

static void the_log_goes_on_after_a_reset(void **state)
{
	struct fixture *f = *state;

	GIVEN_A_LOG(f);
	reset(f, far);
	for (int i = 0; i < 3; i++) {
		save(f, 5, 0, 3, f->model.commit);
		assert_holds(f);
	}
	crash_and_open(f, 1);
	assert_holds(f);
	save(f, 5, 2, 1, 901);
	crash_and_open(f, 1);
	assert_holds(f);
}

/* Row 48: the position lies within the log, but not with that term. */
static void row_48_entries_of_another_term_do_not_come_back(void **state)
{
	struct fixture *f = *state;
	const struct raft_pos within = {.index = 5, .term = 2};

	GIVEN_A_LOG(f);
	reset(f, within);
	crash_and_open(f, 1);
	assert_int_equal(log_term(f->kit.log, 5), 2);
	assert_int_equal(log_term(f->kit.log, 6), 0);
	save(f, 5, 0, 2, 5);
	crash_and_open(f, 1);
	assert_holds(f);
}

static void an_empty_log_can_be_reset(void **state)
{
	struct fixture *f = *state;

	save(f, 4, 0, 0, 0);
	reset(f, far);
	reset(f, far);
	crash_and_open(f, 1);
	assert_holds(f);
}

static void what_is_committed_is_not_discarded(void **state)
{
	struct fixture *f = *state;
	const struct raft_pos below = {.index = 1, .term = 1};
	const struct raft_pos unknown = {.index = 900, .term = 5};

	GIVEN_A_LOG(f);

	assert_int_equal(log_reset(f->kit.log, below), STATUS_INVALID);
	assert_non_null(strstr(log_problem(f->kit.log), "committed"));
	assert_int_equal(log_reset(f->kit.log, unknown), STATUS_INVALID);
	assert_holds(f);
	save(f, 4, 7, 1, 3);
	assert_holds(f);
}

/* --- Crashes -------------------------------------------------------------- */

/* The log is m, or m after the reset; which one? */
static bool is_reset(struct logkit *k, const struct logkit_model *before,
		     const struct logkit_model *after)
{
	const char *old = logkit_differs(k->log, before, 0);
	const char *new = logkit_differs(k->log, after, 0);

	if (old != NULL && new != NULL) {
		fail_msg("neither the old log (%s) nor the new one (%s)", old,
			 new);
	}
	return new == NULL;
}

/* Return whether the power went before the reset was over. */
static bool lose_power(struct fixture *f, unsigned nth, uint64_t seed)
{
	struct logkit k = {.disk = faultdisk_copy(f->kit.disk)};
	struct logkit_model *after = mem_copy(&f->model, sizeof f->model);
	bool went;
	bool was_reset;

	assert_int_equal(logkit_open(&k), 0);
	logkit_reset(after, far);
	faultdisk_cut_power(k.disk, nth);
	went = log_reset(k.log, far) != 0;
	logkit_close(&k);
	faultdisk_crash(k.disk, seed);

	/* Once there, it stays: recovery may be cut short too. */
	faultdisk_cut_power(k.disk, 1 + (unsigned)(seed % 3));
	if (logkit_open(&k) == 0) {
		was_reset = is_reset(&k, &f->model, after);
		logkit_close(&k);
		faultdisk_crash(k.disk, seed + 1);
		assert_int_equal(logkit_open(&k), 0);
		assert_int_equal(is_reset(&k, &f->model, after), was_reset);
	} else {
		faultdisk_crash(k.disk, seed + 1);
		assert_int_equal(logkit_open(&k), 0);
		was_reset = is_reset(&k, &f->model, after);
	}
	assert_true(went || was_reset);
	if (was_reset) {
		struct raft_hard hard = after->hard;

		logkit_append(&k, after, hard.term, 900, 4, 3000);
		logkit_close(&k);
		faultdisk_crash(k.disk, seed + 2);
		assert_int_equal(logkit_open(&k), 0);
		assert_null(logkit_differs(k.log, after, 0));
		assert_false(faultdisk_has(k.disk, FIRST));
	}
	mem_free(after);
	logkit_deinit(&k);
	return went;
}

static void row_53_the_power_may_go_at_any_operation(void **state)
{
	struct fixture *f = *state;
	unsigned nth = 1;

	GIVEN_A_LOG(f);
	for (bool went = true; went; nth++) {
		went = false;
		for (uint64_t seed = 0; seed < 40; seed++) {
			went = lose_power(f, nth, seed * 7919 + nth) || went;
		}
	}
	assert_true(nth > 10);
}

/* Leave the segments from before a reset where they are. */
static void GIVEN_STALE_SEGMENTS(struct fixture *f)
{
	unsigned nth = 0;

	GIVEN_A_LOG(f);
	logkit_reset(&f->model, far);
	assert_int_equal(log_prepare(f->kit.log), 0);
	/* After the header's write and sync, the rename and the folder's. */
	nth = 5;
	faultdisk_cut_power(f->kit.disk, nth);
	assert_int_equal(log_reset(f->kit.log, far), STATUS_IO);
	logkit_close(&f->kit);
	faultdisk_restart(f->kit.disk);
	assert_true(faultdisk_has(f->kit.disk, SECOND));
}

static void what_is_left_from_before_does_not_count(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->kit.disk);

	GIVEN_STALE_SEGMENTS(f);
	faultdisk_flip(f->kit.disk, SECOND, 5000, 0xff);
	(void)d->ops->remove(d, FIRST);

	assert_int_equal(logkit_open(&f->kit), 0);
	assert_holds(f);
	assert_false(faultdisk_has(f->kit.disk, SECOND));
}

static void a_lost_beginning_is_named(void **state)
{
	struct fixture *f = *state;
	struct disk *d = faultdisk_disk(f->kit.disk);

	GIVEN_STALE_SEGMENTS(f);
	assert_int_equal(logkit_open(&f->kit), 0);
	save(f, 5, 0, 3, 900);
	save(f, 5, 0, 3, 900);
	logkit_close(&f->kit);
	assert_int_equal(d->ops->rename(d, "log-0000000000000004", SECOND), 0);

	assert_int_equal(logkit_open(&f->kit), STATUS_CORRUPT);
	assert_non_null(
		strstr(logkit_problem(&f->kit), "log-0000000000000004"));
}

static void a_failed_reset_poisons_the_log(void **state)
{
	struct fixture *f = *state;
	struct logkit_save s = {.hard = {.term = 4, .vote = 7}, .keep = 8};

	GIVEN_A_LOG(f);
	faultdisk_fail(f->kit.disk, 1, STATUS_IO);

	assert_int_equal(log_reset(f->kit.log, far), STATUS_IO);
	assert_int_equal(logkit_write(&f->kit, &s, &f->model), STATUS_IO);
	assert_int_equal(log_reset(f->kit.log, far), STATUS_IO);
}

static void without_room_nothing_is_reset_yet(void **state)
{
	struct fixture *f = *state;

	GIVEN_A_LOG(f);
	faultdisk_limit(f->kit.disk, 0);
	assert_int_equal(log_reset(f->kit.log, far), STATUS_NO_SPACE);
	assert_holds(f);

	faultdisk_limit(f->kit.disk, UINT64_MAX);
	reset(f, far);
	assert_holds(f);
	crash_and_open(f, 1);
	assert_holds(f);
}

/* --- Readers -------------------------------------------------------------- */

struct reader {
	struct log *log;
	int rc;
};

static void *read_second(void *context)
{
	struct reader *r = context;
	struct entry *e = NULL;

	r->rc = log_read(r->log, 2, &e);
	return NULL;
}

static void a_read_that_a_reset_overtakes_finds_nothing(void **state)
{
	struct fixture *f = *state;
	struct reader r = {.log = f->kit.log};
	pthread_t thread;

	GIVEN_A_LOG(f);
	faultdisk_hold_reads(f->kit.disk, FIRST);
	assert_int_equal(pthread_create(&thread, NULL, read_second, &r), 0);
	faultdisk_await_held(f->kit.disk);
	reset(f, far);
	faultdisk_release(f->kit.disk);
	pthread_join(thread, NULL);

	assert_int_equal(r.rc, STATUS_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_reset_leaves_an_empty_log_after_the_position),
		LOG_TEST(the_log_goes_on_after_a_reset),
		LOG_TEST(row_48_entries_of_another_term_do_not_come_back),
		LOG_TEST(an_empty_log_can_be_reset),
		LOG_TEST(what_is_committed_is_not_discarded),
		LOG_TEST(row_53_the_power_may_go_at_any_operation),
		LOG_TEST(what_is_left_from_before_does_not_count),
		LOG_TEST(a_lost_beginning_is_named),
		LOG_TEST(a_failed_reset_poisons_the_log),
		LOG_TEST(without_room_nothing_is_reset_yet),
		LOG_TEST(a_read_that_a_reset_overtakes_finds_nothing),
	};

	return cmocka_run_group_tests_name("raft/node/log_reset", tests, NULL,
					   NULL);
}
