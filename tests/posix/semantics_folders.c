/* SPDX-License-Identifier: Apache-2.0 */
/* semantics_folders.c - folders, and their listings under change. */
#include <dirent.h>
#include <stdlib.h>

#include "tests/posix/posix.h"

enum { ENTRIES = 1500 };

static void mkdir_and_rmdir_count_links(void)
{
	EXPECT(0, mkdir("d", 0755));
	EXPECT(0, mkdir("d/a", 0755));
	EXPECT(0, mkdir("d/b", 0755));
	GIVEN_FILE("d/f", "x");

	TRUE(stat_of("d").st_nlink == 4);
	EXPECT(ENOTEMPTY, rmdir("d"));
	EXPECT(0, rmdir("d/a"));
	TRUE(stat_of("d").st_nlink == 3);
	EXPECT(EINVAL, rmdir("d/."));
	EXPECT(ENOTEMPTY, rmdir("d/.."));
	EXPECT(EEXIST, mkdir("d", 0755));
	EXPECT(ENOENT, mkdir("absent/x", 0755));
	EXPECT(0, rmdir("d/b"));
	EXPECT(0, unlink("d/f"));
	EXPECT(0, rmdir("d"));
}

static void a_removed_folder_takes_no_names(void)
{
	int fd;

	EXPECT(0, mkdir("d", 0755));
	fd = open("d", O_RDONLY | O_DIRECTORY);
	TRUE(fd >= 0);
	EXPECT(0, rmdir("d"));

	EXPECT(ENOENT, openat(fd, "x", O_CREAT | O_WRONLY, 0644));
	EXPECT(ENOENT, mkdirat(fd, "x", 0755));
	close(fd);
}

static bool differs(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec || a.tv_nsec != b.tv_nsec;
}

/* The folder's times change with each of its names. */
static void a_change_of_names_shows_in_the_times(void)
{
	struct stat before, after;

	EXPECT(0, mkdir("d", 0755));
	before = stat_of("d");
	GIVEN_FILE("d/f", "x");
	after = stat_of("d");
	TRUE(differs(before.st_mtim, after.st_mtim));
	TRUE(differs(before.st_ctim, after.st_ctim));

	before = after;
	EXPECT(0, rename("d/f", "d/g"));
	after = stat_of("d");
	TRUE(differs(before.st_mtim, after.st_mtim));

	before = after;
	GIVEN_FILE("d/g", "content only");
	after = stat_of("d");
	TRUE(!differs(before.st_mtim, after.st_mtim));

	EXPECT(0, unlink("d/g"));
	after = stat_of("d");
	TRUE(differs(before.st_mtim, after.st_mtim));
}

static void GIVEN_ENTRIES(const char *prefix)
{
	char name[64];
	int fd;

	for (int i = 0; i < ENTRIES; i++) {
		snprintf(name, sizeof name, "%s%d", prefix, i);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		TRUE(fd >= 0);
		close(fd);
	}
}

static void a_listing_is_whole_while_names_come_and_go(void)
{
	unsigned char *seen = calloc(ENTRIES, 1);
	int repeated = 0, skipped = 0, count = 0, i;
	char name[64];
	struct dirent *e;
	DIR *d;

	GIVEN_ENTRIES("f");
	d = opendir(".");
	TRUE(d != NULL && seen != NULL);
	while ((e = readdir(d)) != NULL) {
		if (sscanf(e->d_name, "f%d", &i) != 1)
			continue;
		repeated += seen[i]++;
		/* Odd ones go, others come, while it is read. */
		if (++count % 10 == 0 && count < ENTRIES) {
			snprintf(name, sizeof name, "f%d", count | 1);
			unlink(name);
			snprintf(name, sizeof name, "new%d", count);
			GIVEN_FILE(name, "");
		}
	}
	closedir(d);
	for (i = 0; i < ENTRIES; i += 2)
		skipped += !seen[i];
	TRUE(repeated == 0);
	TRUE(skipped == 0);
	free(seen);
}

static void a_listing_can_be_taken_up_again(void)
{
	char second[256] = "";
	struct dirent *e;
	DIR *d;
	long at;

	GIVEN_ENTRIES("f");
	d = opendir(".");
	TRUE(d != NULL);
	for (int i = 0; i < ENTRIES / 2; i++)
		TRUE(readdir(d) != NULL);
	at = telldir(d);
	e = readdir(d);
	TRUE(e != NULL);
	if (e != NULL)
		snprintf(second, sizeof second, "%s", e->d_name);
	while (readdir(d) != NULL)
		;
	seekdir(d, at);
	e = readdir(d);
	TRUE(e != NULL && strcmp(e->d_name, second) == 0);
	rewinddir(d);
	at = 0;
	while (readdir(d) != NULL)
		at++;
	TRUE(at == ENTRIES + 2);
	closedir(d);
}

static void a_listing_tells_kinds_and_numbers(void)
{
	struct dirent *e;
	DIR *d;

	GIVEN_FILE("file", "x");
	EXPECT(0, mkdir("dir", 0755));
	EXPECT(0, symlink("x", "link"));
	d = opendir(".");
	TRUE(d != NULL);
	while ((e = readdir(d)) != NULL) {
		struct stat st = stat_of(e->d_name);

		TRUE(IFTODT(st.st_mode) == e->d_type);
		TRUE(st.st_ino == e->d_ino);
	}
	closedir(d);
}

static void everything_can_be_removed_while_listed(void)
{
	struct dirent *e;
	int left = 0;
	DIR *d;

	GIVEN_ENTRIES("f");
	d = opendir(".");
	TRUE(d != NULL);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] == 'f')
			EXPECT(0, unlink(e->d_name));
	rewinddir(d);
	while ((e = readdir(d)) != NULL)
		left += e->d_name[0] == 'f';
	closedir(d);
	TRUE(left == 0);
}

const struct promise promises_folders[] = {
	{"mkdir and rmdir count links", mkdir_and_rmdir_count_links},
	{"a removed folder takes no names", a_removed_folder_takes_no_names},
	{"a change of names shows in the times",
	 a_change_of_names_shows_in_the_times},
	{"a listing is whole while names come and go",
	 a_listing_is_whole_while_names_come_and_go},
	{"a listing can be taken up again", a_listing_can_be_taken_up_again},
	{"a listing tells kinds and numbers",
	 a_listing_tells_kinds_and_numbers},
	{"everything can be removed while listed",
	 everything_can_be_removed_while_listed},
	{NULL, NULL},
};
