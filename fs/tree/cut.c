/* SPDX-License-Identifier: Apache-2.0 */
/* cut.c - files that get shorter, or longer by a hole.
 *
 * To give bytes back is never refused, so what is checked is only growth;
 * all else is staged as it is found. */
#include <string.h>

#include "fs/tree/block.h"
#include "fs/tree/chunk.h"
#include "fs/tree/key.h"

/* How many of the file's blocks can lie in its chunk n, by its size. */
static uint64_t blocks_in(const struct inode *inode, uint64_t n)
{
	uint64_t blocks =
		(inode->attr.size + LIMIT_BLOCK_BYTES - 1) / LIMIT_BLOCK_BYTES;
	uint64_t before = n * CHUNK_BLOCKS;

	if (blocks <= before) {
		return 0;
	}
	return blocks - before < CHUNK_BLOCKS ? blocks - before : CHUNK_BLOCKS;
}

/* Detach the chunks from number n on. *freed grows by their bytes. */
static int detach_from(struct change *c, struct inode *inode, uint64_t n,
		       uint64_t *freed, uint64_t *keys)
{
	struct chunk chunk;
	uint64_t blocks;
	int rc;

	while ((blocks = blocks_in(inode, n)) > 0) {
		rc = chunk_get(c->r, inode, n, &chunk);
		if (rc != 0) {
			return rc;
		}
		if (chunk.id != 0) {
			*freed += chunk.stored;
			*keys += chunk_detach(c->b, inode, n, &chunk, blocks);
		}
		n++;
	}
	return 0;
}

int content_detach(struct change *c, struct inode *inode, uint64_t *keys)
{
	uint64_t freed = 0;

	if (inode->in_blocks) {
		int rc = detach_from(c, inode, 0, &freed, keys);

		if (rc != 0) {
			return rc;
		}
		inode->in_blocks = false;
	}
	inode_content_resize(inode, 0);
	return 0;
}

static int grow(struct change *c, struct inode *inode, uint64_t size)
{
	int rc = change_counters(c);

	if (rc == 0 && size > c->counters.file_bytes_max) {
		rc = -EFBIG;
	}
	if (rc == 0) {
		inode->attr.size = size;
	}
	return rc;
}

static int cut_inline(struct change *c, struct inode *inode, size_t size)
{
	size_t had = inode_content(inode).size;
	size_t keeps = size < had ? size : had;
	int rc = change_charge(c, inode, keeps);

	if (rc == 0) {
		inode_content_resize(inode, keeps);
	}
	return rc;
}

/* What is left of a file in blocks fits in the inode again. */
static int cut_to_inline(struct change *c, struct inode *inode, size_t size)
{
	struct buffer block = {0};
	struct chunk chunk;
	uint64_t keys = 0;
	size_t keeps;
	int rc = chunk_get(c->r, inode, 0, &chunk);

	if (rc == 0) {
		rc = block_get(c->r, &chunk, 0, &block);
	}
	keeps = block.size < size ? block.size : size;
	if (rc == 0) {
		rc = change_charge(c, inode, keeps);
	}
	if (rc == 0) {
		rc = content_detach(c, inode, &keys);
	}
	if (rc == 0 && keeps > 0) {
		memcpy(inode_content_resize(inode, keeps), block.data, keeps);
	}
	buffer_deinit(&block);
	return rc;
}

/* Within one chunk: the block the cut goes through, and those behind. */
static int cut_chunk(struct change *c, struct inode *inode, uint64_t n,
		     uint64_t size, uint64_t *freed)
{
	uint64_t in_chunk = size - n * CHUNK_BYTES;
	uint64_t count = blocks_in(inode, n);
	struct buffer block = {0};
	struct chunk chunk;
	struct key key;
	int rc = chunk_get(c->r, inode, n, &chunk);

	if (rc != 0 || chunk.id == 0) {
		return rc;
	}
	for (uint64_t i = (in_chunk - 1) / LIMIT_BLOCK_BYTES;
	     i < count && rc == 0; i++) {
		uint64_t start = i * LIMIT_BLOCK_BYTES;
		size_t keeps =
			in_chunk > start ? (size_t)(in_chunk - start) : 0;
		struct bytes at = key_pair(&key, KEY_BLOCK, chunk.id, i);

		rc = block_get(c->r, &chunk, i, &block);
		if (rc != 0 || block.size <= keeps) {
			continue;
		}
		chunk.stored -= block.size - keeps;
		*freed += block.size - keeps;
		if (keeps > 0) {
			kv_put(c->b, at, bytes_of(block.data, keeps));
		} else {
			kv_remove(c->b, at);
		}
	}
	chunk_put(c->b, inode, n, &chunk);
	buffer_deinit(&block);
	return rc;
}

static int cut_blocks(struct change *c, struct inode *inode, uint64_t size)
{
	uint64_t n = (size - 1) / CHUNK_BYTES;
	uint64_t freed = 0;
	uint64_t keys = 0;
	int rc = cut_chunk(c, inode, n, size, &freed);

	if (rc == 0) {
		rc = detach_from(c, inode, n + 1, &freed, &keys);
	}
	if (rc == 0 && freed > inode->stored) {
		rc = -EUCLEAN;
	}
	return rc == 0 ? change_charge(c, inode, inode->stored - freed) : rc;
}

int content_cut(struct change *c, struct inode *inode, uint64_t size)
{
	int rc;

	if (size == inode->attr.size) {
		return 0;
	}
	if (size > inode->attr.size) {
		return grow(c, inode, size);
	}
	if (!inode->in_blocks) {
		rc = cut_inline(c, inode,
				size < LIMIT_INLINE_BYTES ? (size_t)size
							  : LIMIT_INLINE_BYTES);
	} else if (size <= LIMIT_INLINE_BYTES) {
		rc = cut_to_inline(c, inode, (size_t)size);
	} else {
		rc = cut_blocks(c, inode, size);
	}
	if (rc == 0) {
		inode->attr.size = size;
	}
	return rc;
}
