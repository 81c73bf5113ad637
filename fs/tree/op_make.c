/* SPDX-License-Identifier: Apache-2.0 */
/* op_make.c - operations that make a name: birth, create, mkdir, symlink,
 * mknod, link, set. */
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/block.h"
#include "fs/tree/change.h"

int op_birth(struct change *c)
{
	struct inode root = {0};
	int rc = inode_get(c->r, FS_ROOT, &root);

	if (rc != -ESTALE) {
		inode_deinit(&root);
		return rc == 0 ? -EEXIST : rc;
	}
	counters_init(&c->counters);
	c->counters.usage.inodes_used = 1;
	c->counters_read = true;
	c->counters_changed = true;
	inode_init(&root, FS_ROOT, S_IFDIR | (c->op->mode & MODE_BITS));
	root.attr.uid = c->op->uid;
	root.attr.gid = c->op->gid;
	root.attr.nlink = 2;
	root.attr.atime_ns = change_now(c);
	root.attr.ctime_ns = change_now(c);
	root.parent = FS_ROOT;
	root.cookie = DENTRY_COOKIE_NONE;
	change_touch_dir(c, &root);
	inode_put(c->b, &root);
	note_attr(c, FS_ROOT);
	change_result(c, &root);
	inode_deinit(&root);
	return 0;
}

/* The directory, and a name in it that must not be there yet. */
static int get_free_name(struct change *c, struct inode *dir)
{
	struct dentry entry;
	int rc = change_dir(c, c->op->dir, c->op->name, dir);

	if (rc != 0) {
		return rc;
	}
	if (name_is_dots(c->op->name)) {
		return -EEXIST;
	}
	rc = dentry_get(c->r, c->op->dir, c->op->name, &entry);
	if (rc == -ENOENT) {
		return 0;
	}
	return rc == 0 ? -EEXIST : rc;
}

/* Make an inode of this type under the operation's name. */
static int make(struct change *c, struct inode *dir, uint32_t type,
		uint32_t rdev, struct bytes content)
{
	struct inode made = {0};
	int rc = change_make(c, dir, type, &made);

	if (rc == 0) {
		made.attr.rdev = rdev;
		rc = change_charge(c, &made, content.size);
	}
	if (rc == 0) {
		if (content.size > 0) {
			made.attr.size = content.size;
			memcpy(inode_content_resize(&made, content.size),
			       content.data, content.size);
		}
		change_link(c, dir, c->op->name, &made);
		change_result(c, &made);
		c->result->created = true;
	}
	inode_deinit(&made);
	return rc;
}

/* What CREATE does with a file that is there. */
static int open_existing(struct change *c, uint64_t ino)
{
	struct inode file = {0};
	int rc = inode_get(c->r, ino, &file);

	if (rc == 0 && (c->op->flags & FS_TRUNCATE) && inode_is_file(&file)) {
		rc = content_cut(c, &file, 0);
		if (rc == 0) {
			file.attr.mtime_ns = change_now(c);
			file.attr.ctime_ns = change_now(c);
			file.attr.version = c->at->index;
			inode_put(c->b, &file);
			note_content(c, ino);
		}
	}
	if (rc == 0) {
		change_result(c, &file);
	}
	inode_deinit(&file);
	return rc == -ESTALE ? -EUCLEAN : rc;
}

int op_create(struct change *c)
{
	bool excl = (c->op->flags & FS_EXCL) != 0;
	struct inode dir = {0};
	struct dentry entry;
	int rc = change_dir(c, c->op->dir, c->op->name, &dir);

	if (rc == 0 && name_is_dots(c->op->name)) {
		rc = excl ? -EEXIST : -EISDIR;
	}
	if (rc == 0) {
		rc = dentry_get(c->r, c->op->dir, c->op->name, &entry);
		if (rc == -ENOENT) {
			rc = make(c, &dir, S_IFREG, 0, bytes_of(NULL, 0));
		} else if (rc == 0 && excl) {
			rc = -EEXIST;
		} else if (rc == 0 && S_ISDIR(entry.type)) {
			rc = -EISDIR;
		} else if (rc == 0 && S_ISLNK(entry.type)) {
			rc = -ELOOP; /* the kernel had resolved it */
		} else if (rc == 0) {
			rc = open_existing(c, entry.ino);
		}
	}
	inode_deinit(&dir);
	return rc;
}

