/* SPDX-License-Identifier: Apache-2.0 */
/* Operations and results survive the way through the log, and what is not one
 * is refused before it is applied. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fs/tree/tree.h"

static int decode_text(const char *text, size_t size, struct fs_op *op)
{
	return fs_op_decode(bytes_of(text, size), op);
}

/* Encode op, return what decoding says of it. */
static int refused(const struct fs_op *op)
{
	struct buffer encoded = {0};
	struct fs_op again;
	int rc;

	fs_op_encode(op, &encoded);
	rc = fs_op_decode(buffer_bytes(&encoded), &again);
	buffer_deinit(&encoded);
	return rc;
}

static struct fs_op mkdir_named(const char *name)
{
	return (struct fs_op){
		.kind = FS_OP_MKDIR, .dir = 1, .name = bytes_of_text(name)};
}

static void every_field_survives(void **state)
{
	struct fs_op op = {.kind = FS_OP_RENAME,
			   .flags = FS_EXCHANGE,
			   .dir = 1,
			   .name = bytes_of_text("a"),
			   .new_dir = UINT64_MAX,
			   .new_name = bytes_of_text("b c"),
			   .ino = 4,
			   .offset = 5,
			   .mode = 0177777,
			   .uid = UINT32_MAX,
			   .gid = 8,
			   .rdev = 9,
			   .valid = FS_SET_MTIME_NOW,
			   .size = INT64_MAX,
			   .atime_ns = INT64_MIN,
			   .mtime_ns = -1};
	struct buffer encoded = {0};
	struct fs_op again;
	(void)state;

	fs_op_encode(&op, &encoded);
	assert_int_equal(fs_op_decode(buffer_bytes(&encoded), &again), 0);

	assert_int_equal(again.kind, FS_OP_RENAME);
	assert_int_equal(again.flags, FS_EXCHANGE);
	assert_int_equal(again.dir, 1);
	assert_true(bytes_equal(again.name, op.name));
	assert_true(again.new_dir == UINT64_MAX);
	assert_true(bytes_equal(again.new_name, op.new_name));
	assert_int_equal(again.ino, 4);
	assert_int_equal(again.offset, 5);
	assert_int_equal(again.mode, 0177777);
	assert_int_equal(again.uid, UINT32_MAX);
	assert_int_equal(again.gid, 8);
	assert_int_equal(again.rdev, 9);
	assert_int_equal(again.valid, FS_SET_MTIME_NOW);
	assert_true(again.size == INT64_MAX);
	assert_true(again.atime_ns == INT64_MIN);
	assert_int_equal(again.mtime_ns, -1);
	buffer_deinit(&encoded);
}

static void data_of_a_full_write_is_not_copied(void **state)
{
	uint8_t *data = mem_zalloc(LIMIT_WRITE_BYTES);
	struct fs_op op = {.kind = FS_OP_WRITE,
			   .ino = 2,
			   .data = bytes_of(data, LIMIT_WRITE_BYTES)};
	struct buffer encoded = {0};
	struct fs_op again;
	(void)state;

	data[LIMIT_WRITE_BYTES - 1] = 7;
	fs_op_encode(&op, &encoded);
	assert_int_equal(fs_op_decode(buffer_bytes(&encoded), &again), 0);

	assert_true(bytes_equal(again.data, op.data));
	assert_true(again.data.data > encoded.data);
	assert_true(again.data.data + again.data.size <=
		    encoded.data + encoded.size);
	assert_true(encoded.size <= LIMIT_ENTRY_BYTES);
	buffer_deinit(&encoded);
	mem_free(data);
}

static void purge_carries_its_numbers(void **state)
{
	struct fs_op op = {.kind = FS_OP_PURGE, .ino_count = FS_PURGE_MAX};
	struct buffer encoded = {0};
	struct fs_op again;
	(void)state;

	op.inos[0] = 5;
	op.inos[FS_PURGE_MAX - 1] = UINT64_MAX;
	fs_op_encode(&op, &encoded);
	assert_int_equal(fs_op_decode(buffer_bytes(&encoded), &again), 0);

	assert_int_equal(again.ino_count, FS_PURGE_MAX);
	assert_int_equal(again.inos[0], 5);
	assert_true(again.inos[FS_PURGE_MAX - 1] == UINT64_MAX);
	buffer_deinit(&encoded);
}

static void names_are_bounded(void **state)
{
	char name[LIMIT_NAME_BYTES + 2] = {0};
	struct fs_op op = mkdir_named("x");
	(void)state;

	memset(name, 'n', LIMIT_NAME_BYTES);
	op.name = bytes_of_text(name);
	assert_int_equal(refused(&op), 0);
	name[LIMIT_NAME_BYTES] = 'n';
	op.name = bytes_of_text(name);
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = mkdir_named("");
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = mkdir_named("a/b");
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op.name = bytes_of("a\0b", 3);
	assert_int_equal(refused(&op), STATUS_MALFORMED);
}

