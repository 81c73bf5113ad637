/* SPDX-License-Identifier: Apache-2.0 */
/* Names are found, paths walked, and a listing under change neither skips nor
 * repeats a name that was there all along. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/lib/treekit.h"

struct names {
	char text[256];
	unsigned left; /* visits until it says stop */
	uint64_t last;
};

static bool visit(void *context, const struct fs_dirent *entry)
{
	struct names *names = context;

	assert_true(entry->cookie > names->last && entry->cookie > 2);
	names->last = entry->cookie;
	strncat(names->text, (const char *)entry->name.data, entry->name.size);
	strcat(names->text, " ");
	return --names->left > 0;
}

/* Read on from names->last, at most `count` entries. */
static void list(struct treekit *k, uint64_t dir, uint64_t end, unsigned count,
		 struct names *names)
{
	names->left = count;
	assert_int_equal(fs_readdir(treekit_reader(k), dir, names->last, end,
				    visit, names),
			 0);
}

static uint64_t end_of(struct treekit *k, uint64_t dir)
{
	uint64_t end;

	assert_int_equal(fs_dir_end(treekit_reader(k), dir, &end), 0);
	return end;
}

static void a_listing_is_in_the_order_of_making(void **state)
{
	struct names names = {0};
	struct treekit k;
	(void)state;
	treekit_open(&k);
	GIVEN_FILE(&k, FS_ROOT, "z");
	GIVEN_DIR(&k, FS_ROOT, "a");
	GIVEN_FILE(&k, FS_ROOT, "m");

	list(&k, FS_ROOT, end_of(&k, FS_ROOT), 100, &names);

	assert_string_equal(names.text, "z a m ");
	treekit_close(&k);
}

static void what_comes_later_is_not_listed(void **state)
{
	struct names names = {0};
	struct treekit k;
	uint64_t end;
	(void)state;
	treekit_open(&k);
	GIVEN_FILE(&k, FS_ROOT, "a");
	GIVEN_FILE(&k, FS_ROOT, "b");
	end = end_of(&k, FS_ROOT);
	list(&k, FS_ROOT, end, 1, &names);

	GIVEN_FILE(&k, FS_ROOT, "c");
	list(&k, FS_ROOT, end, 100, &names);

	assert_string_equal(names.text, "a b ");
	treekit_close(&k);
}

static void removals_do_not_shift_a_listing(void **state)
{
	struct names names = {0};
	struct treekit k;
	uint64_t end;
	(void)state;
	treekit_open(&k);
	GIVEN_FILE(&k, FS_ROOT, "a");
	GIVEN_FILE(&k, FS_ROOT, "b");
	GIVEN_FILE(&k, FS_ROOT, "c");
	GIVEN_FILE(&k, FS_ROOT, "d");
	end = end_of(&k, FS_ROOT);
	list(&k, FS_ROOT, end, 2, &names);

	assert_int_equal(kit_unlink(&k, FS_ROOT, "a"), 0);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "b"), 0);
	list(&k, FS_ROOT, end, 100, &names);

	assert_string_equal(names.text, "a b c d ");
	treekit_close(&k);
}

/* `mv t k` over and over: k was there all along. */
static void a_replaced_name_is_neither_skipped_nor_repeated(void **state)
{
	struct names names = {0};
	struct treekit k;
	uint64_t end;
	(void)state;
	treekit_open(&k);
	GIVEN_FILE(&k, FS_ROOT, "a");
	GIVEN_FILE(&k, FS_ROOT, "k");
	GIVEN_FILE(&k, FS_ROOT, "z");
	end = end_of(&k, FS_ROOT);
	list(&k, FS_ROOT, end, 1, &names);
	GIVEN_FILE(&k, FS_ROOT, "t");
	assert_int_equal(kit_rename(&k, FS_ROOT, "t", FS_ROOT, "k", 0), 0);
	list(&k, FS_ROOT, end, 1, &names);
	GIVEN_FILE(&k, FS_ROOT, "t");
	assert_int_equal(kit_rename(&k, FS_ROOT, "t", FS_ROOT, "k", 0), 0);

	list(&k, FS_ROOT, end, 100, &names);

	assert_string_equal(names.text, "a k z ");
	assert_sound(&k);
	treekit_close(&k);
}

