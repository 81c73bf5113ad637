/* SPDX-License-Identifier: Apache-2.0 */
/* rename is atomic, counts right, and refuses in the order of rename(2); what
 * it and its relatives take away becomes an orphan. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/lib/treekit.h"

struct row {
	const char *from;
	const char *to;
	uint32_t flags;
	int error;
};

/* In /a: file, file2, link (symbolic), dir (empty), full (holds x), other
 * (another name of file). All rows are refused. */
static const struct row refused_rows[] = {
	{"missing", "file", 0, ENOENT},
	{"missing", "new", 0, ENOENT},
	{"dir", "file", 0, ENOTDIR},
	{"dir", "link", 0, ENOTDIR},
	{"file", "dir", 0, EISDIR},
	{"file", "full", 0, EISDIR},
	{"link", "dir", 0, EISDIR},
	{"dir", "full", 0, ENOTEMPTY},
	{"file", "file2", FS_NOREPLACE, EEXIST},
	{"file", "file", FS_NOREPLACE, EEXIST},
	{"dir", "full", FS_NOREPLACE, EEXIST},
	{"missing", "file", FS_NOREPLACE, ENOENT},
	{"file", "new", FS_EXCHANGE, ENOENT},
	{"missing", "new", FS_EXCHANGE, ENOENT},
	{"file", "file2", FS_NOREPLACE | FS_EXCHANGE, EINVAL},
	{".", "new", 0, EBUSY},
	{"file", "..", 0, EBUSY},
	{"file", "..", FS_NOREPLACE, EEXIST},
};

/* These succeed. */
static const struct row allowed_rows[] = {
	{"file", "new", 0, 0},
	{"file", "file2", 0, 0},
	{"link", "file", 0, 0},
	{"file", "link", 0, 0},
	{"full", "dir", 0, 0},
	{"full", "new", FS_NOREPLACE, 0},
	{"file", "full", FS_EXCHANGE, 0},
	{"full", "dir", FS_EXCHANGE, 0},
	{"link", "dir", FS_EXCHANGE, 0},
	{"file", "other", 0, 0},
	{"file", "file", 0, 0},
	{"dir", "dir", 0, 0},
	{"file", "other", FS_EXCHANGE, 0},
};

static uint64_t GIVEN_ROW(struct treekit *k, uint64_t dir)
{
	uint64_t file = GIVEN_FILE(k, dir, "file");
	uint64_t full;

	GIVEN_FILE(k, dir, "file2");
	assert_int_equal(kit_symlink(k, dir, "link", "target"), 0);
	GIVEN_DIR(k, dir, "dir");
	full = GIVEN_DIR(k, dir, "full");
	GIVEN_FILE(k, full, "x");
	assert_int_equal(kit_link(k, file, dir, "other"), 0);
	return file;
}

static void refusals_are_those_of_rename_2(void **state)
{
	struct treekit k;
	uint64_t a;
	uint64_t b;
	(void)state;
	treekit_open(&k);
	a = GIVEN_DIR(&k, FS_ROOT, "a");
	b = GIVEN_DIR(&k, FS_ROOT, "b");
	GIVEN_ROW(&k, a);
	GIVEN_ROW(&k, b);

	for (size_t i = 0; i < COUNT_OF(refused_rows); i++) {
		const struct row *r = &refused_rows[i];

		assert_int_equal(kit_rename(&k, a, r->from, a, r->to, r->flags),
				 r->error);
		assert_int_equal(kit_rename(&k, a, r->from, b, r->to, r->flags),
				 r->error);
	}
	assert_sound(&k);
	treekit_close(&k);
}

static void what_is_allowed_leaves_a_sound_tree(void **state)
{
	(void)state;

	for (size_t i = 0; i < 2 * COUNT_OF(allowed_rows); i++) {
		const struct row *r = &allowed_rows[i / 2];
		struct treekit k;
		uint64_t a;
		uint64_t b;
		int64_t moved;

		treekit_open(&k);
		a = GIVEN_DIR(&k, FS_ROOT, "a");
		GIVEN_ROW(&k, a);
		b = i % 2 == 0 ? a : GIVEN_DIR(&k, FS_ROOT, "b");
		if (b != a) {
			GIVEN_ROW(&k, b);
		}
		moved = kit_lookup(&k, a, r->from);

		assert_int_equal(kit_rename(&k, a, r->from, b, r->to, r->flags),
				 0);
		assert_int_equal(kit_lookup(&k, b, r->to), moved);
		assert_int_equal(k.result.attr.ino, moved);
		assert_sound(&k);
		treekit_close(&k);
	}
}