static void what_a_kind_does_not_have_is_refused(void **state)
{
	struct fs_op op = mkdir_named("x");
	(void)state;

	op.data = bytes_of_text("data");
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = mkdir_named("x");
	op.flags = FS_EXCL;
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = mkdir_named("x");
	op.new_name = bytes_of_text("y");
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = mkdir_named("x");
	op.ino_count = 1;
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = (struct fs_op){.kind = FS_OP_SETATTR, .valid = 1 << 8};
	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = (struct fs_op){.kind = FS_OP_RENAME,
			    .name = bytes_of_text("a"),
			    .new_name = bytes_of_text("b"),
			    .flags = FS_NOREPLACE | FS_EXCHANGE};
	assert_int_equal(refused(&op), STATUS_MALFORMED);
}

static void unknown_kinds_are_refused(void **state)
{
	struct fs_op op = {.kind = (enum fs_op_kind)0};
	(void)state;

	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op.kind = (enum fs_op_kind)(FS_OP_PURGE + 1);
	assert_int_equal(refused(&op), STATUS_MALFORMED);
}

static void numbers_beyond_off_t_are_refused(void **state)
{
	struct fs_op op = {.kind = FS_OP_WRITE, .offset = INT64_MAX};
	(void)state;

	assert_int_equal(refused(&op), STATUS_MALFORMED);
	op = (struct fs_op){.kind = FS_OP_SETATTR,
			    .valid = FS_SET_SIZE,
			    .size = 1ULL << 63};
	assert_int_equal(refused(&op), STATUS_MALFORMED);
}

static void too_much_data_is_refused(void **state)
{
	uint8_t *data = mem_zalloc(LIMIT_WRITE_BYTES + 1);
	struct fs_op op = {.kind = FS_OP_WRITE,
			   .data = bytes_of(data, LIMIT_WRITE_BYTES + 1)};
	(void)state;

	assert_int_equal(refused(&op), STATUS_MALFORMED);
	mem_free(data);
}

static void garbage_is_refused(void **state)
{
	struct fs_op op;
	(void)state;

	assert_int_equal(decode_text("", 0, &op), STATUS_MALFORMED);
	assert_int_equal(decode_text("\x08", 1, &op), STATUS_MALFORMED);
	/* A name that claims 100 bytes. */
	assert_int_equal(decode_text("\x08\x03\x22\x64y", 5, &op),
			 STATUS_MALFORMED);
	/* More inodes than there is room for. */
	assert_int_equal(decode_text("\x08\x0d\x92\x01\x41"
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
				     70, &op),
			 STATUS_MALFORMED);
}

/* nanopb reads a field of a wrong type into its own stack. */
static void a_name_of_another_wire_type_is_refused(void **state)
{
	struct fs_op op;
	(void)state;

	assert_int_equal(decode_text("\x08\x03\x22\x01x", 5, &op), 0);
	assert_int_equal(decode_text("\x08\x03\x20\x78", 4, &op),
			 STATUS_MALFORMED);
}

static void assert_same_attr(const struct fs_attr *a, const struct fs_attr *b)
{
	assert_true(a->ino == b->ino && a->mode == b->mode);
	assert_true(a->uid == b->uid && a->gid == b->gid);
	assert_true(a->nlink == b->nlink && a->rdev == b->rdev);
	assert_true(a->size == b->size && a->blocks == b->blocks);
	assert_true(a->atime_ns == b->atime_ns && a->mtime_ns == b->mtime_ns);
	assert_true(a->ctime_ns == b->ctime_ns && a->version == b->version);
}

static void a_result_survives(void **state)
{
	struct fs_result result = {
		.error = 28,
		.created = true,
		.written = 1 << 20,
		.offset = UINT64_MAX,
		.attr = {.ino = UINT64_MAX,
			 .mode = UINT32_MAX,
			 .uid = UINT32_MAX,
			 .gid = UINT32_MAX,
			 .nlink = UINT32_MAX,
			 .rdev = UINT32_MAX,
			 .size = UINT64_MAX,
			 .blocks = UINT64_MAX,
			 .atime_ns = INT64_MIN,
			 .mtime_ns = -1,
			 .ctime_ns = 1,
			 .version = UINT64_MAX},
	};
	struct buffer encoded = {0};
	struct fs_result again = {0};
	(void)state;

	fs_result_encode(&result, &encoded);

	assert_true(encoded.size <= LIMIT_RESULT_BYTES);
	assert_int_equal(fs_result_decode(buffer_bytes(&encoded), &again), 0);
	assert_int_equal(again.error, 28);
	assert_true(again.created);
	assert_int_equal(again.written, 1 << 20);
	assert_true(again.offset == UINT64_MAX);
	assert_same_attr(&again.attr, &result.attr);
	assert_int_equal(fs_result_decode(bytes_of("\xff", 1), &again),
			 STATUS_MALFORMED);
	buffer_deinit(&encoded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_survives),
		cmocka_unit_test(data_of_a_full_write_is_not_copied),
		cmocka_unit_test(purge_carries_its_numbers),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(what_a_kind_does_not_have_is_refused),
		cmocka_unit_test(unknown_kinds_are_refused),
		cmocka_unit_test(numbers_beyond_off_t_are_refused),
		cmocka_unit_test(too_much_data_is_refused),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(a_name_of_another_wire_type_is_refused),
		cmocka_unit_test(a_result_survives),
	};

	return cmocka_run_group_tests_name("fs/tree/op", tests, NULL, NULL);
}
