/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - two threads for what must not run on a kv or FUSE thread.
 *
 * A kv callback must return soon, so a read that waited for its barrier goes
 * on here; so does an interrupt, which libfuse reports with the request's own
 * lock held. */
#ifndef FS_MOUNT_WORKER_H
#define FS_MOUNT_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct job {
	void (*run)(struct job *job);
	STAILQ_ENTRY(job) link;
};

enum { WORKERS = 2 };

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	STAILQ_HEAD(, job) jobs; /* by lock */
	bool stopping;		 /* by lock */
	pthread_t threads[WORKERS];
};

void workers_start(struct workers *w);
/* Run job->run(job) soon; job is lent until it runs. Any thread. */
void workers_submit(struct workers *w, struct job *job);
/* Run what is queued, then end the threads. Blocks. */
void workers_stop(struct workers *w);

#endif
