/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h - the handlers of requests, by family; signatures are libfuse's.
 *
 * op_read.c looks, op_dir.c lists, op_change.c changes names and attributes,
 * op_file.c opens, writes and closes. Each handler answers exactly once,
 * perhaps later. */
#ifndef FS_MOUNT_OPS_H
#define FS_MOUNT_OPS_H

#include "fs/mount/request.h"

/* 0, or why this name in this folder can not be changed (positive errno). */
int ops_refuse_name(uint64_t dir, const char *name);
/* Has the cluster's first state been seen? Before, the root is empty. */
bool ops_is_born(struct mount *m);
/* The root as it shows before that. */
struct fs_attr ops_unborn_root(const struct mount *m);
/* How its attributes are read, and whether it can be opened. The way to .raftfs
 * and to statfs leads through the root, and they answer without a quorum:
 * strict reads of it are fresh ones. */
enum kv_reads ops_reads_of(const struct mount *m, uint64_t ino);

void on_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void on_readlink(fuse_req_t req, fuse_ino_t ino);
void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi);
void on_statfs(fuse_req_t req, fuse_ino_t ino);

void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void on_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi);

void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
		struct fuse_file_info *fi);
void on_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	      dev_t rdev);
void on_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void on_symlink(fuse_req_t req, const char *target, fuse_ino_t dir,
		const char *name);
void on_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t dir, const char *name);
void on_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void on_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void on_rename(fuse_req_t req, fuse_ino_t dir, const char *name,
	       fuse_ino_t new_dir, const char *new_name, unsigned flags);

void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void on_create(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void on_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *fi);
void on_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void on_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi);
void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
