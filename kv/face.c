/* SPDX-License-Identifier: Apache-2.0 */
/* face.c - the calls of kv.h, on their callers' threads. */
#include "kv/internal.h"

/* What a refused proposal is called: no number that is ever given out. */
#define NO_PROPOSAL UINT64_MAX

/* --- Changing ------------------------------------------------------------- */

uint64_t kv_propose(struct kv *kv, struct bytes operation, uint64_t deadline_ms,
		    kv_done done, void *context)
{
	uint64_t now = kv_now_ms();
	bool full = kv_is_full(kv, operation);
	uint64_t id = 0;
	int status = 0;
	uint64_t limit;
	bool wake;

	pthread_mutex_lock(&kv->lock);
	limit = kv_patience(kv);
	wake = kv->route_open;
	if (kv->closing) {
		status = STATUS_ENDED;
	} else if (full) {
		status = STATUS_NO_SPACE;
	} else if (now >= limit) {
		status = STATUS_TIMED_OUT;
	} else {
		deadline_ms = deadline_ms < limit ? deadline_ms : limit;
		id = proposals_add(&kv->proposals, operation, deadline_ms, done,
				   context, &status);
	}
	pthread_mutex_unlock(&kv->lock);
	if (id == 0) {
		done(context, status, bytes_of("", 0));
		return NO_PROPOSAL;
	}
	if (wake) {
		node_wake(kv->node);
	}
	return id;
}

void kv_interrupt(struct kv *kv, uint64_t number)
{
	struct proposal_list answers = TAILQ_HEAD_INITIALIZER(answers);

	pthread_mutex_lock(&kv->lock);
	proposals_interrupt(&kv->proposals, number, kv_now_ms(), &answers);
	pthread_mutex_unlock(&kv->lock);
	proposals_tell(&answers);
}

/* --- Reading -------------------------------------------------------------- */

uint64_t kv_barrier(struct kv *kv, enum kv_reads reads, kv_ready ready,
		    void *context)
{
	bool strict = reads == KV_READS_STRICT;
	bool leased;
	bool unproven;
	raft_index index = 0; /* of the lease; 0: a read index is asked for */
	struct barrier *waiter = NULL;
	uint64_t id = 0;
	bool fell_back = false;
	int status = 0;

	/* The lease is looked at after the request came and before the state
	 * is read (raft.md row 57). */
	leased = reads == KV_READS_FRESH && node_lease(kv->node, &index);
	if (!leased) {
		index = 0; /* an ended lease says nothing */
	}
	unproven = atomic_load(&kv->barriers.unproven); /* B4 */
	if ((reads == KV_READS_LOCAL && !unproven) ||
	    (leased && index <= atomic_load(&kv->applied))) {
		ready(context, 0, false);
		return 0;
	}
	pthread_mutex_lock(&kv->lock);
	if (kv->closing) {
		status = STATUS_ENDED;
	} else if (leased && index <= atomic_load(&kv->applied)) {
		status = 0; /* applied just now */
	} else if (!leased && kv->barriers.cut_off) {
		fell_back = !strict && !unproven;
		status = fell_back ? 0 : STATUS_NO_QUORUM;
	} else if (leased && kv->barriers.behind) {
		fell_back = !unproven;
		status = fell_back ? 0 : STATUS_NO_QUORUM;
	} else {
		waiter = barriers_add(&kv->barriers, strict, index, kv_now_ms(),
				      ready, context);
		id = waiter == NULL ? 0 : waiter->id;
		fell_back = waiter == NULL && !strict && !unproven;
		status = waiter == NULL && !fell_back ? STATUS_NO_QUORUM : 0;
	}
	pthread_mutex_unlock(&kv->lock);
	if (waiter == NULL) {
		ready(context, status, fell_back);
		return 0;
	}
	kv_ask(kv, false);
	return id;
}

void kv_barrier_interrupt(struct kv *kv, uint64_t number)
{
	struct barrier_list answers = TAILQ_HEAD_INITIALIZER(answers);

	pthread_mutex_lock(&kv->lock);
	barriers_interrupt(&kv->barriers, number, &answers);
	pthread_mutex_unlock(&kv->lock);
	barriers_tell(&answers);
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

/* --- Watching and holding ------------------------------------------------- */

void kv_watch(struct kv *kv, kv_noted noted, void *context)
{
	feed_watch(&kv->feed, noted, context);
}

void kv_unwatch(struct kv *kv, kv_noted noted, void *context)
{
	feed_unwatch(&kv->feed, noted, context);
}

void kv_hold(struct kv *kv, uint64_t id)
{
	pthread_mutex_lock(&kv->lock);
	if (holds_add(&kv->holds, id)) {
		kv->alive_soon = true;
	}
	pthread_mutex_unlock(&kv->lock);
}

void kv_release(struct kv *kv, uint64_t id)
{
	pthread_mutex_lock(&kv->lock);
	/* Word of it may wait: it only delays the cleaning up. */
	(void)holds_remove(&kv->holds, id);
	pthread_mutex_unlock(&kv->lock);
}
