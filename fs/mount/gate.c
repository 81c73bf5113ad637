/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/gate.h"

#include <errno.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "fs/mount/errmap.h"

/* --- Sending a truncation alone --------------------------------------------*/

struct sending {
	struct mount *mount;
	struct handle *handle; /* used */
};

static void pass_again(struct request_queue *waiters);

/* With the lock held: the truncation ended; take whoever waited. */
static void settle(struct handle *handle, bool applied,
		   struct request_queue *woken)
{
	trunc_settle(&handle->trunc, applied);
	if (handle->trunc.state == TRUNC_NONE) {
		LIST_REMOVE(handle, trunc_link);
	}
	STAILQ_CONCAT(woken, &handle->inode->waiters);
}

static void sent(void *context, int status, struct bytes encoded)
{
	struct sending *s = context;
	struct mount *m = s->mount;
	struct request_queue woken = STAILQ_HEAD_INITIALIZER(woken);
	struct fs_result result = {0};
	int error = errmap_status(status);

	if (error == 0 && fs_result_decode(encoded, &result) != 0) {
		error = EIO;
	}
	if (error == 0) {
		error = result.error;
	}
	pthread_mutex_lock(&m->handles.lock);
	s->handle->trunc_error = error;
	settle(s->handle, error == 0, &woken);
	handles_unuse_locked(&m->handles, s->handle);
	pthread_mutex_unlock(&m->handles.lock);
	mem_free(s);
	pass_again(&woken);
	mount_done(m);
}

/* With the lock held: put it on the list of those to be sent. */
static void collect(struct handles *h, struct handle *handle,
		    struct handle_queue *list)
{
	trunc_send(&handle->trunc);
	handles_timer_remove(h, handle);
	handle->users++;
	STAILQ_INSERT_TAIL(list, handle, send_link);
}

/* Without the lock: send them. */
static void send_all(struct mount *m, struct handle_queue *list)
{
	struct handle *handle;

	while ((handle = STAILQ_FIRST(list)) != NULL) {
		struct sending *s = mem_alloc(sizeof *s);
		struct buffer encoded = {0};
		struct fs_op op = {.kind = FS_OP_SETATTR,
				   .ino = handle->inode->ino,
				   .valid = FS_SET_SIZE};

		STAILQ_REMOVE_HEAD(list, send_link);
		*s = (struct sending){.mount = m, .handle = handle};
		mount_busy(m);
		fs_op_encode(&op, &encoded);
		kv_propose(m->kv, buffer_bytes(&encoded),
			   kv_now_ms() + m->config.timeout_ms, sent, s);
		buffer_deinit(&encoded);
	}
}

/* --- The gate --------------------------------------------------------------*/

enum verdict {
	PASSES,
	WAITS,
	REFUSED,
};

/* The request is a write that carries the truncation of its own handle. */
static bool is_carrier(const struct request *r)
{
	return r->gate_way == GATE_WRITE && r->handle != NULL &&
	       r->handle->trunc.state != TRUNC_NONE;
}

/* With the lock held. */
static enum verdict judge(struct request *r, struct inode *inode,
			  struct handle_queue *list)
{
	struct handles *h = &r->mount->handles;
	enum verdict verdict = PASSES;
	struct handle *t;

	LIST_FOREACH (t, &inode->truncs, trunc_link) {
		bool is_own = t == r->handle;

		if (r->gate_way == GATE_SYNC && !is_own) {
			continue;
		}
		if (trunc_is_busy(&t->trunc)) {
			verdict = WAITS;
		} else if ((is_own && r->gate_way == GATE_WRITE) ||
			   is_carrier(r)) {
			continue; /* carried below, or served by it */
		} else if (is_own && r->gate_tried &&
			   t->trunc.state == TRUNC_FAILED) {
			return REFUSED;
		} else if (t->trunc.state == TRUNC_PENDING ||
			   (is_own && t->trunc.state == TRUNC_FAILED)) {
			r->gate_tried = r->gate_tried || is_own;
			collect(h, t, list);
			verdict = WAITS;
		}
	}
	return verdict;
}

/* With the lock held: it is not owed any more. */
static void retire(struct handles *h, struct handle *handle)
{
	trunc_abandon(&handle->trunc);
	LIST_REMOVE(handle, trunc_link);
	handles_timer_remove(h, handle);
}

