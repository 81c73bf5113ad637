/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - every invariant of the stored tree, by walking all of it.
 *
 *   T1 T2 T3   inode.h: link counts, bytes stored, bytes charged
 *   T5 T6      block.h: blocks lie within the file, bytes add up
 *   T7   an entry and its cookie record say the same, name an inode that is
 *        there, of that type; a directory's size is the number of them
 *   T8   a directory's parent is where its entry is; from each with a name
 *        the root is reached
 *   T9   an inode has an orphan record exactly when it has no name
 *   T10  numbers are below the next one, and none is both inode and chunk
 *   T11  a chunk belongs to one file, or is detached
 *   T12  the counters are the sums; nothing else is in the map
 *
 * (T4, nothing staged before the last refusal, is shown by tests.) Memory
 * grows with the number of inodes and chunks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "fs/tree/block.h"
#include "fs/tree/chunk.h"
#include "fs/tree/counters.h"
#include "fs/tree/dentry.h"
#include "fs/tree/key.h"
#include "fs/tree/record.h"

struct seen {
	uint64_t ino;
	uint32_t mode;
	uint32_t nlink;
	uint64_t size;
	uint64_t stored;
	uint64_t charged;
	uint64_t parent;
	uint64_t cookie;
	bool in_blocks;
	uint64_t inlined; /* bytes */
	uint64_t names;
	uint64_t entries; /* of a directory, by name */
	uint64_t cookies; /* the same, by cookie */
	uint64_t subdirs;
	uint64_t in_chunks; /* bytes, as the chunks say */
	uint64_t held_by;   /* directory of the last name seen */
	bool orphan;
	bool reached;
};

struct owned {
	uint64_t id;
	uint64_t ino; /* 0: detached */
	uint64_t n;
	uint64_t stored;
	uint64_t sum; /* of the blocks seen */
};

struct check {
	struct kv_reader *r;
	struct buffer *problem;
	int rc;
	struct buffer inodes; /* struct seen, by rising ino */
	struct buffer chunks; /* struct owned, by rising id */
	struct counters counters;
};

static bool breach(struct check *k, const char *format, ...) PRINTF_LIKE(2, 3);

/* Tell the first breach. Return false, to end a scan. */
static bool breach(struct check *k, const char *format, ...)
{
	char text[256];
	va_list args;

	if (k->rc == 0) {
		va_start(args, format);
		(void)vsnprintf(text, sizeof(text), format, args);
		va_end(args);
		buffer_append(k->problem, text, strlen(text));
		k->rc = -EUCLEAN;
	}
	return false;
}

static size_t inode_count(const struct check *k)
{
	return k->inodes.size / sizeof(struct seen);
}

static struct seen *inode_at(const struct check *k, size_t i)
{
	return (struct seen *)(void *)k->inodes.data + i;
}

static size_t chunk_count(const struct check *k)
{
	return k->chunks.size / sizeof(struct owned);
}

static struct owned *chunk_at(const struct check *k, size_t i)
{
	return (struct owned *)(void *)k->chunks.data + i;
}

