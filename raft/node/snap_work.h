/* SPDX-License-Identifier: Apache-2.0 */
/* snap_work.h - the thread that does a snapshot's disk work, job by job.
 *
 * One thread, so jobs never run beside each other; each is small but for the
 * client's own (making and loading a state). Whoever adds a job collects it:
 * the loop, in both cases. */
#ifndef RAFT_NODE_SNAP_WORK_H
#define RAFT_NODE_SNAP_WORK_H

#include <stdbool.h>
#include <sys/queue.h>

struct snap_work;

struct snap_job {
	STAILQ_ENTRY(snap_job) link;
	void (*run)(struct snap_job *job); /* on the thread */
	/* Called once by snap_work_collect() or snap_work_stop(); the job is
	 * its owner's again. !ran: the thread ended before it. */
	void (*done)(struct snap_job *job, bool ran);
};

/* ready: on the thread, something is there to collect; must not block. */
struct snap_work *snap_work_start(void (*ready)(void *context), void *context);
/* Wait for the job that runs; done() is called for all that are left. */
void snap_work_stop(struct snap_work *w);

/* In order of the calls. job is lent until its done(). */
void snap_work_add(struct snap_work *w, struct snap_job *job);
void snap_work_collect(struct snap_work *w);
/* Any thread: a long job should end early. */
bool snap_work_stopping(const struct snap_work *w);

#endif
