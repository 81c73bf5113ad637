/* SPDX-License-Identifier: Apache-2.0 */
/* handle.h - open files and directories, and the inodes they keep.
 *
 * For each inode with an open handle the mount keeps the content version that
 * the kernel was last told (design.md 5), and tells kv that it is in use, so
 * that an unlinked one stays readable until its last close.
 *
 * H1  an inode is in the table exactly while it has a handle
 * H2  `told` only rises, but for handles_doubt()
 * H3  pages in the kernel are of version `told` or newer; a request that
 *     finds a newer version is answered after the pages were dropped
 *
 * Any thread; one lock, held for a few instructions. A handle has a count of
 * users: the open file, a truncation under way, an open under way. */
#ifndef FS_MOUNT_HANDLE_H
#define FS_MOUNT_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "fs/mount/trunc.h"
#include "kv/kv.h"

#include <uthash.h>

struct request;
STAILQ_HEAD(request_queue, request);

struct inode {
	uint64_t ino;
	unsigned opens;
	LIST_HEAD(, handle) handles;  /* latest first */
	bool is_new;		      /* nothing was told yet */
	uint64_t told;		      /* content version */
	LIST_HEAD(, handle) truncs;   /* handles whose truncation is not NONE */
	struct request_queue waiters; /* for a truncation under way */
	UT_hash_handle hh;
};

struct handle {
	struct inode *inode;
	int users;
	bool is_dir;

	/* The open(2) that made it may still be under way (gate.h). */
	pid_t opener;	      /* the thread, as the kernel says it */
	atomic_bool is_fresh; /* nothing came through the handle yet */
	bool has_quorum;      /* the open's barrier was answered */

	/* Of a directory: where a listing ends, as of its start. */
	uint64_t end;
	bool end_is_fresh; /* from OPENDIR; the first READDIR may use it */

	/* Of a file opened with O_TRUNC. */
	struct trunc trunc;
	struct handle *server; /* SERVED: whose write carries it */
	int trunc_error;       /* positive errno of the last one sent alone */
	uint64_t due_ms;       /* when it is sent anyway */
	bool in_timer;
	LIST_ENTRY(handle) trunc_link;
	TAILQ_ENTRY(handle) timer_link;
	STAILQ_ENTRY(handle) send_link; /* while being collected, gate.c */
	LIST_ENTRY(handle) all_link;
	LIST_ENTRY(handle) inode_link;
};
STAILQ_HEAD(handle_queue, handle);

struct handles {
	struct kv *kv;
	pthread_mutex_t lock;
	struct inode *inodes; /* uthash by ino */
	LIST_HEAD(, handle) all;
	TAILQ_HEAD(, handle) timers; /* rising due_ms */
	pthread_cond_t timer_wake;
	bool timer_stopping; /* by lock */
};

void handles_init(struct handles *h, struct kv *kv);
void handles_deinit(struct handles *h); /* forgets what is still open */

/* Add a handle; from now on the inode is held. */
struct handle *handle_new(struct handles *h, uint64_t ino, bool is_dir,
			  pid_t opener);
/* The file was closed, or a truncation ended. May free it. */
void handle_unuse(struct handles *h, struct handle *handle);

/* A request found this version of a file. Return true when the kernel's pages
 * are older and must be dropped before it is answered. */
bool handles_must_drop(struct handles *h, uint64_t ino, uint64_t version);
/* The pages were dropped after this version was visible. */
void handles_dropped(struct handles *h, uint64_t ino, uint64_t version);
/* The inodes of the files that are open; returned, mem_free() them. */
uint64_t *handles_files(struct handles *h, size_t *count);
/* The kernel may have got pages that are not the file's content. */
void handles_doubt(struct handles *h, uint64_t ino);

/* A request came through the handle: its open has returned. */
void handle_touch(struct handle *handle);
/* This thread walked to ino by name: no open of its own is under way there. */
void handles_walked(struct handles *h, uint64_t ino, pid_t pid);
/* The handle of ino whose open this thread is still in, used: gate_open_late()
 * or handle_unuse() it; or NULL. */
struct handle *handles_opening(struct handles *h, uint64_t ino, pid_t pid);
/* This handle sees an empty file (trunc.h). */
bool handle_hides_content(struct handles *h, const struct handle *handle);

/* With the lock held: */
struct inode *handles_find(struct handles *h, uint64_t ino);
void handles_unuse_locked(struct handles *h, struct handle *handle);
/* The truncation of handle begins to wait for due_ms, or no longer does. */
void handles_timer_add(struct handles *h, struct handle *handle);
void handles_timer_remove(struct handles *h, struct handle *handle);

#endif
