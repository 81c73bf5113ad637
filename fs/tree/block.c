/* SPDX-License-Identifier: Apache-2.0 */
/* block.c - reading and writing content; chunk.c takes chunks off. */
#include "fs/tree/block.h"

#include <string.h>

#include "fs/tree/chunk.h"
#include "fs/tree/key.h"

enum { BLOCKS_A_WRITE = LIMIT_WRITE_BYTES / LIMIT_BLOCK_BYTES + 1 };

/* One write, cut at block borders. */
struct span {
	uint64_t offset;
	struct bytes data;
	uint64_t first; /* blocks, of the file */
	uint64_t count;
	size_t had[BLOCKS_A_WRITE]; /* bytes each block has before */
};

static struct span span_of(uint64_t offset, struct bytes data)
{
	uint64_t first = offset / LIMIT_BLOCK_BYTES;
	uint64_t last = (offset + data.size - 1) / LIMIT_BLOCK_BYTES;

	CHECK(data.size > 0 && last - first < BLOCKS_A_WRITE);
	return (struct span){.offset = offset,
			     .data = data,
			     .first = first,
			     .count = last - first + 1};
}

/* Where in block i of the span its bytes go. */
static size_t span_from(const struct span *s, uint64_t i)
{
	return i == 0 ? s->offset % LIMIT_BLOCK_BYTES : 0;
}

static size_t span_to(const struct span *s, uint64_t i)
{
	uint64_t end = s->offset + s->data.size;
	uint64_t start = (s->first + i) * LIMIT_BLOCK_BYTES;

	return end - start < LIMIT_BLOCK_BYTES ? (size_t)(end - start)
					       : LIMIT_BLOCK_BYTES;
}

static struct bytes span_bytes(const struct span *s, uint64_t i)
{
	size_t from = span_from(s, i);
	uint64_t at = (s->first + i) * LIMIT_BLOCK_BYTES + from - s->offset;

	return bytes_of(s->data.data + at, span_to(s, i) - from);
}

/* --- Checking: what the write adds ----------------------------------------
 */

static int check_size(struct change *c, const struct inode *inode, uint64_t end)
{
	int rc;

	if (end <= inode->attr.size || end <= LIMIT_INLINE_BYTES) {
		return 0;
	}
	rc = change_counters(c);
	if (rc != 0) {
		return rc;
	}
	return end > c->counters.file_bytes_max ? -EFBIG : 0;
}

/* Fill in what the blocks of the span have now. */
static int span_had(struct change *c, const struct inode *inode, bool cut,
		    struct span *s)
{
	struct chunk chunk = {0};
	size_t inlined = inode->in_blocks ? 0 : inode_content(inode).size;
	int rc = 0;

	if (cut) {
		return 0;
	}
	for (uint64_t i = 0; i < s->count && rc == 0; i++) {
		uint64_t n = s->first + i;

		if (!inode->in_blocks) {
			s->had[i] = n == 0 ? inlined : 0;
			continue;
		}
		if (i == 0 || n % CHUNK_BLOCKS == 0) {
			rc = chunk_get(c->r, inode, n / CHUNK_BLOCKS, &chunk);
		}
		if (rc == 0) {
			rc = block_size(c->r, &chunk, n % CHUNK_BLOCKS,
					&s->had[i]);
		}
	}
	return rc;
}

static size_t span_has(const struct span *s, uint64_t i)
{
	size_t to = span_to(s, i);

	return to > s->had[i] ? to : s->had[i];
}

static uint64_t span_adds(const struct span *s)
{
	uint64_t more = 0;

	for (uint64_t i = 0; i < s->count; i++) {
		more += span_has(s, i) - s->had[i];
	}
	return more;
}

/* --- Staging --------------------------------------------------------------
 */

/* Block i of the span, of which chunk may have an older one. */
static int block_write(struct change *c, const struct chunk *chunk,
		       const struct span *s, uint64_t i, struct buffer *scratch)
{
	struct bytes bytes = span_bytes(s, i);
	size_t from = span_from(s, i);
	size_t size = span_has(s, i);
	struct key key;
	struct bytes at = key_pair(&key, KEY_BLOCK, chunk->id,
				   (s->first + i) % CHUNK_BLOCKS);

	if (bytes.size < size) {
		buffer_reset(scratch);
		if (s->had[i] > 0) {
			int rc = kv_get(c->r, at, scratch);

			if (rc != 0) {
				return record_error(rc);
			}
		}
		if (size > scratch->size) {
			size_t more = size - scratch->size;

			memset(buffer_reserve(scratch, more), 0, more);
			buffer_grow(scratch, more);
		}
		memcpy(scratch->data + from, bytes.data, bytes.size);
		bytes = buffer_bytes(scratch);
	}
	kv_put(c->b, at, bytes);
	return 0;
}

