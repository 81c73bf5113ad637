/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a name makes exactly one inode for it, or refuses with the errno
 * of a local filesystem. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/lib/treekit.h"

static void birth_happens_once(void **state)
{
	struct buffer birth = {0};
	struct treekit k;
	(void)state;
	treekit_open(&k);

	assert_int_equal(kit_attr(&k, FS_ROOT).mode, S_IFDIR | 0755);
	assert_int_equal(kit_attr(&k, FS_ROOT).nlink, 2);
	k.machine.birth(k.machine.context, &birth);
	assert_int_equal(treekit_apply_bytes(&k, buffer_bytes(&birth)), EEXIST);

	buffer_deinit(&birth);
	treekit_close(&k);
}

static void birth_carries_the_owner(void **state)
{
	struct kv_machine machine;
	struct buffer birth = {0};
	struct fs_op op;
	(void)state;

	fs_machine(UINT32_MAX, 1000, &machine);
	machine.birth(machine.context, &birth);

	assert_int_equal(fs_op_decode(buffer_bytes(&birth), &op), 0);
	assert_int_equal(op.uid, UINT32_MAX);
	assert_int_equal(op.gid, 1000);
	buffer_deinit(&birth);
}

static void create_makes_an_empty_file(void **state)
{
	struct treekit k;
	struct fs_attr attr;
	(void)state;
	treekit_open(&k);

	assert_int_equal(kit_create(&k, FS_ROOT, "f", 0), 0);

	attr = k.result.attr;
	assert_true(k.result.created);
	assert_int_equal(attr.mode, S_IFREG | 0644);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(attr.uid, 7);
	assert_int_equal(attr.gid, 8);
	assert_int_equal(attr.size, 0);
	assert_int_equal(attr.version, k.index);
	assert_int_equal(kit_lookup(&k, FS_ROOT, "f"), attr.ino);
	assert_sound(&k);
	treekit_close(&k);
}

static void create_opens_what_is_there(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "old");

	assert_int_equal(kit_create(&k, FS_ROOT, "f", 0), 0);
	assert_false(k.result.created);
	assert_int_equal(k.result.attr.ino, ino);
	assert_int_equal(k.puts, 0);
	assert_content(&k, ino, "old");

	assert_int_equal(kit_create(&k, FS_ROOT, "f", FS_TRUNCATE), 0);
	assert_int_equal(k.result.attr.version, k.index);
	assert_content(&k, ino, "");

	assert_int_equal(kit_create(&k, FS_ROOT, "f", FS_EXCL), EEXIST);
	assert_sound(&k);
	treekit_close(&k);
}

static void create_refuses_what_is_no_file(void **state)
{
	struct treekit k;
	(void)state;
	treekit_open(&k);
	GIVEN_DIR(&k, FS_ROOT, "d");
	assert_int_equal(kit_symlink(&k, FS_ROOT, "l", "f"), 0);
	GIVEN_FILE(&k, FS_ROOT, "f");

	assert_int_equal(kit_create(&k, FS_ROOT, "d", 0), EISDIR);
	assert_int_equal(kit_create(&k, FS_ROOT, "d", FS_EXCL), EEXIST);
	assert_int_equal(kit_create(&k, FS_ROOT, "l", 0), ELOOP);
	assert_int_equal(kit_create(&k, FS_ROOT, "l", FS_EXCL), EEXIST);
	assert_int_equal(kit_create(&k, FS_ROOT, ".", 0), EISDIR);
	assert_int_equal(kit_create(&k, FS_ROOT, "..", FS_EXCL), EEXIST);
	treekit_close(&k);
}

static void a_name_needs_a_living_directory(void **state)
{
	struct treekit k;
	uint64_t file;
	uint64_t gone;
	(void)state;
	treekit_open(&k);
	file = GIVEN_FILE(&k, FS_ROOT, "f");
	gone = GIVEN_DIR(&k, FS_ROOT, "d");
	assert_int_equal(kit_rmdir(&k, FS_ROOT, "d"), 0);

	assert_int_equal(kit_create(&k, file, "x", 0), ENOTDIR);
	assert_int_equal(kit_create(&k, gone, "x", 0), ENOENT);
	assert_int_equal(kit_mkdir(&k, gone, "x"), ENOENT);
	assert_int_equal(kit_symlink(&k, gone, "x", "t"), ENOENT);
	assert_int_equal(kit_mknod(&k, gone, "x", S_IFIFO | 0600, 0), ENOENT);
	assert_int_equal(kit_link(&k, file, gone, "x"), ENOENT);
	assert_int_equal(kit_set(&k, gone, "x", "v"), ENOENT);
	assert_int_equal(kit_create(&k, 999, "x", 0), ESTALE);
	treekit_close(&k);
}

