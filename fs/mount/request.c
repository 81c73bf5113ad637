/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/request.h"

#include <errno.h>

#include "base/mem.h"
#include "fs/mount/errmap.h"

/* The barrier that is being begun on this thread. */
struct beginning {
	struct request *r;
	bool arrived; /* it ended before kv_barrier() returned, here */
};
static _Thread_local struct beginning *beginning;

/* --- Life ------------------------------------------------------------------*/

struct request *request_new(fuse_req_t req)
{
	struct request *r = mem_zalloc(sizeof *r);

	r->mount = mount_of(req);
	r->req = req;
	r->stage_ended = true;
	atomic_init(&r->users, 1);
	pthread_mutex_init(&r->lock, NULL);
	mount_busy(r->mount);
	return r;
}

void request_use(struct request *r)
{
	atomic_fetch_add(&r->users, 1);
}

void request_unuse(struct request *r)
{
	struct mount *m = r->mount;

	if (atomic_fetch_sub(&r->users, 1) != 1) {
		return;
	}
	buffer_deinit(&r->text);
	pthread_mutex_destroy(&r->lock);
	mem_free(r);
	mount_done(m);
}

/* --- Stages and interrupts -------------------------------------------------*/

void request_hurry(struct request *r)
{
	uint64_t number = 0;
	bool is_barrier;

	pthread_mutex_lock(&r->lock);
	if (!r->stage_ended) {
		number = r->number;
	}
	is_barrier = r->is_barrier;
	pthread_mutex_unlock(&r->lock);
	if (number == 0) {
		return;
	}
	if (is_barrier) {
		kv_barrier_interrupt(r->mount->kv, number);
	} else {
		kv_interrupt(r->mount->kv, number);
	}
}

static void interrupt_run(struct job *job)
{
	struct request *r = CONTAINER_OF(job, struct request, interrupt_job);

	atomic_store(&r->interrupt_queued, false);
	request_hurry(r);
	request_unuse(r);
}

/* Called by libfuse with the lock of req held (Q3). */
static void on_interrupt(fuse_req_t req, void *context)
{
	struct request *r = context;

	(void)req;
	if (!atomic_exchange(&r->interrupt_queued, true)) {
		request_use(r);
		r->interrupt_job.run = interrupt_run;
		workers_submit(&r->mount->workers, &r->interrupt_job);
	}
}

static unsigned stage_begin(struct request *r, bool is_barrier)
{
	unsigned stage;

	request_use(r); /* for stage_announce() */
	pthread_mutex_lock(&r->lock);
	CHECK(r->stage_ended);
	r->stage_ended = false;
	r->is_barrier = is_barrier;
	r->number = 0;
	stage = ++r->stage;
	pthread_mutex_unlock(&r->lock);
	return stage;
}

static void stage_announce(struct request *r, unsigned stage, uint64_t number)
{
	struct mount *m = r->mount;

	pthread_mutex_lock(&r->lock);
	if (r->stage == stage && !r->stage_ended && number != 0) {
		r->number = number;
		r->is_registered = true;
		pthread_mutex_lock(&m->lock);
		LIST_INSERT_HEAD(&m->flying, r, flying);
		pthread_mutex_unlock(&m->lock);
		fuse_req_interrupt_func(r->req, on_interrupt, r);
	}
	pthread_mutex_unlock(&r->lock);
	request_unuse(r);
}

static void stage_end(struct request *r)
{
	struct mount *m = r->mount;
	bool was_registered;

	pthread_mutex_lock(&r->lock);
	CHECK(!r->stage_ended);
	r->stage_ended = true;
	was_registered = r->is_registered;
	r->is_registered = false;
	pthread_mutex_unlock(&r->lock);
	if (was_registered) {
		pthread_mutex_lock(&m->lock);
		LIST_REMOVE(r, flying);
		pthread_mutex_unlock(&m->lock);
		fuse_req_interrupt_func(r->req, NULL, NULL);
	}
}

/* --- Barrier ---------------------------------------------------------------*/

static void ready_run(struct job *job)
{
	struct request *r = CONTAINER_OF(job, struct request, job);

	r->ready(r, r->error, r->fell_back);
}

static void on_ready(void *context, int status, bool fell_back)
{
	struct request *r = context;

	r->error = errmap_status(status);
	r->fell_back = fell_back;
	stage_end(r);
	if (beginning != NULL && beginning->r == r) {
		beginning->arrived = true; /* request_barrier() goes on */
		return;
	}
	r->job.run = ready_run; /* a read may be slow: not on kv's thread */
	workers_submit(&r->mount->workers, &r->job);
}

void request_barrier(struct request *r, enum kv_reads reads,
		     void (*ready)(struct request *r, int error,
				   bool fell_back))
{
	struct beginning *outer = beginning;
	struct beginning own = {.r = r};
	unsigned stage = stage_begin(r, true);
	uint64_t number;

	r->ready = ready;
	beginning = &own;
	number = kv_barrier(r->mount->kv, reads, on_ready, r);
	beginning = outer;
	stage_announce(r, stage, number);
	if (own.arrived) {
		ready(r, r->error, r->fell_back);
	}
}

/* --- Proposal --------------------------------------------------------------*/

static void on_done(void *context, int status, struct bytes encoded)
{
	struct request *r = context;
	struct fs_result result = {0};
	int error = errmap_status(status);

	stage_end(r);
	if (error == 0 && fs_result_decode(encoded, &result) != 0) {
		error = EIO;
	}
	if (error == 0) {
		error = result.error;
	}
	r->applied(r, error, &result);
}

void request_propose(struct request *r, const struct fs_op *op,
		     void (*applied)(struct request *r, int error,
				     const struct fs_result *result))
{
	struct mount *m = r->mount;
	struct buffer encoded = {0};
	unsigned stage;
	uint64_t number;

	if (atomic_load(&m->stopping)) {
		applied(r, ENOTCONN, NULL);
		return;
	}
	fs_op_encode(op, &encoded);
	r->applied = applied;
	stage = stage_begin(r, false);
	number = kv_propose(m->kv, buffer_bytes(&encoded),
			    kv_now_ms() + m->config.timeout_ms, on_done, r);
	stage_announce(r, stage, number);
	buffer_deinit(&encoded);
}

/* --- Coherence -------------------------------------------------------------*/

void request_dropped(struct request *r)
{
	r->dropped(r);
}

void request_cohere(struct request *r, void (*dropped)(struct request *r))
{
	struct mount *m = r->mount;

	r->dropped = dropped;
	if (S_ISREG(r->attr.mode) &&
	    handles_must_drop(&m->handles, r->attr.ino, r->attr.version)) {
		notify_drop(&m->notify, r->attr.ino, r->attr.version, r);
		return;
	}
	dropped(r);
}
