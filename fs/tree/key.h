/* SPDX-License-Identifier: Apache-2.0 */
/* key.h - where everything lies in the ordered map.
 *
 *   i ino           inode: attributes, then inline content or link target
 *   d dir name      entry: inode, type, cookie
 *   c dir cookie    the same entry in listing order: inode, type, name
 *   e ino chunk     chunk 1, 2, ... of a file: its id and bytes (chunk 0 is
 *                   in the inode)
 *   b id block      content of a chunk: up to 32 KiB; absent or short: zeros
 *   g id            a chunk that was cut off its file
 *   o ino           orphan: when its last name went
 *   f               counters and limits
 *
 *   d 1 "etc" --> i 7 (directory) <-- parent -- i 9 (file, 20 MiB)
 *                  d 7 "big" ------------------^ |-- chunk 0 --> b 10 0 ...
 *                  c 7 3 ----------------------^ |-- e 9 1 ----> b 11 0 ...
 *                                                `-- e 9 2 ----> b 12 0 ...
 *
 * Numbers are big-endian, so bytes sort as numbers do. Inode numbers and
 * chunk ids are drawn from one counter and never used twice: what a purge
 * frees is named by one number, and a chunk that was cut off can never come
 * back when its file grows again. kv owns the prefixes m and s. */
#ifndef FS_TREE_KEY_H
#define FS_TREE_KEY_H

#include "base/bytes.h"
#include "base/limits.h"

enum { KEY_BYTES_MAX = 1 + 8 + LIMIT_NAME_BYTES };

struct key {
	uint8_t data[KEY_BYTES_MAX];
};

enum key_prefix {
	KEY_INODE = 'i',
	KEY_ENTRY = 'd',
	KEY_COOKIE = 'c',
	KEY_CHUNK = 'e',
	KEY_BLOCK = 'b',
	KEY_DETACHED = 'g',
	KEY_ORPHAN = 'o',
	KEY_COUNTERS = 'f',
};

/* Build a key in *key; the slice returned points into it. */
struct bytes key_all(struct key *key, enum key_prefix prefix);
struct bytes key_number(struct key *key, enum key_prefix prefix, uint64_t a);
struct bytes key_pair(struct key *key, enum key_prefix prefix, uint64_t a,
		      uint64_t b);
/* name is at most LIMIT_NAME_BYTES long. */
struct bytes key_entry(struct key *key, uint64_t dir, struct bytes name);

/* The numbers behind the prefix of a key that has them. */
uint64_t key_first(struct bytes key);
uint64_t key_second(struct bytes key);

#endif
