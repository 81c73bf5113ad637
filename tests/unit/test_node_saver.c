/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what is queued at one moment becomes one record and one sync, in
 * order, and is reported only once durable; a failed save ends the process. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/saver.h"
#include "tests/lib/logkit.h"

#define FIRST "log-0000000000000001"

enum { REPORTS_MAX = 4096, MANY = 1500 };

struct fixture {
	struct logkit kit;
	struct logkit_model model;
	struct saver *saver;
	raft_seq seq;

	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t reported;
	raft_seq reports[REPORTS_MAX];
	size_t report_count;
	raft_index first_base, cut_base;
	unsigned full_count;
	unsigned room_at; /* full_count */
};

static void on_done(void *context, raft_seq seq)
{
	struct fixture *f = context;

	pthread_mutex_lock(&f->mutex);
	assert_true(f->report_count < REPORTS_MAX);
	f->reports[f->report_count++] = seq;
	pthread_cond_broadcast(&f->reported);
	pthread_mutex_unlock(&f->mutex);
}

static void on_cut(void *context, struct raft_pos base)
{
	struct fixture *f = context;

	pthread_mutex_lock(&f->mutex);
	f->cut_base = base.index;
	if (f->first_base == 0) {
		f->first_base = base.index;
	}
	pthread_cond_broadcast(&f->reported);
	pthread_mutex_unlock(&f->mutex);
}

/* As the reserve does: the second time, say, there is room. */
static void on_full(void *context)
{
	struct fixture *f = context;

	pthread_mutex_lock(&f->mutex);
	if (++f->full_count == f->room_at) {
		faultdisk_limit(f->kit.disk, UINT64_MAX);
	}
	pthread_cond_broadcast(&f->reported);
	pthread_mutex_unlock(&f->mutex);
}

/* The spare is made first, so that the preparer rests: calls are counted. */
static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);

	assert_int_equal(pthread_mutex_init(&f->mutex, NULL), 0);
	assert_int_equal(pthread_cond_init(&f->reported, NULL), 0);
	logkit_init(&f->kit);
	assert_int_equal(logkit_open(&f->kit), 0);
	assert_int_equal(log_prepare(f->kit.log), 0);
	f->room_at = 2;
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	*state = f;
	return 0;
}

static void stop(struct fixture *f)
{
	if (f->saver != NULL) {
		saver_stop(f->saver);
		f->saver = NULL;
	}
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stop(f);
	logkit_deinit(&f->kit);
	pthread_mutex_destroy(&f->mutex);
	pthread_cond_destroy(&f->reported);
	mem_free(f);
	return 0;
}

