/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/handle.h"

#include <time.h>

#include "base/check.h"
#include "base/mem.h"

void handles_init(struct handles *h, struct kv *kv)
{
	pthread_condattr_t attr;

	*h = (struct handles){.kv = kv};
	TAILQ_INIT(&h->timers);
	LIST_INIT(&h->all);
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->timer_wake, &attr);
	pthread_condattr_destroy(&attr);
}

struct inode *handles_find(struct handles *h, uint64_t ino)
{
	struct inode *inode;

	HASH_FIND(hh, h->inodes, &ino, sizeof ino, inode);
	return inode;
}

struct handle *handle_new(struct handles *h, uint64_t ino, bool is_dir,
			  pid_t opener)
{
	struct handle *handle = mem_zalloc(sizeof *handle);
	struct inode *inode;
	bool is_first;

	pthread_mutex_lock(&h->lock);
	inode = handles_find(h, ino);
	is_first = inode == NULL;
	if (is_first) {
		inode = mem_zalloc(sizeof *inode);
		inode->ino = ino;
		inode->is_new = true;
		LIST_INIT(&inode->handles);
		LIST_INIT(&inode->truncs);
		STAILQ_INIT(&inode->waiters);
		HASH_ADD(hh, h->inodes, ino, sizeof inode->ino, inode);
	}
	inode->opens++;
	handle->inode = inode;
	handle->users = 1;
	handle->is_dir = is_dir;
	handle->opener = opener;
	atomic_init(&handle->is_fresh, !is_dir);
	LIST_INSERT_HEAD(&inode->handles, handle, inode_link);
	LIST_INSERT_HEAD(&h->all, handle, all_link);
	pthread_mutex_unlock(&h->lock);
	if (is_first) {
		kv_hold(h->kv, ino);
	}
	return handle;
}

/* Holds are counted by kv, so a release here and a hold by an open that runs
 * beside it may cross. */
void handles_unuse_locked(struct handles *h, struct handle *handle)
{
	struct inode *inode = handle->inode;

	CHECK(handle->users > 0);
	handle->users--;
	if (handle->users > 0) {
		return;
	}
	CHECK(!trunc_is_busy(&handle->trunc));
	handles_timer_remove(h, handle);
	if (handle->trunc.state != TRUNC_NONE) {
		LIST_REMOVE(handle, trunc_link);
	}
	LIST_REMOVE(handle, inode_link);
	LIST_REMOVE(handle, all_link);
	mem_free(handle);
	inode->opens--;
	if (inode->opens > 0) {
		return;
	}
	CHECK(STAILQ_EMPTY(&inode->waiters));
	HASH_DEL(h->inodes, inode); /* H1 */
	kv_release(h->kv, inode->ino);
	mem_free(inode);
}

void handle_unuse(struct handles *h, struct handle *handle)
{
	pthread_mutex_lock(&h->lock);
	handles_unuse_locked(h, handle);
	pthread_mutex_unlock(&h->lock);
}

void handles_deinit(struct handles *h)
{
	struct handle *handle;

	/* Files that were open when the mount went: no RELEASE came. */
	while ((handle = LIST_FIRST(&h->all)) != NULL) {
		handle_unuse(h, handle);
	}
	pthread_cond_destroy(&h->timer_wake);
	pthread_mutex_destroy(&h->lock);
}

void handle_touch(struct handle *handle)
{
	atomic_store_explicit(&handle->is_fresh, false, memory_order_relaxed);
}

/* With the lock held. */
static struct handle *find_fresh(struct handles *h, uint64_t ino, pid_t pid)
{
	struct inode *inode = handles_find(h, ino);
	struct handle *handle;

	if (inode == NULL) {
		return NULL;
	}
	LIST_FOREACH (handle, &inode->handles, inode_link) {
		if (handle->opener == pid && atomic_load(&handle->is_fresh)) {
			return handle;
		}
	}
	return NULL;
}

void handles_walked(struct handles *h, uint64_t ino, pid_t pid)
{
	struct handle *handle;

	pthread_mutex_lock(&h->lock);
	while ((handle = find_fresh(h, ino, pid)) != NULL) {
		handle_touch(handle);
	}
	pthread_mutex_unlock(&h->lock);
}

struct handle *handles_opening(struct handles *h, uint64_t ino, pid_t pid)
{
	struct handle *handle;

	pthread_mutex_lock(&h->lock);
	handle = find_fresh(h, ino, pid);
	if (handle != NULL) {
		handle_touch(handle);
		handle->users++;
	}
	pthread_mutex_unlock(&h->lock);
	return handle;
}

bool handle_hides_content(struct handles *h, const struct handle *handle)
{
	bool hides;

	pthread_mutex_lock(&h->lock);
	hides = trunc_hides_content(&handle->trunc);
	pthread_mutex_unlock(&h->lock);
	return hides;
}

bool handles_must_drop(struct handles *h, uint64_t ino, uint64_t version)
{
	struct inode *inode;
	bool is_newer = false;

	pthread_mutex_lock(&h->lock);
	inode = handles_find(h, ino);
	if (inode != NULL && inode->is_new) {
		/* The first open drops what an earlier one left behind. */
		inode->is_new = false;
		inode->told = version;
	} else if (inode != NULL) {
		is_newer = version > inode->told;
	}
	pthread_mutex_unlock(&h->lock);
	return is_newer;
}

void handles_dropped(struct handles *h, uint64_t ino, uint64_t version)
{
	struct inode *inode;

	pthread_mutex_lock(&h->lock);
	inode = handles_find(h, ino);
	if (inode != NULL && version > inode->told) {
		inode->told = version;
	}
	pthread_mutex_unlock(&h->lock);
}

uint64_t *handles_files(struct handles *h, size_t *count)
{
	struct inode *inode;
	struct inode *next;
	uint64_t *inos;

	*count = 0;
	pthread_mutex_lock(&h->lock);
	inos = mem_alloc((HASH_COUNT(h->inodes) + 1) * sizeof inos[0]);
	HASH_ITER (hh, h->inodes, inode, next) {
		const struct handle *first = LIST_FIRST(&inode->handles);

		if (first != NULL && !first->is_dir) {
			inos[(*count)++] = inode->ino;
		}
	}
	pthread_mutex_unlock(&h->lock);
	return inos;
}

void handles_doubt(struct handles *h, uint64_t ino)
{
	struct inode *inode;

	pthread_mutex_lock(&h->lock);
	inode = handles_find(h, ino);
	if (inode != NULL) {
		inode->told = 0;
	}
	pthread_mutex_unlock(&h->lock);
}

void handles_timer_add(struct handles *h, struct handle *handle)
{
	handle->in_timer = true;
	TAILQ_INSERT_TAIL(&h->timers, handle, timer_link);
	pthread_cond_signal(&h->timer_wake);
}

void handles_timer_remove(struct handles *h, struct handle *handle)
{
	if (handle->in_timer) {
		TAILQ_REMOVE(&h->timers, handle, timer_link);
		handle->in_timer = false;
	}
}
