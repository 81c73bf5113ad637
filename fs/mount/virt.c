/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/virt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fs/control/control.h"
#include "fs/mount/request.h"

static const char folder_name[] = ".raftfs";

bool virt_owns(uint64_t ino)
{
	return ino >= VIRT_DIR;
}

bool virt_claims(uint64_t dir, const char *name)
{
	return virt_owns(dir) ||
	       (dir == FS_ROOT && strcmp(name, folder_name) == 0);
}

static struct fs_attr virt_attr(const struct mount *m, uint64_t ino)
{
	struct fs_attr attr = {
		.ino = ino,
		.mode = ino == VIRT_DIR ? S_IFDIR | 0555 : S_IFREG | 0444,
		.uid = geteuid(),
		.gid = getegid(),
		.nlink = ino == VIRT_DIR ? 2 : 1,
		.atime_ns = m->start_ns,
		.mtime_ns = m->start_ns,
		.ctime_ns = m->start_ns,
	};

	return attr;
}

void virt_lookup(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	struct fuse_entry_param e = {0};
	const struct control_file *files;
	struct fs_attr attr;
	size_t count;
	size_t i;

	files = control_files(&count);
	if (dir == FS_ROOT) {
		e.ino = VIRT_DIR;
	}
	for (i = 0; i < count && e.ino == 0; i++) {
		if (strcmp(files[i].name, name) == 0) {
			e.ino = VIRT_DIR + 1 + i;
		}
	}
	if (e.ino == 0) {
		fuse_reply_err(req, dir == VIRT_DIR ? ENOENT : ENOTDIR);
		return;
	}
	attr = virt_attr(mount_of(req), e.ino);
	attr_to_stat(&attr, &e.attr);
	fuse_reply_entry(req, &e);
}

void virt_getattr(fuse_req_t req, fuse_ino_t ino)
{
	struct fs_attr attr = virt_attr(mount_of(req), ino);
	struct stat st;

	attr_to_stat(&attr, &st);
	fuse_reply_attr(req, &st, 0);
}

void virt_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mount *m = mount_of(req);
	const struct control_file *files;
	struct buffer *text;
	size_t count;

	files = control_files(&count);
	if (ino - VIRT_DIR > count) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC)) {
		fuse_reply_err(req, EACCES); /* root, too */
		return;
	}
	text = mem_zalloc(sizeof *text);
	files[ino - VIRT_DIR - 1].text(m->kv, m->config.reads, text);
	fi->fh = (uintptr_t)text;
	fi->direct_io = 1; /* the size is not known before */
	if (fuse_reply_open(req, fi) == -ENOENT) {
		buffer_deinit(text);
		mem_free(text);
	}
}

void virt_read(fuse_req_t req, size_t size, off_t offset,
	       struct fuse_file_info *fi)
{
	const struct buffer *text = (void *)(uintptr_t)fi->fh;
	size_t at = (uint64_t)offset < text->size ? (size_t)offset : text->size;

	if (size > text->size - at) {
		size = text->size - at;
	}
	fuse_reply_buf(req, size > 0 ? (const char *)text->data + at : NULL,
		       size);
}

void virt_release(fuse_req_t req, struct fuse_file_info *fi)
{
	struct buffer *text = (void *)(uintptr_t)fi->fh;

	buffer_deinit(text);
	mem_free(text);
	fuse_reply_err(req, 0);
}

void virt_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (ino != VIRT_DIR) {
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	fi->fh = 0;
	fuse_reply_open(req, fi);
}

/* Place 0 is ".", 1 "..", then the files. */
void virt_readdir(fuse_req_t req, size_t size, off_t offset)
{
	const struct control_file *files;
	char *page = mem_alloc(size);
	size_t used = 0;
	size_t count;
	uint64_t i;

	files = control_files(&count);
	for (i = (uint64_t)offset; i < count + 2; i++) {
		struct stat st = {.st_ino = VIRT_DIR, .st_mode = S_IFDIR};
		const char *name = i == 0 ? "." : "..";
		size_t more;

		if (i == 1) {
			st.st_ino = FS_ROOT;
		} else if (i > 1) {
			name = files[i - 2].name;
			st.st_ino = VIRT_DIR + i - 1;
			st.st_mode = S_IFREG;
		}
		more = fuse_add_direntry(req, page + used, size - used, name,
					 &st, (off_t)i + 1);
		if (more > size - used) {
			break;
		}
		used += more;
	}
	fuse_reply_buf(req, page, used);
	mem_free(page);
}