/* With the lock held: r passes and will be acknowledged. What another handle
 * has tried in vain must not cut that off later; nor what it may repeat,
 * unless r replaces the whole content itself. */
static void retire_others(struct handles *h, const struct request *r,
			  struct inode *inode)
{
	bool replaces = is_carrier(r);
	struct handle *t, *next;

	for (t = LIST_FIRST(&inode->truncs); t != NULL; t = next) {
		enum trunc_state state = t->trunc.state;

		next = LIST_NEXT(t, trunc_link);
		if (t == r->handle) {
			continue;
		}
		if (state == TRUNC_FAILED ||
		    (!replaces &&
		     (state == TRUNC_REFUSED || state == TRUNC_AGAIN))) {
			retire(h, t);
		}
	}
}

/* With the lock held: the write carries a truncation, and with it does the
 * work of all that other handles still owe. */
static void carry(struct handles *h, struct handle *handle)
{
	struct handle *t;

	handles_timer_remove(h, handle);
	LIST_FOREACH (t, &handle->inode->truncs, trunc_link) {
		if (t->trunc.state == TRUNC_PENDING) {
			trunc_serve(&t->trunc);
			t->server = handle;
			t->users++;
			handles_timer_remove(h, t);
		}
	}
}

/* With the lock held: that write ended. Not applied: those are still owed,
 * and sent, since some may have been closed. */
static void carried(struct handles *h, struct handle *handle, bool applied,
		    struct handle_queue *list)
{
	struct handle *t, *next;

	for (t = LIST_FIRST(&handle->inode->truncs); t != NULL; t = next) {
		next = LIST_NEXT(t, trunc_link);
		if (t->trunc.state != TRUNC_SERVED || t->server != handle) {
			continue;
		}
		trunc_served(&t->trunc, applied);
		if (!applied) {
			collect(h, t, list);
		}
		handles_unuse_locked(h, t);
	}
}

/* What r points to belongs to a thread that is about to serve another. */
static void keep_data(struct request *r)
{
	if (r->op.data.size > 0 && r->text.size == 0) {
		buffer_append_bytes(&r->text, r->op.data);
		r->op.data = buffer_bytes(&r->text);
	}
}

static void gate_pass(struct request *r)
{
	struct mount *m = r->mount; /* r is another's once it waits */
	struct handles *h = &m->handles;
	struct handle_queue list = STAILQ_HEAD_INITIALIZER(list);
	enum verdict verdict = PASSES;
	struct inode *inode;
	int error = 0;

	pthread_mutex_lock(&h->lock);
	inode = r->handle != NULL ? r->handle->inode : handles_find(h, r->ino);
	if (r->handle != NULL && r->handle->trunc.state == TRUNC_AGAIN &&
	    kv_now_ms() > r->handle->due_ms) {
		retire(h, r->handle);
	}
	if (inode != NULL) {
		verdict = judge(r, inode, &list);
	}
	if (inode != NULL && verdict == PASSES && r->gate_way != GATE_SYNC) {
		retire_others(h, r, inode);
	}
	if (verdict == WAITS) {
		keep_data(r);
		STAILQ_INSERT_TAIL(&inode->waiters, r, queue);
	} else if (verdict == REFUSED) {
		error = r->handle->trunc_error;
	} else if (r->gate_way == GATE_WRITE && r->handle != NULL) {
		r->carries = trunc_carry(&r->handle->trunc);
		if (r->carries) {
			carry(h, r->handle);
		}
	}
	pthread_mutex_unlock(&h->lock);
	send_all(m, &list);
	if (verdict != WAITS) {
		r->passed(r, error);
	}
}

