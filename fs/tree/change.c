/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/tree/change.h"

#include <sys/stat.h>

#include "fs/tree/orphan.h"

static const char reserved_name[] = ".raftfs";

int64_t change_now(const struct change *c)
{
	return (int64_t)c->at->time_ns;
}

int change_counters(struct change *c)
{
	int rc;

	if (c->counters_read) {
		return 0;
	}
	rc = counters_get(c->r, &c->counters);
	c->counters_read = rc == 0;
	return rc;
}

uint64_t change_draw(struct change *c)
{
	CHECK(c->counters_read);
	c->counters_changed = true;
	return c->counters.next++;
}

/* What inode is charged once it holds `stored` bytes (T3). */
static uint64_t charge_for(const struct inode *inode, uint64_t stored)
{
	uint64_t less;

	if (inode->attr.nlink > 0) {
		return stored;
	}
	if (stored >= inode->stored) {
		return inode->charged + (stored - inode->stored);
	}
	less = inode->stored - stored;
	return inode->charged > less ? inode->charged - less : 0;
}

int change_charge(struct change *c, struct inode *inode, uint64_t stored)
{
	uint64_t charged = charge_for(inode, stored);
	struct fs_usage *usage = &c->counters.usage;
	uint64_t used;
	int rc;

	if (charged != inode->charged) {
		rc = change_counters(c);
		if (rc != 0) {
			return rc;
		}
		used = usage->bytes_used - inode->charged + charged;
		if (charged > inode->charged && used > usage->bytes_max) {
			return -ENOSPC;
		}
		usage->bytes_used = used;
		c->counters_changed = true;
		inode->charged = charged;
	}
	inode->stored = stored;
	return 0;
}

int change_dir(struct change *c, uint64_t ino, struct bytes name,
	       struct inode *dir)
{
	int rc;

	if (name_is_reserved(ino, name)) {
		return -EPERM;
	}
	rc = inode_get(c->r, ino, dir);
	if (rc != 0) {
		return rc;
	}
	if (!inode_is_dir(dir)) {
		return -ENOTDIR;
	}
	return dir->attr.nlink == 0 ? -ENOENT : 0;
}

bool name_is_reserved(uint64_t dir, struct bytes name)
{
	return dir == FS_ROOT &&
	       bytes_equal(name, bytes_of_text(reserved_name));
}

bool name_is_dots(struct bytes name)
{
	return bytes_equal(name, bytes_of_text(".")) ||
	       bytes_equal(name, bytes_of_text(".."));
}

int change_make(struct change *c, const struct inode *dir, uint32_t type,
		struct inode *made)
{
	struct fs_usage *usage = &c->counters.usage;
	uint32_t mode = type | (c->op->mode & MODE_BITS);
	bool inherits = (dir->attr.mode & S_ISGID) != 0;
	int rc = change_counters(c);

	if (rc != 0) {
		return rc;
	}
	if (usage->inodes_used >= usage->inodes_max) {
		return -ENOSPC;
	}
	usage->inodes_used++;
	if (inherits && S_ISDIR(type)) {
		mode |= S_ISGID;
	}
	inode_init(made, change_draw(c), mode);
	made->attr.uid = c->op->uid;
	made->attr.gid = inherits ? dir->attr.gid : c->op->gid;
	made->attr.nlink = S_ISDIR(type) ? 2 : 1;
	made->attr.atime_ns = change_now(c);
	made->attr.mtime_ns = change_now(c);
	made->attr.ctime_ns = change_now(c);
	made->attr.version = c->at->index;
	if (S_ISDIR(type)) {
		made->parent = dir->attr.ino;
		made->cookie = DENTRY_COOKIE_NONE;
	}
	return 0;
}

void change_link(struct change *c, struct inode *dir, struct bytes name,
		 struct inode *inode)
{
	struct dentry entry = {
		.ino = inode->attr.ino,
		.type = inode->attr.mode & S_IFMT,
		.cookie = ++dir->cookie,
	};

	dentry_put(c->b, dir->attr.ino, name, &entry);
	dir->attr.size++;
	if (inode_is_dir(inode)) {
		dir->attr.nlink++;
	}
	change_touch_dir(c, dir);
	inode_put(c->b, dir);
	inode_put(c->b, inode);
	note_entry(c, dir->attr.ino, name, inode->attr.ino);
}

void change_touch_dir(struct change *c, struct inode *dir)
{
	dir->attr.mtime_ns = change_now(c);
	dir->attr.ctime_ns = change_now(c);
	dir->attr.version = c->at->index;
}

void change_unlink(struct change *c, struct inode *inode)
{
	CHECK(c->counters_read && inode->attr.nlink > 0);
	inode->attr.nlink = inode_is_dir(inode) ? 0 : inode->attr.nlink - 1;
	inode->attr.ctime_ns = change_now(c);
	if (inode->attr.nlink == 0) {
		c->counters.usage.inodes_used--;
		c->counters.usage.bytes_used -= inode->charged;
		c->counters_changed = true;
		inode->charged = 0;
		orphan_put(c->b, inode->attr.ino, c->at);
	}
	inode_put(c->b, inode);
}

void change_result(struct change *c, const struct inode *inode)
{
	c->result->attr = inode->attr;
}