static void mkdir_counts_in_its_parent(void **state)
{
	struct treekit k;
	uint64_t dir;
	(void)state;
	treekit_open(&k);

	dir = GIVEN_DIR(&k, FS_ROOT, "d");
	assert_int_equal(k.result.attr.nlink, 2);
	assert_int_equal(k.result.attr.mode, S_IFDIR | 0755);
	GIVEN_DIR(&k, dir, "e");
	GIVEN_FILE(&k, dir, "f");

	assert_int_equal(kit_attr(&k, FS_ROOT).nlink, 3);
	assert_int_equal(kit_attr(&k, dir).nlink, 3);
	assert_int_equal(kit_attr(&k, dir).size, 2);
	assert_int_equal(kit_attr(&k, dir).version, k.index);
	assert_int_equal(kit_mkdir(&k, FS_ROOT, "d"), EEXIST);
	assert_int_equal(kit_mkdir(&k, FS_ROOT, "."), EEXIST);
	assert_sound(&k);
	treekit_close(&k);
}

static void setgid_directories_hand_their_group_on(void **state)
{
	struct treekit k;
	struct fs_op op = {.kind = FS_OP_SETATTR,
			   .valid = FS_SET_MODE | FS_SET_GID,
			   .mode = 02775,
			   .gid = 50};
	uint64_t dir;
	(void)state;
	treekit_open(&k);
	dir = GIVEN_DIR(&k, FS_ROOT, "d");
	op.ino = dir;
	assert_int_equal(treekit_apply(&k, &op), 0);

	GIVEN_FILE(&k, dir, "f");
	assert_int_equal(k.result.attr.gid, 50);
	assert_int_equal(k.result.attr.mode, S_IFREG | 0644);
	GIVEN_DIR(&k, dir, "e");
	assert_int_equal(k.result.attr.gid, 50);
	assert_int_equal(k.result.attr.mode, S_IFDIR | 02755);
	treekit_close(&k);
}

static void a_link_keeps_its_text(void **state)
{
	char longest[LIMIT_LINK_BYTES + 2] = {0};
	struct buffer text = {0};
	struct treekit k;
	(void)state;
	treekit_open(&k);
	memset(longest, 't', LIMIT_LINK_BYTES);

	assert_int_equal(kit_symlink(&k, FS_ROOT, "l", longest), 0);
	assert_int_equal(k.result.attr.size, LIMIT_LINK_BYTES);
	assert_int_equal(k.result.attr.mode, S_IFLNK | 0777);
	assert_int_equal(
		fs_readlink(treekit_reader(&k), k.result.attr.ino, &text), 0);
	assert_string_equal(buffer_text(&text), longest);
	assert_int_equal(fs_readlink(treekit_reader(&k), FS_ROOT, &text),
			 -EINVAL);

	longest[LIMIT_LINK_BYTES] = 't';
	assert_int_equal(kit_symlink(&k, FS_ROOT, "m", longest), ENAMETOOLONG);
	assert_int_equal(kit_symlink(&k, FS_ROOT, "m", ""), ENOENT);
	assert_int_equal(kit_symlink(&k, FS_ROOT, "l", "t"), EEXIST);
	assert_sound(&k);
	buffer_deinit(&text);
	treekit_close(&k);
}

static void mknod_makes_what_is_no_directory(void **state)
{
	struct treekit k;
	(void)state;
	treekit_open(&k);

	assert_int_equal(kit_mknod(&k, FS_ROOT, "p", S_IFIFO | 0600, 5), 0);
	assert_int_equal(k.result.attr.mode, S_IFIFO | 0600);
	assert_int_equal(k.result.attr.rdev, 0);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "c", S_IFCHR | 0600, 259), 0);
	assert_int_equal(k.result.attr.rdev, 259);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "s", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "b", S_IFBLK | 0600, 1), 0);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "r", S_IFREG | 0600, 0), 0);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "d", S_IFDIR | 0600, 0), EPERM);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "l", S_IFLNK | 0600, 0),
			 EINVAL);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "p", S_IFIFO | 0600, 0),
			 EEXIST);
	assert_sound(&k);
	treekit_close(&k);
}

