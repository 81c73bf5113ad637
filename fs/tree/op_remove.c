/* SPDX-License-Identifier: Apache-2.0 */
/* op_remove.c - operations that take a name away: unlink, rmdir. */
#include <sys/stat.h>

#include "fs/tree/change.h"

/* Stage that the operation's name goes, and what it named loses it. */
static void remove_name(struct change *c, struct inode *dir,
			const struct dentry *entry, struct inode *inode)
{
	dentry_remove(c->b, dir->attr.ino, c->op->name, entry);
	dir->attr.size--;
	if (inode_is_dir(inode)) {
		dir->attr.nlink--;
	}
	change_touch_dir(c, dir);
	change_unlink(c, inode);
	inode_put(c->b, dir);
	note_entry(c, dir->attr.ino, c->op->name, entry->ino);
	change_result(c, inode);
}

/* The directory, the entry of the operation's name, and its inode. */
static int get_name(struct change *c, struct inode *dir, struct dentry *entry,
		    struct inode *inode)
{
	int rc = change_counters(c);

	if (rc == 0) {
		rc = dentry_get(c->r, dir->attr.ino, c->op->name, entry);
	}
	if (rc == 0) {
		rc = inode_get(c->r, entry->ino, inode);
		rc = rc == -ESTALE ? -EUCLEAN : rc;
	}
	return rc;
}

int op_unlink(struct change *c)
{
	struct inode dir = {0};
	struct inode inode = {0};
	struct dentry entry;
	int rc = change_dir(c, c->op->dir, c->op->name, &dir);

	if (rc == 0 && name_is_dots(c->op->name)) {
		rc = -EISDIR;
	}
	if (rc == 0) {
		rc = get_name(c, &dir, &entry, &inode);
	}
	if (rc == 0 && inode_is_dir(&inode)) {
		rc = -EISDIR;
	}
	if (rc == 0) {
		remove_name(c, &dir, &entry, &inode);
	}
	inode_deinit(&dir);
	inode_deinit(&inode);
	return rc;
}

int op_rmdir(struct change *c)
{
	struct bytes name = c->op->name;
	struct inode dir = {0};
	struct inode inode = {0};
	struct dentry entry;
	int rc = change_dir(c, c->op->dir, name, &dir);

	if (rc == 0 && name_is_dots(name)) {
		rc = name.size == 1 ? -EINVAL : -ENOTEMPTY;
	}
	if (rc == 0) {
		rc = get_name(c, &dir, &entry, &inode);
	}
	if (rc == 0 && !inode_is_dir(&inode)) {
		rc = -ENOTDIR;
	}
	if (rc == 0 && inode.attr.size > 0) {
		rc = -ENOTEMPTY;
	}
	if (rc == 0) {
		remove_name(c, &dir, &entry, &inode);
	}
	inode_deinit(&dir);
	inode_deinit(&inode);
	return rc;
}
