/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/worker.h"

#include <signal.h>
#include <stddef.h>

#include "base/check.h"
#include "fs/mount/thread.h"

static void *work(void *context)
{
	struct workers *w = context;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *job = STAILQ_FIRST(&w->jobs);

		if (job != NULL) {
			STAILQ_REMOVE_HEAD(&w->jobs, link);
			pthread_mutex_unlock(&w->lock);
			job->run(job);
			pthread_mutex_lock(&w->lock);
		} else if (w->stopping) {
			break;
		} else {
			pthread_cond_wait(&w->wake, &w->lock);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void workers_start(struct workers *w)
{
	size_t i;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	STAILQ_INIT(&w->jobs);
	w->stopping = false;
	for (i = 0; i < WORKERS; i++) {
		thread_start(&w->threads[i], "raftfs-work", work, w);
	}
}

void workers_submit(struct workers *w, struct job *job)
{
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->jobs, job, link);
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

void workers_stop(struct workers *w)
{
	size_t i;

	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < WORKERS; i++) {
		pthread_join(w->threads[i], NULL);
	}
	CHECK(STAILQ_EMPTY(&w->jobs));
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
}