static void a_second_name_is_the_same_inode(void **state)
{
	struct treekit k;
	uint64_t dir;
	uint64_t ino;
	int64_t before;
	(void)state;
	treekit_open(&k);
	dir = GIVEN_DIR(&k, FS_ROOT, "d");
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "v");
	before = kit_attr(&k, ino).ctime_ns;

	assert_int_equal(kit_link(&k, ino, dir, "g"), 0);

	assert_int_equal(k.result.attr.nlink, 2);
	assert_true(k.result.attr.ctime_ns > before);
	assert_int_equal(kit_lookup(&k, dir, "g"), ino);
	assert_int_equal(kit_link(&k, ino, dir, "g"), EEXIST);
	assert_int_equal(kit_link(&k, dir, FS_ROOT, "f"), EEXIST);
	assert_int_equal(kit_link(&k, dir, FS_ROOT, "e"), EPERM);
	assert_int_equal(kit_link(&k, 999, FS_ROOT, "e"), ESTALE);
	assert_sound(&k);
	treekit_close(&k);
}

static void an_orphan_gets_no_name_again(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);

	assert_int_equal(kit_link(&k, ino, FS_ROOT, "g"), ENOENT);
	treekit_close(&k);
}

static void links_are_bounded(void **state)
{
	char name[16];
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	k.batch_size = 1024;
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	for (int i = 1; i < LIMIT_LINKS; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(kit_link(&k, ino, FS_ROOT, name), 0);
	}

	assert_int_equal(kit_link(&k, ino, FS_ROOT, "more"), EMLINK);
	treekit_close(&k);
}

static void set_makes_or_replaces_the_whole(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);

	assert_int_equal(kit_set(&k, FS_ROOT, "f", "first value"), 0);
	assert_true(k.result.created);
	assert_int_equal(k.result.attr.mode, S_IFREG | 0600);
	ino = k.result.attr.ino;
	assert_int_equal(kit_set(&k, FS_ROOT, "f", "v2"), 0);

	assert_false(k.result.created);
	assert_int_equal(k.result.attr.ino, ino);
	assert_int_equal(k.result.attr.version, k.index);
	assert_content(&k, ino, "v2");
	assert_sound(&k);
	treekit_close(&k);
}

static void set_takes_regular_files_only(void **state)
{
	struct treekit k;
	(void)state;
	treekit_open(&k);
	GIVEN_DIR(&k, FS_ROOT, "d");
	assert_int_equal(kit_symlink(&k, FS_ROOT, "l", "f"), 0);
	assert_int_equal(kit_mknod(&k, FS_ROOT, "p", S_IFIFO | 0600, 0), 0);

	assert_int_equal(kit_set(&k, FS_ROOT, "d", "v"), EISDIR);
	assert_int_equal(kit_set(&k, FS_ROOT, "l", "v"), ELOOP);
	assert_int_equal(kit_set(&k, FS_ROOT, "p", "v"), EINVAL);
	assert_int_equal(kit_set(&k, FS_ROOT, ".", "v"), EISDIR);
	treekit_close(&k);
}

static void the_reserved_name_is_untouchable(void **state)
{
	struct treekit k;
	uint64_t dir;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	dir = GIVEN_DIR(&k, FS_ROOT, "d");

	assert_int_equal(kit_create(&k, FS_ROOT, ".raftfs", 0), EPERM);
	assert_int_equal(kit_mkdir(&k, FS_ROOT, ".raftfs"), EPERM);
	assert_int_equal(kit_symlink(&k, FS_ROOT, ".raftfs", "t"), EPERM);
	assert_int_equal(kit_mknod(&k, FS_ROOT, ".raftfs", S_IFIFO, 0), EPERM);
	assert_int_equal(kit_link(&k, ino, FS_ROOT, ".raftfs"), EPERM);
	assert_int_equal(kit_unlink(&k, FS_ROOT, ".raftfs"), EPERM);
	assert_int_equal(kit_rmdir(&k, FS_ROOT, ".raftfs"), EPERM);
	assert_int_equal(kit_set(&k, FS_ROOT, ".raftfs", "v"), EPERM);
	assert_int_equal(kit_rename(&k, FS_ROOT, "f", FS_ROOT, ".raftfs", 0),
			 EPERM);
	assert_int_equal(kit_rename(&k, FS_ROOT, ".raftfs", FS_ROOT, "g", 0),
			 EPERM);
	assert_int_equal(kit_mkdir(&k, dir, ".raftfs"), 0);
	treekit_close(&k);
}

