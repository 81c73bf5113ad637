/* SPDX-License-Identifier: Apache-2.0 */
/* inode.h - an inode in memory and its record.
 *
 * The record is a head of fixed size, little-endian, and behind it the inline
 * content: a link's target, or a small file's bytes. In memory both stay one
 * buffer, so a small file is changed in place and put back without a copy.
 *
 * Invariants (fs_check verifies them):
 *   T1  nlink: a directory has 2 and one for each subdirectory, 0 once it is
 *       removed; anything else one for each name
 *   T2  stored: bytes of content kept in the state, inline or in blocks
 *   T3  charged: of these, what counts against the total; equal to stored
 *       while there is a name. The last name's end gives all back at once
 *       (rm frees space although somebody may read on); what an orphan
 *       grows by afterwards is charged again.
 *
 * The holder owns an inode: zero it, then inode_get() or inode_init(), and
 * inode_deinit() it. One thread. */
#ifndef FS_TREE_INODE_H
#define FS_TREE_INODE_H

#include "fs/tree/tree.h"

struct inode {
	struct fs_attr attr;
	uint64_t stored;
	uint64_t charged;
	uint64_t parent;       /* directories */
	uint64_t cookie;       /* directories: the highest ever given */
	uint64_t chunk;	       /* files: id of chunk 0; 0: none */
	uint64_t chunk_stored; /* files: bytes in chunk 0 */
	bool in_blocks;	       /* files: nothing is inline */
	struct buffer record;  /* head and inline content */
};

void inode_init(struct inode *inode, uint64_t ino, uint32_t mode);
void inode_deinit(struct inode *inode);
/* -ESTALE: no such inode. */
MUST_USE int inode_get(struct kv_reader *r, uint64_t ino, struct inode *inode);
void inode_put(struct kv_batch *b, struct inode *inode);

/* The inline content; lent until the next change of it. */
struct bytes inode_content(const struct inode *inode);
/* Set its size: cut, or grown by zeros. Return where it begins. */
uint8_t *inode_content_resize(struct inode *inode, size_t size);

bool inode_is_dir(const struct inode *inode);
bool inode_is_file(const struct inode *inode);
bool inode_is_link(const struct inode *inode);

#endif
