/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - the filesystem as a deterministic machine over the ordered map.
 *
 * Changing: an fs_op is encoded, proposed through kv, and applied on every
 * replica by fs_machine()'s apply, which gives each the same bytes and the
 * same fs_result. Reading: the fs_* functions below, over any kv_reader (the
 * newest state, a frozen view, a batch).
 *
 * errno: functions return 0 or a negative errno; results carry a positive
 * one. Inode numbers are never reused; the root is FS_ROOT. Times are
 * nanoseconds since 1970, signed. Nothing here knows FUSE, Raft, clocks or
 * threads; permission checks are the kernel's (default_permissions).
 *
 * Sources: POSIX.1-2017 (XSH: open, rename, unlink, ...), rename(2). */
#ifndef FS_TREE_TREE_H
#define FS_TREE_TREE_H

#include <sys/types.h>

#include "base/limits.h"
#include "kv/batch.h"
#include "kv/machine.h"

enum { FS_ROOT = 1 };

struct fs_attr {
	uint64_t ino;
	uint32_t mode; /* type and permission bits, as st_mode */
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink; /* 0: an orphan */
	uint32_t rdev;
	uint64_t size;
	uint64_t blocks; /* of 512 bytes in use, as st_blocks */
	int64_t atime_ns;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint64_t version; /* log index of the last change of content (files) or
			     of entries (directories) */
};

/* --- Operations --------------------------------------------------------------
 */

enum fs_op_kind {
	FS_OP_BIRTH = 1, /* make the root: mode, uid, gid; once */
	FS_OP_CREATE,	 /* name in dir: a regular file. FS_EXCL or open what is
			    there */
	FS_OP_MKDIR,	 /* name in dir */
	FS_OP_SYMLINK,	 /* name in dir -> data */
	FS_OP_MKNOD,	 /* name in dir: fifo, socket, device (mode, rdev) */
	FS_OP_LINK,	 /* ino gets name in dir */
	FS_OP_UNLINK,	 /* name in dir, not a directory */
	FS_OP_RMDIR,	 /* name in dir */
	FS_OP_RENAME,	 /* name in dir -> new_name in new_dir */
	FS_OP_WRITE,	 /* data into ino at offset; FS_APPEND, FS_TRUNCATE */
	FS_OP_SET,	 /* name in dir gets data as its whole content; made if
			    missing */
	FS_OP_SETATTR,	 /* the attributes named in valid, of ino */
	FS_OP_PURGE, /* free these orphans, a bounded slice of blocks at a time
		      */
};

enum fs_op_flags {
	FS_EXCL = 1 << 0,     /* CREATE: EEXIST when the name is there */
	FS_TRUNCATE = 1 << 1, /* CREATE, WRITE: cut to size 0 first (O_TRUNC) */
	FS_APPEND = 1 << 2,   /* WRITE: at the end, wherever that is at apply */
	FS_NOREPLACE = 1 << 3, /* RENAME: EEXIST when new_name is there */
	FS_EXCHANGE = 1 << 4,  /* RENAME: swap the two */
	/* WRITE: by someone who may not keep the file setuid or setgid */
	FS_KILLPRIV = 1 << 5,
};

enum fs_op_valid { /* SETATTR */
		   FS_SET_MODE = 1 << 0,
		   FS_SET_UID = 1 << 1,
		   FS_SET_GID = 1 << 2,
		   FS_SET_SIZE = 1 << 3,
		   FS_SET_ATIME = 1 << 4,
		   FS_SET_MTIME = 1 << 5,
		   FS_SET_ATIME_NOW = 1 << 6, /* the entry's time */
		   FS_SET_MTIME_NOW = 1 << 7,
};

enum { FS_PURGE_MAX = 64 };

/* Slices are borrowed while encoding; after decoding they point into the
 * encoded bytes. Fields an operation does not use are 0. */
struct fs_op {
	enum fs_op_kind kind;
	uint32_t flags;
	uint64_t dir;
	struct bytes name;
	uint64_t new_dir;
	struct bytes new_name;
	uint64_t ino;
	uint64_t offset;
	struct bytes data;
	uint32_t mode;
	uint32_t uid; /* the caller's, for what is made; or the value set */
	uint32_t gid;
	uint32_t rdev;
	uint32_t valid;
	uint64_t size;
	int64_t atime_ns;
	int64_t mtime_ns;
	uint64_t inos[FS_PURGE_MAX];
	size_t ino_count;
};

