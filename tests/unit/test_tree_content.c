/* SPDX-License-Identifier: Apache-2.0 */
/* What was written is read, what was not is zero, what was cut never shows
 * again, and the usage is exact. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fs/tree/block.h"
#include "tests/lib/treekit.h"

#define MIB (1ULL << 20)

static void a_line_overwritten_costs_one_get_and_one_put(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "old\n");

	assert_int_equal(kit_write(&k, ino, 0, "new\n", FS_TRUNCATE), 0);

	assert_int_equal(k.gets, 1);
	assert_int_equal(k.puts, 1);
	assert_int_equal(k.result.written, 4);
	assert_int_equal(k.result.attr.version, k.index);
	assert_content(&k, ino, "new\n");
	treekit_close(&k);
}

static void replacing_leaves_no_old_tail(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "AAAAAAAA");

	assert_int_equal(kit_write(&k, ino, 0, "B", FS_TRUNCATE), 0);
	assert_content(&k, ino, "B");
	assert_int_equal(kit_write(&k, ino, 0, "", FS_TRUNCATE), 0);

	assert_content(&k, ino, "");
	assert_int_equal(kit_usage(&k).bytes_used, 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void append_goes_to_the_end_as_it_is_then(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "a\n");

	assert_int_equal(kit_write(&k, ino, 0, "b\n", FS_APPEND), 0);
	assert_int_equal(k.result.offset, 2);
	assert_int_equal(kit_write(&k, ino, 0, "c\n", FS_APPEND), 0);
	assert_int_equal(k.result.offset, 4);

	assert_content(&k, ino, "a\nb\nc\n");
	treekit_close(&k);
}

static void appending_grows_from_inline_into_blocks(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");

	for (int i = 0; i < 100; i++) {
		assert_int_equal(kit_fill(&k, ino, 0, 1000, 'a', FS_APPEND), 0);
	}

	assert_filled(&k, ino, 0, 100000, 'a');
	assert_int_equal(kit_attr(&k, ino).size, 100000);
	assert_int_equal(kit_usage(&k).bytes_used, 100000);
	assert_int_equal(kit_attr(&k, ino).blocks, (100000 + 511) / 512);
	assert_sound(&k);
	treekit_close(&k);
}

static uint32_t mode_after_write(struct treekit *k, uint64_t ino, uint32_t mode,
				 uint32_t flags)
{
	struct fs_op chmod = {.kind = FS_OP_SETATTR,
			      .ino = ino,
			      .valid = FS_SET_MODE,
			      .mode = mode};
	struct fs_op write = {.kind = FS_OP_WRITE,
			      .ino = ino,
			      .flags = flags,
			      .data = bytes_of_text("x")};

	assert_int_equal(treekit_apply(k, &chmod), 0);
	assert_int_equal(treekit_apply(k, &write), 0);
	return k->result.attr.mode & 07777;
}

static void a_write_by_others_ends_setuid_and_setgid(void **state)
{
	struct treekit k = {0};
	uint64_t ino;
	(void)state;

	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");

	assert_int_equal(mode_after_write(&k, ino, 04777, FS_KILLPRIV), 0777);
	assert_int_equal(mode_after_write(&k, ino, 02755, FS_KILLPRIV), 0755);
	assert_int_equal(mode_after_write(&k, ino, 02644, FS_KILLPRIV), 02644);
	assert_int_equal(mode_after_write(&k, ino, 06777,
					  FS_KILLPRIV | FS_APPEND),
			 0777);
	assert_int_equal(mode_after_write(&k, ino, 04777, 0), 04777);
	treekit_close(&k);
}

static void a_write_in_the_middle_keeps_both_sides(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_fill(&k, ino, 0, 200000, 'a', 0), 0);

	assert_int_equal(kit_fill(&k, ino, 50000, 70000, 'b', 0), 0);

	assert_filled(&k, ino, 0, 50000, 'a');
	assert_filled(&k, ino, 50000, 70000, 'b');
	assert_filled(&k, ino, 120000, 80000, 'a');
	assert_int_equal(kit_usage(&k).bytes_used, 200000);
	assert_sound(&k);
	treekit_close(&k);
}

static void a_full_write_touches_no_more_than_33_blocks(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");

	/* Across the border of two chunks. */
	assert_int_equal(kit_fill(&k, ino, CHUNK_BYTES - 1000, MIB, 'a', 0), 0);

	assert_int_equal(kit_keys(&k, 'b'), 33);
	assert_true(k.puts <= 33 + 3);
	assert_filled(&k, ino, 0, CHUNK_BYTES - 1000, 0);
	assert_filled(&k, ino, CHUNK_BYTES - 1000, MIB, 'a');
	assert_sound(&k);
	treekit_close(&k);
}

