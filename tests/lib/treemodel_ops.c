/* SPDX-License-Identifier: Apache-2.0 */
/* treemodel_ops.c - what POSIX says of each operation. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/treemodel_core.h"

struct node *model_find(struct model *m, uint64_t ino)
{
	for (size_t i = 0; i < m->node_count; i++) {
		if (m->nodes[i]->attr.ino == ino && !m->nodes[i]->purged) {
			return m->nodes[i];
		}
	}
	return NULL;
}

static bool is(const struct node *n, uint32_t type)
{
	return (n->attr.mode & S_IFMT) == type;
}

static bool text_is(struct bytes name, const char *text)
{
	return bytes_equal(name, bytes_of_text(text));
}

static bool dots(struct bytes name)
{
	return text_is(name, ".") || text_is(name, "..");
}

static struct name *look(struct model *m, struct node *dir, struct bytes name)
{
	for (size_t i = 0; i < m->name_count; i++) {
		if (m->names[i].dir == dir && text_is(name, m->names[i].text)) {
			return &m->names[i];
		}
	}
	return NULL;
}

static uint64_t entries(struct model *m, struct node *dir)
{
	uint64_t count = 0;

	for (size_t i = 0; i < m->name_count; i++) {
		count += m->names[i].dir == dir ? 1 : 0;
	}
	return count;
}

static uint64_t living(struct model *m)
{
	uint64_t count = 0;

	for (size_t i = 0; i < m->node_count; i++) {
		count += m->nodes[i]->attr.nlink > 0 ? 1 : 0;
	}
	return count;
}

/* What every use of a name in a directory meets first. */
static int dir_of(struct model *m, uint64_t ino, struct bytes name,
		  struct node **dir)
{
	*dir = model_find(m, ino);
	if (ino == FS_ROOT && text_is(name, ".raftfs")) {
		return EPERM;
	}
	if (*dir == NULL) {
		return ESTALE;
	}
	if (!is(*dir, S_IFDIR)) {
		return ENOTDIR;
	}
	return (*dir)->attr.nlink == 0 ? ENOENT : 0;
}

static void stir(struct model *m, struct node *dir)
{
	dir->attr.mtime_ns = m->now;
	dir->attr.ctime_ns = m->now;
	dir->attr.version = m->index;
	dir->attr.size = entries(m, dir);
}

static void add_name(struct model *m, struct node *dir, struct bytes text,
		     struct node *node)
{
	struct name *name = &m->names[m->name_count++];

	assert_true(m->name_count < NAMES_MAX &&
		    text.size < sizeof(name->text));
	*name = (struct name){.dir = dir, .node = node};
	memcpy(name->text, text.data, text.size);
	if (is(node, S_IFDIR)) {
		dir->attr.nlink++;
		node->parent = dir;
	}
	stir(m, dir);
}

static void drop_name(struct model *m, struct name *name)
{
	struct node *dir = name->dir;

	if (is(name->node, S_IFDIR)) {
		dir->attr.nlink--;
	}
	*name = m->names[--m->name_count];
	stir(m, dir);
}

static void drop_link(struct model *m, struct node *node)
{
	node->attr.nlink = is(node, S_IFDIR) ? 0 : node->attr.nlink - 1;
	node->attr.ctime_ns = m->now;
}

static void resize(struct model *m, struct node *node, uint64_t size)
{
	if (size > node->attr.size) {
		node->data = mem_realloc(node->data, size);
		memset(node->data + node->attr.size, 0, size - node->attr.size);
	}
	node->attr.size = size;
	node->attr.mtime_ns = m->now;
	node->attr.ctime_ns = m->now;
	node->attr.version = m->index;
}

static void put_data(struct model *m, struct node *node, uint64_t offset,
		     struct bytes data)
{
	uint64_t end = offset + data.size;

	resize(m, node, end > node->attr.size ? end : node->attr.size);
	memcpy(node->data + offset, data.data, data.size);
}

static struct node *make(struct model *m, struct node *dir, uint32_t type)
{
	struct node *node = mem_zalloc(sizeof(*node));
	bool inherits = (dir->attr.mode & S_ISGID) != 0;

