/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fake_kv.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "fs/tree/tree.h"
#include "tests/lib/memstore.h"

enum { HELD_MAX = 128 };

struct held {
	struct buffer operation;
	kv_done done;
	void *context;
	uint64_t number;
};

struct kv {
	struct store *store;
	struct kv_machine machine;
	pthread_mutex_t lock; /* all below; the store is written under it */
	pthread_cond_t changed;
	uint64_t index;
	uint64_t number;
	int barrier_status;
	bool cut_off;
	int proposal_status;
	bool hold;
	struct held held[HELD_MAX];
	size_t held_count;
	size_t views;
	char why[128];
};

static void drop_note(void *context, struct bytes note)
{
	(void)context;
	(void)note;
}

static void apply(struct kv *kv, struct bytes operation, struct buffer *result)
{
	struct kv_batch *b = kv->store->ops->begin(kv->store, drop_note, NULL);
	struct kv_at at = {.index = ++kv->index,
			   .time_ns = kv->index * 1000000000};

	CHECK(kv->machine.apply(kv->machine.context, b, &at, operation,
				result) == 0);
	CHECK(kv->store->ops->commit(kv->store, b) == 0);
}

struct kv *fake_kv_new_unborn(void)
{
	struct kv *kv = mem_zalloc(sizeof *kv);

	kv->store = memstore_open(NULL);
	fs_machine(0, 0, &kv->machine);
	pthread_mutex_init(&kv->lock, NULL);
	pthread_cond_init(&kv->changed, NULL);
	return kv;
}

struct kv *fake_kv_new(void)
{
	struct kv *kv = fake_kv_new_unborn();
	struct buffer operation = {0};
	struct buffer result = {0};

	kv->machine.birth(kv->machine.context, &operation);
	apply(kv, buffer_bytes(&operation), &result);
	buffer_deinit(&operation);
	buffer_deinit(&result);
	return kv;
}

void fake_kv_free(struct kv *kv)
{
	kv->store->ops->close(kv->store);
	pthread_cond_destroy(&kv->changed);
	pthread_mutex_destroy(&kv->lock);
	mem_free(kv);
}

void fake_kv_refuse_barriers(struct kv *kv, int status)
{
	pthread_mutex_lock(&kv->lock);
	kv->barrier_status = status;
	pthread_mutex_unlock(&kv->lock);
}

void fake_kv_cut_off(struct kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->cut_off = true;
	pthread_mutex_unlock(&kv->lock);
}

void fake_kv_refuse_proposals(struct kv *kv, int status)
{
	pthread_mutex_lock(&kv->lock);
	kv->proposal_status = status;
	pthread_mutex_unlock(&kv->lock);
}

void fake_kv_hold_proposals(struct kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->hold = true;
	pthread_mutex_unlock(&kv->lock);
}

void fake_kv_set_why(struct kv *kv, const char *why)
{
	pthread_mutex_lock(&kv->lock);
	snprintf(kv->why, sizeof kv->why, "%s", why);
	pthread_mutex_unlock(&kv->lock);
}

/* Apply (status 0) or refuse what was held as number (0: the oldest). */
static bool answer_held(struct kv *kv, uint64_t number, int status)
{
	struct buffer result = {0};
	struct held h = {0};
	size_t i = 0;

	pthread_mutex_lock(&kv->lock);
	while (number != 0 && i < kv->held_count &&
	       kv->held[i].number != number) {
		i++;
	}
	if (i < kv->held_count) {
		h = kv->held[i];
		kv->held[i] = kv->held[--kv->held_count];
		if (status == 0) {
			apply(kv, buffer_bytes(&h.operation), &result);
		}
	}
	pthread_mutex_unlock(&kv->lock);
	if (h.done) {
		h.done(h.context, status, buffer_bytes(&result));
	}
	buffer_deinit(&h.operation);
	buffer_deinit(&result);
	return h.done != NULL;
}

void fake_kv_let_go(struct kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->hold = false;
	pthread_mutex_unlock(&kv->lock);
	while (answer_held(kv, 0, 0)) {
	}
}

