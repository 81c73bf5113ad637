/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - one request of the kernel on its way.
 *
 * A handler makes it, sends it through one or more stages (a barrier, a
 * proposal, the gate of gate.c, a drop of pages), each of which calls it back,
 * and ends it with exactly one reply.
 *
 * Q1  one reply each: every request_reply_* ends the request
 * Q2  a stage's callback may run on any thread, before the stage's call
 *     returned; nobody touches the request after starting a stage
 * Q3  a signal hurries the stage under way. It is registered with libfuse
 *     once kv's number is known, under `lock` and only if the stage has not
 *     ended; unregistered, without `lock`, before the stage's callback. libfuse
 *     calls back with its own lock held, so kv is told from a worker. */
#ifndef FS_MOUNT_REQUEST_H
#define FS_MOUNT_REQUEST_H

#include "fs/mount/adapter.h"

struct request {
	struct mount *mount;
	fuse_req_t req;

	/* The stage under way; by lock. */
	pthread_mutex_t lock;
	unsigned stage; /* counts them */
	bool stage_ended;
	bool is_barrier;
	bool is_registered;
	uint64_t number;
	LIST_ENTRY(request) flying;
	atomic_int users;
	atomic_bool interrupt_queued;
	struct job interrupt_job;

	/* What follows the stage. */
	struct job job;
	void (*ready)(struct request *r, int error, bool fell_back);
	void (*applied)(struct request *r, int error,
			const struct fs_result *result);
	void (*passed)(struct request *r, int error);
	void (*dropped)(struct request *r);
	int error; /* positive errno */
	bool fell_back;
	STAILQ_ENTRY(request) queue; /* of the gate or of a drop */
	unsigned gate_way;
	bool gate_tried; /* its handle's truncation was sent for it once */
	bool carries;	 /* the write has the handle's truncation with it */

	/* Arguments and what was found; the handler's business. */
	uint64_t ino;
	uint64_t offset;
	size_t size;
	struct handle *handle;
	struct fuse_file_info fi;
	struct fs_op op;
	struct buffer text; /* owns what op points to, when it must last */
	struct fs_attr attr;
};

/* Every new request is given back by a reply. */
struct request *request_new(fuse_req_t req);

/* Call ready(r, ...) when reads may be answered as `reads` promises. Before
 * this returns, or later on a worker. error: a positive errno. */
void request_barrier(struct request *r, enum kv_reads reads,
		     void (*ready)(struct request *r, int error,
				   bool fell_back));
/* Propose op (encoded before this returns) and call applied(r, ...) with its
 * outcome. error: a positive errno, of the proposal or of the result. */
void request_propose(struct request *r, const struct fs_op *op,
		     void (*applied)(struct request *r, int error,
				     const struct fs_result *result));
/* Call dropped(r), at once or when the kernel has no pages of r->attr's file
 * that are older than r->attr. */
void request_cohere(struct request *r, void (*dropped)(struct request *r));
void request_dropped(struct request *r); /* by notify.c */

/* Tell kv to end what is under way for r. Any thread; by mount_close(). */
void request_hurry(struct request *r);
void request_use(struct request *r);
void request_unuse(struct request *r);

/* Replies. */
void request_reply_error(struct request *r, int error); /* 0: done */
void request_reply_attr(struct request *r, const struct fs_attr *attr);
void request_reply_entry(struct request *r, const struct fs_attr *attr);
void request_reply_data(struct request *r, const void *data, size_t size);
void request_reply_written(struct request *r, size_t size);
/* false: the caller was gone; there will be no RELEASE. */
MUST_USE bool request_reply_open(struct request *r);
MUST_USE bool request_reply_create(struct request *r,
				   const struct fs_attr *attr);

void attr_to_stat(const struct fs_attr *attr, struct stat *st);

#endif