	assert_true(m->node_count < NODES_MAX);
	m->nodes[m->node_count++] = node;
	node->attr.mode = type | (m->op->mode & 07777);
	if (inherits && type == S_IFDIR) {
		node->attr.mode |= S_ISGID;
	}
	node->attr.uid = m->op->uid;
	node->attr.gid = inherits ? dir->attr.gid : m->op->gid;
	node->attr.nlink = type == S_IFDIR ? 2 : 1;
	node->attr.atime_ns = m->now;
	stir(m, node);
	add_name(m, dir, m->op->name, node);
	m->made = node;
	m->about = node;
	return node;
}

static int make_checked(struct model *m, uint32_t type, struct node **made)
{
	struct node *dir;
	int error = dir_of(m, m->op->dir, m->op->name, &dir);

	*made = NULL;
	if (error != 0) {
		return error;
	}
	if (dots(m->op->name) || look(m, dir, m->op->name) != NULL) {
		return EEXIST;
	}
	if (living(m) >= m->inodes) {
		return ENOSPC;
	}
	*made = make(m, dir, type);
	return 0;
}

static int do_create(struct model *m)
{
	bool excl = (m->op->flags & FS_EXCL) != 0;
	struct node *dir;
	struct name *name;
	int error = dir_of(m, m->op->dir, m->op->name, &dir);

	if (error != 0) {
		return error;
	}
	if (dots(m->op->name)) {
		return excl ? EEXIST : EISDIR;
	}
	name = look(m, dir, m->op->name);
	if (name == NULL) {
		return make_checked(m, S_IFREG, &dir);
	}
	if (excl) {
		return EEXIST;
	}
	if (is(name->node, S_IFDIR)) {
		return EISDIR;
	}
	if (is(name->node, S_IFLNK)) {
		return ELOOP;
	}
	if (is(name->node, S_IFREG) && (m->op->flags & FS_TRUNCATE)) {
		resize(m, name->node, 0);
	}
	m->about = name->node;
	return 0;
}

static int do_symlink(struct model *m)
{
	struct bytes target = m->op->data;
	struct node *node;
	int error;

	if (target.size == 0) {
		return ENOENT;
	}
	if (target.size > LIMIT_LINK_BYTES) {
		return ENAMETOOLONG;
	}
	error = make_checked(m, S_IFLNK, &node);
	if (error == 0) {
		node->data = mem_copy(target.data, target.size);
		node->attr.size = target.size;
	}
	return error;
}

static int do_mknod(struct model *m)
{
	uint32_t type = m->op->mode & S_IFMT;
	struct node *node;
	int error;

	if (type == S_IFDIR) {
		return EPERM;
	}
	if (type == S_IFLNK) {
		return EINVAL;
	}
	error = make_checked(m, type, &node);
	if (error == 0 && (type == S_IFCHR || type == S_IFBLK)) {
		node->attr.rdev = m->op->rdev;
	}
	return error;
}

static int do_link(struct model *m)
{
	struct node *node = model_find(m, m->op->ino);
	struct node *dir;
	int error;

	if (node == NULL) {
		return ESTALE;
	}
	error = dir_of(m, m->op->dir, m->op->name, &dir);
	if (error != 0) {
		return error;
	}
	if (dots(m->op->name) || look(m, dir, m->op->name) != NULL) {
		return EEXIST;
	}
	if (is(node, S_IFDIR)) {
		return EPERM;
	}
	if (node->attr.nlink == 0) {
		return ENOENT;
	}
	node->attr.nlink++;
	node->attr.ctime_ns = m->now;
	add_name(m, dir, m->op->name, node);
	m->about = node;
	return 0;
}

static int do_remove(struct model *m, bool is_rmdir)
{
	struct node *dir;
	struct name *name;
	int error = dir_of(m, m->op->dir, m->op->name, &dir);

	if (error != 0) {
		return error;
	}
	if (dots(m->op->name)) {
		if (!is_rmdir) {
			return EISDIR;
		}
		return text_is(m->op->name, ".") ? EINVAL : ENOTEMPTY;
	}
	name = look(m, dir, m->op->name);
	if (name == NULL) {
		return ENOENT;
	}
	if (is(name->node, S_IFDIR) != is_rmdir) {
		return is_rmdir ? ENOTDIR : EISDIR;
	}
	if (is_rmdir && entries(m, name->node) > 0) {
		return ENOTEMPTY;
	}
	m->about = name->node;
	drop_link(m, name->node);
	drop_name(m, name);
	return 0;
}

