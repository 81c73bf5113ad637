/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the kernel is answered (Q1). Names and attributes are
 * never to be cached: other nodes change them. */
#include <errno.h>

#include "fs/mount/request.h"

enum {
	/* What st_blksize advises: programs that write through a buffer of
	 * this size make one entry of it. */
	BUFFER_BYTES = 65536,
	NANOSECONDS = 1000000000,
};

static struct timespec timespec_of(int64_t ns)
{
	struct timespec t = {.tv_sec = ns / NANOSECONDS,
			     .tv_nsec = ns % NANOSECONDS};

	if (t.tv_nsec < 0) { /* before 1970 */
		t.tv_nsec += NANOSECONDS;
		t.tv_sec--;
	}
	return t;
}

void attr_to_stat(const struct fs_attr *attr, struct stat *st)
{
	*st = (struct stat){
		.st_ino = attr->ino,
		.st_mode = attr->mode,
		.st_nlink = attr->nlink,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_rdev = attr->rdev,
		.st_size = (off_t)attr->size,
		.st_blocks = (blkcnt_t)attr->blocks,
		.st_blksize = BUFFER_BYTES,
		.st_atim = timespec_of(attr->atime_ns),
		.st_mtim = timespec_of(attr->mtime_ns),
		.st_ctim = timespec_of(attr->ctime_ns),
	};
}

static void entry_of(const struct fs_attr *attr, struct fuse_entry_param *e)
{
	*e = (struct fuse_entry_param){.ino = attr->ino};
	attr_to_stat(attr, &e->attr);
}

void request_reply_error(struct request *r, int error)
{
	if (error != 0 && atomic_load(&r->mount->stopping)) {
		error = ENOTCONN;
	}
	fuse_reply_err(r->req, error);
	request_unuse(r);
}

void request_reply_attr(struct request *r, const struct fs_attr *attr)
{
	struct stat st;

	attr_to_stat(attr, &st);
	fuse_reply_attr(r->req, &st, 0);
	request_unuse(r);
}

void request_reply_entry(struct request *r, const struct fs_attr *attr)
{
	struct fuse_entry_param e;

	entry_of(attr, &e);
	fuse_reply_entry(r->req, &e);
	request_unuse(r);
}

void request_reply_data(struct request *r, const void *data, size_t size)
{
	fuse_reply_buf(r->req, data, size);
	request_unuse(r);
}

void request_reply_written(struct request *r, size_t size)
{
	fuse_reply_write(r->req, size);
	request_unuse(r);
}

bool request_reply_open(struct request *r)
{
	int rc = fuse_reply_open(r->req, &r->fi);

	request_unuse(r);
	return rc != -ENOENT;
}

bool request_reply_create(struct request *r, const struct fs_attr *attr)
{
	struct fuse_entry_param e;
	int rc;

	entry_of(attr, &e);
	rc = fuse_reply_create(r->req, &e, &r->fi);
	request_unuse(r);
	return rc != -ENOENT;
}
