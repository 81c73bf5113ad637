/* SPDX-License-Identifier: Apache-2.0 */
/* faultdisk_file.h - what a faultdisk is made of: files and lists of names.
 *
 * A file has its contents as read, its contents as durable, and the writes
 * that lie between. The disk's mutex protects all. */
#ifndef TESTS_LIB_FAULTDISK_FILE_H
#define TESTS_LIB_FAULTDISK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum { NAMES_MAX = 256 };

struct write {
	uint64_t at;
	size_t size;
	uint8_t *data;
};

struct content {
	uint8_t *data;
	size_t size;
};

struct inode {
	LIST_ENTRY(inode) link;
	struct content now;
	struct content durable;
	struct write *writes; /* since the last sync */
	size_t write_count;
	unsigned opens;
	unsigned syncs;
};

struct name {
	char *text;
	struct inode *inode;
};

struct names {
	struct name items[NAMES_MAX];
	size_t count;
};

/* from NULL: created as to; to NULL: removed. */
struct change {
	char *from;
	char *to;
	struct inode *inode;
};

/* splitmix64 */
uint64_t faultdisk_draw(uint64_t *seed);

void content_put(struct content *c, uint64_t at, const uint8_t *data,
		 size_t size);
void content_copy(struct content *to, const struct content *from);

void writes_add(struct inode *inode, uint64_t at, const void *data,
		size_t size);
void inode_sync(struct inode *inode);
/* Some of the writes become durable, the others never were. */
void inode_crash(struct inode *inode, uint64_t *seed);
void inode_free(struct inode *inode);

struct name *names_find(struct names *names, const char *text);
void names_remove(struct names *names, const char *text);
void names_add(struct names *names, const char *text, struct inode *inode);
void names_clear(struct names *names);
void names_copy(struct names *to, const struct names *from);
void names_change(struct names *names, const struct change *c);
bool is_named(const struct names *names, const struct inode *inode);

#endif