static bool below(struct node *node, struct node *above)
{
	while (node->attr.ino != FS_ROOT) {
		if (node == above) {
			return true;
		}
		node = node->parent;
	}
	return false;
}

static int check_rename(struct model *m, struct node *dir, struct node *to,
			struct name *old, struct name *new)
{
	bool exchange = (m->op->flags & FS_EXCHANGE) != 0;

	if (old == NULL) {
		return ENOENT;
	}
	if (new != NULL && (m->op->flags & FS_NOREPLACE)) {
		return EEXIST;
	}
	if (new == NULL && exchange) {
		return ENOENT;
	}
	if (is(old->node, S_IFDIR) && below(to, old->node)) {
		return EINVAL;
	}
	if (exchange && is(new->node, S_IFDIR) && below(dir, new->node)) {
		return EINVAL;
	}
	if (new == NULL || exchange || new->node == old->node) {
		return 0;
	}
	if (is(old->node, S_IFDIR) && !is(new->node, S_IFDIR)) {
		return ENOTDIR;
	}
	if (is(new->node, S_IFDIR) && !is(old->node, S_IFDIR)) {
		return EISDIR;
	}
	return entries(m, new->node) > 0 ? ENOTEMPTY : 0;
}

static void swap(struct model *m, struct name *a, struct name *b)
{
	struct node *node = a->node;
	struct name x = *a;
	struct name y = *b;

	x.dir->attr.nlink -= is(x.node, S_IFDIR) ? 1 : 0;
	x.dir->attr.nlink += is(y.node, S_IFDIR) ? 1 : 0;
	y.dir->attr.nlink -= is(y.node, S_IFDIR) ? 1 : 0;
	y.dir->attr.nlink += is(x.node, S_IFDIR) ? 1 : 0;
	x.node->parent = y.dir;
	y.node->parent = x.dir;
	a->node = b->node;
	b->node = node;
	a->node->attr.ctime_ns = m->now;
	b->node->attr.ctime_ns = m->now;
	stir(m, a->dir);
	stir(m, b->dir);
}

static int do_rename(struct model *m)
{
	const struct fs_op *op = m->op;
	struct node *dir;
	struct node *to;
	struct name *old;
	struct name *new;
	struct node *moved;
	int error;

	if (op->flags == (FS_NOREPLACE | FS_EXCHANGE)) {
		return EINVAL;
	}
	error = dir_of(m, op->dir, op->name, &dir);
	error = error == 0 ? dir_of(m, op->new_dir, op->new_name, &to) : error;
	if (error != 0) {
		return error;
	}
	if (dots(op->name)) {
		return EBUSY;
	}
	if (dots(op->new_name)) {
		return op->flags & FS_NOREPLACE ? EEXIST : EBUSY;
	}
	old = look(m, dir, op->name);
	new = look(m, to, op->new_name);
	error = check_rename(m, dir, to, old, new);
	if (error != 0) {
		return error;
	}
	moved = old->node;
	m->about = moved;
	if (new != NULL &&new->node == moved) {
		return 0;
	}
	if (op->flags & FS_EXCHANGE) {
		swap(m, old, new);
		return 0;
	}
	if (new != NULL) {
		drop_link(m, new->node);
		drop_name(m, new);
	}
	drop_name(m, look(m, dir, op->name));
	add_name(m, to, op->new_name, moved);
	moved->attr.ctime_ns = m->now;
	return 0;
}