static void holes_read_as_zero_and_cost_nothing(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "head");

	assert_int_equal(kit_truncate(&k, ino, 500 * MIB), 0);
	assert_int_equal(kit_usage(&k).bytes_used, 4);
	assert_int_equal(kit_write(&k, ino, 500 * MIB, "tail", 0), 0);

	assert_int_equal(kit_attr(&k, ino).size, 500 * MIB + 4);
	/* The last block is stored from its first byte on. */
	assert_int_equal(kit_usage(&k).bytes_used, 8);
	assert_filled(&k, ino, 4, MIB, 0);
	assert_filled(&k, ino, 499 * MIB, MIB, 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void nothing_cut_off_comes_back(void **state)
{
	static const uint64_t cuts[] = {0,
					1,
					LIMIT_INLINE_BYTES,
					LIMIT_INLINE_BYTES + 1,
					LIMIT_BLOCK_BYTES,
					LIMIT_BLOCK_BYTES + 1,
					CHUNK_BYTES - 1,
					CHUNK_BYTES,
					CHUNK_BYTES + 1,
					CHUNK_BYTES + MIB};
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");

	for (size_t i = 0; i < COUNT_OF(cuts); i++) {
		for (uint64_t at = 0; at < CHUNK_BYTES + 2 * MIB; at += MIB) {
			assert_int_equal(kit_fill(&k, ino, at, MIB, 'a', 0), 0);
		}
		assert_int_equal(kit_truncate(&k, ino, cuts[i]), 0);
		assert_int_equal(kit_usage(&k).bytes_used, cuts[i]);
		assert_sound(&k);
		assert_int_equal(kit_truncate(&k, ino, CHUNK_BYTES + 2 * MIB),
				 0);
		assert_filled(&k, ino, 0, cuts[i], 'a');
		assert_filled(&k, ino, cuts[i], CHUNK_BYTES + 2 * MIB - cuts[i],
			      0);
	}
	treekit_close(&k);
}

static void cutting_a_large_file_touches_few_keys(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	for (uint64_t at = 0; at < 64 * MIB; at += MIB) {
		assert_int_equal(kit_fill(&k, ino, at, MIB, 'a', 0), 0);
	}

	assert_int_equal(kit_truncate(&k, ino, 33 * MIB), 0);
	assert_true(k.puts <= CHUNK_BLOCKS + 16);
	assert_int_equal(kit_usage(&k).bytes_used, 33 * MIB);
	assert_int_equal(kit_truncate(&k, ino, 0), 0);

	assert_true(k.puts <= CHUNK_BLOCKS_SMALL + 16);
	assert_int_equal(kit_usage(&k).bytes_used, 0);
	assert_true(kit_keys(&k, 'g') > 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void replacing_a_file_of_blocks_frees_the_old_ones(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_fill(&k, ino, 0, MIB, 'a', 0), 0);

	assert_int_equal(kit_fill(&k, ino, 0, 100000, 'b', FS_TRUNCATE), 0);
	assert_filled(&k, ino, 0, 100000, 'b');
	assert_int_equal(kit_keys(&k, 'b'), 4);
	assert_int_equal(kit_fill(&k, ino, 10, 10, 'c', FS_TRUNCATE), 0);

	assert_int_equal(kit_attr(&k, ino).size, 20);
	assert_filled(&k, ino, 0, 10, 0);
	assert_filled(&k, ino, 10, 10, 'c');
	assert_int_equal(kit_keys(&k, 'b'), 0);
	assert_int_equal(kit_usage(&k).bytes_used, 20);
	assert_sound(&k);
	treekit_close(&k);
}

static void too_large_is_refused_and_nothing_changes(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "old");

	assert_int_equal(kit_write(&k, ino, LIMIT_FILE_BYTES, "x", 0), EFBIG);
	assert_int_equal(kit_write(&k, ino, LIMIT_FILE_BYTES - 1, "xy",
				   FS_TRUNCATE),
			 EFBIG);
	assert_int_equal(kit_truncate(&k, ino, LIMIT_FILE_BYTES + 1), EFBIG);
	assert_content(&k, ino, "old");
	assert_int_equal(kit_truncate(&k, ino, LIMIT_FILE_BYTES), 0);
	assert_int_equal(kit_write(&k, ino, 0, "x", FS_APPEND), EFBIG);
	assert_int_equal(kit_write(&k, ino, LIMIT_FILE_BYTES - 1, "x", 0), 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void full_is_refused_and_rm_always_works(void **state)
{
	struct treekit k;
	uint64_t a;
	uint64_t b;
	(void)state;
	treekit_open(&k);
	treekit_limits(&k, LIMIT_FILE_BYTES, 100000, LIMIT_INODES);
	a = GIVEN_FILE(&k, FS_ROOT, "a");
	b = GIVEN_TEXT(&k, FS_ROOT, "b", "old");
	assert_int_equal(kit_fill(&k, a, 0, 99997, 'a', 0), 0);

	assert_int_equal(kit_write(&k, b, 0, "x", FS_APPEND), ENOSPC);
	assert_int_equal(kit_write(&k, b, 0, "older", FS_TRUNCATE), ENOSPC);
	assert_int_equal(kit_set(&k, FS_ROOT, "c", "x"), ENOSPC);
	assert_int_equal(kit_symlink(&k, FS_ROOT, "c", "x"), ENOSPC);
	assert_int_equal(kit_fill(&k, a, 99990, 10, 'b', 0), ENOSPC);
	assert_content(&k, b, "old");
	assert_filled(&k, a, 0, 99997, 'a');
	assert_int_equal(kit_write(&k, b, 0, "new", 0), 0);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "a"), 0);

	assert_int_equal(kit_set(&k, FS_ROOT, "c", "x"), 0);
	assert_int_equal(kit_usage(&k).bytes_used, 4);
	assert_sound(&k);
	treekit_close(&k);
}

static void only_files_have_content(void **state)
{
	struct buffer out = {0};
	struct treekit k;
	uint64_t pipe;
	(void)state;
	treekit_open(&k);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "p", S_IFIFO | 0600, 0), 0);
	pipe = k.result.attr.ino;

	assert_int_equal(kit_write(&k, FS_ROOT, 0, "x", 0), EISDIR);
	assert_int_equal(kit_write(&k, pipe, 0, "x", 0), EINVAL);
	assert_int_equal(kit_write(&k, 999, 0, "x", 0), ESTALE);
	assert_int_equal(kit_truncate(&k, FS_ROOT, 0), EISDIR);
	assert_int_equal(kit_truncate(&k, pipe, 0), EINVAL);
	assert_int_equal(kit_truncate(&k, 999, 0), ESTALE);
	assert_int_equal(fs_read(treekit_reader(&k), FS_ROOT, 0, 1, &out, NULL),
			 -EISDIR);
	assert_int_equal(fs_read(treekit_reader(&k), pipe, 0, 1, &out, NULL),
			 -EINVAL);
	assert_int_equal(fs_read(treekit_reader(&k), 999, 0, 1, &out, NULL),
			 -ESTALE);
	treekit_close(&k);
}

