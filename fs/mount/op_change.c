/* SPDX-License-Identifier: Apache-2.0 */
/* Changing names and attributes: one proposal each, answered by its outcome.
 * Whether the caller may was decided by the kernel (default_permissions). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/mount/gate.h"
#include "fs/mount/ops.h"
#include "fs/mount/virt.h"

int ops_refuse_name(uint64_t dir, const char *name)
{
	if (virt_claims(dir, name)) {
		return EPERM;
	}
	return strlen(name) > LIMIT_NAME_BYTES ? ENAMETOOLONG : 0;
}

static void entry_applied(struct request *r, int error,
			  const struct fs_result *result)
{
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_reply_entry(r, &result->attr);
}

static void plain_applied(struct request *r, int error,
			  const struct fs_result *result)
{
	(void)result;
	request_reply_error(r, error);
}

/* Propose what makes an entry, on behalf of the caller. */
static void make(fuse_req_t req, struct fs_op *op, const char *name)
{
	const struct fuse_ctx *caller = fuse_req_ctx(req);
	int error = ops_refuse_name(op->dir, name);

	if (error != 0) {
		fuse_reply_err(req, error);
		return;
	}
	op->name = bytes_of_text(name);
	op->uid = caller->uid;
	op->gid = caller->gid;
	request_propose(request_new(req), op, entry_applied);
}

void on_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	      dev_t rdev)
{
	struct fs_op op = {.kind = FS_OP_MKNOD,
			   .dir = dir,
			   .mode = mode,
			   .rdev = (uint32_t)rdev};

	make(req, &op, name);
}

void on_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	struct fs_op op = {.kind = FS_OP_MKDIR, .dir = dir, .mode = mode};

	make(req, &op, name);
}

void on_symlink(fuse_req_t req, const char *target, fuse_ino_t dir,
		const char *name)
{
	struct fs_op op = {.kind = FS_OP_SYMLINK,
			   .dir = dir,
			   .mode = 0777,
			   .data = bytes_of_text(target)};

	if (op.data.size > LIMIT_LINK_BYTES) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	make(req, &op, name);
}

void on_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name)
{
	struct fs_op op = {.kind = FS_OP_LINK, .dir = dir, .ino = ino};

	if (virt_owns(ino)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	make(req, &op, name);
}

static void remove_name(fuse_req_t req, enum fs_op_kind kind, uint64_t dir,
			const char *name)
{
	struct fs_op op = {
		.kind = kind, .dir = dir, .name = bytes_of_text(name)};
	int error = ops_refuse_name(dir, name);

	if (error != 0) {
		fuse_reply_err(req, error);
		return;
	}
	request_propose(request_new(req), &op, plain_applied);
}

void on_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, FS_OP_UNLINK, dir, name);
}

void on_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, FS_OP_RMDIR, dir, name);
}