int op_mkdir(struct change *c)
{
	struct inode dir = {0};
	int rc = get_free_name(c, &dir);

	if (rc == 0 && dir.attr.nlink >= LIMIT_LINKS) {
		rc = -EMLINK;
	}
	if (rc == 0) {
		rc = make(c, &dir, S_IFDIR, 0, bytes_of(NULL, 0));
	}
	inode_deinit(&dir);
	return rc;
}

int op_symlink(struct change *c)
{
	struct bytes target = c->op->data;
	struct inode dir = {0};
	int rc;

	if (target.size == 0) {
		return -ENOENT;
	}
	if (target.size > LIMIT_LINK_BYTES) {
		return -ENAMETOOLONG;
	}
	if (memchr(target.data, 0, target.size) != NULL) {
		return -EINVAL;
	}
	rc = get_free_name(c, &dir);
	if (rc == 0) {
		rc = make(c, &dir, S_IFLNK, 0, target);
	}
	inode_deinit(&dir);
	return rc;
}

int op_mknod(struct change *c)
{
	uint32_t type = c->op->mode & S_IFMT;
	bool is_device = S_ISCHR(type) || S_ISBLK(type);
	struct inode dir = {0};
	int rc;

	if (S_ISDIR(type)) {
		return -EPERM;
	}
	if (!is_device && !S_ISREG(type) && !S_ISFIFO(type) &&
	    !S_ISSOCK(type)) {
		return -EINVAL;
	}
	rc = get_free_name(c, &dir);
	if (rc == 0) {
		rc = make(c, &dir, type, is_device ? c->op->rdev : 0,
			  bytes_of(NULL, 0));
	}
	inode_deinit(&dir);
	return rc;
}

int op_link(struct change *c)
{
	struct inode dir = {0};
	struct inode inode = {0};
	int rc = inode_get(c->r, c->op->ino, &inode);

	if (rc == 0) {
		rc = get_free_name(c, &dir);
	}
	if (rc == 0 && inode_is_dir(&inode)) {
		rc = -EPERM;
	}
	if (rc == 0 && inode.attr.nlink == 0) {
		rc = -ENOENT; /* an orphan never comes back */
	}
	if (rc == 0 && inode.attr.nlink >= LIMIT_LINKS) {
		rc = -EMLINK;
	}
	if (rc == 0) {
		inode.attr.nlink++;
		inode.attr.ctime_ns = change_now(c);
		change_link(c, &dir, c->op->name, &inode);
		change_result(c, &inode);
	}
	inode_deinit(&dir);
	inode_deinit(&inode);
	return rc;
}

static int set_existing(struct change *c, const struct dentry *entry)
{
	struct inode file = {0};
	int rc;

	if (S_ISDIR(entry->type)) {
		return -EISDIR;
	}
	if (!S_ISREG(entry->type)) {
		return S_ISLNK(entry->type) ? -ELOOP : -EINVAL;
	}
	rc = inode_get(c->r, entry->ino, &file);
	if (rc == 0) {
		rc = content_write(c, &file, true, 0, c->op->data);
	}
	if (rc == 0) {
		file.attr.mtime_ns = change_now(c);
		file.attr.ctime_ns = change_now(c);
		file.attr.version = c->at->index;
		inode_put(c->b, &file);
		note_content(c, entry->ino);
		change_result(c, &file);
	}
	inode_deinit(&file);
	return rc == -ESTALE ? -EUCLEAN : rc;
}

static int set_new(struct change *c, struct inode *dir)
{
	struct inode file = {0};
	int rc = change_make(c, dir, S_IFREG, &file);

	if (rc == 0) {
		rc = content_write(c, &file, true, 0, c->op->data);
	}
	if (rc == 0) {
		change_link(c, dir, c->op->name, &file);
		change_result(c, &file);
		c->result->created = true;
	}
	inode_deinit(&file);
	return rc;
}

int op_set(struct change *c)
{
	struct inode dir = {0};
	struct dentry entry;
	int rc = change_dir(c, c->op->dir, c->op->name, &dir);

	if (rc == 0 && name_is_dots(c->op->name)) {
		rc = -EISDIR;
	}
	if (rc == 0) {
		rc = dentry_get(c->r, c->op->dir, c->op->name, &entry);
		if (rc == -ENOENT) {
			rc = set_new(c, &dir);
		} else if (rc == 0) {
			rc = set_existing(c, &entry);
		}
	}
	inode_deinit(&dir);
	return rc;
}
