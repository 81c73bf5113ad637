/* SPDX-License-Identifier: Apache-2.0 */
/* change.h - one operation while it is applied.
 *
 * Every operation keeps to one order: read and check everything, in memory
 * only; then stage. A batch holds many entries and can not take one of them
 * back, so nothing is put before the last refusal is behind (T4). The
 * counters stay in memory until machine.c sees that the operation succeeded.
 *
 * Functions return 0 or a negative errno (record.h). */
#ifndef FS_TREE_CHANGE_H
#define FS_TREE_CHANGE_H

#include "fs/tree/counters.h"
#include "fs/tree/dentry.h"
#include "fs/tree/inode.h"
#include "fs/tree/record.h"

/* What of a mode is permissions. */
enum { MODE_BITS = 07777 };

struct change {
	struct kv_batch *b;
	struct kv_reader *r; /* of b */
	const struct kv_at *at;
	const struct fs_op *op;
	struct fs_result *result;
	struct counters counters; /* change_counters() first */
	bool counters_read;
	bool counters_changed;
};

int64_t change_now(const struct change *c);

MUST_USE int change_counters(struct change *c);
/* Draw a number nobody had before. The counters are read. */
uint64_t change_draw(struct change *c);
/* Let inode hold `stored` bytes: T2, T3. -ENOSPC when the total forbids it;
 * less is always fine. */
MUST_USE int change_charge(struct change *c, struct inode *inode,
			   uint64_t stored);

/* The directory in which name is to be looked up, made or removed: -EPERM for
 * .raftfs in the root, -ESTALE, -ENOTDIR, -ENOENT when it was removed. */
MUST_USE int change_dir(struct change *c, uint64_t ino, struct bytes name,
			struct inode *dir);
bool name_is_dots(struct bytes name);			/* "." or ".." */
bool name_is_reserved(uint64_t dir, struct bytes name); /* .raftfs */

/* A new inode for name in dir, numbered and counted, not yet linked. The
 * caller's uid and gid and the mode of the operation are taken, set-group-ID
 * of dir heeded. -ENOSPC. */
MUST_USE int change_make(struct change *c, const struct inode *dir,
			 uint32_t type, struct inode *made);
/* Stage a name in dir for inode, and dir and inode themselves. */
void change_link(struct change *c, struct inode *dir, struct bytes name,
		 struct inode *inode);
/* An entry of dir came, went or changed: its times and version. */
void change_touch_dir(struct change *c, struct inode *dir);
/* Take a name off inode (a directory: its only one) and stage it; the last
 * makes it an orphan. The counters are read. */
void change_unlink(struct change *c, struct inode *inode);
/* inode is what the operation was about: its attributes are the result. */
void change_result(struct change *c, const struct inode *inode);

void note_content(struct change *c, uint64_t ino);
void note_attr(struct change *c, uint64_t ino);
void note_entry(struct change *c, uint64_t dir, struct bytes name,
		uint64_t ino);

/* The operations: op_*.c. */
MUST_USE int op_birth(struct change *c);
MUST_USE int op_create(struct change *c);
MUST_USE int op_mkdir(struct change *c);
MUST_USE int op_symlink(struct change *c);
MUST_USE int op_mknod(struct change *c);
MUST_USE int op_link(struct change *c);
MUST_USE int op_unlink(struct change *c);
MUST_USE int op_rmdir(struct change *c);
MUST_USE int op_rename(struct change *c);
MUST_USE int op_write(struct change *c);
MUST_USE int op_set(struct change *c);
MUST_USE int op_setattr(struct change *c);
MUST_USE int op_purge(struct change *c);

#endif
