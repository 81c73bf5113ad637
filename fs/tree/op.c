/* SPDX-License-Identifier: Apache-2.0 */
/* op.c - operations and results as bytes (proto/fs.proto).
 *
 * Decoding is where everything that comes from outside is bounded: what it
 * lets through needs no second look by the operations. Names and data are not
 * copied, they point into the encoded bytes. */
#include <string.h>

#include "fs/tree/tree.h"
#include "proto/codec.h"
#include "proto/fs.pb.h"

enum shape {
	HAS_NAME = 1 << 0,
	HAS_NEW_NAME = 1 << 1,
	HAS_DATA = 1 << 2,
	HAS_INOS = 1 << 3,
};

/* What each kind may carry. */
static const struct {
	unsigned shape;
	uint32_t flags;
} kinds[] = {
	[FS_OP_BIRTH] = {0, 0},
	[FS_OP_CREATE] = {HAS_NAME, FS_EXCL | FS_TRUNCATE},
	[FS_OP_MKDIR] = {HAS_NAME, 0},
	[FS_OP_SYMLINK] = {HAS_NAME | HAS_DATA, 0},
	[FS_OP_MKNOD] = {HAS_NAME, 0},
	[FS_OP_LINK] = {HAS_NAME, 0},
	[FS_OP_UNLINK] = {HAS_NAME, 0},
	[FS_OP_RMDIR] = {HAS_NAME, 0},
	[FS_OP_RENAME] = {HAS_NAME | HAS_NEW_NAME, FS_NOREPLACE | FS_EXCHANGE},
	[FS_OP_WRITE] = {HAS_DATA, FS_APPEND | FS_TRUNCATE | FS_KILLPRIV},
	[FS_OP_SET] = {HAS_NAME | HAS_DATA, 0},
	[FS_OP_SETATTR] = {0, 0},
	[FS_OP_PURGE] = {HAS_INOS, 0},
};

static_assert(sizeof(((FsOp *)0)->inos) / sizeof(uint64_t) == FS_PURGE_MAX,
	      "proto/fs.options and tree.h agree");

void fs_op_encode(const struct fs_op *op, struct buffer *out)
{
	struct bytes name = op->name;
	struct bytes new_name = op->new_name;
	struct bytes data = op->data;
	FsOp message = {
		.kind = op->kind,
		.flags = op->flags,
		.dir = op->dir,
		.new_dir = op->new_dir,
		.ino = op->ino,
		.offset = op->offset,
		.mode = op->mode,
		.uid = op->uid,
		.gid = op->gid,
		.rdev = op->rdev,
		.valid = op->valid,
		.size = op->size,
		.atime_ns = op->atime_ns,
		.mtime_ns = op->mtime_ns,
		.inos_count = (pb_size_t)op->ino_count,
	};

	CHECK(op->ino_count <= FS_PURGE_MAX);
	memcpy(message.inos, op->inos, op->ino_count * sizeof(op->inos[0]));
	codec_give(&message.name, &name);
	codec_give(&message.new_name, &new_name);
	codec_give(&message.data, &data);
	codec_encode(out, FsOp_fields, &message, LIMIT_ENTRY_BYTES);
}

static bool name_fits(struct bytes name, bool wanted)
{
	if (!wanted) {
		return name.size == 0;
	}
	return name.size > 0 && name.size <= LIMIT_NAME_BYTES &&
	       memchr(name.data, '/', name.size) == NULL &&
	       memchr(name.data, 0, name.size) == NULL;
}

static bool op_fits(const struct fs_op *op)
{
	unsigned shape;

	if (op->kind < FS_OP_BIRTH || op->kind > FS_OP_PURGE) {
		return false;
	}
	shape = kinds[op->kind].shape;
	return (op->flags & ~kinds[op->kind].flags) == 0 &&
	       op->flags != (FS_NOREPLACE | FS_EXCHANGE) &&
	       name_fits(op->name, shape & HAS_NAME) &&
	       name_fits(op->new_name, shape & HAS_NEW_NAME) &&
	       (op->data.size == 0 || (shape & HAS_DATA)) &&
	       op->data.size <= LIMIT_WRITE_BYTES &&
	       (op->ino_count == 0 || (shape & HAS_INOS)) &&
	       op->offset <= (uint64_t)INT64_MAX - LIMIT_WRITE_BYTES &&
	       op->size <= (uint64_t)INT64_MAX &&
	       op->valid < FS_SET_MTIME_NOW << 1;
}

int fs_op_decode(struct bytes encoded, struct fs_op *op)
{
	struct codec_slice name;
	struct codec_slice new_name;
	struct codec_slice data;
	FsOp message = FsOp_init_zero;
	pb_istream_t in = pb_istream_from_buffer(encoded.data, encoded.size);

	codec_take(&message.name, &name, encoded);
	codec_take(&message.new_name, &new_name, encoded);
	codec_take(&message.data, &data, encoded);
	if (!pb_decode_ex(&in, FsOp_fields, &message, PB_DECODE_NOINIT)) {
		return STATUS_MALFORMED;
	}
	*op = (struct fs_op){
		.kind = (enum fs_op_kind)message.kind,
		.flags = message.flags,
		.dir = message.dir,
		.name = name.found,
		.new_dir = message.new_dir,
		.new_name = new_name.found,
		.ino = message.ino,
		.offset = message.offset,
		.data = data.found,
		.mode = message.mode,
		.uid = message.uid,
		.gid = message.gid,
		.rdev = message.rdev,
		.valid = message.valid,
		.size = message.size,
		.atime_ns = message.atime_ns,
		.mtime_ns = message.mtime_ns,
		.ino_count = message.inos_count,
	};
	memcpy(op->inos, message.inos, op->ino_count * sizeof(op->inos[0]));
	return op_fits(op) ? 0 : STATUS_MALFORMED;
}

void fs_result_encode(const struct fs_result *result, struct buffer *out)
{
	const struct fs_attr *attr = &result->attr;
	FsResult message = {
		.error = (uint32_t)result->error,
		.created = result->created,
		.written = result->written,
		.offset = result->offset,
		.has_attr = attr->ino != 0,
		.attr =
			{
				.ino = attr->ino,
				.mode = attr->mode,
				.uid = attr->uid,
				.gid = attr->gid,
				.nlink = attr->nlink,
				.rdev = attr->rdev,
				.size = attr->size,
				.blocks = attr->blocks,
				.atime_ns = attr->atime_ns,
				.mtime_ns = attr->mtime_ns,
				.ctime_ns = attr->ctime_ns,
				.version = attr->version,
			},
	};

	codec_encode(out, FsResult_fields, &message, FsResult_size);
}

int fs_result_decode(struct bytes encoded, struct fs_result *result)
{
	FsResult message = FsResult_init_zero;
	const FsAttr *attr = &message.attr;
	pb_istream_t in = pb_istream_from_buffer(encoded.data, encoded.size);

	if (!pb_decode(&in, FsResult_fields, &message) ||
	    message.error > INT32_MAX) {
		return STATUS_MALFORMED;
	}
	*result = (struct fs_result){
		.error = (int)message.error,
		.created = message.created,
		.written = message.written,
		.offset = message.offset,
		.attr =
			{
				.ino = attr->ino,
				.mode = attr->mode,
				.uid = attr->uid,
				.gid = attr->gid,
				.nlink = attr->nlink,
				.rdev = attr->rdev,
				.size = attr->size,
				.blocks = attr->blocks,
				.atime_ns = attr->atime_ns,
				.mtime_ns = attr->mtime_ns,
				.ctime_ns = attr->ctime_ns,
				.version = attr->version,
			},
	};
	return 0;
}