void on_rename(fuse_req_t req, fuse_ino_t dir, const char *name,
	       fuse_ino_t new_dir, const char *new_name, unsigned flags)
{
	struct fs_op op = {.kind = FS_OP_RENAME,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .new_dir = new_dir,
			   .new_name = bytes_of_text(new_name)};
	int error = ops_refuse_name(dir, name);

	if (error == 0) {
		error = ops_refuse_name(new_dir, new_name);
	}
	if (error == 0 &&
	    (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) {
		error = EINVAL; /* RENAME_WHITEOUT */
	}
	if (error != 0) {
		fuse_reply_err(req, error);
		return;
	}
	if (flags & RENAME_NOREPLACE) {
		op.flags |= FS_NOREPLACE;
	}
	if (flags & RENAME_EXCHANGE) {
		op.flags |= FS_EXCHANGE;
	}
	request_propose(request_new(req), &op, plain_applied);
}

/* --- setattr ---------------------------------------------------------------*/

static int64_t ns_of(const struct timespec *t)
{
	const int64_t second_ns = 1000000000;

	/* Beyond what 64 bits of nanoseconds hold (1677 to 2262) the nearest,
	 * as a local filesystem does with its own range. */
	if (t->tv_sec >= INT64_MAX / second_ns) {
		return INT64_MAX / second_ns * second_ns;
	}
	if (t->tv_sec <= INT64_MIN / second_ns) {
		return INT64_MIN / second_ns * second_ns;
	}
	return (int64_t)t->tv_sec * second_ns + t->tv_nsec;
}

enum {
	NAMED_BITS = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
		     FUSE_SET_ATTR_GID | FUSE_SET_ATTR_SIZE |
		     FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
		     FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW,
};

/* The kernel's to_set has bits without a name: test, never compare. */
static void setattr_op(struct fs_op *op, const struct stat *st, int to_set)
{
	op->kind = FS_OP_SETATTR;
	if (to_set & FUSE_SET_ATTR_MODE) {
		op->valid |= FS_SET_MODE;
		op->mode = st->st_mode;
	}
	if (to_set & FUSE_SET_ATTR_UID) {
		op->valid |= FS_SET_UID;
		op->uid = st->st_uid;
	}
	if (to_set & FUSE_SET_ATTR_GID) {
		op->valid |= FS_SET_GID;
		op->gid = st->st_gid;
	}
	if (to_set & FUSE_SET_ATTR_SIZE) {
		op->valid |= FS_SET_SIZE;
		op->size = (uint64_t)st->st_size;
	}
	if (to_set & FUSE_SET_ATTR_ATIME_NOW) {
		op->valid |= FS_SET_ATIME_NOW;
	} else if (to_set & FUSE_SET_ATTR_ATIME) {
		op->valid |= FS_SET_ATIME;
		op->atime_ns = ns_of(&st->st_atim);
	}
	if (to_set & FUSE_SET_ATTR_MTIME_NOW) {
		op->valid |= FS_SET_MTIME_NOW;
	} else if (to_set & FUSE_SET_ATTR_MTIME) {
		op->valid |= FS_SET_MTIME;
		op->mtime_ns = ns_of(&st->st_mtim);
	}
}

static void setattr_applied(struct request *r, int error,
			    const struct fs_result *result)
{
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_reply_attr(r, &result->attr);
}

static void setattr_passed(struct request *r, int error)
{
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_propose(r, &r->op, setattr_applied);
}

/* --- open(O_TRUNC): OPEN, then SETATTR without a handle
 * ----------------------*/

static void opening_failed(struct request *r, int error)
{
	handle_unuse(&r->mount->handles, r->handle);
	r->handle = NULL;
	request_reply_error(r, error);
}

/* The kernel, told the old size, leaves its pages and sizes as they are. */
static void truncate_later(struct request *r)
{
	struct mount *m = r->mount;
	int error = -fs_getattr(kv_newest(m->kv), r->ino, &r->attr);
	struct handle *handle = r->handle;

	if (error != 0) {
		opening_failed(r, error);
		return;
	}
	r->handle = NULL;
	if (gate_open_late(m, handle)) {
		request_reply_attr(r, &r->attr);
		return;
	}
	/* It was another thread's open, and is over: truncate now. */
	r->op = (struct fs_op){
		.kind = FS_OP_SETATTR, .ino = r->ino, .valid = FS_SET_SIZE};
	gate_enter(r, GATE_CHANGE, setattr_passed);
}

static void quorum_proved(struct request *r, int error,
			  const struct fs_result *result)
{
	(void)result;
	if (error != 0) {
		opening_failed(r, error);
		return;
	}
	truncate_later(r);
}

/* The open must fail when the truncation could not be committed. A barrier
 * that was answered shows a quorum; if it was not, a change that changes
 * nothing asks for one, with a change's own deadline. */
static void quorum_ready(struct request *r, int error, bool fell_back)
{
	struct fs_op nothing = {.kind = FS_OP_SETATTR, .ino = r->ino};

	if (error == EINTR) {
		opening_failed(r, error);
	} else if (error != 0 || fell_back) {
		request_propose(r, &nothing, quorum_proved);
	} else {
		truncate_later(r);
	}
}

static void truncate_on_open(fuse_req_t req, struct handle *handle)
{
	struct request *r = request_new(req);

	r->handle = handle;
	r->ino = handle->inode->ino;
	if (handle->has_quorum) {
		truncate_later(r); /* OPEN found it a moment ago */
		return;
	}
	request_barrier(r, KV_READS_FRESH, quorum_ready);
}

void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
		struct fuse_file_info *fi)
{
	struct handle *opening = NULL;
	struct request *r;

	if (virt_owns(ino)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	if (fi == NULL && (to_set & NAMED_BITS) == FUSE_SET_ATTR_SIZE &&
	    st->st_size == 0) {
		opening = handles_opening(&mount_of(req)->handles, ino,
					  fuse_req_ctx(req)->pid);
	}
	if (opening != NULL) {
		truncate_on_open(req, opening);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	if (fi != NULL) {
		r->handle = (void *)(uintptr_t)fi->fh;
		handle_touch(r->handle);
	}
	r->op.ino = ino;
	setattr_op(&r->op, st, to_set);
	gate_enter(r, GATE_CHANGE, setattr_passed);
}
