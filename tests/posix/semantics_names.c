/* SPDX-License-Identifier: Apache-2.0 */
/* semantics_names.c - rename, link, unlink, symlinks, names as such. */
#include <stdlib.h>

#include "tests/posix/posix.h"

static void rename_replaces_a_file_at_once(void)
{
	GIVEN_FILE("a", "new");
	GIVEN_FILE("b", "old");
	ino_t ino = stat_of("a").st_ino;

	EXPECT(0, rename("a", "b"));

	TRUE(holds("b", "new"));
	TRUE(stat_of("b").st_ino == ino);
	EXPECT(ENOENT, access("a", F_OK));
}

static void rename_moves_between_folders(void)
{
	EXPECT(0, mkdir("d", 0755));
	EXPECT(0, mkdir("e", 0755));
	EXPECT(0, mkdir("d/sub", 0755));
	GIVEN_FILE("d/sub/f", "x");

	EXPECT(0, rename("d/sub", "e/sub"));

	TRUE(holds("e/sub/f", "x"));
	TRUE(stat_of("d").st_nlink == 2 && stat_of("e").st_nlink == 3);
	TRUE(stat_of("e/sub/..").st_ino == stat_of("e").st_ino);
}

static void rename_refuses_what_does_not_fit(void)
{
	GIVEN_FILE("file", "x");
	EXPECT(0, mkdir("empty", 0755));
	EXPECT(0, mkdir("full", 0755));
	GIVEN_FILE("full/f", "x");
	EXPECT(0, mkdir("dir", 0755));

	EXPECT(EISDIR, rename("file", "empty"));
	EXPECT(ENOTDIR, rename("dir", "file"));
	EXPECT(ENOTEMPTY, rename("dir", "full"));
	EXPECT(ENOENT, rename("absent", "x"));
	EXPECT(ENOENT, rename("file", "absent/x"));
	EXPECT(ENOTDIR, rename("file", "file/x"));
	EXPECT(EINVAL, rename("full", "full/inside"));
	EXPECT(0, rename("dir", "empty"));
	EXPECT(ENOENT, access("dir", F_OK));
}

static void rename_into_ones_own_depth_is_refused(void)
{
	EXPECT(0, mkdir("a", 0755));
	EXPECT(0, mkdir("a/b", 0755));
	EXPECT(0, mkdir("a/b/c", 0755));

	EXPECT(EINVAL, rename("a", "a/b/c/d"));
	EXPECT(ENOTEMPTY, rename("a/b/c", "a"));
	EXPECT(0, access("a/b/c", F_OK));
}

static void rename_of_one_inode_to_itself_does_nothing(void)
{
	GIVEN_FILE("a", "x");
	EXPECT(0, link("a", "b"));

	EXPECT(0, rename("a", "b"));

	EXPECT(0, access("a", F_OK));
	TRUE(stat_of("b").st_nlink == 2);
	EXPECT(0, rename("a", "a"));
	TRUE(holds("a", "x"));
}