static void await_report(struct fixture *f, raft_seq seq)
{
	pthread_mutex_lock(&f->mutex);
	while (f->report_count == 0 || f->reports[f->report_count - 1] < seq) {
		pthread_cond_wait(&f->reported, &f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
}

static void queue(struct fixture *f, raft_term term, raft_index keep,
		  size_t count, uint32_t size)
{
	struct logkit_save s = {
		.hard = {.term = term},
		.keep = keep,
		.commit = f->model.commit,
		.count = count,
		.term = term,
	};
	struct entry *entries[LOGKIT_SAVE_MAX];
	struct log_record record = {
		.hard = s.hard,
		.keep = keep,
		.commit = s.commit,
		.entries = entries,
		.count = count,
	};

	for (size_t i = 0; i < count; i++) {
		s.sizes[i] = size;
	}
	logkit_apply(&f->model, &s);
	for (size_t i = 0; i < count; i++) {
		entries[i] = logkit_entry(&f->model, keep + i + 1);
	}
	saver_save(f->saver, ++f->seq, &record);
}

/* One save is in its sync, and waits there. */
static void GIVEN_A_HELD_SYNC(struct fixture *f)
{
	faultdisk_hold(f->kit.disk, FIRST);
	queue(f, 1, 0, 1, 10);
	faultdisk_await_held(f->kit.disk);
}

static void assert_holds(struct fixture *f)
{
	assert_null(logkit_differs(f->kit.log, &f->model, 0));
}

static void saves_queued_during_a_sync_become_one_record(void **state)
{
	struct fixture *f = *state;
	unsigned before = faultdisk_syncs(f->kit.disk, FIRST);

	GIVEN_A_HELD_SYNC(f);
	for (raft_index i = 1; i < 40; i++) {
		queue(f, 1, i, 1, 10);
	}
	faultdisk_release(f->kit.disk);
	stop(f);

	assert_int_equal(faultdisk_syncs(f->kit.disk, FIRST) - before, 2);
	assert_int_equal(f->report_count, 2);
	assert_int_equal(f->reports[0], 1);
	assert_int_equal(f->reports[1], 40);
	assert_holds(f);
}

static void a_save_is_reported_without_waiting_for_company(void **state)
{
	struct fixture *f = *state;

	queue(f, 1, 0, 1, 10);
	await_report(f, 1);
	queue(f, 1, 1, 1, 10);
	await_report(f, 2);

	assert_int_equal(f->report_count, 2);
	assert_holds(f);
}

static void a_later_save_discards_what_is_still_queued(void **state)
{
	struct fixture *f = *state;

	GIVEN_A_HELD_SYNC(f);
	queue(f, 1, 1, 5, 100);
	queue(f, 2, 3, 1, 100);
	queue(f, 3, 0, 2, 100);
	queue(f, 3, 2, 0, 100);
	faultdisk_release(f->kit.disk);
	stop(f);

	assert_int_equal(f->report_count, 2);
	assert_holds(f);
}

/* Index 2 is saved in term 1, replaced in term 2 and again in term 3: the
 * first completion must not stand for the later writes. */
static void row_22_a_completion_names_the_save_it_is_for(void **state)
{
	struct fixture *f = *state;

	queue(f, 1, 0, 1, 10);
	await_report(f, 1);
	faultdisk_hold(f->kit.disk, FIRST);
	queue(f, 1, 1, 1, 10);
	faultdisk_await_held(f->kit.disk);
	queue(f, 2, 1, 1, 10);
	queue(f, 3, 1, 1, 10);

	assert_int_equal(f->report_count, 1);
	faultdisk_release(f->kit.disk);
	stop(f);
	assert_int_equal(f->report_count, 3);
	assert_int_equal(f->reports[1], 2);
	assert_int_equal(f->reports[2], 4);
	assert_holds(f);
}

/* 3 of 3500 bytes fit in one record here; all in the queue at once. */
static void a_record_larger_than_the_bound_is_split_between_saves(void **state)
{
	struct fixture *f = *state;

	GIVEN_A_HELD_SYNC(f);
	for (raft_index i = 1; i < 7; i++) {
		queue(f, 1, i, 1, 3500);
	}
	faultdisk_release(f->kit.disk);
	stop(f);

	assert_int_equal(f->report_count, 3);
	assert_int_equal(f->reports[1], 4);
	assert_int_equal(f->reports[2], 7);
	assert_holds(f);
}

static void a_cut_comes_after_the_saves_before_it(void **state)
{
	struct fixture *f = *state;
	struct log_state s;

	GIVEN_A_HELD_SYNC(f);
	for (raft_index i = 1; i < 9; i++) {
		queue(f, 1, i, 1, 3500);
	}
	saver_cut(f->saver, 9);
	queue(f, 1, 9, 1, 3500);
	faultdisk_release(f->kit.disk);
	stop(f);

	log_state(f->kit.log, &s);
	assert_true(f->cut_base > 1);
	assert_int_equal(s.base.index, f->cut_base);
	assert_int_equal(s.last, 10);
}

static void on_reset(void *context, struct raft_pos base)
{
	on_cut(context, base);
}

/* What stands before it is saved first, its term above all. */
static void a_reset_comes_between_the_saves_around_it(void **state)
{
	struct fixture *f = *state;
	const struct raft_pos pos = {.index = 900, .term = 3};

	GIVEN_A_HELD_SYNC(f);
	queue(f, 3, 1, 4, 3000);
	saver_reset(f->saver, pos, on_reset);
	logkit_reset(&f->model, pos);
	queue(f, 3, 900, 2, 100);
	assert_int_equal(f->cut_base, 0);
	faultdisk_release(f->kit.disk);
	stop(f);

	assert_int_equal(f->cut_base, 900);
	assert_int_equal(f->report_count, 3);
	assert_holds(f);
}

static void queued_bytes_are_those_not_yet_durable(void **state)
{
	struct fixture *f = *state;

	GIVEN_A_HELD_SYNC(f);
	queue(f, 1, 1, 2, 100);
	assert_int_equal(saver_queued_bytes(f->saver), 210);

	faultdisk_release(f->kit.disk);
	await_report(f, 2);
	assert_int_equal(saver_queued_bytes(f->saver), 0);
}

/* Readers, the saver and the preparer at once, over many segments. */
static void *read_all(void *context)
{
	struct fixture *f = context;
	struct log_state s;
	uint64_t seed = 5;

	do {
		struct entry *e;
		raft_index index;
		int rc;

		log_state(f->kit.log, &s);
		index = s.base.index +
			logkit_draw(&seed, s.last - s.base.index + 1);
		rc = log_read(f->kit.log, index, &e);
		if (rc == 0) {
			assert_int_equal(e->index, index);
			entry_unref(e);
		} else {
			assert_int_equal(rc, STATUS_NOT_FOUND);
		}
	} while (s.last < MANY);
	return NULL;
}

static void readers_see_whole_entries_while_saves_and_cuts_go_on(void **state)
{
	struct fixture *f = *state;
	pthread_t readers[2];

	for (size_t i = 0; i < COUNT_OF(readers); i++) {
		assert_int_equal(pthread_create(&readers[i], NULL, read_all, f),
				 0);
	}
	for (raft_index i = 0; i < MANY; i++) {
		queue(f, 1, i, 1, 500);
		if (i % 100 == 99) {
			await_report(f, i - 50);
			saver_cut(f->saver, i - 60);
		}
	}
	await_report(f, MANY);
	for (size_t i = 0; i < COUNT_OF(readers); i++) {
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	}
	stop(f);

	f->model.base = f->cut_base;
	f->model.commit = f->cut_base;
	assert_true(f->cut_base > MANY / 2);
	assert_holds(f);
}

/* Run in a child: its saver must end it. */
static void save_on_a_failing_disk(int err)
{
	struct fixture *f = mem_zalloc(sizeof *f);

	(void)dup2(err, STDERR_FILENO);
	logkit_init(&f->kit);
	if (logkit_open(&f->kit) != 0 || log_prepare(f->kit.log) != 0) {
		_exit(2);
	}
	faultdisk_fail(f->kit.disk, 2, STATUS_IO);
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	queue(f, 1, 0, 1, 10);
	(void)alarm(20); /* a saver that goes on fails the test */
	for (;;) {
		(void)pause();
	}
}

static void row_44_a_failed_sync_ends_the_process_with_one_line(void **state)
{
	char text[512] = "";
	int ends[2];
	int status;
	pid_t child;
	(void)state;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		save_on_a_failing_disk(ends[1]);
	}
	assert_true(child > 0);
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(read(ends[0], text, sizeof text - 1) > 0);
	assert_int_equal(close(ends[0]), 0);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(text, "cannot save the log: " FIRST
				     ": sync: Input/output error\n"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

/* No segment can be prepared, and none is needed: saves go on. */
static void row_47_no_space_for_a_spare_stops_no_save(void **state)
{
	struct fixture *f = *state;

	stop(f);
	for (raft_index i = 0; i < 4; i++) {
		logkit_append(&f->kit, &f->model, 1, i, 1, 3500);
	}
	assert_true(log_wants_spare(f->kit.log));
	faultdisk_limit(f->kit.disk, 0);
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	queue(f, 1, 4, 1, 3500);
	await_report(f, 1);

	assert_holds(f);
}

/* A segment is needed and there is no room: the save waits, is reported only
 * once durable, and nothing ends. */
static void row_47_a_save_waits_until_the_disk_has_room(void **state)
{
	struct fixture *f = *state;

	stop(f);
	for (raft_index i = 0; i < 4; i++) {
		logkit_append(&f->kit, &f->model, 1, i, 1, 3500);
	}
	faultdisk_limit(f->kit.disk, 0);
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	queue(f, 1, 4, 1, 3500);
	queue(f, 1, 5, 1, 3500);
	queue(f, 1, 6, 1, 3500);
	queue(f, 1, 7, 1, 3500);
	await_report(f, 4);

	assert_int_equal(f->full_count, 2);
	stop(f); /* after a save is done it looks for a spare */
	assert_holds(f);
	logkit_close(&f->kit);
	assert_int_equal(logkit_open(&f->kit), 0);
	assert_holds(f);
}

/* Three segments, and no room for a fourth: saves wait for it. */
static void GIVEN_A_SAVE_THAT_WAITS(struct fixture *f)
{
	struct log_state s;
	raft_index last = 0;

	stop(f);
	do {
		logkit_append(&f->kit, &f->model, 1, last, 1, 3500);
		last++;
		log_state(f->kit.log, &s);
	} while (s.segments < 3);
	faultdisk_limit(f->kit.disk, 0);
	f->room_at = UINT_MAX;
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	queue(f, 1, last, 3, 3500); /* more than is left of the third */
	pthread_mutex_lock(&f->mutex);
	while (f->full_count == 0) {
		pthread_cond_wait(&f->reported, &f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
}

/* Only the cut makes room, for the save before it. */
static void row_47_a_cut_passes_a_save_that_waits_for_room(void **state)
{
	struct fixture *f = *state;

	GIVEN_A_SAVE_THAT_WAITS(f);
	queue(f, 1, f->model.last, 1, 100);
	saver_cut(f->saver, f->model.last - 4); /* all that is saved */
	await_report(f, f->seq);
	stop(f);

	assert_true(f->cut_base > 0);
	f->model.base = f->model.commit = f->cut_base;
	assert_holds(f);
}

/* Behind one, it is of the log that begins there. */
static void row_47_a_cut_does_not_pass_a_reset(void **state)
{
	struct fixture *f = *state;
	const struct raft_pos pos = {.index = 900, .term = 1};

	GIVEN_A_SAVE_THAT_WAITS(f);
	saver_reset(f->saver, pos, on_reset);
	saver_cut(f->saver, 900);
	pthread_mutex_lock(&f->mutex);
	f->room_at = f->full_count + 2; /* it has looked at the queue then */
	pthread_mutex_unlock(&f->mutex);
	pthread_mutex_lock(&f->mutex);
	while (f->first_base == 0) {
		pthread_cond_wait(&f->reported, &f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
	stop(f);
	logkit_reset(&f->model, pos);

	assert_int_equal(f->first_base, 900);
	assert_holds(f);
}

/* Four entries, and no room for more; the saver is to be started again. */
static void fill(struct fixture *f)
{
	stop(f);
	for (raft_index i = 0; i < 4; i++) {
		logkit_append(&f->kit, &f->model, 3, i, 1, 3500);
	}
	faultdisk_limit(f->kit.disk, 0);
}

static void row_47_a_reset_waits_until_the_disk_has_room(void **state)
{
	struct fixture *f = *state;
	const struct raft_pos pos = {.index = 900, .term = 3};

	fill(f);
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	saver_reset(f->saver, pos, on_reset);
	logkit_reset(&f->model, pos);
	queue(f, 3, 900, 1, 100);
	await_report(f, 1);

	assert_int_equal(f->full_count, 2);
	assert_int_equal(f->cut_base, 900);
	assert_holds(f);
}

/* What comes behind a reset that waits is of the log that begins there, too. */
static void row_47_a_cut_does_not_pass_a_reset_that_waits(void **state)
{
	struct fixture *f = *state;
	const struct raft_pos pos = {.index = 900, .term = 3};

	fill(f);
	f->room_at = 3;
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	saver_reset(f->saver, pos, on_reset);
	saver_cut(f->saver, 900);
	logkit_reset(&f->model, pos);
	queue(f, 3, 900, 1, 100);
	await_report(f, 1);

	assert_int_equal(f->first_base, 900);
	assert_holds(f);
}

static void row_47_a_saver_that_stops_drops_a_reset_without_room(void **state)
{
	struct fixture *f = *state;
	const struct raft_pos pos = {.index = 900, .term = 3};

	fill(f);
	f->room_at = UINT_MAX; /* never */
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	saver_reset(f->saver, pos, on_reset);
	pthread_mutex_lock(&f->mutex);
	while (f->full_count == 0) {
		pthread_cond_wait(&f->reported, &f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
	stop(f);

	assert_int_equal(f->cut_base, 0);
	assert_holds(f);
}

static void row_47_a_saver_stops_although_the_disk_is_full(void **state)
{
	struct fixture *f = *state;
	struct logkit_model before;

	stop(f);
	for (raft_index i = 0; i < 4; i++) {
		logkit_append(&f->kit, &f->model, 1, i, 1, 3500);
	}
	before = f->model;
	faultdisk_limit(f->kit.disk, 0);
	f->room_at = UINT_MAX; /* never */
	f->saver = saver_start(f->kit.log, NULL, on_done, on_cut, on_full, f);
	queue(f, 1, 4, 3, 3500); /* more than is left of the second */
	pthread_mutex_lock(&f->mutex);
	while (f->full_count == 0) {
		pthread_cond_wait(&f->reported, &f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
	stop(f);

	assert_int_equal(f->report_count, 0);
	assert_null(logkit_differs(f->kit.log, &before, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(saves_queued_during_a_sync_become_one_record),
		TEST(a_save_is_reported_without_waiting_for_company),
		TEST(a_later_save_discards_what_is_still_queued),
		TEST(row_22_a_completion_names_the_save_it_is_for),
		TEST(a_record_larger_than_the_bound_is_split_between_saves),
		TEST(a_cut_comes_after_the_saves_before_it),
		TEST(a_reset_comes_between_the_saves_around_it),
		TEST(queued_bytes_are_those_not_yet_durable),
		TEST(readers_see_whole_entries_while_saves_and_cuts_go_on),
		cmocka_unit_test(
			row_44_a_failed_sync_ends_the_process_with_one_line),
		TEST(row_47_no_space_for_a_spare_stops_no_save),
		TEST(row_47_a_save_waits_until_the_disk_has_room),
		TEST(row_47_a_cut_passes_a_save_that_waits_for_room),
		TEST(row_47_a_cut_does_not_pass_a_reset),
		TEST(row_47_a_reset_waits_until_the_disk_has_room),
		TEST(row_47_a_cut_does_not_pass_a_reset_that_waits),
		TEST(row_47_a_saver_that_stops_drops_a_reset_without_room),
		TEST(row_47_a_saver_stops_although_the_disk_is_full),
	};

	return cmocka_run_group_tests_name("raft/node/saver", tests, NULL,
					   NULL);
}
