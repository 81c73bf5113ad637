/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - one request, from its barrier to its last byte.
 *
 *   BEGIN --barrier--> BARRIER --resolve--> STREAM --last chunk--> ended
 *     |                   |
 *     |                   +--propose--> CHANGE --applied--> ended
 *     +--status--> ended
 *     +--change--> MEMBERS --answered--> ended
 *
 * A backup goes from BARRIER to BACKUP, and ends when it is answered.
 *
 * begin(), on_passed(), next_chunk(), on_changed() and on_members() in job.c
 * perform the arrows. A job is stepped by one thread (the control loop). While
 * it waits, it belongs to kv: it may be interrupted, but only freed after its
 * wake call. */
#ifndef FS_CONTROL_JOB_H
#define FS_CONTROL_JOB_H

#include "fs/control/command.h"
#include "fs/control/message.h"
#include "kv/kv.h"

struct job;

struct job_env {
	struct kv *kv;
	enum kv_reads reads;
	uint32_t timeout_ms;
	/* Any thread, once for each JOB_WAITS, possibly before job_step()
	 * has returned it: step the job again, on its thread. */
	void (*wake)(void *context, struct job *job);
	void *context;
};

enum job_turn {
	JOB_WAITS,   /* step again after wake() */
	JOB_ANSWERS, /* response is set; step again when it is sent, if more */
};

/* env is lent until job_free(). uid, gid: who asks. Returned. */
struct job *job_new(const struct job_env *env,
		    const struct message_request *request, uint32_t uid,
		    uint32_t gid);
void job_free(struct job *job); /* not while it waits */

/* Go on. The response's data is lent until the next call on the job. */
enum job_turn job_step(struct job *job, struct message_response *response);
/* While it waits: have its wake() come soon (a change that was handed over:
 * within about a second). */
void job_interrupt(struct job *job);

#endif
