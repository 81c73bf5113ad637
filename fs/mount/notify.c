/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/notify.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "fs/mount/adapter.h"
#include "fs/mount/request.h"
#include "fs/mount/thread.h"

struct drop {
	uint64_t ino;
	uint64_t version; /* the newest that a waiter found */
	struct request_queue waiters;
	STAILQ_ENTRY(drop) link;
};

static void drop_run(struct mount *m, struct drop *d)
{
	struct request *r;
	int rc;

	rc = fuse_lowlevel_notify_inval_inode(m->session, d->ino, 0, 0);
	if (rc != 0 && rc != -ENOENT && !atomic_load(&m->stopping)) {
		/* ENOENT: the kernel has forgotten it. */
		log_debug("dropping pages failed ino=%llu error=%s",
			  (unsigned long long)d->ino, strerror(-rc));
	}
	handles_dropped(&m->handles, d->ino, d->version);
	while ((r = STAILQ_FIRST(&d->waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->waiters, queue);
		request_dropped(r);
	}
	mem_free(d);
}

static void *notify_run(void *context)
{
	struct notify *n = context;

	pthread_mutex_lock(&n->lock);
	for (;;) {
		struct drop *d = STAILQ_FIRST(&n->drops);

		if (d != NULL) {
			STAILQ_REMOVE_HEAD(&n->drops, link);
			pthread_mutex_unlock(&n->lock);
			drop_run(n->mount, d);
			pthread_mutex_lock(&n->lock);
		} else if (n->stopping) {
			break;
		} else {
			pthread_cond_wait(&n->wake, &n->lock);
		}
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

void notify_start(struct notify *n, struct mount *mount)
{
	size_t i;

	n->mount = mount;
	n->stopping = false;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->wake, NULL);
	STAILQ_INIT(&n->drops);
	for (i = 0; i < NOTIFIERS; i++) {
		thread_start(&n->threads[i], "raftfs-notify", notify_run, n);
	}
}

/* The lock is held. A drop of ino that has not begun. */
static struct drop *drop_of(struct notify *n, uint64_t ino)
{
	struct drop *d;

	STAILQ_FOREACH (d, &n->drops, link) {
		if (d->ino == ino) {
			return d;
		}
	}
	d = mem_zalloc(sizeof *d);
	d->ino = ino;
	STAILQ_INIT(&d->waiters);
	STAILQ_INSERT_TAIL(&n->drops, d, link);
	pthread_cond_signal(&n->wake);
	return d;
}

void notify_drop(struct notify *n, uint64_t ino, uint64_t version,
		 struct request *r)
{
	struct drop *d;

	pthread_mutex_lock(&n->lock);
	if (n->stopping) {
		pthread_mutex_unlock(&n->lock);
		request_dropped(r);
		return;
	}
	d = drop_of(n, ino);
	if (version > d->version) {
		d->version = version;
	}
	STAILQ_INSERT_TAIL(&d->waiters, r, queue);
	pthread_mutex_unlock(&n->lock);
}

void notify_drop_all(struct notify *n)
{
	size_t count;
	uint64_t *inos = handles_files(&n->mount->handles, &count);

	for (size_t i = 0; i < count; i++) {
		pthread_mutex_lock(&n->lock);
		if (!n->stopping) {
			(void)drop_of(n, inos[i]);
		}
		pthread_mutex_unlock(&n->lock);
	}
	mem_free(inos);
}

void notify_noted(void *context, uint64_t index, struct bytes note)
{
	struct mount *m = context;

	if (note.size == 0) {
		log_info("the state was replaced: dropping the pages of all "
			 "open files index=%llu",
			 (unsigned long long)index);
		notify_drop_all(&m->notify);
	}
}

void notify_stop(struct notify *n)
{
	size_t i;

	pthread_mutex_lock(&n->lock);
	n->stopping = true;
	pthread_cond_broadcast(&n->wake);
	pthread_mutex_unlock(&n->lock);
	for (i = 0; i < NOTIFIERS; i++) {
		pthread_join(n->threads[i], NULL);
	}
	CHECK(STAILQ_EMPTY(&n->drops));
}

void notify_deinit(struct notify *n)
{
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->lock);
}
