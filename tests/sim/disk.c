/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c - system calls on the files of the node that makes them.
 *
 * A path below /sim is a node's; everything else is the machine's that the
 * simulator runs on. Calls that a disk answers take time, and fail as fault.c
 * has arranged. Before and after each the node may end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "raft/node/options.h"
#include "tests/sim/files.h"
#include "tests/sim/inside.h"

/* Declares what is called in the place of a function, and that itself. */
#define WRAP(type, name, ...)                                                  \
	type __real_##name(__VA_ARGS__);                                       \
	type __wrap_##name(__VA_ARGS__);                                       \
	type __wrap_##name(__VA_ARGS__)

enum { FD_FIRST = 1 << 20, FDS_MAX = 1 << 16 };
#define DISK_BYTES (1ULL << 30) /* files are as large as what they hold */

/* An open file or folder; its number is never used again in a run. */
struct descriptor {
	int node;
	bool is_open;
	bool has_lock;
	struct vnode *vnode; /* NULL: a listening socket */
	uint64_t at;
};

/* As it was when it was opened: what is removed meanwhile shifts nothing. */
struct folder_stream {
	struct files_name *names;
	size_t count, next;
	struct dirent item;
	int fd;
};

static struct descriptor *table; /* FDS_MAX of them, the world's */
static int table_count;

/* --- Who asks, and how it ends ----------------------------------------------
 */

struct asker {
	int was;
	int node;
	struct host *host;
};

static bool is_ours(const char *path)
{
	return strncmp(path, "/sim/", 5) == 0;
}

static struct asker begin(void)
{
	struct asker a = {.node = task_current()->node};

	CHECK(a.node != SIM_WORLD);
	task_point();
	a.host = &sim.hosts[a.node];
	a.was = sim_enter(SIM_WORLD);
	return a;
}

/* -1 and errno for an error, else the result. */
static int finish(struct asker a, int error, int result)
{
	sim_leave(a.was);
	task_point();
	errno = error != 0 ? error : errno;
	return error != 0 ? -1 : result;
}

/* The time it takes, and a stall of the disk, if there is one. */
static void take_time(struct asker *a, uint64_t about_ns)
{
	uint64_t ns = about_ns / 2 + sim_below(&sim.disk, about_ns + 1);

	if (sim.phase != SIM_CALM &&
	    sim_chance(&sim.disk, sim.rates.slow_sync)) {
		ns += sim_below(&sim.disk, sim.rates.slow_ns + 1);
	}
	sim_leave(a->was);
	sim_sleep(ns);
	/* The calm ends a stall before its time. */
	while (sim.now < a->host->stalled_until) {
		sim_sleep(10 * SIM_MS);
	}
	a->was = sim_enter(SIM_WORLD);
}

static int walk(const struct asker *a, struct vnode *from, const char *path,
		struct vnode **folder, const char **last)
{
	if (path[0] == '/') {
		path += strlen("/sim");
	}
	return files_walk(a->host->files, from, path, folder, last);
}

static struct descriptor *look(int fd)
{
	if (fd < FD_FIRST) {
		return NULL;
	}
	CHECK(fd - FD_FIRST < table_count && table[fd - FD_FIRST].is_open);
	return &table[fd - FD_FIRST];
}

static int new_descriptor(int node, struct vnode *vnode)
{
	CHECK(table_count < FDS_MAX);
	if (table == NULL) {
		table = arena_alloc(SIM_WORLD, FDS_MAX * sizeof *table);
	}
	table[table_count] = (struct descriptor){
		.node = node,
		.is_open = true,
		.vnode = vnode,
	};
	return FD_FIRST + table_count++;
}

void disk_reset(void)
{
	table = NULL;
	table_count = 0;
}

void disk_life_over(int node)
{
	for (int i = 0; i < table_count; i++) {
		if (table[i].node == node) {
			table[i].is_open = false;
		}
	}
}

/* --- Names ------------------------------------------------------------------
 */

static int open_in(struct asker *a, struct vnode *from, const char *path,
		   int flags, int *fd)
{
	struct vnode *folder, *v;
	const char *last;
	int error = walk(a, from, path, &folder, &last);

	if (error != 0) {
		return error;
	}
	v = files_look(folder, last);
	if (v == NULL && (flags & O_CREAT) == 0) {
		return ENOENT;
	}
	if (v != NULL && (flags & O_EXCL) != 0) {
		return EEXIST;
	}
	if (v == NULL) {
		if (disk_free(a->node) == 0) {
			return ENOSPC;
		}
		v = files_make(a->host->files, folder, last, false);
	} else if (v->inode == NULL && (flags & O_DIRECTORY) == 0 &&
		   (flags & O_ACCMODE) != O_RDONLY) {
		return EISDIR;
	} else if (v->inode != NULL && (flags & O_TRUNC) != 0) {
		files_truncate(v);
	}
	*fd = new_descriptor(a->node, v);
	return 0;
}

