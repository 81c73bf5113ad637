/* SPDX-License-Identifier: Apache-2.0 */
/* solokv.c - kv.h without Raft, a network or a disk: one thread applies
 * proposals in order to a store in memory. For tests of what stands above kv.
 *
 * The environment steers it while it runs:
 *   SOLOKV_CUT        a path; while it exists there is no quorum
 *   SOLOKV_DELAY_MS   how long a commit takes
 *   SOLOKV_ASYNC      set: barriers are answered from a thread of its own
 *   SOLOKV_UNBORN     set: the root is never made */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "kv/kv.h"
#include "tests/lib/memstore.h"

struct waiting {
	uint64_t number;
	bool is_barrier;
	bool interrupted;
	struct buffer operation;
	uint64_t deadline_ms;
	enum kv_reads reads;
	kv_done done;
	kv_ready ready;
	void *context;
	TAILQ_ENTRY(waiting) link;
};
TAILQ_HEAD(waiting_queue, waiting);

struct kv {
	struct kv_machine machine;
	struct store *store;
	char name[LIMIT_NODE_NAME_BYTES + 1];
	uint32_t timeout_ms;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct waiting_queue proposals; /* by lock */
	struct waiting_queue barriers;	/* by lock */
	uint64_t numbers;		/* by lock */
	bool closing;			/* by lock */
	uint64_t cut_since_ms;		/* 0: there is a quorum; by lock */
	long holds;			/* by lock */
	uint64_t applied;
	pthread_t thread;
	pthread_t barrier_thread;
};

uint64_t kv_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_cut(struct kv *kv)
{
	const char *path = getenv("SOLOKV_CUT");
	bool cut = path != NULL && access(path, F_OK) == 0;

	if (!cut) {
		kv->cut_since_ms = 0;
	} else if (kv->cut_since_ms == 0) {
		kv->cut_since_ms = kv_now_ms();
	}
	return cut;
}

static void doze(uint64_t ms)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000),
			     .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static void waiting_free(struct waiting *w)
{
	buffer_deinit(&w->operation);
	mem_free(w);
}

/* --- Applying --------------------------------------------------------------*/

static void drop_note(void *context, struct bytes note)
{
	(void)context;
	(void)note;
}

static void apply(struct kv *kv, struct bytes operation, struct buffer *result)
{
	struct timespec t;
	struct kv_at at = {.index = ++kv->applied};
	struct kv_batch *b = kv->store->ops->begin(kv->store, drop_note, NULL);

	clock_gettime(CLOCK_REALTIME, &t);
	at.time_ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	CHECK(kv->machine.apply(kv->machine.context, b, &at, operation,
				result) == 0);
	CHECK(kv->store->ops->commit(kv->store, b) == 0);
}

static void commit_delay(void)
{
	const char *ms = getenv("SOLOKV_DELAY_MS");

	if (ms != NULL) {
		doze((uint64_t)atoi(ms));
	}
}

/* The first proposal that can be answered now; NULL: none. Lock held. */
static struct waiting *next(struct kv *kv, int *status)
{
	bool cut = is_cut(kv);
	uint64_t now = kv_now_ms();
	struct waiting *w;

	*status = 0;
	if (!cut && !kv->closing) {
		return TAILQ_FIRST(&kv->proposals);
	}
	TAILQ_FOREACH (w, &kv->proposals, link) {
		if (kv->closing) {
			*status = STATUS_ENDED;
		} else if (w->interrupted) {
			*status = STATUS_INTERRUPTED;
		} else if (now >= w->deadline_ms ||
			   now - kv->cut_since_ms >= kv->timeout_ms) {
			*status = STATUS_TIMED_OUT;
		} else {
			continue;
		}
		return w;
	}
	return NULL;
}

