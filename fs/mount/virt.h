/* SPDX-License-Identifier: Apache-2.0 */
/* virt.h - `.raftfs` in the root: status texts as files.
 *
 * They are not in the tree and need no consensus: they answer before the
 * cluster is founded and without a quorum. A file's text is made at open. The
 * folder is not listed in the root, so that `cp -a`, `find` and `rm -r` do
 * not meet it; its name can not be used for anything else. Node numbers are
 * at VIRT_DIR and above, which the tree never reaches. */
#ifndef FS_MOUNT_VIRT_H
#define FS_MOUNT_VIRT_H

#include "fs/mount/adapter.h"

#define VIRT_DIR (1ULL << 63)

bool virt_owns(uint64_t ino);
/* Would this name be, or be in, `.raftfs`? Then it can not be changed. */
bool virt_claims(uint64_t dir, const char *name);

/* Each answers the request. dir and name: claimed. */
void virt_lookup(fuse_req_t req, fuse_ino_t dir, const char *name);
void virt_getattr(fuse_req_t req, fuse_ino_t ino);
void virt_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void virt_read(fuse_req_t req, size_t size, off_t offset,
	       struct fuse_file_info *fi);
void virt_release(fuse_req_t req, struct fuse_file_info *fi);
void virt_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void virt_readdir(fuse_req_t req, size_t size, off_t offset);

#endif
