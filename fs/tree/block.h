/* SPDX-License-Identifier: Apache-2.0 */
/* block.h - the content of a regular file.
 *
 * Up to LIMIT_INLINE_BYTES it lies in the inode record: one key a write.
 * Beyond, in blocks of LIMIT_BLOCK_BYTES, CHUNK_BLOCKS of them to a chunk. A
 * block is stored up to its last byte written; what is missing reads as zero.
 *
 * Why chunks: a file of 1 GiB has 32,768 blocks, and cutting it must not
 * touch them all in one entry, nor may they show again when it grows. So
 * blocks are keyed by the id of their chunk, not by the inode: a cut takes
 * whole chunks off by forgetting their ids (128 keys for 1 GiB; PURGE deletes
 * the blocks later) and deletes one by one only in the chunk it goes through.
 * A chunk written after the cut has a new id and is empty.
 *
 *   T5  no block lies beyond the end of its file, none is empty
 *   T6  a chunk's bytes are the sum of its blocks' sizes; stored (T2) is the
 *       sum over its chunks, or the size of the inline content
 *
 * A write of 1 MiB touches at most 33 blocks in 2 chunks. */
#ifndef FS_TREE_BLOCK_H
#define FS_TREE_BLOCK_H

#include "fs/tree/change.h"

enum {
	CHUNK_BLOCKS = 256,
	CHUNK_BYTES = CHUNK_BLOCKS * LIMIT_BLOCK_BYTES,
	/* A chunk of no more than these is deleted at once, not detached. */
	CHUNK_BLOCKS_SMALL = 33,
};

static_assert((int)CHUNK_BLOCKS <= (int)LIMIT_PURGE_BLOCKS,
	      "a PURGE frees at least one chunk");

/* Put data at offset, cutting the file to nothing first if told so: checked
 * as one (-EFBIG, -ENOSPC: nothing is staged). inode itself is changed in
 * memory, size included, for the caller to put. */
MUST_USE int content_write(struct change *c, struct inode *inode, bool cut,
			   uint64_t offset, struct bytes data);
/* Set the size: what is cut off is gone, what is added is a hole. -EFBIG. */
MUST_USE int content_cut(struct change *c, struct inode *inode, uint64_t size);
/* Leave inode without content, its size as it is; *keys grows by the number of
 * keys touched. */
MUST_USE int content_detach(struct change *c, struct inode *inode,
			    uint64_t *keys);

/* Append size bytes from offset on, all within the file's size. */
MUST_USE int content_read(struct kv_reader *r, const struct inode *inode,
			  uint64_t offset, size_t size, struct buffer *out);

#endif
