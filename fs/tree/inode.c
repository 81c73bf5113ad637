/* SPDX-License-Identifier: Apache-2.0 */
/* inode.c - the record of an inode:
 *
 *    0  1  version            40  8  mtime, nanoseconds
 *    1  1  1: in blocks       48  8  ctime
 *    2  2  zero               56  8  version of content or entries
 *    4  4  mode               64  8  bytes stored
 *    8  4  uid                72  8  bytes charged
 *   12  4  gid                80  8  parent, or id of chunk 0
 *   16  4  nlink              88  8  highest cookie, or bytes of chunk 0
 *   20  4  rdev               96  -  inline content
 *   24  8  size
 *   32  8  atime */
#include "fs/tree/inode.h"

#include <string.h>
#include <sys/stat.h>

#include "fs/tree/key.h"
#include "fs/tree/record.h"

enum { HEAD_BYTES = 96, SECTOR_BYTES = 512 };

void inode_init(struct inode *inode, uint64_t ino, uint32_t mode)
{
	inode->attr = (struct fs_attr){.ino = ino, .mode = mode};
	memset(buffer_reserve(&inode->record, HEAD_BYTES), 0, HEAD_BYTES);
	buffer_grow(&inode->record, HEAD_BYTES);
}

void inode_deinit(struct inode *inode)
{
	buffer_deinit(&inode->record);
}

static void head_read(struct inode *inode, const uint8_t *head)
{
	struct fs_attr *attr = &inode->attr;
	uint64_t a = get_le64(head + 80);
	uint64_t b = get_le64(head + 88);

	attr->mode = get_le32(head + 4);
	attr->uid = get_le32(head + 8);
	attr->gid = get_le32(head + 12);
	attr->nlink = get_le32(head + 16);
	attr->rdev = get_le32(head + 20);
	attr->size = get_le64(head + 24);
	attr->atime_ns = (int64_t)get_le64(head + 32);
	attr->mtime_ns = (int64_t)get_le64(head + 40);
	attr->ctime_ns = (int64_t)get_le64(head + 48);
	attr->version = get_le64(head + 56);
	inode->in_blocks = head[1] != 0;
	inode->stored = get_le64(head + 64);
	inode->charged = get_le64(head + 72);
	if (inode_is_dir(inode)) {
		inode->parent = a;
		inode->cookie = b;
	} else {
		inode->chunk = a;
		inode->chunk_stored = b;
	}
}

int inode_get(struct kv_reader *r, uint64_t ino, struct inode *inode)
{
	struct key key;
	int rc = record_get(r, key_number(&key, KEY_INODE, ino), HEAD_BYTES,
			    &inode->record, -ESTALE);

	if (rc != 0) {
		return rc;
	}
	inode->attr = (struct fs_attr){.ino = ino};
	head_read(inode, inode->record.data);
	inode->attr.blocks = (inode->stored + SECTOR_BYTES - 1) / SECTOR_BYTES;
	return 0;
}

void inode_put(struct kv_batch *b, struct inode *inode)
{
	struct fs_attr *attr = &inode->attr;
	uint8_t *head = inode->record.data;
	bool is_dir = inode_is_dir(inode);
	struct key key;

	attr->blocks = (inode->stored + SECTOR_BYTES - 1) / SECTOR_BYTES;
	head[0] = RECORD_VERSION;
	head[1] = inode->in_blocks;
	put_le32(head + 4, attr->mode);
	put_le32(head + 8, attr->uid);
	put_le32(head + 12, attr->gid);
	put_le32(head + 16, attr->nlink);
	put_le32(head + 20, attr->rdev);
	put_le64(head + 24, attr->size);
	put_le64(head + 32, (uint64_t)attr->atime_ns);
	put_le64(head + 40, (uint64_t)attr->mtime_ns);
	put_le64(head + 48, (uint64_t)attr->ctime_ns);
	put_le64(head + 56, attr->version);
	put_le64(head + 64, inode->stored);
	put_le64(head + 72, inode->charged);
	put_le64(head + 80, is_dir ? inode->parent : inode->chunk);
	put_le64(head + 88, is_dir ? inode->cookie : inode->chunk_stored);
	kv_put(b, key_number(&key, KEY_INODE, attr->ino),
	       buffer_bytes(&inode->record));
}

struct bytes inode_content(const struct inode *inode)
{
	return bytes_of(inode->record.data + HEAD_BYTES,
			inode->record.size - HEAD_BYTES);
}

uint8_t *inode_content_resize(struct inode *inode, size_t size)
{
	struct buffer *record = &inode->record;
	size_t had = record->size - HEAD_BYTES;

	if (size > had) {
		memset(buffer_reserve(record, size - had), 0, size - had);
		buffer_grow(record, size - had);
	} else {
		buffer_reset(record);
		buffer_grow(record, HEAD_BYTES + size);
	}
	return record->data + HEAD_BYTES;
}

bool inode_is_dir(const struct inode *inode)
{
	return S_ISDIR(inode->attr.mode);
}

bool inode_is_file(const struct inode *inode)
{
	return S_ISREG(inode->attr.mode);
}

bool inode_is_link(const struct inode *inode)
{
	return S_ISLNK(inode->attr.mode);
}