WRAP(int, openat, int from, const char *path, int flags, ...)
{
	struct asker a;
	int fd = -1, error;

	if (from < FD_FIRST && !is_ours(path)) {
		return __real_openat(from, path, flags, 0600);
	}
	a = begin();
	error = open_in(&a, from >= FD_FIRST ? look(from)->vnode : NULL, path,
			flags, &fd);
	return finish(a, error, fd);
}

WRAP(int, open, const char *path, int flags, ...)
{
	return is_ours(path) ? __wrap_openat(AT_FDCWD, path, flags, 0)
			     : __real_open(path, flags, 0600);
}

WRAP(int, close, int fd)
{
	struct descriptor *d = look(fd);

	if (d == NULL) {
		return __real_close(fd);
	}
	CHECK(d->node == task_current()->node);
	d->is_open = false;
	return 0;
}

WRAP(int, mkdir, const char *path, mode_t mode)
{
	struct vnode *folder;
	const char *last;
	struct asker a;
	int error;

	if (!is_ours(path)) {
		return __real_mkdir(path, mode);
	}
	a = begin();
	error = walk(&a, NULL, path, &folder, &last);
	if (error == 0 && files_look(folder, last) != NULL) {
		error = EEXIST;
	}
	if (error == 0) {
		files_make(a.host->files, folder, last, true);
	}
	return finish(a, error, 0);
}

static int rename_in(struct asker *a, struct vnode *from_base, const char *from,
		     struct vnode *to_base, const char *to)
{
	struct vnode *from_folder, *to_folder, *there;
	const char *from_last, *to_last;
	int error = walk(a, from_base, from, &from_folder, &from_last);

	if (error == 0) {
		error = walk(a, to_base, to, &to_folder, &to_last);
	}
	if (error == 0 && files_look(from_folder, from_last) == NULL) {
		error = ENOENT;
	}
	if (error != 0) {
		return error;
	}
	there = files_look(to_folder, to_last);
	if (there != NULL && there->inode == NULL && there->now.count > 0) {
		return ENOTEMPTY;
	}
	files_rename(a->host->files, from_folder, from_last, to_folder,
		     to_last);
	return 0;
}

WRAP(int, rename, const char *from, const char *to)
{
	struct asker a;

	if (!is_ours(from)) {
		return __real_rename(from, to);
	}
	a = begin();
	return finish(a, rename_in(&a, NULL, from, NULL, to), 0);
}

WRAP(int, renameat, int from_fd, const char *from, int to_fd, const char *to)
{
	struct asker a;

	if (from_fd < FD_FIRST) {
		return __real_renameat(from_fd, from, to_fd, to);
	}
	a = begin();
	return finish(a,
		      rename_in(&a, look(from_fd)->vnode, from,
				look(to_fd)->vnode, to),
		      0);
}

static int remove_in(struct asker *a, struct vnode *from, const char *path,
		     bool is_folder)
{
	struct vnode *folder, *v;
	const char *last;
	int error = walk(a, from, path, &folder, &last);

	if (error != 0) {
		return error;
	}
	v = files_look(folder, last);
	if (v == NULL) {
		return ENOENT;
	}
	if (is_folder != (v->inode == NULL)) {
		return is_folder ? ENOTDIR : EISDIR;
	}
	if (is_folder && v->now.count > 0) {
		return ENOTEMPTY;
	}
	files_remove(a->host->files, folder, last);
	return 0;
}

WRAP(int, unlinkat, int from, const char *path, int flags)
{
	struct asker a;

	if (from < FD_FIRST && !is_ours(path)) {
		return __real_unlinkat(from, path, flags);
	}
	a = begin();
	return finish(a,
		      remove_in(&a, from >= FD_FIRST ? look(from)->vnode : NULL,
				path, (flags & AT_REMOVEDIR) != 0),
		      0);
}

WRAP(int, unlink, const char *path)
{
	return is_ours(path) ? __wrap_unlinkat(AT_FDCWD, path, 0)
			     : __real_unlink(path);
}

WRAP(int, rmdir, const char *path)
{
	return is_ours(path) ? __wrap_unlinkat(AT_FDCWD, path, AT_REMOVEDIR)
			     : __real_rmdir(path);
}