/* Both structs begin with their number. */
static int by_number(const void *a, const void *b)
{
	uint64_t x;
	uint64_t y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static struct seen *find_inode(const struct check *k, uint64_t ino)
{
	return bsearch(&ino, k->inodes.data, inode_count(k),
		       sizeof(struct seen), by_number);
}

static struct owned *find_chunk(const struct check *k, uint64_t id)
{
	return bsearch(&id, k->chunks.data, chunk_count(k),
		       sizeof(struct owned), by_number);
}

static void scan(struct check *k, enum key_prefix prefix, kv_visit visit)
{
	struct key key;
	struct bytes all = key_all(&key, prefix);
	int rc;

	if (k->rc == 0) {
		rc = kv_scan(k->r, all, all, visit, k);
		if (k->rc == 0) {
			k->rc = record_error(rc);
		}
	}
}

/* --- Collecting -----------------------------------------------------------
 */

static void add_chunk(struct check *k, uint64_t ino, uint64_t n,
		      const struct chunk *chunk)
{
	struct owned owned = {
		.id = chunk->id, .ino = ino, .n = n, .stored = chunk->stored};

	buffer_append(&k->chunks, &owned, sizeof(owned));
}

static bool on_inode(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;
	struct inode inode = {0};
	struct seen seen = {0};
	int rc;

	(void)value;
	if (key.size != 9) {
		return breach(k, "T12: inode key of %zu bytes", key.size);
	}
	seen.ino = key_first(key);
	rc = inode_get(k->r, seen.ino, &inode);
	if (rc != 0) {
		inode_deinit(&inode);
		return breach(k, "inode %lu: bad record", seen.ino);
	}
	seen.mode = inode.attr.mode;
	seen.nlink = inode.attr.nlink;
	seen.size = inode.attr.size;
	seen.stored = inode.stored;
	seen.charged = inode.charged;
	seen.parent = inode.parent;
	seen.cookie = inode.cookie;
	seen.in_blocks = inode.in_blocks;
	seen.inlined = inode_content(&inode).size;
	if (inode.chunk != 0) {
		struct chunk chunk = {.id = inode.chunk,
				      .stored = inode.chunk_stored};

		add_chunk(k, seen.ino, 0, &chunk);
		seen.in_chunks = chunk.stored;
	}
	buffer_append(&k->inodes, &seen, sizeof(seen));
	inode_deinit(&inode);
	return true;
}

static bool on_chunk(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;
	struct chunk chunk;
	struct seen *file;

	if (key.size != 17 || chunk_of_record(value, &chunk) != 0) {
		return breach(k, "bad chunk record");
	}
	file = find_inode(k, key_first(key));
	if (file == NULL || !file->in_blocks || key_second(key) == 0) {
		return breach(k, "T11: chunk %lu of inode %lu: no such file",
			      key_second(key), key_first(key));
	}
	file->in_chunks += chunk.stored;
	add_chunk(k, file->ino, key_second(key), &chunk);
	return true;
}

static bool on_detached(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;
	struct chunk chunk = {0};

	if (key.size != 9 || value.size == 0) {
		return breach(k, "bad record of a detached chunk");
	}
	chunk.id = key_first(key);
	add_chunk(k, 0, 0, &chunk);
	return true;
}

/* --- Names ----------------------------------------------------------------
 */

static bool on_entry(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;
	struct dentry entry;
	struct seen *dir;
	struct seen *inode;

	if (key.size <= 9 || dentry_of_name(value, &entry) != 0) {
		return breach(k, "bad entry record");
	}
	dir = find_inode(k, key_first(key));
	inode = find_inode(k, entry.ino);
	if (dir == NULL || !S_ISDIR(dir->mode) || dir->nlink == 0) {
		return breach(k, "T7: entry in %lu: no such directory",
			      key_first(key));
	}
	if (inode == NULL || (inode->mode & S_IFMT) != entry.type) {
		return breach(k, "T7: entry in %lu: inode %lu is not there",
			      dir->ino, entry.ino);
	}
	if (entry.cookie <= DENTRY_COOKIE_NONE || entry.cookie > dir->cookie) {
		return breach(k, "T7: entry in %lu: cookie %lu", dir->ino,
			      entry.cookie);
	}
	inode->names++;
	inode->held_by = dir->ino;
	dir->entries++;
	dir->subdirs += S_ISDIR(inode->mode) ? 1 : 0;
	return true;
}

static bool on_cookie(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;
	struct dentry entry;
	struct dentry same;
	struct seen *dir;
	struct bytes name;

	if (dentry_of_cookie(key, value, &entry, &name) != 0) {
		return breach(k, "bad cookie record");
	}
	if (dentry_get(k->r, key_first(key), name, &same) != 0 ||
	    same.ino != entry.ino || same.type != entry.type ||
	    same.cookie != entry.cookie) {
		return breach(k, "T7: cookie %lu of %lu names no such entry",
			      entry.cookie, key_first(key));
	}
	dir = find_inode(k, key_first(key));
	if (dir == NULL) {
		return breach(k, "T7: cookie in %lu: no directory",
			      key_first(key));
	}
	dir->cookies++;
	return true;
}

static bool on_orphan(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;
	struct seen *inode;

	(void)value;
	inode = key.size == 9 ? find_inode(k, key_first(key)) : NULL;
	if (inode == NULL || inode->nlink != 0) {
		return breach(k, "T9: orphan record without an orphan");
	}
	inode->orphan = true;
	return true;
}

/* --- Content --------------------------------------------------------------
 */

static bool on_block(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;
	struct owned *chunk;
	uint64_t end;

	chunk = key.size == 17 ? find_chunk(k, key_first(key)) : NULL;
	if (chunk == NULL || key_second(key) >= CHUNK_BLOCKS) {
		return breach(k, "T11: a block of no chunk");
	}
	if (value.size == 0 || value.size > LIMIT_BLOCK_BYTES) {
		return breach(k, "T5: block of %zu bytes in chunk %lu",
			      value.size, chunk->id);
	}
	chunk->sum += value.size;
	if (chunk->ino != 0) {
		end = (chunk->n * CHUNK_BLOCKS + key_second(key)) *
			      LIMIT_BLOCK_BYTES +
		      value.size;
		if (end > find_inode(k, chunk->ino)->size) {
			return breach(k, "T5: block beyond the end of %lu",
				      chunk->ino);
		}
	}
	return true;
}

static void check_chunks(struct check *k)
{
	for (size_t i = 0; i < chunk_count(k); i++) {
		struct owned *chunk = chunk_at(k, i);

		if (chunk->ino != 0 && chunk->sum != chunk->stored) {
			breach(k, "T6: chunk %lu has %lu bytes, says %lu",
			       chunk->id, chunk->sum, chunk->stored);
		}
		if (chunk->id == 0 || chunk->id >= k->counters.next ||
		    find_inode(k, chunk->id) != NULL) {
			breach(k, "T10: chunk id %lu", chunk->id);
		}
		if (i > 0 && chunk_at(k, i - 1)->id == chunk->id) {
			breach(k, "T11: chunk %lu has two owners", chunk->id);
		}
	}
}

/* --- Inodes ---------------------------------------------------------------
 */

static void check_links(struct check *k, const struct seen *s)
{
	bool is_dir = S_ISDIR(s->mode);
	uint64_t wanted = is_dir && s->nlink > 0 ? 2 + s->subdirs : s->names;

	if (s->nlink != wanted) {
		breach(k, "T1: inode %lu has %u links, says %lu", s->ino,
		       (unsigned)s->nlink, wanted);
	}
	if (is_dir && (s->names > 1 ||
		       (s->names == 0 && s->nlink > 0 && s->ino != FS_ROOT))) {
		breach(k, "T8: directory %lu has %lu names", s->ino, s->names);
	}
	if (is_dir && s->nlink > 0 && s->ino != FS_ROOT &&
	    s->held_by != s->parent) {
		breach(k, "T8: directory %lu is in %lu, says %lu", s->ino,
		       s->held_by, s->parent);
	}
	if (is_dir && (s->entries != s->size || s->cookies != s->size)) {
		breach(k, "T7: directory %lu: %lu entries, %lu cookies of %lu",
		       s->ino, s->entries, s->cookies, s->size);
	}
	if (s->orphan != (s->nlink == 0)) {
		breach(k, "T9: inode %lu has no name and no record", s->ino);
	}
}

static void check_content(struct check *k, const struct seen *s)
{
	uint64_t there = s->in_blocks ? s->in_chunks : s->inlined;

	if (s->stored != there || (s->in_blocks && s->inlined > 0) ||
	    s->inlined > LIMIT_INLINE_BYTES ||
	    (!s->in_blocks && s->in_chunks > 0) ||
	    (!S_ISDIR(s->mode) && s->inlined > s->size)) {
		breach(k, "T2: inode %lu has %lu bytes, says %lu", s->ino,
		       there, s->stored);
	}
	if (s->nlink > 0 ? s->charged != s->stored : s->charged > s->stored) {
		breach(k, "T3: inode %lu is charged %lu of %lu", s->ino,
		       s->charged, s->stored);
	}
}

/* Mark the way from directory s to the root; no way is walked twice. */
static void check_way(struct check *k, struct seen *s)
{
	size_t steps = inode_count(k);
	struct seen *up;

	for (up = s; up != NULL && !up->reached && up->ino != FS_ROOT;
	     up = find_inode(k, up->parent)) {
		if (steps-- == 0) {
			break;
		}
	}
	if (up == NULL || (!up->reached && up->ino != FS_ROOT)) {
		breach(k, "T8: no way from directory %lu to the root", s->ino);
		return;
	}
	for (up = s; !up->reached && up->ino != FS_ROOT;
	     up = find_inode(k, up->parent)) {
		up->reached = true;
	}
}

static void check_inodes(struct check *k)
{
	struct fs_usage sum = {0};
	const struct fs_usage *usage = &k->counters.usage;

	for (size_t i = 0; i < inode_count(k); i++) {
		struct seen *s = inode_at(k, i);

		check_links(k, s);
		check_content(k, s);
		if (S_ISDIR(s->mode) && s->nlink > 0) {
			check_way(k, s);
		}
		if (s->ino == 0 || s->ino >= k->counters.next) {
			breach(k, "T10: inode number %lu", s->ino);
		}
		sum.bytes_used += s->charged;
		sum.inodes_used += s->nlink > 0 ? 1 : 0;
	}
	if (sum.bytes_used != usage->bytes_used ||
	    sum.inodes_used != usage->inodes_used) {
		breach(k, "T12: %lu bytes and %lu inodes, counted %lu and %lu",
		       sum.bytes_used, sum.inodes_used, usage->bytes_used,
		       usage->inodes_used);
	}
}

static bool on_key(void *context, struct bytes key, struct bytes value)
{
	struct check *k = context;

	(void)value;
	if (key.size == 0 || memchr("idcebgofms", key.data[0], 10) == NULL ||
	    (key.data[0] == KEY_COUNTERS && key.size != 1)) {
		return breach(k, "T12: a key that nobody knows");
	}
	return true;
}

static void check_all(struct check *k)
{
	struct bytes all = bytes_of(NULL, 0);
	int rc = kv_scan(k->r, all, all, on_key, k);

	if (k->rc == 0) {
		k->rc = record_error(rc);
	}
	scan(k, KEY_INODE, on_inode);
	scan(k, KEY_CHUNK, on_chunk);
	scan(k, KEY_DETACHED, on_detached);
	if (k->chunks.size > 0) {
		qsort(k->chunks.data, chunk_count(k), sizeof(struct owned),
		      by_number);
	}
	scan(k, KEY_ENTRY, on_entry);
	scan(k, KEY_COOKIE, on_cookie);
	scan(k, KEY_ORPHAN, on_orphan);
	scan(k, KEY_BLOCK, on_block);
	if (k->rc == 0) {
		check_chunks(k);
		check_inodes(k);
	}
}

int fs_check(struct kv_reader *r, struct buffer *problem)
{
	struct check k = {.r = r, .problem = problem};
	struct fs_attr root;
	int rc = counters_get(r, &k.counters);

	if (rc == -ESTALE) {
		return fs_getattr(r, FS_ROOT, &root) == -ESTALE ? 0 : -EUCLEAN;
	}
	if (rc != 0) {
		return rc;
	}
	/* Never empty, so that the searches have an array. */
	(void)buffer_reserve(&k.inodes, sizeof(struct seen));
	(void)buffer_reserve(&k.chunks, sizeof(struct owned));
	check_all(&k);
	buffer_deinit(&k.inodes);
	buffer_deinit(&k.chunks);
	return k.rc;
}