static int do_write(struct model *m)
{
	const struct fs_op *op = m->op;
	struct node *node = model_find(m, op->ino);
	bool cut = (op->flags & FS_TRUNCATE) != 0;
	uint64_t offset = op->offset;

	if (node == NULL) {
		return ESTALE;
	}
	if (!is(node, S_IFREG)) {
		return is(node, S_IFDIR) ? EISDIR : EINVAL;
	}
	if (op->flags & FS_APPEND) {
		offset = cut ? 0 : node->attr.size;
	}
	if (op->data.size > 0 && offset + op->data.size > m->file_bytes) {
		return EFBIG;
	}
	m->about = node;
	if (cut) {
		resize(m, node, 0);
	}
	if (op->data.size > 0) {
		put_data(m, node, offset, op->data);
	}
	return 0;
}

static int do_set(struct model *m)
{
	struct node *dir;
	struct node *node;
	struct name *name;
	int error = dir_of(m, m->op->dir, m->op->name, &dir);

	if (error != 0) {
		return error;
	}
	if (dots(m->op->name)) {
		return EISDIR;
	}
	name = look(m, dir, m->op->name);
	if (name == NULL) {
		error = make_checked(m, S_IFREG, &node);
	} else if (is(name->node, S_IFREG)) {
		node = name->node;
	} else {
		return is(name->node, S_IFDIR)	 ? EISDIR
		       : is(name->node, S_IFLNK) ? ELOOP
						 : EINVAL;
	}
	if (error == 0) {
		m->about = node;
		resize(m, node, 0);
		if (m->op->data.size > 0) {
			put_data(m, node, 0, m->op->data);
		}
	}
	return error;
}

static int do_setattr(struct model *m)
{
	const struct fs_op *op = m->op;
	struct node *node = model_find(m, op->ino);

	if (node == NULL) {
		return ESTALE;
	}
	m->about = node;
	if (op->valid & FS_SET_SIZE) {
		if (!is(node, S_IFREG)) {
			return is(node, S_IFDIR) ? EISDIR : EINVAL;
		}
		if (op->size > node->attr.size && op->size > m->file_bytes) {
			return EFBIG;
		}
		resize(m, node, op->size);
	}
	if (op->valid & FS_SET_MODE) {
		node->attr.mode =
			(node->attr.mode & S_IFMT) | (op->mode & 07777);
	}
	if (op->valid & FS_SET_UID) {
		node->attr.uid = op->uid;
	}
	if (op->valid & FS_SET_GID) {
		node->attr.gid = op->gid;
	}
	if (op->valid & (FS_SET_ATIME | FS_SET_ATIME_NOW)) {
		node->attr.atime_ns =
			op->valid & FS_SET_ATIME_NOW ? m->now : op->atime_ns;
	}
	if (op->valid & (FS_SET_MTIME | FS_SET_MTIME_NOW)) {
		node->attr.mtime_ns =
			op->valid & FS_SET_MTIME_NOW ? m->now : op->mtime_ns;
	}
	if (op->valid != 0) {
		node->attr.ctime_ns = m->now;
	}
	return 0;
}

static int do_purge(struct model *m)
{
	for (size_t i = 0; i < m->op->ino_count; i++) {
		struct node *node = model_find(m, m->op->inos[i]);

		if (node != NULL && node->attr.nlink == 0) {
			node->purged = true;
			mem_free(node->data);
			node->data = NULL;
		}
	}
	return 0;
}

int model_expect(struct model *m)
{
	struct node *made;

	switch (m->op->kind) {
	case FS_OP_BIRTH:
		return EEXIST;
	case FS_OP_CREATE:
		return do_create(m);
	case FS_OP_MKDIR:
		return make_checked(m, S_IFDIR, &made);
	case FS_OP_SYMLINK:
		return do_symlink(m);
	case FS_OP_MKNOD:
		return do_mknod(m);
	case FS_OP_LINK:
		return do_link(m);
	case FS_OP_UNLINK:
		return do_remove(m, false);
	case FS_OP_RMDIR:
		return do_remove(m, true);
	case FS_OP_RENAME:
		return do_rename(m);
	case FS_OP_WRITE:
		return do_write(m);
	case FS_OP_SET:
		return do_set(m);
	case FS_OP_SETATTR:
		return do_setattr(m);
	case FS_OP_PURGE:
		return do_purge(m);
	}
	return EINVAL;
}
