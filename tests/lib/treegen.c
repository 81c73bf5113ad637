/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/treegen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void treegen_init(struct treegen *g, uint64_t seed, uint64_t size_max)
{
	*g = (struct treegen){.random = seed | 1, .size_max = size_max};
}

void treegen_deinit(struct treegen *g)
{
	buffer_deinit(&g->data);
}

/* xorshift64* */
uint64_t treegen_random(struct treegen *g, uint64_t below)
{
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return (g->random * 0x2545f4914f6cdd1d >> 16) % below;
}

static void remember(struct treegen *g, uint64_t *list, uint64_t ino)
{
	for (size_t i = 0; i < TREEGEN_INOS; i++) {
		if (list[i] == ino) {
			return;
		}
	}
	list[treegen_random(g, TREEGEN_INOS)] = ino;
}

static void forget(uint64_t *list, uint64_t ino)
{
	for (size_t i = 0; i < TREEGEN_INOS; i++) {
		if (list[i] == ino) {
			list[i] = 0;
		}
	}
}

void treegen_learn(struct treegen *g, const struct fs_op *op,
		   const struct fs_result *result)
{
	uint64_t ino = result->attr.ino;

	if (result->error == 0 && ino != 0) {
		bool is_dir = S_ISDIR(result->attr.mode);

		if (!is_dir || treegen_random(g, 20) == 0) {
			remember(g, g->inos, ino);
		}
		if (is_dir && result->attr.nlink > 0) {
			remember(g, g->dirs, ino);
		}
	}
	if (result->error == ESTALE || result->error == ENOENT) {
		forget(g->dirs, op->dir);
		forget(g->dirs, op->new_dir);
	}
	if (result->error == ESTALE) {
		forget(g->inos, op->ino);
	}
}

static uint64_t any_of(struct treegen *g, const uint64_t *list)
{
	uint64_t start = treegen_random(g, TREEGEN_INOS);

	for (uint64_t i = 0; i < TREEGEN_INOS; i++) {
		uint64_t ino = list[(start + i) % TREEGEN_INOS];

		if (ino != 0) {
			return ino;
		}
	}
	return FS_ROOT;
}

static uint64_t any_ino(struct treegen *g)
{
	return treegen_random(g, 100) == 0 ? treegen_random(g, 1000000)
					   : any_of(g, g->inos);
}

static uint64_t any_dir(struct treegen *g)
{
	uint64_t roll = treegen_random(g, 100);

	if (roll < 3) {
		return any_ino(g);
	}
	return roll < 30 ? FS_ROOT : any_of(g, g->dirs);
}

static struct bytes any_name(struct treegen *g, unsigned which)
{
	static const char *const odd[] = {".", "..", ".raftfs"};
	char *name = g->name[which];

	if (treegen_random(g, 60) == 0) {
		strcpy(name, odd[treegen_random(g, COUNT_OF(odd))]);
	} else {
		name[0] = (char)('a' + treegen_random(g, 8));
		name[1] = 0;
	}
	return bytes_of_text(name);
}

/* Mostly small, sometimes anywhere. */
static uint64_t any_size(struct treegen *g)
{
	static const uint64_t most[] = {10, 5000, 40000, 200000};
	uint64_t roll = treegen_random(g, 9);
	uint64_t below = roll < 8 ? most[roll / 2] : g->size_max;

	return treegen_random(g, below < g->size_max ? below : g->size_max);
}

static struct bytes any_data(struct treegen *g, size_t most)
{
	uint64_t size = any_size(g);

	size = size > most ? most : size;
	buffer_reset(&g->data);
	memset(buffer_reserve(&g->data, size),
	       (int)('A' + treegen_random(g, 26)), size);
	buffer_grow(&g->data, size);
	return buffer_bytes(&g->data);
}