static void no_inode_is_made_beyond_the_limit(void **state)
{
	struct treekit k;
	(void)state;
	treekit_open(&k);
	treekit_limits(&k, LIMIT_FILE_BYTES, LIMIT_TOTAL_BYTES, 3);
	GIVEN_FILE(&k, FS_ROOT, "a");
	GIVEN_FILE(&k, FS_ROOT, "b");

	assert_int_equal(kit_create(&k, FS_ROOT, "c", 0), ENOSPC);
	assert_int_equal(kit_set(&k, FS_ROOT, "c", "v"), ENOSPC);
	assert_int_equal(kit_mkdir(&k, FS_ROOT, "c"), ENOSPC);
	assert_int_equal(kit_set(&k, FS_ROOT, "a", "v"), 0);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "b"), 0);
	assert_int_equal(kit_create(&k, FS_ROOT, "c", 0), 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void inode_numbers_are_not_used_twice(void **state)
{
	struct treekit k;
	uint64_t first;
	(void)state;
	treekit_open(&k);
	first = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);
	assert_int_equal(kit_purge(&k, first), 0);

	treekit_restart(&k);

	assert_true(GIVEN_FILE(&k, FS_ROOT, "f") > first);
	treekit_close(&k);
}

static void nonsense_changes_nothing(void **state)
{
	struct treekit k;
	(void)state;
	treekit_open(&k);

	assert_int_equal(treekit_apply_bytes(&k, bytes_of_text("nonsense")),
			 EINVAL);
	assert_int_equal(treekit_apply_bytes(&k, bytes_of(NULL, 0)), EINVAL);
	assert_sound(&k);
	treekit_close(&k);
}

static void each_change_is_told(void **state)
{
	struct fs_note note;
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);

	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(k.notes, 1);
	assert_int_equal(fs_note_decode(buffer_bytes(&k.last_note), &note), 0);
	assert_int_equal(note.kind, FS_NOTE_ENTRY);
	assert_int_equal(note.dir, FS_ROOT);
	assert_int_equal(note.ino, ino);
	assert_true(bytes_equal(note.name, bytes_of_text("f")));

	assert_int_equal(kit_write(&k, ino, 0, "v", 0), 0);
	assert_int_equal(k.notes, 1);
	assert_int_equal(fs_note_decode(buffer_bytes(&k.last_note), &note), 0);
	assert_int_equal(note.kind, FS_NOTE_CONTENT);
	assert_int_equal(note.ino, ino);

	assert_int_equal(fs_note_decode(bytes_of_text("short"), &note),
			 STATUS_MALFORMED);
	treekit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(birth_happens_once),
		cmocka_unit_test(birth_carries_the_owner),
		cmocka_unit_test(create_makes_an_empty_file),
		cmocka_unit_test(create_opens_what_is_there),
		cmocka_unit_test(create_refuses_what_is_no_file),
		cmocka_unit_test(a_name_needs_a_living_directory),
		cmocka_unit_test(mkdir_counts_in_its_parent),
		cmocka_unit_test(setgid_directories_hand_their_group_on),
		cmocka_unit_test(a_link_keeps_its_text),
		cmocka_unit_test(mknod_makes_what_is_no_directory),
		cmocka_unit_test(a_second_name_is_the_same_inode),
		cmocka_unit_test(an_orphan_gets_no_name_again),
		cmocka_unit_test(links_are_bounded),
		cmocka_unit_test(set_makes_or_replaces_the_whole),
		cmocka_unit_test(set_takes_regular_files_only),
		cmocka_unit_test(the_reserved_name_is_untouchable),
		cmocka_unit_test(no_inode_is_made_beyond_the_limit),
		cmocka_unit_test(inode_numbers_are_not_used_twice),
		cmocka_unit_test(nonsense_changes_nothing),
		cmocka_unit_test(each_change_is_told),
	};

	return cmocka_run_group_tests_name("fs/tree/op_make", tests, NULL,
					   NULL);
}
