/* SPDX-License-Identifier: Apache-2.0 */
/* forget.c - a filesystem in memory that forgets what was not synced.
 *
 *   forget MOUNTPOINT [ignore-sync]
 *
 * The power cut of tests/cluster/powercut.sh: the data folder of a daemon lies
 * in here; once the daemon is dead, `mkdir MOUNTPOINT/.power-cut` turns
 * everything back into what was synced (forget_store.h) and says how much was
 * forgotten. With ignore-sync nothing ever counts as synced.
 *
 * It stays in the foreground. One thread; an inode's number is its address. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/lib/forget_store.h"

static struct store store;

static struct file *file_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? store.root : (struct file *)ino;
}

static void reply_entry(fuse_req_t req, struct file *f,
			struct fuse_file_info *fi)
{
	struct fuse_entry_param e = {
		.ino = f == store.root ? FUSE_ROOT_ID : (fuse_ino_t)f,
		.attr = f->st,
	};

	f->lookups++;
	if (fi != NULL)
		fuse_reply_create(req, &e, fi);
	else
		fuse_reply_entry(req, &e);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *text)
{
	struct name *n = folder_find(file_of(parent), text);

	if (n == NULL)
		fuse_reply_err(req, ENOENT);
	else
		reply_entry(req, n->file, NULL);
}

static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct file *f = file_of(ino);

	f->lookups -= count < f->lookups ? count : f->lookups;
	if (f != store.root)
		store_release(&store, f);
	fuse_reply_none(req);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	(void)fi;
	fuse_reply_attr(req, &file_of(ino)->st, 0);
}

static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set,
		       struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	(void)fi;

	if (set & FUSE_SET_ATTR_MODE)
		f->st.st_mode =
			(f->st.st_mode & S_IFMT) | (st->st_mode & 07777);
	if (set & FUSE_SET_ATTR_UID)
		f->st.st_uid = st->st_uid;
	if (set & FUSE_SET_ATTR_GID)
		f->st.st_gid = st->st_gid;
	if (set & FUSE_SET_ATTR_SIZE)
		file_resize(f, (size_t)st->st_size);
	if (set & FUSE_SET_ATTR_MTIME)
		f->st.st_mtim = st->st_mtim;
	fuse_reply_attr(req, &f->st, 0);
}

static struct file *make(fuse_req_t req, fuse_ino_t parent, const char *text,
			 mode_t mode)
{
	const struct fuse_ctx *who = fuse_req_ctx(req);
	struct file *f;

	if (folder_find(file_of(parent), text) != NULL) {
		fuse_reply_err(req, EEXIST);
		return NULL;
	}
	f = store_make(&store, mode);
	f->st.st_uid = who->uid;
	f->st.st_gid = who->gid;
	folder_add(file_of(parent), text, f);
	return f;
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *text,
		     mode_t mode, dev_t rdev)
{
	struct file *f = make(req, parent, text, mode);

	if (f == NULL)
		return;
	f->st.st_rdev = rdev;
	reply_entry(req, f, NULL);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *text,
		     mode_t mode)
{
	struct file *f;

	if (strcmp(text, ".power-cut") == 0) {
		forget_cut(&store);
		fprintf(stderr,
			"power cut: %llu bytes and %llu names "
			"forgotten\n",
			(unsigned long long)store.forgotten_bytes,
			(unsigned long long)store.forgotten_names);
	}
	f = make(req, parent, text, S_IFDIR | mode);
	if (f != NULL)
		reply_entry(req, f, NULL);
}

static void on_create(fuse_req_t req, fuse_ino_t parent, const char *text,
		      mode_t mode, struct fuse_file_info *fi)
{
	struct file *f = make(req, parent, text, S_IFREG | (mode & 07777));

	if (f != NULL)
		reply_entry(req, f, fi);
}

static void on_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
		    const char *text)
{
	if (folder_find(file_of(parent), text) != NULL) {
		fuse_reply_err(req, EEXIST);
		return;
	}
	folder_add(file_of(parent), text, file_of(ino));
	reply_entry(req, file_of(ino), NULL);
}

static void on_unlink(fuse_req_t req, fuse_ino_t parent, const char *text)
{
	if (folder_find(file_of(parent), text) == NULL) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	store_release(&store, folder_remove(file_of(parent), text));
	fuse_reply_err(req, 0);
}

static void on_rmdir(fuse_req_t req, fuse_ino_t parent, const char *text)
{
	struct name *n = folder_find(file_of(parent), text);

	if (n == NULL)
		fuse_reply_err(req, ENOENT);
	else if (n->file->names != NULL)
		fuse_reply_err(req, ENOTEMPTY);
	else
		on_unlink(req, parent, text);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *text,
		      fuse_ino_t new_parent, const char *new_text,
		      unsigned flags)
{
	struct file *from = file_of(parent), *to = file_of(new_parent), *f;
	struct name *there = folder_find(to, new_text);

	if (folder_find(from, text) == NULL) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	if (flags != 0 || (there != NULL && there->file->names != NULL)) {
		fuse_reply_err(req, flags != 0 ? EINVAL : ENOTEMPTY);
		return;
	}
	if (there != NULL)
		store_release(&store, folder_remove(to, new_text));
	f = folder_remove(from, text);
	folder_add(to, new_text, f);
	fuse_reply_err(req, 0);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fi->flags & O_TRUNC)
		file_resize(file_of(ino), 0);
	fuse_reply_open(req, fi);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
		    struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	off_t left = f->st.st_size - at;
	(void)fi;

	if (left <= 0)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, (char *)f->live + at,
			       size < (size_t)left ? size : (size_t)left);
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *data,
		     size_t size, off_t at, struct fuse_file_info *fi)
{
	(void)fi;
	file_write(file_of(ino), (size_t)at, data, size);
	fuse_reply_write(req, size);
}

static void on_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t at,
			 off_t size, struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	(void)fi;

	if (mode & FALLOC_FL_PUNCH_HOLE)
		file_zero(f, (size_t)at, (size_t)size);
	else if (!(mode & FALLOC_FL_KEEP_SIZE) && at + size > f->st.st_size)
		file_resize(f, (size_t)(at + size));
	fuse_reply_err(req, 0);
}

static void on_fsync(fuse_req_t req, fuse_ino_t ino, int data_only,
		     struct fuse_file_info *fi)
{
	(void)data_only;
	(void)fi;
	forget_sync(&store, file_of(ino));
	fuse_reply_err(req, 0);
}

/* A listing is made when the folder is opened, so that nothing that happens
 * meanwhile skips or repeats a name. */
