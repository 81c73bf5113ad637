/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, writing and closing files.
 *
 * Files are read and written through no page cache (direct_io). With one, a
 * read(2) is a GETATTR and then a READ, and what happened in between shows as
 * the size of one content over the bytes of another: a torn line under a
 * writer on this very node. So a read(2) is one READ, of one moment. Pages are
 * in the kernel for memory maps alone (init.c, H3).
 *
 * A write is committed or refused in the reply to WRITE: `echo` looks at no
 * other. See trunc.h and gate.h for O_TRUNC. */
#include <errno.h>
#include <fcntl.h>

#include "fs/mount/gate.h"
#include "fs/mount/ops.h"
#include "fs/mount/virt.h"

/* --- open ------------------------------------------------------------------*/

/* r->handle and r->attr are there; the kernel's pages are right. */
static void open_end(struct request *r, bool created)
{
	struct mount *m = r->mount;
	struct handle *handle = r->handle;
	bool reached;

	r->fi.direct_io = 1;
	r->fi.keep_cache = 0; /* an earlier open may have left pages */
	r->fi.fh = (uintptr_t)handle;
	reached = created ? request_reply_create(r, &r->attr)
			  : request_reply_open(r);
	if (!reached) {
		gate_abandon(m, handle);
	}
}

static void open_reply(struct request *r)
{
	open_end(r, false);
}

static void open_ready(struct request *r, int error, bool fell_back)
{
	struct mount *m = r->mount;

	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	r->handle = handle_new(&m->handles, r->ino, false,
			       fuse_req_ctx(r->req)->pid);
	if ((r->fi.flags & O_ACCMODE) == O_RDONLY) {
		handle_touch(r->handle); /* no truncation follows */
	}
	r->handle->has_quorum = !fell_back && m->config.reads != KV_READS_LOCAL;
	error = -fs_getattr(kv_newest(m->kv), r->ino, &r->attr);
	if (error != 0) {
		handle_unuse(&m->handles, r->handle);
		request_reply_error(r, error);
		return;
	}
	request_cohere(r, open_reply);
}

void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct request *r;

	if (virt_owns(ino)) {
		virt_open(req, ino, fi);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	r->fi = *fi;
	request_barrier(r, m->config.reads, open_ready);
}

/* --- create ----------------------------------------------------------------*/

/* The kernel checks no permission for what CREATE opens. Supplementary groups
 * are not looked at: who needs them is sent through LOOKUP and OPEN. */
static bool may_open(struct request *r, const struct fs_attr *attr)
{
	const struct fuse_ctx *caller = fuse_req_ctx(r->req);
	int access = r->fi.flags & O_ACCMODE;
	uint32_t want = 0;
	uint32_t bits = attr->mode;

	if (caller->uid == 0) {
		return true;
	}
	if (access != O_WRONLY) {
		want |= 4;
	}
	if (access != O_RDONLY || (r->fi.flags & O_TRUNC)) {
		want |= 2;
	}
	if (caller->uid == attr->uid) {
		bits >>= 6;
	} else if (caller->gid == attr->gid) {
		bits >>= 3;
	}
	return (bits & want) == want;
}

static void create_reply(struct request *r)
{
	open_end(r, true);
}

static void create_applied(struct request *r, int error,
			   const struct fs_result *result)
{
	struct mount *m = r->mount;

	if (error == ELOOP) {
		error = ESTALE; /* a symbolic link appeared: look again */
	}
	if (error == 0 && !result->created &&
	    (!S_ISREG(result->attr.mode) || !may_open(r, &result->attr))) {
		error = ESTALE; /* the kernel looks again, and then opens */
	}
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	r->attr = result->attr;
	r->ino = result->attr.ino;
	r->handle = handle_new(&m->handles, r->ino, false, 0);
	handle_touch(r->handle); /* no SETATTR follows a CREATE */
	if (!result->created && (r->fi.flags & O_TRUNC)) {
		gate_open(m, r->handle);
	}
	request_cohere(r, create_reply);
}

void on_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	struct fs_op op = {.kind = FS_OP_CREATE,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .mode = mode,
			   .uid = caller->uid,
			   .gid = caller->gid};
	int error = ops_refuse_name(dir, name);
	struct request *r;

	if (error != 0) {
		fuse_reply_err(req, error);
		return;
	}
	if (fi->flags & O_EXCL) {
		op.flags |= FS_EXCL;
	}
	r = request_new(req);
	r->fi = *fi;
	request_propose(r, &op, create_applied);
}

/* --- write -----------------------------------------------------------------*/

static void write_applied(struct request *r, int error,
			  const struct fs_result *result)
{
	size_t written = error == 0 ? (size_t)result->written : 0;

	gate_leave(r, error == 0);
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_reply_written(r, written);
}

static void write_passed(struct request *r, int error)
{
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	if (r->carries) {
		r->op.flags |= FS_TRUNCATE;
	}
	request_propose(r, &r->op, write_applied);
}

void on_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *fi)
{
	struct request *r;

	if (virt_owns(ino)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	r->handle = (void *)(uintptr_t)fi->fh;
	handle_touch(r->handle);
	r->op = (struct fs_op){.kind = FS_OP_WRITE,
			       .ino = ino,
			       .offset = (uint64_t)offset,
			       .data = bytes_of(data, size)};
	if ((fi->flags & O_APPEND) && !fi->writepage) {
		r->op.flags |= FS_APPEND;
		r->op.offset = 0; /* the kernel's idea of it */
	}
	if (fuse_req_ctx(req)->uid != 0 && !fi->writepage) {
		/* Without a page cache the kernel leaves this to us. */
		r->op.flags |= FS_KILLPRIV;
	}
	gate_enter(r, GATE_WRITE, write_passed);
}

/* --- flush, fsync, release -------------------------------------------------*/

static void sync_passed(struct request *r, int error)
{
	request_reply_error(r, error);
}

static void sync_handle(fuse_req_t req, uint64_t ino, struct handle *handle)
{
	struct request *r = request_new(req);

	r->ino = ino;
	r->handle = handle;
	handle_touch(handle);
	gate_enter(r, GATE_SYNC, sync_passed);
}

void on_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *handle = (void *)(uintptr_t)fi->fh;
	struct handles *h = &mount_of(req)->handles;
	bool waits = false;

	if (!virt_owns(ino)) {
		handle_touch(handle);
		pthread_mutex_lock(&h->lock);
		waits = trunc_flush(&handle->trunc);
		pthread_mutex_unlock(&h->lock);
	}
	if (!waits) {
		fuse_reply_err(req, 0);
		return;
	}
	sync_handle(req, ino, handle);
}

/* All that was answered is on the disks of a majority already. */
void on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi)
{
	(void)datasync;
	if (virt_owns(ino)) {
		fuse_reply_err(req, 0);
		return;
	}
	sync_handle(req, ino, (void *)(uintptr_t)fi->fh);
}

void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (virt_owns(ino)) {
		virt_release(req, fi);
		return;
	}
	gate_close(mount_of(req), (void *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
