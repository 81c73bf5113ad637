/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/tree/chunk.h"

#include "fs/tree/block.h"
#include "fs/tree/key.h"
#include "fs/tree/record.h"

enum { CHUNK_RECORD_BYTES = 24, DETACHED_RECORD_BYTES = 1 };

int chunk_get(struct kv_reader *r, const struct inode *inode, uint64_t n,
	      struct chunk *chunk)
{
	struct buffer value = {0};
	struct key key;
	int rc;

	*chunk = (struct chunk){0};
	if (!inode->in_blocks) {
		return 0;
	}
	if (n == 0) {
		chunk->id = inode->chunk;
		chunk->stored = inode->chunk_stored;
		return 0;
	}
	rc = record_get(r, key_pair(&key, KEY_CHUNK, inode->attr.ino, n),
			CHUNK_RECORD_BYTES, &value, -ENOENT);
	if (rc == 0) {
		rc = chunk_of_record(buffer_bytes(&value), chunk);
	}
	buffer_deinit(&value);
	return rc == -ENOENT ? 0 : rc;
}

int chunk_of_record(struct bytes value, struct chunk *chunk)
{
	if (value.size != CHUNK_RECORD_BYTES ||
	    value.data[0] != RECORD_VERSION) {
		return -EUCLEAN;
	}
	chunk->id = get_le64(value.data + 8);
	chunk->stored = get_le64(value.data + 16);
	return 0;
}

void chunk_put(struct kv_batch *b, struct inode *inode, uint64_t n,
	       const struct chunk *chunk)
{
	uint8_t value[CHUNK_RECORD_BYTES] = {RECORD_VERSION};
	struct key key;

	if (n == 0) {
		inode->chunk = chunk->id;
		inode->chunk_stored = chunk->stored;
		return;
	}
	put_le64(value + 8, chunk->id);
	put_le64(value + 16, chunk->stored);
	kv_put(b, key_pair(&key, KEY_CHUNK, inode->attr.ino, n),
	       bytes_of(value, sizeof(value)));
}

uint64_t chunk_detach(struct kv_batch *b, struct inode *inode, uint64_t n,
		      const struct chunk *chunk, uint64_t blocks)
{
	static const uint8_t detached[DETACHED_RECORD_BYTES] = {
		RECORD_VERSION,
	};
	struct key key;

	if (n == 0) {
		inode->chunk = 0;
		inode->chunk_stored = 0;
	} else {
		kv_remove(b, key_pair(&key, KEY_CHUNK, inode->attr.ino, n));
	}
	if (blocks > CHUNK_BLOCKS_SMALL) {
		kv_put(b, key_number(&key, KEY_DETACHED, chunk->id),
		       bytes_of(detached, sizeof(detached)));
		return 2;
	}
	for (uint64_t i = 0; i < blocks; i++) {
		kv_remove(b, key_pair(&key, KEY_BLOCK, chunk->id, i));
	}
	return 1 + blocks;
}

struct found {
	uint64_t count;
	uint64_t blocks[CHUNK_BLOCKS];
};

static bool find_block(void *context, struct bytes key, struct bytes value)
{
	struct found *found = context;

	(void)value;
	found->blocks[found->count++] = key_second(key);
	return found->count < CHUNK_BLOCKS;
}

int chunk_purge(struct kv_batch *b, uint64_t id, uint64_t *keys)
{
	struct found found = {0};
	struct key key;
	struct bytes prefix = key_number(&key, KEY_BLOCK, id);
	int rc = kv_scan(&b->reader, prefix, prefix, find_block, &found);

	if (rc != 0) {
		return record_error(rc);
	}
	for (uint64_t i = 0; i < found.count; i++) {
		kv_remove(b, key_pair(&key, KEY_BLOCK, id, found.blocks[i]));
	}
	kv_remove(b, key_number(&key, KEY_DETACHED, id));
	*keys += found.count + 1;
	return 0;
}

int block_get(struct kv_reader *r, const struct chunk *chunk, uint64_t n,
	      struct buffer *block)
{
	struct key key;
	int rc = STATUS_NOT_FOUND;

	if (chunk->id != 0) {
		rc = kv_get(r, key_pair(&key, KEY_BLOCK, chunk->id, n), block);
	}
	if (rc == STATUS_NOT_FOUND) {
		buffer_reset(block);
		return 0;
	}
	if (rc == 0 && block->size > LIMIT_BLOCK_BYTES) {
		return -EUCLEAN;
	}
	return record_error(rc);
}

int block_size(struct kv_reader *r, const struct chunk *chunk, uint64_t n,
	       size_t *size)
{
	struct buffer block = {0};
	int rc = block_get(r, chunk, n, &block);

	*size = block.size;
	buffer_deinit(&block);
	return rc;
}
