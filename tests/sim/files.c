/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/files.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* --- Names ------------------------------------------------------------------
 */

static void copy_name(char *to, const char *from)
{
	CHECK(strlen(from) < FILES_NAME_BYTES);
	strcpy(to, from);
}

static struct files_name *find(struct files_names *names, const char *text)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->at[i].text, text) == 0) {
			return &names->at[i];
		}
	}
	return NULL;
}

static void drop(struct files_names *names, const char *text)
{
	struct files_name *name = find(names, text);

	if (name != NULL) {
		*name = names->at[--names->count];
	}
}

static void put(struct files_names *names, const char *text, struct vnode *v)
{
	drop(names, text);
	if (names->count == names->capacity) {
		names->capacity = names->capacity * 2 + 8;
		names->at = mem_realloc(names->at,
					names->capacity * sizeof *names->at);
	}
	copy_name(names->at[names->count].text, text);
	names->at[names->count++].vnode = v;
}

static void copy(struct files_names *to, const struct files_names *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++) {
		put(to, from->at[i].text, from->at[i].vnode);
	}
}

static void change_now(const struct files_change *c)
{
	if (c->from_folder != NULL) {
		drop(&c->from_folder->now, c->from);
	}
	if (c->to_folder != NULL) {
		put(&c->to_folder->now, c->to, c->vnode);
	}
}

static void change_durable(const struct files_change *c)
{
	if (c->from_folder != NULL) {
		drop(&c->from_folder->durable, c->from);
	}
	if (c->to_folder != NULL) {
		put(&c->to_folder->durable, c->to, c->vnode);
	}
}

static void change(struct files *f, const struct files_change *c)
{
	if (f->change_count == f->change_capacity) {
		f->change_capacity = f->change_capacity * 2 + 16;
		f->changes = mem_realloc(
			f->changes, f->change_capacity * sizeof *f->changes);
	}
	f->changes[f->change_count++] = *c;
	change_now(c);
}

/* --- Operations -------------------------------------------------------------
 */

struct files *files_new(void)
{
	struct files *f = mem_zalloc(sizeof *f);

	f->root = mem_zalloc(sizeof *f->root);
	return f;
}

struct vnode *files_look(struct vnode *folder, const char *name)
{
	struct files_name *found;

	if (name[0] == 0 || strcmp(name, ".") == 0) {
		return folder;
	}
	if (strcmp(name, "..") == 0) {
		return folder->parent != NULL ? folder->parent : folder;
	}
	found = find(&folder->now, name);
	return found != NULL ? found->vnode : NULL;
}

int files_walk(struct files *f, struct vnode *from, const char *path,
	       struct vnode **folder, const char **last)
{
	struct vnode *at = from != NULL && path[0] != '/' ? from : f->root;
	char part[FILES_NAME_BYTES];

	while (*path == '/') {
		path++;
	}
	for (;;) {
		const char *slash = strchr(path, '/');

		if (slash == NULL) {
			*folder = at;
			*last = path;
			return 0;
		}
		if ((size_t)(slash - path) >= sizeof part) {
			return ENAMETOOLONG;
		}
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = 0;
		at = files_look(at, part);
		if (at == NULL) {
			return ENOENT;
		}
		if (at->inode != NULL) {
			return ENOTDIR;
		}
		path = slash + 1;
	}
}

struct vnode *files_make(struct files *f, struct vnode *folder,
			 const char *name, bool is_folder)
{
	struct files_change c = {.to_folder = folder};

	c.vnode = mem_zalloc(sizeof *c.vnode);
	if (!is_folder) {
		c.vnode->inode = mem_zalloc(sizeof *c.vnode->inode);
	}
	c.vnode->parent = folder;
	copy_name(c.to, name);
	change(f, &c);
	return c.vnode;
}

void files_remove(struct files *f, struct vnode *folder, const char *name)
{
	struct files_change c = {.from_folder = folder};

	copy_name(c.from, name);
	c.vnode = files_look(folder, name);
	change(f, &c);
}