/* Append the encoding. The caller has checked the bounds of limits.h. */
void fs_op_encode(const struct fs_op *op, struct buffer *out);
/* STATUS_MALFORMED: does not decode, or breaks a bound (name length, slashes,
 * data size, unknown kind or flags). */
MUST_USE int fs_op_decode(struct bytes encoded, struct fs_op *op);

struct fs_result {
	int error;	     /* 0 or a positive errno: then nothing changed */
	bool created;	     /* CREATE, SET: the name was not there before */
	uint64_t written;    /* WRITE: bytes */
	uint64_t offset;     /* WRITE: where they went */
	struct fs_attr attr; /* of the inode made or changed, afterwards */
};

void fs_result_encode(const struct fs_result *result, struct buffer *out);
MUST_USE int fs_result_decode(struct bytes encoded, struct fs_result *result);

/* The machine for kv_config.machine. uid and gid own a new root (0755). The
 * name ".raftfs" in the root is refused by every operation (EPERM). */
void fs_machine(uint32_t uid, uint32_t gid, struct kv_machine *machine);

/* --- What watchers are told (kv_watch)
 * ------------------------------------------ */

enum fs_note_kind {
	FS_NOTE_CONTENT = 1, /* ino's data changed (attributes too) */
	FS_NOTE_ATTR,	     /* ino's attributes only */
	FS_NOTE_ENTRY, /* name in dir came, went or changed; ino: the inode */
};
struct fs_note {
	enum fs_note_kind kind;
	uint64_t ino;
	uint64_t dir;
	struct bytes name;
};
MUST_USE int fs_note_decode(struct bytes encoded, struct fs_note *note);

/* --- Reading: 0 or a negative errno
 * ------------------------------------------------ */

/* -ESTALE: no such inode (any more). From all: -EIO, the store failed;
 * -EUCLEAN, what it holds is damaged. */
MUST_USE int fs_getattr(struct kv_reader *r, uint64_t ino,
			struct fs_attr *attr);
/* -ENOENT, -ENOTDIR, -ESTALE (dir is gone), -ENAMETOOLONG. "." and ".." work.
 */
MUST_USE int fs_lookup(struct kv_reader *r, uint64_t dir, struct bytes name,
		       struct fs_attr *attr);
/* Walk an absolute path; no symbolic link is followed but with -ELOOP for one
 * in the middle. */
MUST_USE int fs_resolve(struct kv_reader *r, const char *path,
			struct fs_attr *attr);
/* Append up to size bytes from offset to out; holes read as zero; fewer only
 * at the end. attr receives the inode as read (may be NULL). Consistent when r
 * is a view. -EISDIR, -ESTALE, -EINVAL (not a regular file). */
MUST_USE int fs_read(struct kv_reader *r, uint64_t ino, uint64_t offset,
		     size_t size, struct buffer *out, struct fs_attr *attr);
MUST_USE int fs_readlink(struct kv_reader *r, uint64_t ino, struct buffer *out);

struct fs_dirent {
	struct bytes name;
	uint64_t ino;
	uint32_t type;	 /* S_IFMT bits */
	uint64_t cookie; /* > 2; of this entry */
};
typedef bool (*fs_visit)(void *context, const struct fs_dirent *entry);
/* The highest cookie in use: a listing that began now ends there. */
MUST_USE int fs_dir_end(struct kv_reader *r, uint64_t dir, uint64_t *cookie);
/* Entries with after < cookie <= end, rising, without "." and "..". */
MUST_USE int fs_readdir(struct kv_reader *r, uint64_t dir, uint64_t after,
			uint64_t end, fs_visit visit, void *context);
/* The directory that holds dir; FS_ROOT's is itself. */
MUST_USE int fs_parent(struct kv_reader *r, uint64_t dir, uint64_t *parent);

struct fs_usage {
	uint64_t bytes_max;
	uint64_t bytes_used;
	uint64_t inodes_max;
	uint64_t inodes_used;
};
MUST_USE int fs_usage(struct kv_reader *r, struct fs_usage *usage);

/* Walk everything and verify the invariants of the tree (T1 ...: link counts,
 * no directory cycle, no entry without inode, usage, cookies, orphans). The
 * first breach is told in problem, -EUCLEAN returned. For tests and repair. */
MUST_USE int fs_check(struct kv_reader *r, struct buffer *problem);

#endif