static void writing_nothing_changes_nothing(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "v");

	assert_int_equal(kit_write(&k, ino, 100, "", 0), 0);

	assert_int_equal(k.puts + k.notes, 0);
	assert_content(&k, ino, "v");
	treekit_close(&k);
}

static void a_read_ends_at_the_end(void **state)
{
	struct buffer out = {0};
	struct fs_attr attr;
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "value");

	assert_int_equal(fs_read(treekit_reader(&k), ino, 2, 100, &out, &attr),
			 0);
	assert_string_equal(buffer_text(&out), "lue");
	assert_int_equal(attr.size, 5);
	buffer_reset(&out);
	assert_int_equal(fs_read(treekit_reader(&k), ino, 5, 100, &out, NULL),
			 0);
	assert_int_equal(fs_read(treekit_reader(&k), ino, UINT64_MAX, 100, &out,
				 NULL),
			 0);
	assert_int_equal(out.size, 0);
	buffer_deinit(&out);
	treekit_close(&k);
}

static void setattr_sets_what_is_named(void **state)
{
	struct treekit k;
	struct fs_op op = {.kind = FS_OP_SETATTR,
			   .valid = FS_SET_MODE | FS_SET_UID | FS_SET_ATIME |
				    FS_SET_MTIME,
			   .mode = S_IFDIR | 04711,
			   .uid = 5,
			   .gid = 6,
			   .atime_ns = -1,
			   .mtime_ns = INT64_MAX};
	struct fs_attr before;
	struct fs_attr after;
	(void)state;
	treekit_open(&k);
	op.ino = GIVEN_FILE(&k, FS_ROOT, "f");
	before = kit_attr(&k, op.ino);

	assert_int_equal(treekit_apply(&k, &op), 0);

	after = kit_attr(&k, op.ino);
	assert_int_equal(after.mode, S_IFREG | 04711);
	assert_int_equal(after.uid, 5);
	assert_int_equal(after.gid, before.gid);
	assert_int_equal(after.atime_ns, -1);
	assert_true(after.mtime_ns == INT64_MAX);
	assert_true(after.ctime_ns > before.ctime_ns);
	assert_int_equal(after.version, before.version);
	treekit_close(&k);
}

