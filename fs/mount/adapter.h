/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.h - what the files of the mount share.
 *
 * Threads: SERVERS threads take requests from /dev/fuse and never wait; kv's
 * threads answer proposals; two workers go on with reads that waited for a
 * barrier; two notifiers tell the kernel to drop pages; one timer sends
 * truncations that nobody claimed. Lock order: a request's lock, then
 * libfuse's own; the lock of the handles alone. No lock is held while calling
 * the kernel or kv (but for kv_release, which calls nothing back). */
#ifndef FS_MOUNT_ADAPTER_H
#define FS_MOUNT_ADAPTER_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <stdatomic.h>

#include "fs/mount/handle.h"
#include "fs/mount/mount.h"
#include "fs/mount/notify.h"
#include "fs/mount/worker.h"
#include "fs/tree/tree.h"

enum { SERVERS = 8 };

struct mount {
	struct mount_config config; /* strings are the mount's own */
	struct kv *kv;
	struct fuse_session *session;
	struct workers workers;
	struct notify notify;
	struct handles handles;
	pthread_t servers[SERVERS];
	pthread_t timer;
	int wake_fd; /* eventfd: mount_stop(), or a server that ended */
	atomic_bool stopping;
	atomic_bool born;     /* the root was seen */
	atomic_bool failed;   /* the device failed */
	atomic_bool unserved; /* the servers are to end */
	int64_t start_ns;     /* times of the nodes that are not in the tree */

	/* From INIT; written before the first other request. */
	bool wants_parallel_dirops;
	atomic_bool init_answered;

	/* What a thread did before an answer is seen by the one that takes
	 * the request that follows it: the kernel sees to that, and these say
	 * it in the language's own terms. */
	atomic_uint answers;

	pthread_mutex_t lock;
	pthread_cond_t idle;
	size_t outstanding;	     /* requests and truncations; by lock */
	LIST_HEAD(, request) flying; /* that kv may be told to hurry; by lock */
};

/* One more, one less thing that mount_close() has to wait for. */
void mount_busy(struct mount *m);
void mount_done(struct mount *m);

static inline struct mount *mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

#endif