static void fill(const struct vnode *v, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_mode = v->inode == NULL ? S_IFDIR | 0700 : S_IFREG | 0600;
	st->st_size = v->inode == NULL ? 0 : (off_t)files_size(v);
	st->st_nlink = 1;
}

WRAP(int, stat, const char *path, struct stat *st)
{
	struct vnode *folder, *v = NULL;
	const char *last;
	struct asker a;
	int error;

	if (!is_ours(path)) {
		return __real_stat(path, st);
	}
	a = begin();
	error = walk(&a, NULL, path, &folder, &last);
	if (error == 0) {
		v = files_look(folder, last);
		error = v == NULL ? ENOENT : 0;
	}
	if (error == 0) {
		fill(v, st);
	}
	return finish(a, error, 0);
}

WRAP(int, access, const char *path, int mode)
{
	struct stat st;

	return is_ours(path) ? __wrap_stat(path, &st)
			     : __real_access(path, mode);
}

WRAP(int, fstat, int fd, struct stat *st)
{
	struct descriptor *d = look(fd);

	if (d == NULL) {
		return __real_fstat(fd, st);
	}
	fill(d->vnode, st);
	return 0;
}

WRAP(int, flock, int fd, int operation)
{
	struct descriptor *d = look(fd);

	if (d == NULL) {
		return __real_flock(fd, operation);
	}
	for (int i = 0; i < table_count; i++) {
		if (table[i].is_open && table[i].has_lock &&
		    table[i].vnode == d->vnode && &table[i] != d) {
			errno = EWOULDBLOCK;
			return -1;
		}
	}
	d->has_lock = true;
	return 0;
}

/* --- Folders as lists -------------------------------------------------------
 */

WRAP(DIR *, fdopendir, int fd)
{
	struct descriptor *d = look(fd);
	struct folder_stream *s;

	if (d == NULL) {
		return __real_fdopendir(fd);
	}
	s = mem_zalloc(sizeof *s);
	s->count = d->vnode->now.count;
	s->names = mem_copy(d->vnode->now.at, s->count * sizeof *s->names);
	s->fd = fd;
	return (DIR *)(void *)s;
}