static void exchanged_names_keep_their_places(void **state)
{
	struct names names = {0};
	struct treekit k;
	uint64_t end;
	(void)state;
	treekit_open(&k);
	GIVEN_FILE(&k, FS_ROOT, "a");
	GIVEN_DIR(&k, FS_ROOT, "b");
	end = end_of(&k, FS_ROOT);
	list(&k, FS_ROOT, end, 1, &names);

	assert_int_equal(
		kit_rename(&k, FS_ROOT, "a", FS_ROOT, "b", FS_EXCHANGE), 0);
	list(&k, FS_ROOT, end, 100, &names);

	assert_string_equal(names.text, "a b ");
	treekit_close(&k);
}

static void a_listing_outlives_a_restart(void **state)
{
	struct names names = {0};
	struct treekit k;
	uint64_t end;
	(void)state;
	treekit_open(&k);
	GIVEN_FILE(&k, FS_ROOT, "a");
	GIVEN_FILE(&k, FS_ROOT, "b");
	end = end_of(&k, FS_ROOT);
	list(&k, FS_ROOT, end, 1, &names);

	treekit_restart(&k);
	list(&k, FS_ROOT, end, 100, &names);

	assert_string_equal(names.text, "a b ");
	treekit_close(&k);
}

static void listings_need_a_directory(void **state)
{
	struct names names = {0};
	struct treekit k;
	uint64_t ino;
	uint64_t out;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");

	assert_int_equal(fs_readdir(treekit_reader(&k), ino, 0, 9, visit,
				    &names),
			 -ENOTDIR);
	assert_int_equal(fs_readdir(treekit_reader(&k), 999, 0, 9, visit,
				    &names),
			 -ESTALE);
	assert_int_equal(fs_dir_end(treekit_reader(&k), ino, &out), -ENOTDIR);
	assert_int_equal(fs_parent(treekit_reader(&k), ino, &out), -ENOTDIR);
	assert_int_equal(fs_readdir(treekit_reader(&k), FS_ROOT, UINT64_MAX,
				    UINT64_MAX, visit, &names),
			 0);
	assert_string_equal(names.text, "");
	treekit_close(&k);
}

static void lookup_finds_names_and_dots(void **state)
{
	char name[LIMIT_NAME_BYTES + 2] = {0};
	struct treekit k;
	uint64_t dir;
	uint64_t file;
	uint64_t parent;
	(void)state;
	treekit_open(&k);
	dir = GIVEN_DIR(&k, FS_ROOT, "d");
	file = GIVEN_FILE(&k, dir, "f");
	memset(name, 'n', LIMIT_NAME_BYTES);

	assert_int_equal(kit_lookup(&k, dir, "f"), file);
	assert_int_equal(kit_lookup(&k, dir, "."), dir);
	assert_int_equal(kit_lookup(&k, dir, ".."), FS_ROOT);
	assert_int_equal(kit_lookup(&k, FS_ROOT, ".."), FS_ROOT);
	assert_int_equal(kit_lookup(&k, dir, "g"), -ENOENT);
	assert_int_equal(kit_lookup(&k, dir, ""), -ENOENT);
	assert_int_equal(kit_lookup(&k, dir, name), -ENOENT);
	name[LIMIT_NAME_BYTES] = 'n';
	assert_int_equal(kit_lookup(&k, dir, name), -ENAMETOOLONG);
	assert_int_equal(kit_lookup(&k, file, "x"), -ENOTDIR);
	assert_int_equal(kit_lookup(&k, 999, "x"), -ESTALE);
	assert_int_equal(fs_parent(treekit_reader(&k), dir, &parent), 0);
	assert_int_equal(parent, FS_ROOT);
	treekit_close(&k);
}

static void the_longest_name_can_be_made_and_found(void **state)
{
	char name[LIMIT_NAME_BYTES + 1] = {0};
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	memset(name, 'n', LIMIT_NAME_BYTES);

	ino = GIVEN_FILE(&k, FS_ROOT, name);

	assert_int_equal(kit_lookup(&k, FS_ROOT, name), ino);
	assert_sound(&k);
	treekit_close(&k);
}

