/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - the apply thread: committed entries into the store, and what
 * happened to everyone who waits.
 *
 * The order after a batch is committed: notes to the watchers, then the applied
 * index for all to see, then the answers of proposals and barriers, then word
 * to the node. */
#include <inttypes.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "kv/internal.h"

void kv_queue_push(struct kv_queue *q, struct entry *e)
{
	if (q->count == q->capacity) {
		size_t capacity = q->capacity == 0 ? 256 : q->capacity * 2;
		struct entry **grown = mem_alloc(capacity * sizeof grown[0]);

		for (size_t i = 0; i < q->count; i++) {
			grown[i] =
				q->entries[(q->start + i) & (q->capacity - 1)];
		}
		mem_free(q->entries);
		q->entries = grown;
		q->start = 0;
		q->capacity = capacity;
	}
	q->entries[(q->start + q->count) & (q->capacity - 1)] = e;
	q->count++;
}

static size_t queue_pop(struct kv_queue *q, struct entry **entries,
			size_t count_max)
{
	size_t count = q->count < count_max ? q->count : count_max;

	for (size_t i = 0; i < count; i++) {
		entries[i] = q->entries[(q->start + i) & (q->capacity - 1)];
	}
	q->start = (q->start + count) & (q->capacity - 1);
	q->count -= count;
	return count;
}

void kv_queue_clear(struct kv_queue *q)
{
	struct entry *e;

	while (q->count > 0 && queue_pop(q, &e, 1) == 1) {
		entry_unref(e);
	}
}

void kv_queue_deinit(struct kv_queue *q)
{
	kv_queue_clear(q);
	mem_free(q->entries);
	*q = (struct kv_queue){0};
}

/* --- What happened -------------------------------------------------------- */

void kv_session_opened(struct kv *kv, uint64_t session,
		       const struct session_owner *owner)
{
	if (owner->incarnation != kv->identity.self ||
	    owner->boot != kv->identity.boot || owner->opening != kv->opening ||
	    session == kv->proposals.session) {
		return;
	}
	proposals_open(&kv->proposals, session);
	kv->word_ms = kv_now_ms();
	kv->alive_soon = true;
	log_info("session opened session=%" PRIu64, session);
}

void kv_session_over(struct kv *kv)
{
	if (kv->proposals.usable) {
		kv->opening++; /* else silence() has done it */
		kv->open_offered = false;
	}
	pthread_cond_broadcast(&kv->ended);
	log_info("session ended session=%" PRIu64, kv->proposals.session);
}

/* Lock held. */
static void on_ended(struct kv *kv, const struct apply_event *e)
{
	if (e->session != kv->proposals.session) {
		return;
	}
	kv_session_over(kv);
	proposals_ended(&kv->proposals, e->session);
}

/* Lock held. */
static void handle_events(struct kv *kv, struct proposal_list *answers)
{
	const struct applier *a = &kv->applier;

	for (size_t i = 0; i < a->event_count; i++) {
		const struct apply_event *e = &a->events[i];

		switch (e->kind) {
		case APPLY_DONE:
			proposals_applied(&kv->proposals, e->session, e->number,
					  applier_result(a, e), answers);
			break;
		case APPLY_ENDED:
			on_ended(kv, e);
			break;
		case APPLY_OPENED:
			kv_session_opened(kv, e->session, &e->owner);
			break;
		case APPLY_BORN:
			kv->born = true;
			break;
		}
	}
}

/* Lock held. */
static void mark_dirty(struct kv *kv, uint64_t bytes, size_t count)
{
	if (kv->dirty_entries == 0) {
		kv->dirty_ms = kv_now_ms();
	}
	kv->dirty = kv->applier.applied;
	kv->dirty_bytes += bytes;
	kv->dirty_entries += count;
	kv->dirty_removed += kv->applier.removed;
	if (kv->dirty_bytes >= KV_FLUSH_BYTES ||
	    kv->dirty_entries >= kv->flush_entries) {
		pthread_cond_signal(&kv->keeper_wake);
	}
}

