/* SPDX-License-Identifier: Apache-2.0 */
/* dentry.c - the records of a name:
 *
 *   by name                  by cookie
 *   0  1  version            0  1  version
 *   1  3  zero               1  3  zero
 *   4  4  type               4  4  type
 *   8  8  inode              8  8  inode
 *  16  8  cookie            16  -  name */
#include "fs/tree/dentry.h"

#include <string.h>

#include "fs/tree/key.h"
#include "fs/tree/record.h"

enum { NAME_RECORD_BYTES = 24, COOKIE_HEAD_BYTES = 16 };

int dentry_get(struct kv_reader *r, uint64_t dir, struct bytes name,
	       struct dentry *entry)
{
	struct buffer value = {0};
	struct key key;
	int rc = record_get(r, key_entry(&key, dir, name), NAME_RECORD_BYTES,
			    &value, -ENOENT);

	if (rc == 0) {
		rc = dentry_of_name(buffer_bytes(&value), entry);
	}
	buffer_deinit(&value);
	return rc;
}

void dentry_put(struct kv_batch *b, uint64_t dir, struct bytes name,
		const struct dentry *entry)
{
	uint8_t value[COOKIE_HEAD_BYTES + LIMIT_NAME_BYTES] = {
		RECORD_VERSION,
	};
	struct key key;

	put_le32(value + 4, entry->type);
	put_le64(value + 8, entry->ino);
	put_le64(value + 16, entry->cookie);
	kv_put(b, key_entry(&key, dir, name),
	       bytes_of(value, NAME_RECORD_BYTES));
	memcpy(value + COOKIE_HEAD_BYTES, name.data, name.size);
	kv_put(b, key_pair(&key, KEY_COOKIE, dir, entry->cookie),
	       bytes_of(value, COOKIE_HEAD_BYTES + name.size));
}

void dentry_remove(struct kv_batch *b, uint64_t dir, struct bytes name,
		   const struct dentry *entry)
{
	struct key key;

	kv_remove(b, key_entry(&key, dir, name));
	kv_remove(b, key_pair(&key, KEY_COOKIE, dir, entry->cookie));
}

int dentry_of_name(struct bytes value, struct dentry *entry)
{
	if (value.size != NAME_RECORD_BYTES ||
	    value.data[0] != RECORD_VERSION) {
		return -EUCLEAN;
	}
	entry->type = get_le32(value.data + 4);
	entry->ino = get_le64(value.data + 8);
	entry->cookie = get_le64(value.data + 16);
	return 0;
}

int dentry_of_cookie(struct bytes key, struct bytes value, struct dentry *entry,
		     struct bytes *name)
{
	if (key.size != 17 || value.size <= COOKIE_HEAD_BYTES ||
	    value.size > COOKIE_HEAD_BYTES + LIMIT_NAME_BYTES ||
	    value.data[0] != RECORD_VERSION) {
		return -EUCLEAN;
	}
	entry->type = get_le32(value.data + 4);
	entry->ino = get_le64(value.data + 8);
	entry->cookie = key_second(key);
	*name = bytes_of(value.data + COOKIE_HEAD_BYTES,
			 value.size - COOKIE_HEAD_BYTES);
	return 0;
}
