/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.h - the blocks of a file, CHUNK_BLOCKS at a time (block.h says why).
 *
 * Chunk 0 is described in the inode, the others by a record each. A detached
 * chunk has a record of its own and no file. */
#ifndef FS_TREE_CHUNK_H
#define FS_TREE_CHUNK_H

#include "fs/tree/inode.h"

struct chunk {
	uint64_t id;	 /* 0: none of its blocks is there */
	uint64_t stored; /* bytes in its blocks (T6) */
};

/* Chunk number n of inode; of none, both are 0. */
MUST_USE int chunk_get(struct kv_reader *r, const struct inode *inode,
		       uint64_t n, struct chunk *chunk);
void chunk_put(struct kv_batch *b, struct inode *inode, uint64_t n,
	       const struct chunk *chunk);
/* As the scan of KEY_CHUNK gives it. -EUCLEAN. */
MUST_USE int chunk_of_record(struct bytes value, struct chunk *chunk);
/* Take chunk n, which has at most `blocks` blocks, off inode. Return the keys
 * touched. */
uint64_t chunk_detach(struct kv_batch *b, struct inode *inode, uint64_t n,
		      const struct chunk *chunk, uint64_t blocks);
/* Delete the blocks of a detached chunk and its record; *keys grows by the
 * keys touched. */
MUST_USE int chunk_purge(struct kv_batch *b, uint64_t id, uint64_t *keys);

/* Block n of a chunk, empty if it is not there. */
MUST_USE int block_get(struct kv_reader *r, const struct chunk *chunk,
		       uint64_t n, struct buffer *block);
MUST_USE int block_size(struct kv_reader *r, const struct chunk *chunk,
			uint64_t n, size_t *size);

#endif
