/* SPDX-License-Identifier: Apache-2.0 */
/* op_rename.c - rename: the order of refusals is that of rename(2) on Linux.
 *
 * 1. both directories       -EPERM -ESTALE -ENOTDIR -ENOENT
 * 2. "." and ".."           -EBUSY (-EEXIST with NOREPLACE)
 * 3. the two names          -ENOENT, NOREPLACE -EEXIST, EXCHANGE -ENOENT
 * 4. a directory below itself -EINVAL
 * 5. both name one inode    success, nothing changes
 * 6. unlike kinds           -ENOTDIR -EISDIR, then -EMLINK, -ENOTEMPTY
 *
 * After step 4 neither inode is one of the two directories, so nothing is
 * held in memory twice; if both directories are one, `to` is `from`. */
#include <sys/stat.h>

#include "fs/tree/change.h"

/* Steps up from a directory to the root: no path that fits in PATH_MAX has
 * more names. */
enum { DEPTH_MAX = LIMIT_PATH_BYTES / 2 };

struct rename {
	struct inode from;
	struct inode other; /* *to, when the directories differ */
	struct inode *to;
	struct dentry old;
	struct dentry new;
	bool replaces; /* new_name is there */
	struct inode moved;
	struct inode target; /* what new_name is now, if it is there */
};

static int get_dirs(struct change *c, struct rename *m)
{
	const struct fs_op *op = c->op;
	int rc = change_dir(c, op->dir, op->name, &m->from);

	if (rc != 0) {
		return rc;
	}
	if (op->new_dir == op->dir) {
		m->to = &m->from;
		rc = name_is_reserved(op->dir, op->new_name) ? -EPERM : 0;
	} else {
		m->to = &m->other;
		rc = change_dir(c, op->new_dir, op->new_name, &m->other);
	}
	if (rc == 0 && name_is_dots(op->name)) {
		return -EBUSY;
	}
	if (rc == 0 && name_is_dots(op->new_name)) {
		return op->flags & FS_NOREPLACE ? -EEXIST : -EBUSY;
	}
	return rc;
}

static int get_names(struct change *c, struct rename *m)
{
	const struct fs_op *op = c->op;
	int rc = dentry_get(c->r, op->dir, op->name, &m->old);

	if (rc != 0) {
		return rc;
	}
	rc = dentry_get(c->r, op->new_dir, op->new_name, &m->new);
	m->replaces = rc == 0;
	if (rc == -ENOENT) {
		return op->flags & FS_EXCHANGE ? -ENOENT : 0;
	}
	if (rc == 0 && (op->flags & FS_NOREPLACE)) {
		return -EEXIST;
	}
	return rc;
}

/* -EINVAL: dir is `above` or below it. -ELOOP: too deep to tell. */
static int check_loop(struct change *c, uint64_t dir, uint64_t above)
{
	struct inode step = {0};
	int rc = 0;

	for (unsigned i = 0; dir != FS_ROOT && rc == 0; i++) {
		if (dir == above) {
			rc = -EINVAL;
		} else if (i == DEPTH_MAX) {
			rc = -ELOOP;
		} else {
			rc = inode_get(c->r, dir, &step);
			rc = rc == -ESTALE ? -EUCLEAN : rc;
			dir = step.parent;
		}
	}
	inode_deinit(&step);
	return rc;
}

static int check_loops(struct change *c, const struct rename *m)
{
	const struct fs_op *op = c->op;
	int rc = 0;

	if (op->dir == op->new_dir) {
		return 0;
	}
	if (S_ISDIR(m->old.type)) {
		rc = check_loop(c, op->new_dir, m->old.ino);
	}
	if (rc == 0 && (op->flags & FS_EXCHANGE) && S_ISDIR(m->new.type)) {
		rc = check_loop(c, op->dir, m->new.ino);
	}
	return rc;
}

static int get_inodes(struct change *c, struct rename *m)
{
	int rc = change_counters(c);

	if (rc == 0) {
		rc = inode_get(c->r, m->old.ino, &m->moved);
	}
	if (rc == 0 && m->replaces) {
		rc = inode_get(c->r, m->new.ino, &m->target);
	}
	return rc == -ESTALE ? -EUCLEAN : rc;
}

