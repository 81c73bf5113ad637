/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: jobs run one after the other in the order they were given, each is
 * told of once, and a stop waits only for the one that runs. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "raft/node/snap_work.h"

enum { JOBS = 100 };

struct numbered {
	struct snap_job job;
	unsigned number;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned ran[JOBS], ran_count;
static unsigned told[JOBS], told_count;
static unsigned not_run;
static bool held;  /* jobs wait until it is cleared */
static bool waits; /* one does */

static void reset(bool hold)
{
	ran_count = told_count = not_run = 0;
	held = hold;
	waits = false;
}

static void on_ready(void *context)
{
	CHECK(context == &mutex);
	pthread_mutex_lock(&mutex);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

static void on_run(struct snap_job *job)
{
	struct numbered *n = CONTAINER_OF(job, struct numbered, job);

	pthread_mutex_lock(&mutex);
	waits = held;
	pthread_cond_broadcast(&changed);
	while (held) {
		pthread_cond_wait(&changed, &mutex);
	}
	ran[ran_count++] = n->number;
	pthread_mutex_unlock(&mutex);
}

static void on_done(struct snap_job *job, bool has_run)
{
	struct numbered *n = CONTAINER_OF(job, struct numbered, job);

	if (has_run) {
		told[told_count++] = n->number;
	} else {
		not_run++;
	}
}

static void GIVEN_JOBS(struct snap_work *w, struct numbered *jobs)
{
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i] = (struct numbered){
			.job = {.run = on_run, .done = on_done},
			.number = i,
		};
		snap_work_add(w, &jobs[i].job);
	}
}

static void await_ran(unsigned count)
{
	pthread_mutex_lock(&mutex);
	while (ran_count < count) {
		pthread_cond_wait(&changed, &mutex);
	}
	pthread_mutex_unlock(&mutex);
}

static void jobs_run_and_are_told_in_order(void **state)
{
	static struct numbered jobs[JOBS];
	struct snap_work *w;
	(void)state;

	reset(false);
	w = snap_work_start(on_ready, &mutex);
	GIVEN_JOBS(w, jobs);
	await_ran(JOBS);
	while (told_count < JOBS) { /* the last one is put there a bit later */
		snap_work_collect(w);
	}

	for (unsigned i = 0; i < JOBS; i++) {
		assert_int_equal(ran[i], i);
		assert_int_equal(told[i], i);
	}
	assert_false(snap_work_stopping(w));
	snap_work_stop(w);
	assert_int_equal(told_count, JOBS);
}

static void *stop(void *w)
{
	snap_work_stop(w);
	return NULL;
}

static void a_stop_waits_for_the_one_that_runs_alone(void **state)
{
	static struct numbered jobs[JOBS];
	struct snap_work *w;
	pthread_t thread;
	(void)state;

	reset(true);
	w = snap_work_start(on_ready, &mutex);
	GIVEN_JOBS(w, jobs);
	pthread_mutex_lock(&mutex);
	while (!waits) {
		pthread_cond_wait(&changed, &mutex);
	}
	pthread_mutex_unlock(&mutex);
	assert_int_equal(pthread_create(&thread, NULL, stop, w), 0);
	while (!snap_work_stopping(w)) {
	}
	pthread_mutex_lock(&mutex);
	held = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);

	assert_int_equal(ran_count, 1);
	assert_int_equal(told_count, 1);
	assert_int_equal(not_run, JOBS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_and_are_told_in_order),
		cmocka_unit_test(a_stop_waits_for_the_one_that_runs_alone),
	};

	return cmocka_run_group_tests_name("raft/node/snap_work", tests, NULL,
					   NULL);
}
