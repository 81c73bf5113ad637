/* SPDX-License-Identifier: Apache-2.0 */
/* Looking: a barrier, then the newest applied state. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount/ops.h"
#include "fs/mount/virt.h"

bool ops_is_born(struct mount *m)
{
	struct fs_attr attr;

	if (atomic_load_explicit(&m->born, memory_order_relaxed)) {
		return true;
	}
	if (fs_getattr(kv_newest(m->kv), FS_ROOT, &attr) != 0) {
		return false;
	}
	atomic_store(&m->born, true);
	return true;
}

struct fs_attr ops_unborn_root(const struct mount *m)
{
	struct fs_attr attr = {
		.ino = FS_ROOT,
		.mode = S_IFDIR | 0755,
		.uid = geteuid(),
		.gid = getegid(),
		.nlink = 2,
		.atime_ns = m->start_ns,
		.mtime_ns = m->start_ns,
		.ctime_ns = m->start_ns,
	};

	return attr;
}

/* --- lookup ----------------------------------------------------------------*/

static void lookup_reply(struct request *r)
{
	handles_walked(&r->mount->handles, r->attr.ino,
		       fuse_req_ctx(r->req)->pid);
	request_reply_entry(r, &r->attr);
}

static void lookup_ready(struct request *r, int error, bool fell_back)
{
	(void)fell_back;
	if (error == 0) {
		error = -fs_lookup(kv_newest(r->mount->kv), r->ino,
				   buffer_bytes(&r->text), &r->attr);
	}
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_cohere(r, lookup_reply);
}

void on_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct mount *m = mount_of(req);
	size_t size = strlen(name);
	struct request *r;

	if (virt_claims(dir, name)) {
		virt_lookup(req, dir, name);
		return;
	}
	if (size > LIMIT_NAME_BYTES || !ops_is_born(m)) {
		fuse_reply_err(req,
			       size > LIMIT_NAME_BYTES ? ENAMETOOLONG : ENOENT);
		return;
	}
	r = request_new(req);
	r->ino = dir;
	buffer_append(&r->text, name, size);
	request_barrier(r, m->config.reads, lookup_ready);
}

/* --- getattr ---------------------------------------------------------------*/

static void getattr_reply(struct request *r)
{
	struct fs_attr attr = r->attr;

	if (r->handle != NULL &&
	    handle_hides_content(&r->mount->handles, r->handle)) {
		attr.size = 0;
		attr.blocks = 0;
	}
	request_reply_attr(r, &attr);
}

static void getattr_ready(struct request *r, int error, bool fell_back)
{
	(void)fell_back;
	if (error == 0) {
		error = -fs_getattr(kv_newest(r->mount->kv), r->ino, &r->attr);
	}
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_cohere(r, getattr_reply);
}

enum kv_reads ops_reads_of(const struct mount *m, uint64_t ino)
{
	return ino == FS_ROOT && m->config.reads == KV_READS_STRICT
		       ? KV_READS_FRESH
		       : m->config.reads;
}

void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct request *r;

	if (virt_owns(ino)) {
		virt_getattr(req, ino);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	if (fi != NULL) {
		r->handle = (void *)(uintptr_t)fi->fh;
		handle_touch(r->handle);
	}
	if (!ops_is_born(m) && ino == FS_ROOT) {
		r->attr = ops_unborn_root(m);
		request_reply_attr(r, &r->attr);
		return;
	}
	request_barrier(r, ops_reads_of(m, ino), getattr_ready);
}

/* --- readlink --------------------------------------------------------------*/

static void readlink_ready(struct request *r, int error, bool fell_back)
{
	(void)fell_back;
	if (error == 0) {
		error = -fs_readlink(kv_newest(r->mount->kv), r->ino, &r->text);
	}
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_reply_data(r, r->text.data, r->text.size);
}

/* An inode's link target never changes and numbers are never used again: what
 * LOOKUP was sure of, needs no barrier of its own. */
void on_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct request *r;

	if (virt_owns(ino)) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	readlink_ready(r, 0, false);
}

/* --- read ------------------------------------------------------------------*/

static void read_ready(struct request *r, int error, bool fell_back)
{
	struct mount *m = r->mount;
	struct kv_view *view;

	(void)fell_back;
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	if (handle_hides_content(&m->handles, r->handle)) {
		/* Where it was for a memory map the kernel takes it for the
		 * end of the file and fills the page with zeros, for all. */
		handles_doubt(&m->handles, r->ino);
		request_reply_data(r, NULL, 0);
		return;
	}
	view = kv_view_open(m->kv);
	error = -fs_read(&view->reader, r->ino, r->offset, r->size, &r->text,
			 NULL);
	kv_view_close(m->kv, view);
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_reply_data(r, r->text.data, r->text.size);
}

void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct request *r;

	if (virt_owns(ino)) {
		virt_read(req, size, offset, fi);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	r->size = size;
	r->offset = (uint64_t)offset;
	r->handle = (void *)(uintptr_t)fi->fh;
	handle_touch(r->handle);
	request_barrier(r, m->config.reads, read_ready);
}

/* --- statfs ----------------------------------------------------------------*/

/* No barrier: df answers whatever the cluster does. */
void on_statfs(fuse_req_t req, fuse_ino_t ino)
{
	enum { BLOCK_BYTES = 4096 };
	struct mount *m = mount_of(req);
	struct fs_usage u = {0};
	struct statvfs st = {
		.f_bsize = BLOCK_BYTES,
		.f_frsize = BLOCK_BYTES,
		.f_namemax = LIMIT_NAME_BYTES,
	};

	(void)ino;
	if (!ops_is_born(m) || fs_usage(kv_newest(m->kv), &u) != 0) {
		u = (struct fs_usage){.bytes_max = LIMIT_TOTAL_BYTES,
				      .inodes_max = LIMIT_INODES};
	}
	st.f_blocks = u.bytes_max / BLOCK_BYTES;
	if (u.bytes_used < u.bytes_max) {
		st.f_bfree = (u.bytes_max - u.bytes_used) / BLOCK_BYTES;
	}
	st.f_bavail = st.f_bfree;
	st.f_files = u.inodes_max;
	if (u.inodes_used < u.inodes_max) {
		st.f_ffree = u.inodes_max - u.inodes_used;
	}
	st.f_favail = st.f_ffree;
	fuse_reply_statfs(req, &st);
}