static void rename_flags_are_obeyed(void)
{
	GIVEN_FILE("a", "a");
	GIVEN_FILE("b", "b");
	EXPECT(0, mkdir("d", 0755));

	EXPECT(EEXIST,
	       renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	TRUE(holds("b", "b"));
	EXPECT(0, renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	EXPECT(0, renameat2(AT_FDCWD, "c", AT_FDCWD, "b", RENAME_EXCHANGE));
	TRUE(holds("b", "a") && holds("c", "b"));
	EXPECT(0, renameat2(AT_FDCWD, "b", AT_FDCWD, "d", RENAME_EXCHANGE));
	TRUE(S_ISDIR(stat_of("b").st_mode) && holds("d", "a"));
	EXPECT(ENOENT,
	       renameat2(AT_FDCWD, "b", AT_FDCWD, "no", RENAME_EXCHANGE));
}

static void rename_over_a_link_lowers_its_count(void)
{
	GIVEN_FILE("a", "a");
	GIVEN_FILE("b", "b");
	EXPECT(0, link("b", "b2"));

	EXPECT(0, rename("a", "b"));

	TRUE(stat_of("b2").st_nlink == 1);
	TRUE(holds("b2", "b") && holds("b", "a"));
}

static void links_share_one_inode(void)
{
	GIVEN_FILE("a", "x");
	EXPECT(0, mkdir("d", 0755));

	EXPECT(0, link("a", "d/b"));
	GIVEN_FILE("d/b", "changed");

	TRUE(holds("a", "changed"));
	TRUE(stat_of("a").st_nlink == 2);
	TRUE(stat_of("a").st_ino == stat_of("d/b").st_ino);
	EXPECT(EEXIST, link("a", "d/b"));
	EXPECT(EPERM, link("d", "e"));
	EXPECT(ENOENT, link("absent", "e"));
	EXPECT(0, unlink("a"));
	TRUE(stat_of("d/b").st_nlink == 1);
}

static void unlink_takes_names_of_files_only(void)
{
	EXPECT(0, mkdir("d", 0755));
	GIVEN_FILE("f", "x");

	EXPECT(EISDIR, unlink("d"));
	EXPECT(ENOENT, unlink("absent"));
	EXPECT(ENOTDIR, unlink("f/x"));
	EXPECT(ENOTDIR, rmdir("f"));
	EXPECT(0, unlink("f"));
	EXPECT(ENOENT, unlink("f"));
}

static void exclusive_creation_has_one_winner(void)
{
	EXPECT(0, symlink("nowhere", "dangling"));
	GIVEN_FILE("f", "x");

	EXPECT(EEXIST, open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
	EXPECT(EEXIST, open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644));
	EXPECT(EEXIST, mkdir("f", 0755));
	EXPECT(EEXIST, symlink("x", "f"));
	EXPECT(EEXIST, mknod("f", S_IFIFO | 0644, 0));
	TRUE(holds("f", "x"));
}

static void symlinks_hold_their_text(void)
{
	char text[4096], got[4200];

	memset(text, 'x', sizeof text);
	text[4095] = '\0';
	GIVEN_FILE("file", "x");
	EXPECT(0, symlink("file", "good"));
	EXPECT(0, symlink("loop", "loop"));
	EXPECT(0, symlink(text, "long"));
	EXPECT(ENOENT, symlink("", "none"));

	TRUE(S_ISLNK(stat_of("good").st_mode));
	TRUE(stat_of("good").st_size == 4);
	TRUE(holds("good", "x"));
	EXPECT(ELOOP, open("loop", O_RDONLY));
	EXPECT(ELOOP, open("good", O_RDONLY | O_NOFOLLOW));
	TRUE(readlink("long", got, sizeof got) == 4095);
	TRUE(memcmp(got, text, 4095) == 0);
	EXPECT(EINVAL, readlink("file", got, sizeof got));
	EXPECT(0, unlink("good"));
	TRUE(holds("file", "x"));
}

static void names_may_be_long_and_odd(void)
{
	static const char *const odd[] = {"with space", "new\nline",
					  "tab\there",	"\xc3\xa4\xe2\x82\xac",
					  "-rf",	"*?[]",
					  "...",	"\xff\xfe",
					  "quote'\"",	"back\\slash"};
	char name[300];

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		GIVEN_FILE(odd[i], odd[i]);
		TRUE(holds(odd[i], odd[i]));
	}
	memset(name, 'n', sizeof name);
	name[255] = '\0';
	GIVEN_FILE(name, "x");
	TRUE(holds(name, "x"));
	EXPECT(0, unlink(name));
	EXPECT(0, mkdir(name, 0755));
	EXPECT(0, rmdir(name));
	name[255] = 'n';
	name[256] = '\0';
	EXPECT(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0644));
	EXPECT(ENAMETOOLONG, mkdir(name, 0755));
	EXPECT(ENAMETOOLONG, symlink("x", name));
	EXPECT(ENAMETOOLONG, rename("...", name));
	EXPECT(ENAMETOOLONG, access(name, F_OK));
}

static void paths_may_be_deep(void)
{
	for (int i = 0; i < 100; i++) {
		EXPECT(0, mkdir("a-folder-far-down", 0755));
		EXPECT(0, chdir("a-folder-far-down"));
	}
	GIVEN_FILE("f", "x");
	TRUE(holds("f", "x"));
	for (int i = 0; i < 100; i++)
		EXPECT(0, chdir(".."));
	TRUE(stat_of("a-folder-far-down").st_nlink == 3);
}

static void special_files_can_be_made(void)
{
	EXPECT(0, mkfifo("fifo", 0640));
	EXPECT(0, mknod("socket", S_IFSOCK | 0600, 0));

	TRUE(S_ISFIFO(stat_of("fifo").st_mode));
	TRUE((stat_of("fifo").st_mode & 07777) == 0640);
	TRUE(S_ISSOCK(stat_of("socket").st_mode));
	EXPECT(0, unlink("fifo"));
}

static void a_slash_behind_a_file_is_refused(void)
{
	GIVEN_FILE("f", "x");

	EXPECT(ENOTDIR, open("f/", O_RDONLY));
	EXPECT(EISDIR, open("new/", O_CREAT | O_WRONLY, 0644));
	EXPECT(ENOTDIR, rename("f", "g/"));
	EXPECT(0, mkdir("d/", 0755));
	EXPECT(EISDIR, open("d", O_WRONLY));
	EXPECT(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
}

const struct promise promises_names[] = {
	{"rename replaces a file at once", rename_replaces_a_file_at_once},
	{"rename moves between folders", rename_moves_between_folders},
	{"rename refuses what does not fit", rename_refuses_what_does_not_fit},
	{"rename into one's own depth is refused",
	 rename_into_ones_own_depth_is_refused},
	{"rename of one inode to itself does nothing",
	 rename_of_one_inode_to_itself_does_nothing},
	{"rename flags are obeyed", rename_flags_are_obeyed},
	{"rename over a link lowers its count",
	 rename_over_a_link_lowers_its_count},
	{"links share one inode", links_share_one_inode},
	{"unlink takes names of files only", unlink_takes_names_of_files_only},
	{"exclusive creation has one winner",
	 exclusive_creation_has_one_winner},
	{"symlinks hold their text", symlinks_hold_their_text},
	{"names may be long and odd", names_may_be_long_and_odd},
	{"paths may be deep", paths_may_be_deep},
	{"special files can be made", special_files_can_be_made},
	{"a slash behind a file is refused", a_slash_behind_a_file_is_refused},
	{NULL, NULL},
};