WRAP(DIR *, opendir, const char *path)
{
	int fd;

	if (!is_ours(path)) {
		return __real_opendir(path);
	}
	fd = __wrap_open(path, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? NULL : __wrap_fdopendir(fd);
}

WRAP(struct dirent *, readdir, DIR *dir)
{
	struct folder_stream *s = (void *)dir;

	if (s->next == s->count) {
		return NULL;
	}
	(void)snprintf(s->item.d_name, sizeof s->item.d_name, "%s",
		       s->names[s->next++].text);
	return &s->item;
}

WRAP(int, closedir, DIR *dir)
{
	struct folder_stream *s = (void *)dir;
	int rc = __wrap_close(s->fd);

	mem_free(s->names);
	mem_free(s);
	return rc;
}

/* --- Contents ---------------------------------------------------------------
 */

WRAP(ssize_t, pread, int fd, void *data, size_t size, off_t offset)
{
	struct descriptor *d = look(fd);
	const struct content *now;
	uint64_t at = (uint64_t)offset;

	if (d == NULL) {
		return __real_pread(fd, data, size, offset);
	}
	task_point();
	now = &d->vnode->inode->now;
	if (at >= now->size) {
		return 0;
	}
	size = size < now->size - at ? size : now->size - at;
	memcpy(data, now->data + at, size);
	return (ssize_t)size;
}

WRAP(ssize_t, read, int fd, void *data, size_t size)
{
	struct descriptor *d = look(fd);
	ssize_t got;

	if (d == NULL) {
		return __real_read(fd, data, size);
	}
	got = __wrap_pread(fd, data, size, (off_t)d->at);
	d->at += got > 0 ? (uint64_t)got : 0;
	return got;
}

static bool has_room(int node, const struct vnode *v, uint64_t end)
{
	uint64_t size = files_size(v);

	return end <= size || end - size <= disk_free(node);
}

WRAP(ssize_t, pwrite, int fd, const void *data, size_t size, off_t offset)
{
	struct descriptor *d = look(fd);
	uint64_t at = (uint64_t)offset;
	struct asker a;
	int error = 0;

	if (d == NULL) {
		return __real_pwrite(fd, data, size, offset);
	}
	a = begin();
	if (sim.rates.write_ns > 0) {
		take_time(&a, sim.rates.write_ns);
	}
	if (!has_room(a.node, d->vnode, at + size)) {
		error = ENOSPC;
	} else {
		writes_add(d->vnode->inode, at, data, size);
		sim_trace(at ^ size << 32);
	}
	return finish(a, error, (int)size);
}

WRAP(ssize_t, write, int fd, const void *data, size_t size)
{
	struct descriptor *d = look(fd);
	ssize_t put;

	if (d == NULL) {
		return __real_write(fd, data, size);
	}
	put = __wrap_pwrite(fd, data, size, (off_t)d->at);
	d->at += put > 0 ? (uint64_t)put : 0;
	return put;
}

static int sync_one(int fd)
{
	struct descriptor *d = look(fd);
	struct asker a = begin();
	int error = 0;

	take_time(&a, sim.rates.sync_ns);
	if (a.host->sync_fails > 0) {
		a.host->sync_fails--;
		a.host->lost_pages = true;
		a.host->may_end = true;
		sim_count(SIM_SYNC_FAILS);
		say(SIM_EV_DISK, a.node, "a sync fails");
		if (d->vnode->inode != NULL) {
			files_sync_failed(d->vnode, sim_draw(&sim.disk));
		}
		error = EIO;
	} else if (d->vnode->inode == NULL) {
		files_sync_folder(a.host->files, d->vnode);
	} else {
		files_sync(d->vnode);
	}
	sim_trace(0x5359 + (uint64_t)error);
	return finish(a, error, 0);
}

/* Room for all of it, or nothing. */
WRAP(int, posix_fallocate, int fd, off_t offset, off_t bytes)
{
	struct descriptor *d = look(fd);
	uint64_t end = (uint64_t)(offset + bytes);
	struct asker a;
	int error = 0;

	CHECK(d != NULL);
	a = begin();
	if (!has_room(a.node, d->vnode, end)) {
		error = ENOSPC;
	} else if (end > d->vnode->reserved) {
		d->vnode->reserved = end;
	}
	(void)finish(a, 0, 0);
	return error;
}

static int space(struct statvfs *st)
{
	struct asker a = begin();

	memset(st, 0, sizeof *st);
	st->f_frsize = 512;
	st->f_blocks = DISK_BYTES / 512;
	st->f_bavail = st->f_bfree = disk_free(a.node) / 512;
	return finish(a, 0, 0);
}

WRAP(int, fstatvfs, int fd, struct statvfs *st)
{
	return look(fd) != NULL ? space(st) : __real_fstatvfs(fd, st);
}

WRAP(int, statvfs, const char *path, struct statvfs *st)
{
	return is_ours(path) ? space(st) : __real_statvfs(path, st);
}

/* What is synced by it is more than what is asked for here: the folder. */
WRAP(int, syncfs, int fd)
{
	return look(fd) != NULL ? sync_one(fd) : __real_syncfs(fd);
}

WRAP(int, fsync, int fd)
{
	return look(fd) != NULL ? sync_one(fd) : __real_fsync(fd);
}

WRAP(int, fdatasync, int fd)
{
	return look(fd) != NULL ? sync_one(fd) : __real_fdatasync(fd);
}

/* --- The port ---------------------------------------------------------------
 */

int __wrap_options_listen(const char *text, int *fd, struct buffer *problem);

/* The file of the table is what uv_tcp_open() is given. */
int __wrap_options_listen(const char *text, int *fd, struct buffer *problem)
{
	struct asker a = begin();

	(void)text;
	(void)problem;
	*fd = new_descriptor(a.node, NULL);
	return finish(a, 0, 0);
}

WRAP(int, setsockopt, int fd, int level, int name, const void *value,
     socklen_t size)
{
	return fd >= FD_FIRST ? 0
			      : __real_setsockopt(fd, level, name, value, size);
}

/* --- Life -------------------------------------------------------------------
 */

void disk_begin(int node)
{
	struct host *h = &sim.hosts[node];

	h->files = files_new();
	h->foreign = 0;
	h->room_most = 0;
}

uint64_t disk_free(int node)
{
	struct host *h = &sim.hosts[node];
	uint64_t used = h->foreign + files_bytes(h->files);
	uint64_t room = used < DISK_BYTES ? DISK_BYTES - used : 0;

	if (h->room_most != 0 && room > h->room_most) {
		h->foreign += room - h->room_most;
		room = h->room_most;
	}
	return room;
}

void disk_power_cut(int node)
{
	if (files_crash(sim.hosts[node].files, sim_draw(&sim.disk))) {
		sim_count(SIM_TORN);
	}
}

void disk_wipe(int node)
{
	sim.hosts[node].files = files_new();
}

/* --- Rot --------------------------------------------------------------------
 */