static void one_inode_by_two_names_is_left_alone(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_link(&k, ino, FS_ROOT, "g"), 0);

	assert_int_equal(kit_rename(&k, FS_ROOT, "f", FS_ROOT, "g", 0), 0);

	assert_int_equal(k.puts, 0);
	assert_int_equal(kit_lookup(&k, FS_ROOT, "f"), ino);
	assert_int_equal(kit_attr(&k, ino).nlink, 2);
	treekit_close(&k);
}

static void a_directory_never_goes_below_itself(void **state)
{
	struct treekit k;
	uint64_t a;
	uint64_t b;
	uint64_t c;
	(void)state;
	treekit_open(&k);
	a = GIVEN_DIR(&k, FS_ROOT, "a");
	b = GIVEN_DIR(&k, a, "b");
	c = GIVEN_DIR(&k, b, "c");
	GIVEN_FILE(&k, c, "f");

	assert_int_equal(kit_rename(&k, FS_ROOT, "a", a, "x", 0), EINVAL);
	assert_int_equal(kit_rename(&k, FS_ROOT, "a", c, "x", 0), EINVAL);
	assert_int_equal(kit_rename(&k, FS_ROOT, "a", c, "f", 0), EINVAL);
	assert_int_equal(kit_rename(&k, FS_ROOT, "a", c, "f", FS_EXCHANGE),
			 EINVAL);
	assert_int_equal(kit_rename(&k, c, "f", FS_ROOT, "a", FS_EXCHANGE),
			 EINVAL);
	assert_int_equal(kit_rename(&k, b, "c", FS_ROOT, "a", 0), ENOTEMPTY);
	assert_int_equal(kit_rename(&k, a, "b", FS_ROOT, "b", 0), 0);
	assert_sound(&k);
	treekit_close(&k);
}

/* A chain of directories deeper than any path. */
static void the_loop_check_is_bounded(void **state)
{
	struct treekit k;
	uint64_t dir = FS_ROOT;
	(void)state;
	treekit_open(&k);
	k.batch_size = 512;
	GIVEN_DIR(&k, FS_ROOT, "m");
	GIVEN_FILE(&k, FS_ROOT, "f");
	for (int i = 0; i < LIMIT_PATH_BYTES / 2 + 1; i++) {
		dir = GIVEN_DIR(&k, dir, "d");
	}

	assert_int_equal(kit_rename(&k, FS_ROOT, "m", dir, "m", 0), ELOOP);
	assert_true(k.gets < LIMIT_PATH_BYTES / 2 + 16);
	assert_int_equal(kit_rename(&k, FS_ROOT, "f", dir, "f", 0), 0);
	treekit_close(&k);
}

static void moving_a_directory_moves_its_link_counts(void **state)
{
	struct treekit k;
	uint64_t a;
	uint64_t b;
	uint64_t d;
	uint64_t parent;
	(void)state;
	treekit_open(&k);
	a = GIVEN_DIR(&k, FS_ROOT, "a");
	b = GIVEN_DIR(&k, FS_ROOT, "b");
	d = GIVEN_DIR(&k, a, "d");

	assert_int_equal(kit_rename(&k, a, "d", b, "e", 0), 0);

	assert_int_equal(kit_attr(&k, a).nlink, 2);
	assert_int_equal(kit_attr(&k, b).nlink, 3);
	assert_int_equal(kit_attr(&k, a).version, k.index);
	assert_int_equal(kit_attr(&k, b).version, k.index);
	assert_int_equal(kit_attr(&k, b).mtime_ns, kit_attr(&k, d).ctime_ns);
	assert_int_equal(fs_parent(treekit_reader(&k), d, &parent), 0);
	assert_int_equal(parent, b);
	treekit_close(&k);
}

