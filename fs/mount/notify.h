/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - the threads that tell the kernel to drop a file's pages.
 *
 * Dropping waits for pages that a READ or WRITE under way has locked; called
 * by whoever answers those it would never return. So it has threads of its
 * own, which hold no lock meanwhile, and for which neither apply nor replies
 * of changes wait. Only the requests that found newer content do.
 *
 * Requests that wait for one inode share a drop, as long as it has not begun:
 * one that begins later covers what they found.
 *
 * When the whole state was replaced (kv_watch: an empty note) the pages of
 * every open file are dropped without being asked for: memory maps of content
 * that came with it would go on showing what was before. */
#ifndef FS_MOUNT_NOTIFY_H
#define FS_MOUNT_NOTIFY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "fs/mount/handle.h"

enum { NOTIFIERS = 2 }; /* one file that waits does not hold up all others */

struct drop;
struct mount;

struct notify {
	struct mount *mount;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	STAILQ_HEAD(, drop) drops; /* not begun; by lock */
	bool stopping;		   /* by lock */
	pthread_t threads[NOTIFIERS];
};

void notify_start(struct notify *n, struct mount *mount);
/* Drop the pages of ino, of which r found this version, then go on with
 * request_dropped(r). Any thread; does not block. */
void notify_drop(struct notify *n, uint64_t ino, uint64_t version,
		 struct request *r);
/* Drop the pages of every open file. Any thread; does not block. */
void notify_drop_all(struct notify *n);
/* A watcher's (kv_watch); context: the mount. */
void notify_noted(void *context, uint64_t index, struct bytes note);
/* Serve what is queued, then end the threads. Blocks; requests must still be
 * answered meanwhile. Later drops are not carried out: the mount goes. */
void notify_stop(struct notify *n);
void notify_deinit(struct notify *n);

#endif