static void utime_now_is_the_time_of_the_entry(void **state)
{
	struct treekit k;
	struct fs_op op = {.kind = FS_OP_SETATTR,
			   .valid = FS_SET_ATIME_NOW | FS_SET_MTIME_NOW |
				    FS_SET_MTIME,
			   .mtime_ns = 1};
	int64_t now;
	(void)state;
	treekit_open(&k);
	op.ino = GIVEN_FILE(&k, FS_ROOT, "f");
	now = (int64_t)k.time_ns;

	assert_int_equal(treekit_apply(&k, &op), 0);

	assert_true(k.result.attr.atime_ns == now);
	assert_true(k.result.attr.mtime_ns == now);
	treekit_close(&k);
}

static void a_truncation_is_a_change_of_content(void **state)
{
	struct treekit k;
	struct fs_op op = {.kind = FS_OP_SETATTR,
			   .valid = FS_SET_SIZE | FS_SET_MTIME,
			   .size = 1,
			   .mtime_ns = 42};
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "abc");

	assert_int_equal(kit_truncate(&k, ino, 3), 0);
	assert_int_equal(k.result.attr.version, k.index);
	assert_true(k.result.attr.mtime_ns == k.result.attr.ctime_ns);
	op.ino = ino;
	assert_int_equal(treekit_apply(&k, &op), 0);

	assert_int_equal(k.result.attr.mtime_ns, 42);
	assert_content(&k, ino, "a");
	treekit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_overwritten_costs_one_get_and_one_put),
		cmocka_unit_test(replacing_leaves_no_old_tail),
		cmocka_unit_test(append_goes_to_the_end_as_it_is_then),
		cmocka_unit_test(appending_grows_from_inline_into_blocks),
		cmocka_unit_test(a_write_by_others_ends_setuid_and_setgid),
		cmocka_unit_test(a_write_in_the_middle_keeps_both_sides),
		cmocka_unit_test(a_full_write_touches_no_more_than_33_blocks),
		cmocka_unit_test(holes_read_as_zero_and_cost_nothing),
		cmocka_unit_test(nothing_cut_off_comes_back),
		cmocka_unit_test(cutting_a_large_file_touches_few_keys),
		cmocka_unit_test(replacing_a_file_of_blocks_frees_the_old_ones),
		cmocka_unit_test(too_large_is_refused_and_nothing_changes),
		cmocka_unit_test(full_is_refused_and_rm_always_works),
		cmocka_unit_test(only_files_have_content),
		cmocka_unit_test(writing_nothing_changes_nothing),
		cmocka_unit_test(a_read_ends_at_the_end),
		cmocka_unit_test(setattr_sets_what_is_named),
		cmocka_unit_test(utime_now_is_the_time_of_the_entry),
		cmocka_unit_test(a_truncation_is_a_change_of_content),
	};

	return cmocka_run_group_tests_name("fs/tree/block", tests, NULL, NULL);
}
