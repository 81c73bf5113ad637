/* SPDX-License-Identifier: Apache-2.0 */
/* op_write.c - operations on an inode that exists: write, setattr. */
#include <sys/stat.h>

#include "fs/tree/block.h"
#include "fs/tree/change.h"

static int must_be_file(const struct inode *inode)
{
	if (inode_is_file(inode)) {
		return 0;
	}
	return inode_is_dir(inode) ? -EISDIR : -EINVAL;
}

static void touch_content(struct change *c, struct inode *inode)
{
	inode->attr.mtime_ns = change_now(c);
	inode->attr.ctime_ns = change_now(c);
	inode->attr.version = c->at->index;
}

/* write(2): setuid goes, and setgid where the group may execute. */
static void kill_privileges(struct fs_attr *attr)
{
	attr->mode &= ~(uint32_t)S_ISUID;
	if (attr->mode & S_IXGRP) {
		attr->mode &= ~(uint32_t)S_ISGID;
	}
}

int op_write(struct change *c)
{
	const struct fs_op *op = c->op;
	bool cut = (op->flags & FS_TRUNCATE) != 0;
	uint64_t offset = op->offset;
	struct inode inode = {0};
	int rc = inode_get(c->r, op->ino, &inode);

	if (rc == 0) {
		rc = must_be_file(&inode);
	}
	if (rc == 0) {
		if (op->flags & FS_APPEND) {
			offset = cut ? 0 : inode.attr.size;
		}
		rc = content_write(c, &inode, cut, offset, op->data);
	}
	if (rc == 0) {
		if (cut || op->data.size > 0) {
			if (op->flags & FS_KILLPRIV) {
				kill_privileges(&inode.attr);
			}
			touch_content(c, &inode);
			inode_put(c->b, &inode);
			note_content(c, op->ino);
		}
		c->result->written = op->data.size;
		c->result->offset = offset;
		change_result(c, &inode);
	}
	inode_deinit(&inode);
	return rc;
}

static void set_plain(struct change *c, struct inode *inode)
{
	const struct fs_op *op = c->op;
	struct fs_attr *attr = &inode->attr;

	if (op->valid & FS_SET_MODE) {
		attr->mode = (attr->mode & S_IFMT) | (op->mode & MODE_BITS);
	}
	if (op->valid & FS_SET_UID) {
		attr->uid = op->uid;
	}
	if (op->valid & FS_SET_GID) {
		attr->gid = op->gid;
	}
	if (op->valid & FS_SET_ATIME_NOW) {
		attr->atime_ns = change_now(c);
	} else if (op->valid & FS_SET_ATIME) {
		attr->atime_ns = op->atime_ns;
	}
	if (op->valid & FS_SET_MTIME_NOW) {
		attr->mtime_ns = change_now(c);
	} else if (op->valid & FS_SET_MTIME) {
		attr->mtime_ns = op->mtime_ns;
	}
	attr->ctime_ns = change_now(c);
}

int op_setattr(struct change *c)
{
	const struct fs_op *op = c->op;
	bool sizes = (op->valid & FS_SET_SIZE) != 0;
	struct inode inode = {0};
	int rc = inode_get(c->r, op->ino, &inode);

	if (rc == 0 && sizes) {
		rc = must_be_file(&inode);
		if (rc == 0) {
			rc = content_cut(c, &inode, op->size);
		}
	}
	if (rc == 0) {
		if (op->valid != 0) {
			if (sizes) {
				touch_content(c, &inode);
				note_content(c, op->ino);
			} else {
				note_attr(c, op->ino);
			}
			set_plain(c, &inode);
			inode_put(c->b, &inode);
		}
		change_result(c, &inode);
	}
	inode_deinit(&inode);
	return rc;
}