struct listing {
	char *data;
	size_t *ends; /* of each entry */
	size_t size, count;
};

static void list_one(fuse_req_t req, struct listing *l, const char *text,
		     const struct stat *st)
{
	size_t need = fuse_add_direntry(req, NULL, 0, text, NULL, 0);

	l->data = realloc(l->data, l->size + need);
	l->ends = realloc(l->ends, (l->count + 1) * sizeof *l->ends);
	if (l->data == NULL || l->ends == NULL)
		abort();
	fuse_add_direntry(req, l->data + l->size, need, text, st,
			  (off_t)(l->size + need));
	l->size += need;
	l->ends[l->count++] = l->size;
}

static void on_opendir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	struct file *f = file_of(ino);
	struct listing *l = calloc(1, sizeof *l);

	if (l == NULL)
		abort();
	list_one(req, l, ".", &f->st);
	list_one(req, l, "..", &f->parent->st);
	for (struct name *n = f->names; n != NULL; n = n->next)
		list_one(req, l, n->text, &n->file->st);
	fi->fh = (uint64_t)(uintptr_t)l;
	fuse_reply_open(req, fi);
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at,
		       struct fuse_file_info *fi)
{
	struct listing *l = (struct listing *)(uintptr_t)fi->fh;
	size_t from = (size_t)at, until = from;
	(void)ino;

	for (size_t i = 0; i < l->count; i++) /* whole entries only */
		if (l->ends[i] > from && l->ends[i] - from <= size)
			until = l->ends[i];
	fuse_reply_buf(req, l->data + from, until - from);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	struct listing *l = (struct listing *)(uintptr_t)fi->fh;
	(void)ino;

	free(l->data);
	free(l->ends);
	free(l);
	fuse_reply_err(req, 0);
}

static void on_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct statvfs st = {.f_bsize = PAGE_BYTES,
				   .f_frsize = PAGE_BYTES,
				   .f_blocks = 16 << 20,
				   .f_bfree = 15 << 20,
				   .f_bavail = 15 << 20,
				   .f_files = 1 << 20,
				   .f_ffree = 1 << 20,
				   .f_namemax = 255};
	(void)ino;

	fuse_reply_statfs(req, &st);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = on_lookup,
	.forget = on_forget,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.mknod = on_mknod,
	.mkdir = on_mkdir,
	.create = on_create,
	.link = on_link,
	.unlink = on_unlink,
	.rmdir = on_rmdir,
	.rename = on_rename,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.fallocate = on_fallocate,
	.fsync = on_fsync,
	.fsyncdir = on_fsync,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
	.statfs = on_statfs,
};

int main(int argc, char **argv)
{
	char *words[] = {argv[0], (char[]){"-ofsname=forget"}, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, words);
	struct fuse_session *session;
	int rc = 1;

	if (argc < 2 || argc > 3) {
		fputs("usage: forget MOUNTPOINT [ignore-sync]\n", stderr);
		return 2;
	}
	store_init(&store);
	store.ignore_sync = argc == 3 && strcmp(argv[2], "ignore-sync") == 0;
	session = fuse_session_new(&args, &operations, sizeof operations, NULL);
	if (session == NULL)
		return 1;
	if (fuse_set_signal_handlers(session) == 0 &&
	    fuse_session_mount(session, argv[1]) == 0) {
		rc = fuse_session_loop(session);
		fuse_session_unmount(session);
	}
	fuse_session_destroy(session);
	return rc < 0;
}