static void *apply_run(void *context)
{
	struct kv *kv = context;
	struct buffer result = {0};

	pthread_mutex_lock(&kv->lock);
	while (!kv->closing || !TAILQ_EMPTY(&kv->proposals)) {
		int status;
		struct waiting *w = next(kv, &status);

		if (w == NULL) {
			pthread_mutex_unlock(&kv->lock);
			doze(1); /* it polls: the cut is a file */
			pthread_mutex_lock(&kv->lock);
			continue;
		}
		TAILQ_REMOVE(&kv->proposals, w, link);
		pthread_mutex_unlock(&kv->lock);
		buffer_reset(&result);
		if (status == 0) {
			commit_delay();
			apply(kv, buffer_bytes(&w->operation), &result);
		}
		w->done(w->context, status, buffer_bytes(&result));
		waiting_free(w);
		pthread_mutex_lock(&kv->lock);
	}
	pthread_mutex_unlock(&kv->lock);
	buffer_deinit(&result);
	return NULL;
}

static void answer(const struct waiting *w, bool cut)
{
	bool strict = w->reads == KV_READS_STRICT;

	w->ready(w->context, cut && strict ? STATUS_NO_QUORUM : 0,
		 cut && w->reads == KV_READS_FRESH);
}

static void *barrier_run(void *context)
{
	struct kv *kv = context;
	struct waiting *w;

	pthread_mutex_lock(&kv->lock);
	while (!kv->closing || !TAILQ_EMPTY(&kv->barriers)) {
		w = TAILQ_FIRST(&kv->barriers);
		if (w == NULL) {
			pthread_cond_wait(&kv->wake, &kv->lock);
			continue;
		}
		TAILQ_REMOVE(&kv->barriers, w, link);
		bool cut = is_cut(kv);
		pthread_mutex_unlock(&kv->lock);
		answer(w, cut);
		waiting_free(w);
		pthread_mutex_lock(&kv->lock);
	}
	pthread_mutex_unlock(&kv->lock);
	return NULL;
}

/* --- The face --------------------------------------------------------------*/

int kv_open(const struct kv_config *config, struct kv **out,
	    struct buffer *problem)
{
	struct kv *kv = mem_zalloc(sizeof *kv);
	struct buffer birth = {0};
	struct buffer result = {0};

	(void)problem;
	(void)mkdir(config->data, 0700); /* for the control socket */
	kv->machine = *config->machine;
	kv->store = memstore_open(NULL);
	kv->timeout_ms = config->timeout_ms;
	snprintf(kv->name, sizeof kv->name, "%s", config->name);
	pthread_mutex_init(&kv->lock, NULL);
	pthread_cond_init(&kv->wake, NULL);
	TAILQ_INIT(&kv->proposals);
	TAILQ_INIT(&kv->barriers);
	kv->numbers = 1;
	if (getenv("SOLOKV_UNBORN") == NULL) {
		kv->machine.birth(kv->machine.context, &birth);
		apply(kv, buffer_bytes(&birth), &result);
	}
	buffer_deinit(&birth);
	buffer_deinit(&result);
	CHECK(pthread_create(&kv->thread, NULL, apply_run, kv) == 0);
	CHECK(pthread_create(&kv->barrier_thread, NULL, barrier_run, kv) == 0);
	*out = kv;
	return 0;
}

void kv_close(struct kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->closing = true;
	pthread_cond_broadcast(&kv->wake);
	CHECK(kv->holds == 0); /* whoever held has released */
	pthread_mutex_unlock(&kv->lock);
	pthread_join(kv->thread, NULL);
	pthread_join(kv->barrier_thread, NULL);
	kv->store->ops->close(kv->store);
	pthread_mutex_destroy(&kv->lock);
	pthread_cond_destroy(&kv->wake);
	mem_free(kv);
}

uint64_t kv_propose(struct kv *kv, struct bytes operation, uint64_t deadline_ms,
		    kv_done done, void *context)
{
	struct waiting *w = mem_zalloc(sizeof *w);
	uint64_t number;

	w->deadline_ms = deadline_ms;
	w->done = done;
	w->context = context;
	buffer_append_bytes(&w->operation, operation);
	pthread_mutex_lock(&kv->lock);
	number = w->number = ++kv->numbers;
	TAILQ_INSERT_TAIL(&kv->proposals, w, link);
	pthread_mutex_unlock(&kv->lock);
	return number;
}

void kv_interrupt(struct kv *kv, uint64_t number)
{
	struct waiting *w;

	pthread_mutex_lock(&kv->lock);
	TAILQ_FOREACH (w, &kv->proposals, link) {
		if (w->number == number) {
			w->interrupted = true;
		}
	}
	pthread_mutex_unlock(&kv->lock);
}