static enum fs_op_kind any_kind(struct treegen *g)
{
	static const uint8_t often[] = {
		FS_OP_CREATE,  FS_OP_CREATE, FS_OP_CREATE,  FS_OP_MKDIR,
		FS_OP_MKDIR,   FS_OP_MKDIR,  FS_OP_SYMLINK, FS_OP_MKNOD,
		FS_OP_LINK,    FS_OP_UNLINK, FS_OP_UNLINK,  FS_OP_UNLINK,
		FS_OP_RMDIR,   FS_OP_RMDIR,  FS_OP_RENAME,  FS_OP_RENAME,
		FS_OP_RENAME,  FS_OP_RENAME, FS_OP_WRITE,   FS_OP_WRITE,
		FS_OP_WRITE,   FS_OP_WRITE,  FS_OP_WRITE,   FS_OP_WRITE,
		FS_OP_SET,     FS_OP_SET,    FS_OP_SETATTR, FS_OP_SETATTR,
		FS_OP_SETATTR, FS_OP_PURGE,  FS_OP_PURGE,   FS_OP_BIRTH,
	};

	return (enum fs_op_kind)often[treegen_random(g, COUNT_OF(often))];
}

static uint32_t any_flags(struct treegen *g, uint32_t a, uint32_t b)
{
	uint64_t roll = treegen_random(g, 6);

	return roll < 3 ? 0 : roll == 3 ? a : roll == 4 ? b : a | b;
}

static uint32_t any_mode(struct treegen *g)
{
	static const uint32_t types[] = {S_IFIFO, S_IFSOCK, S_IFCHR,
					 S_IFREG, S_IFDIR,  S_IFLNK};

	return (uint32_t)treegen_random(g, 010000) |
	       types[treegen_random(g, COUNT_OF(types))];
}

static void fill_by_kind(struct treegen *g, struct fs_op *op)
{
	switch (op->kind) {
	case FS_OP_CREATE:
		op->flags = any_flags(g, FS_EXCL, FS_TRUNCATE);
		break;
	case FS_OP_SYMLINK:
		op->data = any_data(g, 5000);
		break;
	case FS_OP_RENAME:
		op->flags = any_flags(g, FS_NOREPLACE, FS_EXCHANGE);
		op->new_dir = any_dir(g);
		op->new_name = any_name(g, 1);
		break;
	case FS_OP_WRITE:
		op->flags = any_flags(g, FS_APPEND, FS_TRUNCATE);
		op->offset = any_size(g);
		op->data = any_data(g, LIMIT_WRITE_BYTES);
		break;
	case FS_OP_SET:
		op->data = any_data(g, LIMIT_WRITE_BYTES);
		break;
	case FS_OP_SETATTR:
		op->valid = (uint32_t)treegen_random(g, 256);
		op->size = any_size(g);
		op->atime_ns = (int64_t)treegen_random(g, 1000);
		op->mtime_ns = -(int64_t)treegen_random(g, 1000);
		break;
	case FS_OP_PURGE:
		op->ino_count = treegen_random(g, 8);
		for (size_t i = 0; i < op->ino_count; i++) {
			op->inos[i] = any_ino(g);
		}
		break;
	case FS_OP_BIRTH:
	case FS_OP_MKDIR:
	case FS_OP_MKNOD:
	case FS_OP_LINK:
	case FS_OP_UNLINK:
	case FS_OP_RMDIR:
		break;
	}
}

struct fs_op treegen_next(struct treegen *g)
{
	struct fs_op op = {.kind = any_kind(g)};

	op.dir = any_dir(g);
	op.ino = any_ino(g);
	op.mode = any_mode(g);
	op.uid = (uint32_t)treegen_random(g, 5);
	op.gid = (uint32_t)treegen_random(g, 5);
	op.rdev = (uint32_t)treegen_random(g, 300);
	if (op.kind != FS_OP_BIRTH && op.kind != FS_OP_WRITE &&
	    op.kind != FS_OP_SETATTR && op.kind != FS_OP_PURGE) {
		op.name = any_name(g, 0);
	}
	fill_by_kind(g, &op);
	return op;
}