static void finish_batch(struct kv *kv, uint64_t bytes, size_t count)
{
	struct proposal_list answers = TAILQ_HEAD_INITIALIZER(answers);
	struct barrier_list barriers = TAILQ_HEAD_INITIALIZER(barriers);
	uint64_t index = kv->applier.applied.index;
	bool wake;

	feed_tell(&kv->feed);
	pthread_mutex_lock(&kv->lock);
	handle_events(kv, &answers);
	mark_dirty(kv, bytes, count);
	atomic_store(&kv->applied, index);
	barriers_applied(&kv->barriers, index, &barriers);
	wake = kv_wanted(kv, kv_now_ms());
	pthread_mutex_unlock(&kv->lock);
	proposals_tell(&answers);
	barriers_tell(&barriers);
	node_applied(kv->node, index);
	if (wake) {
		node_wake(kv->node);
	}
}

bool kv_pause_full(struct kv *kv, pthread_cond_t *wake)
{
	struct timespec until;
	bool over;
	int rc = clock_gettime(CLOCK_MONOTONIC, &until);

	CHECK(rc == 0);
	until.tv_nsec += KV_FULL_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&kv->lock);
	while (!kv->stopping && kv->install == NULL && rc == 0) {
		rc = pthread_cond_timedwait(wake, &kv->lock, &until);
	}
	over = kv->stopping || kv->install != NULL;
	pthread_mutex_unlock(&kv->lock);
	return !over;
}

/* Have the keeper flush: a flushed state needs less room. */
static void want_flush(struct kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->flush_wanted = true;
	pthread_cond_signal(&kv->keeper_wake);
	pthread_mutex_unlock(&kv->lock);
}

/* A batch for which there is no room on the disk is tried until there is, or
 * the node stops: then it is replayed at the next start. False: not applied. */
static bool apply_batch(struct kv *kv, struct entry **entries, size_t count)
{
	bool waited = false;
	int rc;

	while ((rc = kv_try_apply(kv, entries, count)) == STATUS_NO_SPACE) {
		if (!waited) {
			log_warn("the state waits for room on the disk");
		}
		waited = true;
		want_flush(kv);
		if (!kv_pause_full(kv, &kv->apply_wake)) {
			return false;
		}
	}
	kv_damaged(kv, rc,
		   "the state database is damaged: an entry does not "
		   "apply to it");
	if (rc != 0) {
		log_fatal("the state can not go on: entries %" PRIu64
			  " to %" PRIu64 " do not apply: %s",
			  entries[0]->index, entries[count - 1]->index,
			  status_text(rc));
	}
	if (waited) {
		log_info("the state goes on: there is room");
	}
	return true;
}

static void apply_all(struct kv *kv, struct entry **entries, size_t count)
{
	/* Not what follows a batch that was given up. */
	bool applies =
		count > 0 && entries[0]->index == kv->applier.applied.index + 1;

	while (count > 0) {
		size_t part = applier_batch(entries, count);
		uint64_t bytes = 0;

		applies = applies && apply_batch(kv, entries, part);
		for (size_t i = 0; i < part; i++) {
			bytes += entries[i]->size;
			kv->unlooked += entries[i]->size;
			entry_unref(entries[i]);
		}
		if (applies) {
			finish_batch(kv, bytes, part);
		}
		entries += part;
		count -= part;
	}
}

void *kv_apply_main(void *context)
{
	struct kv *kv = context;
	struct entry *entries[LIMIT_APPLY_ENTRIES];
	struct kv_install *install;
	size_t count;

	do {
		pthread_mutex_lock(&kv->lock);
		while (kv->queue.count == 0 && kv->install == NULL &&
		       !kv->stopping) {
			pthread_cond_wait(&kv->apply_wake, &kv->lock);
		}
		install = kv->install;
		if (install != NULL) { /* it stands for all that waits */
			kv_queue_clear(&kv->queue);
		}
		count = queue_pop(&kv->queue, entries, LIMIT_APPLY_ENTRIES);
		pthread_mutex_unlock(&kv->lock);
		if (install != NULL) {
			kv_install(kv, install);
		}
		apply_all(kv, entries, count);
	} while (install != NULL || count > 0);
	return NULL;
}
