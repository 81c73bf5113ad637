/* SPDX-License-Identifier: Apache-2.0 */
/* treekit.h - a tree on a store of its own, for tests: operations in one line.
 *
 * Every operation goes the whole way: encoded, applied, its result decoded.
 * Each one also shows T4: refused, it staged nothing and told nobody. */
#ifndef TESTS_LIB_TREEKIT_H
#define TESTS_LIB_TREEKIT_H

#include "fs/tree/tree.h"
#include "kv/store.h"
#include "tests/lib/memstore.h"

struct treekit {
	struct memdisk *disk; /* NULL: RocksDB */
	const char *path;     /* of RocksDB */
	struct store *store;
	struct kv_machine machine;
	struct kv_batch *batch; /* open, or NULL */
	unsigned batch_size;	/* operations of one batch; 1 at first */
	unsigned in_batch;
	uint64_t index;	  /* of the last operation */
	uint64_t time_ns; /* of the next; rises by a second each */
	struct fs_result result;
	struct buffer encoded_result;
	unsigned gets; /* of the last operation */
	unsigned puts; /* with removes */
	unsigned notes;
	struct buffer last_note;
	unsigned fail_read; /* the nth read fails; 0: none does */
	unsigned reads;
};

/* Open and make the root: owned by 0, 0, mode 0755. */
void treekit_open(struct treekit *k);
void treekit_open_rocksdb(struct treekit *k, const char *path);
void treekit_close(struct treekit *k);
/* Commit, flush, close, open again. */
void treekit_restart(struct treekit *k);
void treekit_commit(struct treekit *k);
/* What is read sees everything applied. */
struct kv_reader *treekit_reader(struct treekit *k);
/* Replace the limits in force. */
void treekit_limits(struct treekit *k, uint64_t file_bytes, uint64_t bytes,
		    uint64_t inodes);

/* All return the result's error; k->result has the rest. */
int treekit_apply_bytes(struct treekit *k, struct bytes operation);
int treekit_apply(struct treekit *k, const struct fs_op *op);
/* Apply op with its nth read failing, and take it back whatever came. Return
 * what apply did: 0 when op reads less often than that. */
int treekit_apply_failing(struct treekit *k, const struct fs_op *op,
			  unsigned nth);
int kit_create(struct treekit *k, uint64_t dir, const char *name,
	       uint32_t flags);
int kit_mkdir(struct treekit *k, uint64_t dir, const char *name);
int kit_symlink(struct treekit *k, uint64_t dir, const char *name,
		const char *target);
int kit_mknod(struct treekit *k, uint64_t dir, const char *name, uint32_t mode,
	      uint32_t rdev);
int kit_link(struct treekit *k, uint64_t ino, uint64_t dir, const char *name);
int kit_unlink(struct treekit *k, uint64_t dir, const char *name);
int kit_rmdir(struct treekit *k, uint64_t dir, const char *name);
int kit_rename(struct treekit *k, uint64_t dir, const char *name,
	       uint64_t new_dir, const char *new_name, uint32_t flags);
int kit_write(struct treekit *k, uint64_t ino, uint64_t offset,
	      const char *text, uint32_t flags);
/* size bytes, all of them `fill`. */
int kit_fill(struct treekit *k, uint64_t ino, uint64_t offset, size_t size,
	     char fill, uint32_t flags);
int kit_set(struct treekit *k, uint64_t dir, const char *name,
	    const char *text);
int kit_truncate(struct treekit *k, uint64_t ino, uint64_t size);
int kit_purge(struct treekit *k, uint64_t ino);

/* The same where success is given: they return the inode number. */
uint64_t GIVEN_FILE(struct treekit *k, uint64_t dir, const char *name);
uint64_t GIVEN_TEXT(struct treekit *k, uint64_t dir, const char *name,
		    const char *text);
uint64_t GIVEN_DIR(struct treekit *k, uint64_t dir, const char *name);

struct fs_attr kit_attr(struct treekit *k, uint64_t ino);
struct fs_usage kit_usage(struct treekit *k);
/* A lookup's inode number, or its negative errno. */
int64_t kit_lookup(struct treekit *k, uint64_t dir, const char *name);
/* The whole content equals text. */
void assert_content(struct treekit *k, uint64_t ino, const char *text);
/* size bytes from offset are all `fill`. */
void assert_filled(struct treekit *k, uint64_t ino, uint64_t offset,
		   size_t size, char fill);
/* fs_check() finds nothing. */
void assert_sound(struct treekit *k);
/* The number of keys that begin with prefix. */
size_t kit_keys(struct treekit *k, char prefix);

#endif