static void a_replaced_file_becomes_an_orphan(void **state)
{
	struct treekit k;
	uint64_t old;
	uint64_t new;
	(void)state;
	treekit_open(&k);
	old = GIVEN_TEXT(&k, FS_ROOT, "k", "old");
	new = GIVEN_TEXT(&k, FS_ROOT, "t", "new");

	assert_int_equal(kit_rename(&k, FS_ROOT, "t", FS_ROOT, "k", 0), 0);

	assert_int_equal(kit_lookup(&k, FS_ROOT, "k"), new);
	assert_int_equal(kit_lookup(&k, FS_ROOT, "t"), -ENOENT);
	assert_int_equal(kit_attr(&k, old).nlink, 0);
	assert_content(&k, old, "old");
	assert_int_equal(kit_usage(&k).bytes_used, 3);
	assert_int_equal(kit_usage(&k).inodes_used, 2);
	assert_sound(&k);
	treekit_close(&k);
}

static void replacing_one_of_two_names_keeps_the_other(void **state)
{
	struct treekit k;
	uint64_t old;
	(void)state;
	treekit_open(&k);
	old = GIVEN_FILE(&k, FS_ROOT, "k");
	assert_int_equal(kit_link(&k, old, FS_ROOT, "k2"), 0);
	GIVEN_FILE(&k, FS_ROOT, "t");

	assert_int_equal(kit_rename(&k, FS_ROOT, "t", FS_ROOT, "k", 0), 0);

	assert_int_equal(kit_attr(&k, old).nlink, 1);
	assert_int_equal(kit_keys(&k, 'o'), 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void unlink_takes_names_not_directories(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	GIVEN_DIR(&k, FS_ROOT, "d");
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_link(&k, ino, FS_ROOT, "g"), 0);

	assert_int_equal(kit_unlink(&k, FS_ROOT, "d"), EISDIR);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "."), EISDIR);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "missing"), ENOENT);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);
	assert_int_equal(k.result.attr.nlink, 1);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), ENOENT);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "g"), 0);
	assert_int_equal(k.result.attr.nlink, 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void rmdir_takes_empty_directories(void **state)
{
	struct treekit k;
	uint64_t d;
	(void)state;
	treekit_open(&k);
	d = GIVEN_DIR(&k, FS_ROOT, "d");
	GIVEN_FILE(&k, d, "f");

	assert_int_equal(kit_rmdir(&k, FS_ROOT, "missing"), ENOENT);
	assert_int_equal(kit_rmdir(&k, d, "f"), ENOTDIR);
	assert_int_equal(kit_rmdir(&k, FS_ROOT, "d"), ENOTEMPTY);
	assert_int_equal(kit_rmdir(&k, d, "."), EINVAL);
	assert_int_equal(kit_rmdir(&k, d, ".."), ENOTEMPTY);
	assert_int_equal(kit_unlink(&k, d, "f"), 0);
	assert_int_equal(kit_rmdir(&k, FS_ROOT, "d"), 0);

	assert_int_equal(kit_attr(&k, FS_ROOT).nlink, 2);
	assert_int_equal(kit_attr(&k, d).nlink, 0);
	assert_int_equal(kit_lookup(&k, d, "f"), -ENOENT);
	assert_int_equal(kit_lookup(&k, d, ".."), -ENOENT);
	assert_sound(&k);
	treekit_close(&k);
}

static void removing_changes_the_times_of_both(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_link(&k, ino, FS_ROOT, "g"), 0);

	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);

	assert_int_equal(kit_attr(&k, FS_ROOT).mtime_ns,
			 kit_attr(&k, ino).ctime_ns);
	assert_true(kit_attr(&k, ino).mtime_ns < kit_attr(&k, ino).ctime_ns);
	assert_int_equal(kit_attr(&k, FS_ROOT).version, k.index);
	treekit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_are_those_of_rename_2),
		cmocka_unit_test(what_is_allowed_leaves_a_sound_tree),
		cmocka_unit_test(one_inode_by_two_names_is_left_alone),
		cmocka_unit_test(a_directory_never_goes_below_itself),
		cmocka_unit_test(the_loop_check_is_bounded),
		cmocka_unit_test(moving_a_directory_moves_its_link_counts),
		cmocka_unit_test(a_replaced_file_becomes_an_orphan),
		cmocka_unit_test(replacing_one_of_two_names_keeps_the_other),
		cmocka_unit_test(unlink_takes_names_not_directories),
		cmocka_unit_test(rmdir_takes_empty_directories),
		cmocka_unit_test(removing_changes_the_times_of_both),
	};

	return cmocka_run_group_tests_name("fs/tree/op_rename", tests, NULL,
					   NULL);
}