static int check_kinds(struct change *c, const struct rename *m)
{
	bool exchange = (c->op->flags & FS_EXCHANGE) != 0;
	bool moves_dir = inode_is_dir(&m->moved);
	bool meets_dir = m->replaces && inode_is_dir(&m->target);

	if (m->replaces && !exchange && moves_dir && !meets_dir) {
		return -ENOTDIR;
	}
	if (meets_dir && !exchange && !moves_dir) {
		return -EISDIR;
	}
	if (m->to != &m->from) {
		if (moves_dir && !meets_dir &&
		    m->to->attr.nlink >= LIMIT_LINKS) {
			return -EMLINK;
		}
		if (exchange && meets_dir && !moves_dir &&
		    m->from.attr.nlink >= LIMIT_LINKS) {
			return -EMLINK;
		}
	}
	return meets_dir && !exchange && m->target.attr.size > 0 ? -ENOTEMPTY
								 : 0;
}

/* inode, of dir before, is in to_dir now. */
static void resettle(struct change *c, struct inode *inode, struct inode *dir,
		     struct inode *to_dir)
{
	if (inode_is_dir(inode)) {
		dir->attr.nlink--;
		to_dir->attr.nlink++;
		inode->parent = to_dir->attr.ino;
	}
	inode->attr.ctime_ns = change_now(c);
}

static void exchange(struct change *c, struct rename *m)
{
	const struct fs_op *op = c->op;
	uint64_t cookie = m->old.cookie;

	/* The names stay, and so do their cookies. */
	m->old.cookie = m->new.cookie;
	m->new.cookie = cookie;
	dentry_put(c->b, op->dir, op->name, &m->new);
	dentry_put(c->b, op->new_dir, op->new_name, &m->old);
	resettle(c, &m->moved, &m->from, m->to);
	resettle(c, &m->target, m->to, &m->from);
	inode_put(c->b, &m->target);
	note_entry(c, op->dir, op->name, m->new.ino);
	note_entry(c, op->new_dir, op->new_name, m->old.ino);
}

static void move(struct change *c, struct rename *m)
{
	const struct fs_op *op = c->op;

	dentry_remove(c->b, op->dir, op->name, &m->old);
	m->from.attr.size--;
	if (m->replaces) {
		m->old.cookie = m->new.cookie; /* new_name was there all along
						*/
		if (inode_is_dir(&m->target)) {
			m->to->attr.nlink--;
		}
		change_unlink(c, &m->target);
		note_attr(c, m->new.ino);
	} else {
		m->old.cookie = ++m->to->cookie;
		m->to->attr.size++;
	}
	dentry_put(c->b, op->new_dir, op->new_name, &m->old);
	resettle(c, &m->moved, &m->from, m->to);
	note_entry(c, op->dir, op->name, m->old.ino);
	note_entry(c, op->new_dir, op->new_name, m->old.ino);
}

static void stage(struct change *c, struct rename *m)
{
	if (c->op->flags & FS_EXCHANGE) {
		exchange(c, m);
	} else {
		move(c, m);
	}
	inode_put(c->b, &m->moved);
	change_touch_dir(c, &m->from);
	inode_put(c->b, &m->from);
	if (m->to != &m->from) {
		change_touch_dir(c, m->to);
		inode_put(c->b, m->to);
	}
}

int op_rename(struct change *c)
{
	struct rename m = {0};
	int rc = get_dirs(c, &m);

	if (rc == 0) {
		rc = get_names(c, &m);
	}
	if (rc == 0) {
		rc = check_loops(c, &m);
	}
	if (rc == 0) {
		rc = get_inodes(c, &m);
	}
	if (rc == 0 && !(m.replaces && m.old.ino == m.new.ino)) {
		rc = check_kinds(c, &m);
		if (rc == 0) {
			stage(c, &m);
		}
	}
	if (rc == 0) {
		change_result(c, &m.moved);
	}
	inode_deinit(&m.from);
	inode_deinit(&m.other);
	inode_deinit(&m.moved);
	inode_deinit(&m.target);
	return rc;
}