/* G2. */
static void pass_again(struct request_queue *waiters)
{
	struct request *r;

	while ((r = STAILQ_FIRST(waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(waiters, queue);
		gate_pass(r);
	}
}

void gate_enter(struct request *r, enum gate_way way,
		void (*passed)(struct request *r, int error))
{
	r->gate_way = way;
	r->gate_tried = false;
	r->carries = false;
	r->passed = passed;
	gate_pass(r);
}

void gate_leave(struct request *r, bool applied)
{
	struct mount *m = r->mount; /* r is another's once some pass */
	struct handles *h = &m->handles;
	struct request_queue woken = STAILQ_HEAD_INITIALIZER(woken);
	struct handle_queue list = STAILQ_HEAD_INITIALIZER(list);

	if (!r->carries) {
		return;
	}
	r->carries = false;
	pthread_mutex_lock(&h->lock);
	carried(h, r->handle, applied, &list);
	settle(r->handle, applied, &woken);
	pthread_mutex_unlock(&h->lock);
	send_all(m, &list);
	pass_again(&woken);
}

/* --- Opening, closing, time ------------------------------------------------*/

static void owe(struct handles *h, struct handle *handle)
{
	trunc_open(&handle->trunc);
	handle->due_ms = kv_now_ms() + LIMIT_TRUNCATE_MS;
	LIST_INSERT_HEAD(&handle->inode->truncs, handle, trunc_link);
	handles_timer_add(h, handle);
}

void gate_open(struct mount *m, struct handle *handle)
{
	struct handles *h = &m->handles;

	pthread_mutex_lock(&h->lock);
	owe(h, handle);
	pthread_mutex_unlock(&h->lock);
}

bool gate_open_late(struct mount *m, struct handle *handle)
{
	struct handles *h = &m->handles;
	bool is_open;

	pthread_mutex_lock(&h->lock);
	/* Who asks uses it, and so does its open file, until that is closed. */
	is_open = handle->users > 1 && handle->trunc.state == TRUNC_NONE;
	if (is_open) {
		owe(h, handle);
	}
	handles_unuse_locked(h, handle);
	pthread_mutex_unlock(&h->lock);
	return is_open;
}

void gate_abandon(struct mount *m, struct handle *handle)
{
	struct handles *h = &m->handles;

	pthread_mutex_lock(&h->lock);
	if (trunc_is_owed(&handle->trunc)) {
		retire(h, handle);
	}
	handles_unuse_locked(h, handle);
	pthread_mutex_unlock(&h->lock);
}

void gate_close(struct mount *m, struct handle *handle)
{
	struct handles *h = &m->handles;
	struct handle_queue list = STAILQ_HEAD_INITIALIZER(list);

	pthread_mutex_lock(&h->lock);
	/* One that failed was told to nobody, and is too late to be ordered
	 * with what others wrote since: not sent again (unuse drops it). */
	if (handle->trunc.state == TRUNC_PENDING) {
		collect(h, handle, &list);
	}
	handles_unuse_locked(h, handle);
	pthread_mutex_unlock(&h->lock);
	send_all(m, &list);
}

void gate_flush(struct mount *m)
{
	struct handles *h = &m->handles;
	struct handle_queue list = STAILQ_HEAD_INITIALIZER(list);
	struct handle *handle;

	pthread_mutex_lock(&h->lock);
	while ((handle = TAILQ_FIRST(&h->timers)) != NULL) {
		collect(h, handle, &list);
	}
	pthread_mutex_unlock(&h->lock);
	send_all(m, &list);
}

static void wait_for(struct handles *h, uint64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&h->timer_wake, &h->lock, &until);
}

/* A timer this late did not run at all meanwhile (SIGSTOP, a paused machine).
 */
enum { OVERSLEPT_MS = LIMIT_TRUNCATE_MS / 2 };

void *gate_timer(void *context)
{
	struct mount *m = context;
	struct handles *h = &m->handles;

	pthread_mutex_lock(&h->lock);
	while (!h->timer_stopping) {
		struct handle_queue list = STAILQ_HEAD_INITIALIZER(list);
		struct handle *handle = TAILQ_FIRST(&h->timers);
		uint64_t now = kv_now_ms();

		if (handle == NULL) {
			pthread_cond_wait(&h->timer_wake, &h->lock);
		} else if (handle->due_ms > now) {
			wait_for(h, handle->due_ms - now);
		} else if (now - handle->due_ms > OVERSLEPT_MS) {
			/* This process was stopped: the write may wait in the
			 * device by now, and is to carry its truncation. */
			handles_timer_remove(h, handle);
			handle->due_ms = now + LIMIT_TRUNCATE_MS;
			handles_timer_add(h, handle);
		} else {
			collect(h, handle, &list);
			pthread_mutex_unlock(&h->lock);
			send_all(m, &list);
			pthread_mutex_lock(&h->lock);
		}
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

void gate_timer_stop(struct mount *m)
{
	pthread_mutex_lock(&m->handles.lock);
	m->handles.timer_stopping = true;
	pthread_cond_signal(&m->handles.timer_wake);
	pthread_mutex_unlock(&m->handles.lock);
	pthread_join(m->timer, NULL);
}