static int64_t resolve(struct treekit *k, const char *path)
{
	struct fs_attr attr;
	int rc = fs_resolve(treekit_reader(k), path, &attr);

	return rc == 0 ? (int64_t)attr.ino : rc;
}

static void paths_are_walked(void **state)
{
	char path[LIMIT_PATH_BYTES + 1] = {0};
	struct treekit k;
	uint64_t dir;
	uint64_t file;
	int64_t link;
	(void)state;
	treekit_open(&k);
	dir = GIVEN_DIR(&k, FS_ROOT, "d");
	file = GIVEN_FILE(&k, dir, "f");
	assert_int_equal(kit_symlink(&k, FS_ROOT, "l", "d"), 0);
	link = (int64_t)k.result.attr.ino;
	memset(path, '/', LIMIT_PATH_BYTES);

	assert_int_equal(resolve(&k, "/"), FS_ROOT);
	assert_int_equal(resolve(&k, "/d"), dir);
	assert_int_equal(resolve(&k, "//d///f"), file);
	assert_int_equal(resolve(&k, "/d/"), dir);
	assert_int_equal(resolve(&k, "/d/../d/./f"), file);
	assert_int_equal(resolve(&k, "/l"), link);
	assert_int_equal(resolve(&k, "/l/f"), -ELOOP);
	assert_int_equal(resolve(&k, "/d/f/"), -ENOTDIR);
	assert_int_equal(resolve(&k, "/d/f/x"), -ENOTDIR);
	assert_int_equal(resolve(&k, "/x/f"), -ENOENT);
	assert_int_equal(resolve(&k, ""), -ENOENT);
	assert_int_equal(resolve(&k, "d/f"), -EINVAL);
	assert_int_equal(resolve(&k, path), -ENAMETOOLONG);
	treekit_close(&k);
}

static void nothing_is_there_before_birth(void **state)
{
	struct memdisk *disk = memdisk_new();
	struct store *s = memstore_open(disk);
	struct buffer problem = {0};
	struct fs_usage usage;
	struct fs_attr attr;
	(void)state;

	assert_int_equal(fs_getattr(&s->reader, FS_ROOT, &attr), -ESTALE);
	assert_int_equal(fs_usage(&s->reader, &usage), -ESTALE);
	assert_int_equal(fs_check(&s->reader, &problem), 0);
	s->ops->close(s);
	memdisk_free(disk);
}

static void a_view_does_not_move(void **state)
{
	struct buffer out = {0};
	struct kv_view *view;
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_fill(&k, ino, 0, 100000, 'a', 0), 0);
	view = k.store->ops->view(k.store);

	assert_int_equal(kit_fill(&k, ino, 0, 50000, 'b', FS_TRUNCATE), 0);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);
	assert_int_equal(kit_purge(&k, ino), 0);

	assert_int_equal(fs_read(&view->reader, ino, 0, 200000, &out, NULL), 0);
	assert_int_equal(out.size, 100000);
	assert_int_equal(out.data[0], 'a');
	assert_int_equal(out.data[99999], 'a');
	k.store->ops->view_close(k.store, view);
	buffer_deinit(&out);
	treekit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listing_is_in_the_order_of_making),
		cmocka_unit_test(what_comes_later_is_not_listed),
		cmocka_unit_test(removals_do_not_shift_a_listing),
		cmocka_unit_test(
			a_replaced_name_is_neither_skipped_nor_repeated),
		cmocka_unit_test(exchanged_names_keep_their_places),
		cmocka_unit_test(a_listing_outlives_a_restart),
		cmocka_unit_test(listings_need_a_directory),
		cmocka_unit_test(lookup_finds_names_and_dots),
		cmocka_unit_test(the_longest_name_can_be_made_and_found),
		cmocka_unit_test(paths_are_walked),
		cmocka_unit_test(nothing_is_there_before_birth),
		cmocka_unit_test(a_view_does_not_move),
	};

	return cmocka_run_group_tests_name("fs/tree/read", tests, NULL, NULL);
}
