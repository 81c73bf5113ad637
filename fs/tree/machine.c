/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - the filesystem as kv sees it (kv/machine.h). */
#include "fs/tree/change.h"
#include "fs/tree/orphan.h"

static int (*const operations[])(struct change *c) = {
	[FS_OP_BIRTH] = op_birth,   [FS_OP_CREATE] = op_create,
	[FS_OP_MKDIR] = op_mkdir,   [FS_OP_SYMLINK] = op_symlink,
	[FS_OP_MKNOD] = op_mknod,   [FS_OP_LINK] = op_link,
	[FS_OP_UNLINK] = op_unlink, [FS_OP_RMDIR] = op_rmdir,
	[FS_OP_RENAME] = op_rename, [FS_OP_WRITE] = op_write,
	[FS_OP_SET] = op_set,	    [FS_OP_SETATTR] = op_setattr,
	[FS_OP_PURGE] = op_purge,
};

static int apply(void *context, struct kv_batch *b, const struct kv_at *at,
		 struct bytes operation, struct buffer *result)
{
	struct fs_op op;
	struct fs_result outcome = {0};
	struct change c = {
		.b = b,
		.r = &b->reader,
		.at = at,
		.op = &op,
		.result = &outcome,
	};
	int rc = -EINVAL;

	(void)context;
	if (fs_op_decode(operation, &op) == 0) {
		rc = operations[op.kind](&c);
	}
	if (record_failed(rc)) {
		return record_status(rc);
	}
	if (rc == 0 && c.counters_changed) {
		counters_put(b, &c.counters);
	}
	if (rc != 0) {
		outcome = (struct fs_result){.error = -rc};
	}
	fs_result_encode(&outcome, result);
	CHECK(result->size <= LIMIT_RESULT_BYTES);
	return 0;
}

/* What frees space always works, and what only changes attributes or names
 * that are there: rm, truncate, mv and chmod. */
static bool adds(void *context, struct bytes operation)
{
	struct fs_op op;

	(void)context;
	if (fs_op_decode(operation, &op) != 0) {
		return false;
	}
	switch (op.kind) {
	case FS_OP_CREATE:
	case FS_OP_MKDIR:
	case FS_OP_SYMLINK:
	case FS_OP_MKNOD:
	case FS_OP_LINK:
	case FS_OP_SET:
		return true;
	case FS_OP_WRITE:
		return op.data.size > 0;
	case FS_OP_BIRTH:
	case FS_OP_UNLINK:
	case FS_OP_RMDIR:
	case FS_OP_RENAME:
	case FS_OP_SETATTR:
	case FS_OP_PURGE:
		break;
	}
	return false;
}

/* uid and gid, as fs_machine() was told, packed in the context. */
static void birth(void *context, struct buffer *operation)
{
	uint64_t owner = (uint64_t)(uintptr_t)context;
	struct fs_op op = {
		.kind = FS_OP_BIRTH,
		.mode = 0755,
		.uid = (uint32_t)(owner >> 32),
		.gid = (uint32_t)owner,
	};

	fs_op_encode(&op, operation);
}

static void tidy(void *context, const struct kv_tidy *t)
{
	(void)context;
	orphan_tidy(t);
}

static_assert(sizeof(void *) == sizeof(uint64_t), "birth() packs two ids");

void fs_machine(uint32_t uid, uint32_t gid, struct kv_machine *machine)
{
	*machine = (struct kv_machine){
		.context = (void *)(uintptr_t)((uint64_t)uid << 32 | gid),
		.apply = apply,
		.adds = adds,
		.birth = birth,
		.tidy = tidy,
	};
}