void files_rename(struct files *f, struct vnode *from_folder, const char *from,
		  struct vnode *to_folder, const char *to)
{
	struct files_change c = {.from_folder = from_folder,
				 .to_folder = to_folder};

	copy_name(c.from, from);
	copy_name(c.to, to);
	c.vnode = files_look(from_folder, from);
	c.vnode->parent = to_folder;
	change(f, &c);
}

static void forget_writes(struct inode *inode)
{
	for (size_t i = 0; i < inode->write_count; i++) {
		mem_free(inode->writes[i].data);
	}
	mem_free(inode->writes);
	inode->writes = NULL;
	inode->write_count = 0;
}

void files_truncate(struct vnode *v)
{
	forget_writes(v->inode);
	v->inode->now.size = 0;
	v->is_truncated = true;
}

static void settle_truncation(struct vnode *v)
{
	if (v->is_truncated) {
		v->inode->durable.size = 0;
		v->is_truncated = false;
	}
}

void files_sync(struct vnode *v)
{
	v->durable_reserved = v->reserved;
	settle_truncation(v);
	inode_sync(v->inode);
}

void files_sync_failed(struct vnode *v, uint64_t seed)
{
	struct content now = v->inode->now;

	/* inode_crash() leaves the durable contents as the newest ones. */
	v->inode->now = (struct content){0};
	inode_crash(v->inode, &seed);
	mem_free(v->inode->now.data);
	v->inode->now = now;
}

void files_sync_folder(struct files *f, struct vnode *folder)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->change_count; i++) {
		struct files_change *c = &f->changes[i];

		if (c->from_folder == folder || c->to_folder == folder) {
			change_durable(c);
		} else {
			f->changes[kept++] = *c;
		}
	}
	f->change_count = kept;
}

/* --- Crashes ----------------------------------------------------------------
 */

static bool crash_file(struct vnode *v, uint64_t *seed)
{
	size_t writes = v->inode->write_count;
	bool is_torn;

	if (v->is_truncated && faultdisk_draw(seed) % 2 == 0) {
		settle_truncation(v);
	}
	v->is_truncated = false;
	v->reserved = v->durable_reserved;
	is_torn = writes > 0;
	inode_crash(v->inode, seed);
	return is_torn;
}

static bool crash_folder(struct vnode *folder, uint64_t *seed)
{
	bool is_torn = false;

	copy(&folder->now, &folder->durable);
	for (size_t i = 0; i < folder->now.count; i++) {
		struct vnode *v = folder->now.at[i].vnode;

		if (v->inode == NULL) {
			is_torn |= crash_folder(v, seed);
		} else {
			is_torn |= crash_file(v, seed);
		}
	}
	return is_torn;
}

bool files_crash(struct files *f, uint64_t seed)
{
	size_t kept = (size_t)(faultdisk_draw(&seed) % (f->change_count + 1));

	for (size_t i = 0; i < kept; i++) {
		change_durable(&f->changes[i]);
	}
	f->change_count = 0;
	return crash_folder(f->root, &seed);
}

/* --- Looking ----------------------------------------------------------------
 */

void files_each(struct vnode *folder,
		void (*visit)(void *context, const char *name,
			      struct vnode *file),
		void *context)
{
	for (size_t i = 0; i < folder->now.count; i++) {
		struct vnode *v = folder->now.at[i].vnode;

		if (v->inode == NULL) {
			files_each(v, visit, context);
		} else {
			visit(context, folder->now.at[i].text, v);
		}
	}
}

uint64_t files_size(const struct vnode *file)
{
	uint64_t size = file->inode->now.size;

	return size > file->reserved ? size : file->reserved;
}

static void add_bytes(void *context, const char *name, struct vnode *file)
{
	(void)name;
	*(uint64_t *)context += files_size(file);
}

uint64_t files_bytes(const struct files *f)
{
	uint64_t bytes = 0;

	files_each(f->root, add_bytes, &bytes);
	return bytes;
}