static int span_write(struct change *c, struct inode *inode,
		      const struct span *s)
{
	struct buffer scratch = {0};
	struct chunk chunk = {0};
	int rc = 0;

	for (uint64_t i = 0; i < s->count && rc == 0; i++) {
		uint64_t n = s->first + i;

		if (i == 0 || n % CHUNK_BLOCKS == 0) {
			rc = chunk_get(c->r, inode, n / CHUNK_BLOCKS, &chunk);
			if (rc != 0) {
				break;
			}
			if (chunk.id == 0) {
				chunk.id = change_draw(c);
			}
		}
		rc = block_write(c, &chunk, s, i, &scratch);
		chunk.stored += span_has(s, i) - s->had[i];
		if (i + 1 == s->count || (n + 1) % CHUNK_BLOCKS == 0) {
			chunk_put(c->b, inode, n / CHUNK_BLOCKS, &chunk);
		}
	}
	buffer_deinit(&scratch);
	return rc;
}

/* The inline content becomes the first block. */
static void leave_inline(struct change *c, struct inode *inode)
{
	struct bytes content = inode_content(inode);
	struct chunk chunk = {.stored = content.size};
	struct key key;

	inode->in_blocks = true;
	if (content.size > 0) {
		chunk.id = change_draw(c);
		kv_put(c->b, key_pair(&key, KEY_BLOCK, chunk.id, 0), content);
		chunk_put(c->b, inode, 0, &chunk);
		inode_content_resize(inode, 0);
	}
}

static int write_inline(struct change *c, struct inode *inode, bool cut,
			uint64_t offset, struct bytes data)
{
	size_t end = (size_t)offset + data.size;
	size_t had = cut ? 0 : inode_content(inode).size;
	size_t size = end > had ? end : had;
	uint8_t *content;
	uint64_t keys;
	int rc = change_charge(c, inode, size);

	if (rc == 0 && inode->in_blocks) {
		rc = content_detach(c, inode, &keys);
	}
	if (rc != 0) {
		return rc;
	}
	inode_content_resize(inode, had);
	content = inode_content_resize(inode, size);
	memcpy(content + offset, data.data, data.size);
	return 0;
}

static int write_blocks(struct change *c, struct inode *inode, bool cut,
			uint64_t offset, struct bytes data)
{
	struct span span = span_of(offset, data);
	uint64_t keys;
	int rc = change_counters(c); /* a chunk may need an id */

	if (rc == 0) {
		rc = span_had(c, inode, cut, &span);
	}
	if (rc == 0) {
		rc = change_charge(
			c, inode, (cut ? 0 : inode->stored) + span_adds(&span));
	}
	if (rc == 0 && cut) {
		rc = content_detach(c, inode, &keys);
	}
	if (rc != 0) {
		return rc;
	}
	if (!inode->in_blocks) {
		leave_inline(c, inode);
	}
	return span_write(c, inode, &span);
}

int content_write(struct change *c, struct inode *inode, bool cut,
		  uint64_t offset, struct bytes data)
{
	uint64_t end = offset + data.size;
	int rc;

	if (data.size == 0) {
		return cut ? content_cut(c, inode, 0) : 0;
	}
	rc = check_size(c, inode, end);
	if (rc != 0) {
		return rc;
	}
	rc = end <= LIMIT_INLINE_BYTES && (cut || !inode->in_blocks)
		     ? write_inline(c, inode, cut, offset, data)
		     : write_blocks(c, inode, cut, offset, data);
	if (rc == 0 && (cut || end > inode->attr.size)) {
		inode->attr.size = end;
	}
	return rc;
}

/* --- Reading --------------------------------------------------------------
 */

static void append_part(struct buffer *out, struct bytes from, size_t at,
			size_t size)
{
	size_t there = at < from.size ? from.size - at : 0;

	if (there > size) {
		there = size;
	}
	if (there > 0) {
		buffer_append(out, from.data + at, there);
	}
	size -= there;
	if (size > 0) {
		memset(buffer_reserve(out, size), 0, size);
		buffer_grow(out, size);
	}
}

int content_read(struct kv_reader *r, const struct inode *inode,
		 uint64_t offset, size_t size, struct buffer *out)
{
	struct buffer block = {0};
	struct chunk chunk = {0};
	uint64_t chunk_n = UINT64_MAX;
	int rc = 0;

	if (!inode->in_blocks) {
		struct bytes content = inode_content(inode);

		append_part(out, content,
			    offset < content.size ? (size_t)offset
						  : content.size,
			    size);
		return 0;
	}
	while (size > 0 && rc == 0) {
		uint64_t n = offset / LIMIT_BLOCK_BYTES;
		size_t at = offset % LIMIT_BLOCK_BYTES;
		size_t part = LIMIT_BLOCK_BYTES - at;

		if (part > size) {
			part = size;
		}
		if (n / CHUNK_BLOCKS != chunk_n) {
			chunk_n = n / CHUNK_BLOCKS;
			rc = chunk_get(r, inode, chunk_n, &chunk);
		}
		if (rc == 0) {
			rc = block_get(r, &chunk, n % CHUNK_BLOCKS, &block);
		}
		if (rc == 0) {
			append_part(out, buffer_bytes(&block), at, part);
		}
		offset += part;
		size -= part;
	}
	buffer_deinit(&block);
	return rc;
}