bool fake_kv_wait_held(struct kv *kv, size_t count)
{
	struct timespec until;
	bool held;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	pthread_mutex_lock(&kv->lock);
	while (kv->held_count != count &&
	       pthread_cond_timedwait(&kv->changed, &kv->lock, &until) == 0) {
	}
	held = kv->held_count == count;
	pthread_mutex_unlock(&kv->lock);
	return held;
}

size_t fake_kv_views(struct kv *kv)
{
	size_t views;

	pthread_mutex_lock(&kv->lock);
	views = kv->views;
	pthread_mutex_unlock(&kv->lock);
	return views;
}

int fake_kv_apply(struct kv *kv, const struct fs_op *op)
{
	struct buffer operation = {0};
	struct buffer bytes = {0};
	struct fs_result result;

	fs_op_encode(op, &operation);
	pthread_mutex_lock(&kv->lock);
	apply(kv, buffer_bytes(&operation), &bytes);
	pthread_mutex_unlock(&kv->lock);
	CHECK(fs_result_decode(buffer_bytes(&bytes), &result) == 0);
	buffer_deinit(&operation);
	buffer_deinit(&bytes);
	return result.error;
}

/* --- kv.h -------------------------------------------------------------------
 */

uint64_t kv_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t kv_propose(struct kv *kv, struct bytes operation, uint64_t deadline_ms,
		    kv_done done, void *context)
{
	struct buffer result = {0};
	uint64_t number;
	int status;
	(void)deadline_ms;

	pthread_mutex_lock(&kv->lock);
	number = ++kv->number;
	status = kv->proposal_status;
	if (kv->hold) {
		struct held *h = &kv->held[kv->held_count++];

		CHECK(kv->held_count <= HELD_MAX);
		*h = (struct held){
			.done = done, .context = context, .number = number};
		buffer_append_bytes(&h->operation, operation);
		pthread_cond_broadcast(&kv->changed);
		pthread_mutex_unlock(&kv->lock);
		return number;
	}
	if (status == 0) {
		apply(kv, operation, &result);
	}
	pthread_mutex_unlock(&kv->lock);
	done(context, status, buffer_bytes(&result));
	buffer_deinit(&result);
	return number;
}

void kv_interrupt(struct kv *kv, uint64_t number)
{
	answer_held(kv, number, STATUS_INTERRUPTED);
}

uint64_t kv_barrier(struct kv *kv, enum kv_reads reads, kv_ready ready,
		    void *context)
{
	bool fell_back;
	int status;

	pthread_mutex_lock(&kv->lock);
	status = kv->barrier_status;
	fell_back = kv->cut_off && reads == KV_READS_FRESH;
	pthread_mutex_unlock(&kv->lock);
	ready(context, status, fell_back);
	return 0;
}

void kv_barrier_interrupt(struct kv *kv, uint64_t number)
{
	(void)kv;
	(void)number;
}

struct kv_reader *kv_newest(struct kv *kv)
{
	return &kv->store->reader;
}

struct kv_view *kv_view_open(struct kv *kv)
{
	struct kv_view *view;

	pthread_mutex_lock(&kv->lock);
	kv->views++;
	view = kv->store->ops->view(kv->store);
	pthread_mutex_unlock(&kv->lock);
	return view;
}

void kv_view_close(struct kv *kv, struct kv_view *view)
{
	pthread_mutex_lock(&kv->lock);
	kv->views--;
	kv->store->ops->view_close(kv->store, view);
	pthread_mutex_unlock(&kv->lock);
}

/* Nobody can be removed; all else is done at once. */
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
	if (change->kind == KV_REMOVE) {
		changed(context, STATUS_INVALID, "n1 is the only voter");
	} else {
		changed(context, 0, change->name);
	}
	return 1;
}

void kv_change_interrupt(struct kv *kv, uint64_t number)
{
	(void)kv;
	(void)number;
}

void kv_status(struct kv *kv, struct kv_status *status)
{
	*status = (struct kv_status){
		.name = "n1", .leader = "n1", .role = "leader"};
	pthread_mutex_lock(&kv->lock);
	snprintf(status->why, sizeof status->why, "%s", kv->why);
	status->quorum = kv->why[0] == '\0';
	pthread_mutex_unlock(&kv->lock);
}
