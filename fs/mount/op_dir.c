/* SPDX-License-Identifier: Apache-2.0 */
/* Listing. OPENDIR, and a READDIR at offset 0 later on (rewinddir), pass a
 * barrier and note where the listing will end; the READDIRs between them read
 * one view each. Offsets: 1 is behind ".", 2 behind "..", then cookies. */
#include <errno.h>

#include "base/mem.h"
#include "fs/mount/gate.h"
#include "fs/mount/ops.h"
#include "fs/mount/virt.h"

enum { AFTER_DOT = 1, AFTER_DOTS = 2 };

static int begin_listing(struct request *r)
{
	struct mount *m = r->mount;
	int error;

	r->handle->end = 0;
	if (!ops_is_born(m)) {
		return 0;
	}
	error = -fs_dir_end(kv_newest(m->kv), r->ino, &r->handle->end);
	return error;
}

static void opendir_ready(struct request *r, int error, bool fell_back)
{
	struct mount *m = r->mount;
	struct handle *handle;

	(void)fell_back;
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	handle = handle_new(&m->handles, r->ino, true, 0);
	r->handle = handle;
	error = begin_listing(r);
	if (error != 0) {
		handle_unuse(&m->handles, handle);
		request_reply_error(r, error);
		return;
	}
	/* Else the first READDIR asks: the root opens for everyone. */
	handle->end_is_fresh = ops_reads_of(m, r->ino) == m->config.reads;
	r->fi.fh = (uintptr_t)handle;
	if (!request_reply_open(r)) {
		handle_unuse(&m->handles, handle);
	}
}

void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct request *r;

	if (virt_owns(ino)) {
		virt_opendir(req, ino, fi);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	r->fi = *fi;
	if (!ops_is_born(m)) {
		opendir_ready(r, 0, false);
		return;
	}
	request_barrier(r, ops_reads_of(m, ino), opendir_ready);
}

/* --- readdir ---------------------------------------------------------------*/

struct page {
	fuse_req_t req;
	char *data;
	size_t used;
	size_t size;
};

static bool page_add(struct page *p, const char *name, uint64_t ino,
		     uint32_t type, uint64_t offset)
{
	struct stat st = {.st_ino = ino, .st_mode = type};
	size_t more;

	more = fuse_add_direntry(p->req, p->data + p->used, p->size - p->used,
				 name, &st, (off_t)offset);
	if (more > p->size - p->used) {
		return false;
	}
	p->used += more;
	return true;
}

static bool page_add_entry(void *context, const struct fs_dirent *entry)
{
	char name[LIMIT_NAME_BYTES + 1];
	size_t i;

	CHECK(entry->name.size < sizeof name);
	for (i = 0; i < entry->name.size; i++) {
		name[i] = (char)entry->name.data[i];
	}
	name[i] = '\0';
	return page_add(context, name, entry->ino, entry->type, entry->cookie);
}

static int page_fill(struct request *r, struct kv_reader *reader,
		     struct page *p)
{
	uint64_t parent = FS_ROOT;
	uint64_t after = r->offset;
	bool is_born = ops_is_born(r->mount);

	if (after < AFTER_DOT &&
	    !page_add(p, ".", r->ino, S_IFDIR, AFTER_DOT)) {
		return 0;
	}
	if (after < AFTER_DOTS) {
		if (is_born && fs_parent(reader, r->ino, &parent) != 0) {
			parent = r->ino; /* removed meanwhile */
		}
		if (!page_add(p, "..", parent, S_IFDIR, AFTER_DOTS)) {
			return 0;
		}
		after = AFTER_DOTS;
	}
	if (!is_born) {
		return 0;
	}
	return fs_readdir(reader, r->ino, after, r->handle->end, page_add_entry,
			  p);
}

static void readdir_now(struct request *r)
{
	struct mount *m = r->mount;
	struct page page = {.req = r->req, .size = r->size};
	struct kv_view *view;
	int error;

	page.data = (char *)buffer_reserve(&r->text, r->size);
	view = kv_view_open(m->kv);
	error = -page_fill(r, &view->reader, &page);
	kv_view_close(m->kv, view);
	if (error == ESTALE) {
		error = 0; /* a removed folder is empty */
	}
	if (error != 0) {
		request_reply_error(r, error);
		return;
	}
	request_reply_data(r, page.data, page.used);
}

static void rewound_ready(struct request *r, int error, bool fell_back)
{
	(void)fell_back;
	if (error == 0) {
		error = begin_listing(r);
	}
	if (error != 0 && error != ESTALE) {
		request_reply_error(r, error);
		return;
	}
	readdir_now(r);
}

void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	struct request *r;

	if (virt_owns(ino)) {
		virt_readdir(req, size, offset);
		return;
	}
	r = request_new(req);
	r->ino = ino;
	r->size = size;
	r->offset = (uint64_t)offset;
	r->handle = (void *)(uintptr_t)fi->fh;
	if (offset == 0 && !r->handle->end_is_fresh && ops_is_born(m)) {
		request_barrier(r, m->config.reads, rewound_ready);
		return;
	}
	r->handle->end_is_fresh = false;
	readdir_now(r);
}

void on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);

	if (!virt_owns(ino)) {
		handle_unuse(&m->handles, (void *)(uintptr_t)fi->fh);
	}
	fuse_reply_err(req, 0);
}

/* What a change made is on a majority's disks when it returns. */
void on_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, 0);
}
