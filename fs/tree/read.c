/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - the read side of tree.h.
 *
 * What takes more than one key is consistent only through a reader that does
 * not move: a view or a batch. Over the newest state an apply may come in
 * between: fs_getattr() and fs_lookup() of a name then still answer what was
 * true at some moment of the call, fs_read() of a file in blocks may mix two
 * moments. */
#include <string.h>
#include <sys/stat.h>

#include "fs/tree/block.h"
#include "fs/tree/counters.h"
#include "fs/tree/dentry.h"
#include "fs/tree/inode.h"
#include "fs/tree/key.h"
#include "fs/tree/record.h"

int fs_getattr(struct kv_reader *r, uint64_t ino, struct fs_attr *attr)
{
	struct inode inode = {0};
	int rc = inode_get(r, ino, &inode);

	if (rc == 0) {
		*attr = inode.attr;
	}
	inode_deinit(&inode);
	return rc;
}

/* -ENOTDIR. */
static int get_dir(struct kv_reader *r, uint64_t ino, struct inode *dir)
{
	int rc = inode_get(r, ino, dir);

	if (rc == 0 && !inode_is_dir(dir)) {
		rc = -ENOTDIR;
	}
	return rc;
}

static int lookup_ino(struct kv_reader *r, uint64_t dir, struct bytes name,
		      uint64_t *ino)
{
	struct inode inode = {0};
	struct dentry entry;
	int rc = get_dir(r, dir, &inode);

	if (rc == 0 && name.size > LIMIT_NAME_BYTES) {
		rc = -ENAMETOOLONG;
	}
	if (rc == 0 && (name.size == 0 || inode.attr.nlink == 0)) {
		rc = -ENOENT;
	}
	if (rc != 0) {
		goto out;
	}
	if (bytes_equal(name, bytes_of_text("."))) {
		*ino = dir;
	} else if (bytes_equal(name, bytes_of_text(".."))) {
		*ino = inode.parent;
	} else {
		rc = dentry_get(r, dir, name, &entry);
		*ino = rc == 0 ? entry.ino : 0;
	}
out:
	inode_deinit(&inode);
	return rc;
}

int fs_lookup(struct kv_reader *r, uint64_t dir, struct bytes name,
	      struct fs_attr *attr)
{
	uint64_t ino = 0;
	int rc = lookup_ino(r, dir, name, &ino);

	return rc == 0 ? fs_getattr(r, ino, attr) : rc;
}

static struct bytes next_name(const char **path)
{
	size_t size;
	struct bytes name;

	*path += strspn(*path, "/");
	size = strcspn(*path, "/");
	name = bytes_of(*path, size);
	*path += size;
	return name;
}

int fs_resolve(struct kv_reader *r, const char *path, struct fs_attr *attr)
{
	int rc;

	if (path[0] != '/') {
		return path[0] == 0 ? -ENOENT : -EINVAL;
	}
	if (strlen(path) >= LIMIT_PATH_BYTES) {
		return -ENAMETOOLONG;
	}
	rc = fs_getattr(r, FS_ROOT, attr);
	while (rc == 0 && *path != 0) {
		struct bytes name = next_name(&path);

		if (name.size == 0) { /* a slash at the end */
			return S_ISDIR(attr->mode) ? 0 : -ENOTDIR;
		}
		rc = fs_lookup(r, attr->ino, name, attr);
		if (rc == 0 && S_ISLNK(attr->mode) && *path != 0) {
			rc = -ELOOP;
		}
	}
	return rc;
}

int fs_read(struct kv_reader *r, uint64_t ino, uint64_t offset, size_t size,
	    struct buffer *out, struct fs_attr *attr)
{
	struct inode inode = {0};
	int rc = inode_get(r, ino, &inode);

	if (rc == 0 && !inode_is_file(&inode)) {
		rc = inode_is_dir(&inode) ? -EISDIR : -EINVAL;
	}
	if (rc == 0 && offset < inode.attr.size && size > 0) {
		uint64_t there = inode.attr.size - offset;

		rc = content_read(r, &inode, offset,
				  there < size ? (size_t)there : size, out);
	}
	if (rc == 0 && attr != NULL) {
		*attr = inode.attr;
	}
	inode_deinit(&inode);
	return rc;
}

int fs_readlink(struct kv_reader *r, uint64_t ino, struct buffer *out)
{
	struct inode inode = {0};
	int rc = inode_get(r, ino, &inode);

	if (rc == 0 && !inode_is_link(&inode)) {
		rc = -EINVAL;
	}
	if (rc == 0) {
		buffer_append_bytes(out, inode_content(&inode));
	}
	inode_deinit(&inode);
	return rc;
}

int fs_dir_end(struct kv_reader *r, uint64_t dir, uint64_t *cookie)
{
	struct inode inode = {0};
	int rc = get_dir(r, dir, &inode);

	*cookie = rc == 0 ? inode.cookie : 0;
	inode_deinit(&inode);
	return rc;
}

struct listing {
	uint64_t end;
	fs_visit visit;
	void *context;
	int rc;
};

static bool on_cookie(void *context, struct bytes key, struct bytes value)
{
	struct listing *l = context;
	struct fs_dirent out;
	struct dentry entry;

	l->rc = dentry_of_cookie(key, value, &entry, &out.name);
	if (l->rc != 0 || entry.cookie > l->end) {
		return false;
	}
	out.ino = entry.ino;
	out.type = entry.type;
	out.cookie = entry.cookie;
	return l->visit(l->context, &out);
}

int fs_readdir(struct kv_reader *r, uint64_t dir, uint64_t after, uint64_t end,
	       fs_visit visit, void *context)
{
	struct listing l = {.end = end, .visit = visit, .context = context};
	struct inode inode = {0};
	struct key from;
	struct key prefix;
	int rc = get_dir(r, dir, &inode);

	inode_deinit(&inode);
	if (rc != 0 || after >= end) {
		return rc;
	}
	rc = kv_scan(r, key_pair(&from, KEY_COOKIE, dir, after + 1),
		     key_number(&prefix, KEY_COOKIE, dir), on_cookie, &l);
	return rc != 0 ? record_error(rc) : l.rc;
}

int fs_parent(struct kv_reader *r, uint64_t dir, uint64_t *parent)
{
	struct inode inode = {0};
	int rc = get_dir(r, dir, &inode);

	*parent = rc == 0 ? inode.parent : 0;
	inode_deinit(&inode);
	return rc;
}

int fs_usage(struct kv_reader *r, struct fs_usage *usage)
{
	struct counters counters;
	int rc = counters_get(r, &counters);

	if (rc == 0) {
		*usage = counters.usage;
	}
	return rc;
}
