/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/snap_work.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

STAILQ_HEAD(job_list, snap_job);

struct snap_work {
	pthread_t thread;
	void (*ready)(void *context);
	void *context;
	atomic_bool stopping;

	pthread_mutex_t mutex; /* over both lists */
	pthread_cond_t wake;
	struct job_list waiting;
	struct job_list ran;
};

static struct snap_job *next(struct snap_work *w)
{
	struct snap_job *job = NULL;

	pthread_mutex_lock(&w->mutex);
	while (!atomic_load(&w->stopping) && STAILQ_EMPTY(&w->waiting)) {
		pthread_cond_wait(&w->wake, &w->mutex);
	}
	if (!atomic_load(&w->stopping)) {
		job = STAILQ_FIRST(&w->waiting);
		STAILQ_REMOVE_HEAD(&w->waiting, link);
	}
	pthread_mutex_unlock(&w->mutex);
	return job;
}

static void *run(void *context)
{
	struct snap_work *w = context;
	struct snap_job *job;

	while ((job = next(w)) != NULL) {
		job->run(job);
		pthread_mutex_lock(&w->mutex);
		STAILQ_INSERT_TAIL(&w->ran, job, link);
		pthread_mutex_unlock(&w->mutex);
		w->ready(w->context);
	}
	return NULL;
}

struct snap_work *snap_work_start(void (*ready)(void *context), void *context)
{
	struct snap_work *w = mem_zalloc(sizeof *w);

	w->ready = ready;
	w->context = context;
	STAILQ_INIT(&w->waiting);
	STAILQ_INIT(&w->ran);
	CHECK(pthread_mutex_init(&w->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&w->wake, NULL) == 0);
	if (pthread_create(&w->thread, NULL, run, w) != 0) {
		log_fatal("cannot start the thread of snapshots");
	}
	return w;
}

static void tell(struct job_list *list, bool ran)
{
	struct snap_job *job;

	while ((job = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		job->done(job, ran);
	}
}

void snap_work_stop(struct snap_work *w)
{
	pthread_mutex_lock(&w->mutex);
	atomic_store(&w->stopping, true);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);

	tell(&w->ran, true);
	tell(&w->waiting, false);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->mutex);
	mem_free(w);
}

void snap_work_add(struct snap_work *w, struct snap_job *job)
{
	CHECK(!atomic_load(&w->stopping));
	pthread_mutex_lock(&w->mutex);
	STAILQ_INSERT_TAIL(&w->waiting, job, link);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->mutex);
}

void snap_work_collect(struct snap_work *w)
{
	struct job_list list = STAILQ_HEAD_INITIALIZER(list);

	pthread_mutex_lock(&w->mutex);
	STAILQ_CONCAT(&list, &w->ran);
	pthread_mutex_unlock(&w->mutex);
	tell(&list, true);
}

bool snap_work_stopping(const struct snap_work *w)
{
	return atomic_load(&w->stopping);
}