uint64_t kv_barrier(struct kv *kv, enum kv_reads reads, kv_ready ready,
		    void *context)
{
	struct waiting now = {
		.reads = reads, .ready = ready, .context = context};
	struct waiting *w;
	uint64_t number;
	bool cut;

	if (getenv("SOLOKV_ASYNC") == NULL || reads == KV_READS_LOCAL) {
		pthread_mutex_lock(&kv->lock);
		cut = is_cut(kv);
		pthread_mutex_unlock(&kv->lock);
		answer(&now, cut);
		return 0;
	}
	w = mem_alloc(sizeof *w);
	*w = now;
	pthread_mutex_lock(&kv->lock);
	number = w->number = ++kv->numbers;
	TAILQ_INSERT_TAIL(&kv->barriers, w, link);
	pthread_cond_signal(&kv->wake);
	pthread_mutex_unlock(&kv->lock);
	return number;
}

void kv_barrier_interrupt(struct kv *kv, uint64_t number)
{
	(void)kv; /* none waits for longer than a turn */
	(void)number;
}

struct kv_reader *kv_newest(struct kv *kv)
{
	return &kv->store->reader;
}

struct kv_view *kv_view_open(struct kv *kv)
{
	return kv->store->ops->view(kv->store);
}

void kv_view_close(struct kv *kv, struct kv_view *view)
{
	kv->store->ops->view_close(kv->store, view);
}

void kv_unwatch(struct kv *kv, kv_noted noted, void *context)
{
	(void)kv;
	(void)noted;
	(void)context;
}

void kv_watch(struct kv *kv, kv_noted noted, void *context)
{
	(void)kv;
	(void)noted;
	(void)context;
}

void kv_hold(struct kv *kv, uint64_t id)
{
	(void)id;
	pthread_mutex_lock(&kv->lock);
	kv->holds++;
	pthread_mutex_unlock(&kv->lock);
}

void kv_release(struct kv *kv, uint64_t id)
{
	(void)id;
	pthread_mutex_lock(&kv->lock);
	kv->holds--;
	pthread_mutex_unlock(&kv->lock);
}

/* One node: whatever is asked of it can not be. */
/* There is nothing on a disk. */
int kv_restore(const struct kv_config *config, const char *file,
	       struct kv_backup_info *info, struct buffer *problem)
{
	(void)config;
	(void)info;
	buffer_printf(problem, "no %s here", file);
	return STATUS_NOT_FOUND;
}

int kv_recover(const struct kv_config *config, struct kv_survivor *survivor,
	       bool go, struct buffer *problem)
{
	(void)survivor;
	(void)go;
	buffer_printf(problem, "nothing in %s to recover", config->data);
	return STATUS_NOT_FOUND;
}

void kv_backup(struct kv *kv, const char *path, kv_saved saved, void *context)
{
	(void)kv;
	saved(context, path[1] == 'x' ? STATUS_NO_SPACE : 0, path);
}

void kv_backup_interrupt(struct kv *kv)
{
	(void)kv;
}

uint64_t kv_change(struct kv *kv, const struct kv_member_change *change,
		   kv_changed changed, void *context)
{
	(void)kv;
	(void)change;
	changed(context, STATUS_INVALID, "n1 is the only voter");
	return 1;
}

void kv_change_interrupt(struct kv *kv, uint64_t number)
{
	(void)kv;
	(void)number;
}

void kv_status(struct kv *kv, struct kv_status *status)
{
	memset(status, 0, sizeof *status);
	pthread_mutex_lock(&kv->lock);
	status->quorum = !is_cut(kv);
	pthread_mutex_unlock(&kv->lock);
	snprintf(status->name, sizeof status->name, "%s", kv->name);
	snprintf(status->role, sizeof status->role, "leader");
	snprintf(status->leader, sizeof status->leader, "%s",
		 status->quorum ? kv->name : "");
	snprintf(status->why, sizeof status->why, "%s",
		 status->quorum ? "" : "no quorum: the test cut it");
}
