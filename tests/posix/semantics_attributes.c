/* SPDX-License-Identifier: Apache-2.0 */
/* semantics_attributes.c - modes, owners, times, rights, and what only raftfs
 * says: no locks yet, a size limit, the folder .raftfs. */
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>

#include "tests/posix/posix.h"

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec ||
	       (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void modes_are_kept(void)
{
	GIVEN_FILE("f", "x");
	for (mode_t mode = 0; mode <= 07777; mode += 0123) {
		EXPECT(0, chmod("f", mode));
		TRUE((stat_of("f").st_mode & 07777) == mode);
	}
	umask(027);
	EXPECT(0, mkdir("d", 0777));
	TRUE((stat_of("d").st_mode & 07777) == 0750);
	EXPECT(0, close(open("g", O_CREAT | O_WRONLY, 0666)));
	TRUE((stat_of("g").st_mode & 07777) == 0640);
	EXPECT(0, close(open("h", O_CREAT | O_WRONLY, 0444)));
	TRUE((stat_of("h").st_mode & 07777) == 0440);
	EXPECT(ENOENT, chmod("absent", 0644));
}

static void owners_are_kept(void)
{
	struct stat st;

	GIVEN_FILE("f", "x");
	EXPECT(0, symlink("f", "l"));
	EXPECT(0, chown("f", 1234, 4321));
	st = stat_of("f");
	TRUE(st.st_uid == 1234 && st.st_gid == 4321);
	EXPECT(0, chown("f", (uid_t)-1, 77));
	st = stat_of("f");
	TRUE(st.st_uid == 1234 && st.st_gid == 77);
	EXPECT(0, lchown("l", 55, 66));
	TRUE(stat_of("l").st_uid == 55 && stat_of("f").st_uid == 1234);
}

static void times_are_kept_to_the_nanosecond(void)
{
	static const struct timespec set[][2] = {
		{{1000000000, 123456789}, {1234567890, 987654321}},
		{{-100, 1}, {-1000000, 999999999}}, /* before 1970 */
		{{5000000000, 7}, {9000000000, 8}}, /* after 2038 */
	};
	struct timespec omit[2] = {{0, UTIME_OMIT}, {42, 43}};
	struct stat st;

	GIVEN_FILE("f", "x");
	for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
		EXPECT(0, utimensat(AT_FDCWD, "f", set[i], 0));
		st = stat_of("f");
		TRUE(memcmp(&st.st_atim, &set[i][0], sizeof st.st_atim) == 0);
		TRUE(memcmp(&st.st_mtim, &set[i][1], sizeof st.st_mtim) == 0);
	}
	EXPECT(0, utimensat(AT_FDCWD, "f", omit, 0));
	st = stat_of("f");
	TRUE(st.st_atim.tv_sec == 5000000000 && st.st_mtim.tv_sec == 42);
}

static void times_move_with_changes(void)
{
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct stat before, after;
	time_t now = time(NULL);
	char c;
	int fd;

	GIVEN_FILE("f", "x");
	EXPECT(0, utimensat(AT_FDCWD, "f", NULL, 0)); /* now */
	TRUE(labs(stat_of("f").st_mtime - now) < 10);

	EXPECT(0, utimensat(AT_FDCWD, "f", old, 0));
	before = stat_of("f");
	TRUE(before.st_mtime == 1000);
	TRUE(labs(before.st_ctime - now) < 10);
	fd = open("f", O_RDWR);
	TRUE(read(fd, &c, 1) == 1);
	TRUE(stat_of("f").st_mtime == 1000);
	TRUE(pwrite(fd, "y", 1, 0) == 1);
	close(fd);
	TRUE(labs(stat_of("f").st_mtime - now) < 10);

	before = stat_of("f");
	EXPECT(0, chmod("f", 0600));
	after = stat_of("f");
	TRUE(later(after.st_ctim, before.st_ctim));
	TRUE(!later(after.st_mtim, before.st_mtim));
	EXPECT(0, link("f", "g"));
	TRUE(later(stat_of("f").st_ctim, after.st_ctim));
	after = stat_of("f");
	EXPECT(0, unlink("g"));
	TRUE(later(stat_of("f").st_ctim, after.st_ctim));
	before = stat_of("f");
	EXPECT(0, truncate("f", 0));
	TRUE(later(stat_of("f").st_mtim, before.st_mtim));
}

/* What is set last stays: no late flush moves it. */
static void a_set_time_outlives_the_close(void)
{
	struct timespec old[2] = {{1000, 0}, {1000, 5}};
	int fd = open("f", O_WRONLY | O_CREAT, 0644);

	TRUE(write(fd, "text", 4) == 4);
	EXPECT(0, futimens(fd, old));
	EXPECT(0, close(fd));
	TRUE(stat_of("f").st_mtim.tv_sec == 1000);
	TRUE(stat_of("f").st_mtim.tv_nsec == 5);
}

static int try_read(const char *name)
{
	return open(name, O_RDONLY);
}
static int try_write(const char *name)
{
	return open(name, O_WRONLY);
}
static int try_create(const char *name)
{
	return open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
}
static int try_unlink(const char *name)
{
	return unlink(name);
}
static int try_chmod(const char *name)
{
	return chmod(name, 0777);
}
static int try_chown(const char *name)
{
	return chown(name, 65534, 65534);
}

static void rights_are_checked(void)
{
	GIVEN_FILE("secret", "x");
	EXPECT(0, chmod("secret", 0600));
	GIVEN_FILE("public", "x");
	EXPECT(0, mkdir("open", 0755));
	EXPECT(0, chmod("open", 01777));
	GIVEN_FILE("open/ours", "x");
	EXPECT(0, mkdir("closed", 0700));
	GIVEN_FILE("closed/f", "x");

	TRUE(as_nobody(try_read, "secret") == EACCES);
	TRUE(as_nobody(try_read, "public") == 0);
	TRUE(as_nobody(try_write, "public") == EACCES);
	TRUE(as_nobody(try_create, "new") == EACCES);
	TRUE(as_nobody(try_create, "open/new") == 0);
	TRUE(stat_of("open/new").st_uid == 65534);
	TRUE(as_nobody(try_unlink, "open/ours") == EPERM);
	TRUE(as_nobody(try_unlink, "open/new") == 0);
	TRUE(as_nobody(try_unlink, "public") == EACCES);
	TRUE(as_nobody(try_read, "closed/f") == EACCES);
	TRUE(as_nobody(try_chmod, "public") == EPERM);
	TRUE(as_nobody(try_chown, "public") == EPERM);
}

static int write_with(const char *name, int flags)
{
	int fd = open(name, O_WRONLY | flags);

	return fd >= 0 && write(fd, "y", 1) == 1 ? close(fd) : -1;
}
static int try_overwrite(const char *name)
{
	return write_with(name, 0);
}
static int try_append(const char *name)
{
	return write_with(name, O_APPEND);
}
static int try_replace(const char *name)
{
	return write_with(name, O_TRUNC);
}
static int try_empty(const char *name)
{
	int fd = open(name, O_WRONLY | O_TRUNC);

	return fd >= 0 ? close(fd) : -1;
}
static int try_truncate(const char *name)
{
	return truncate(name, 1);
}
static int try_ftruncate(const char *name)
{
	int fd = open(name, O_WRONLY);

	return fd >= 0 && ftruncate(fd, 2) == 0 ? close(fd) : -1;
}

/* Else whoever may write a program of another runs it as that one. */
static void a_change_by_another_ends_setuid_and_setgid(void)
{
	static int (*const changes[])(const char *name) = {
		try_overwrite, try_append,   try_replace,
		try_empty,     try_truncate, try_ftruncate,
	};

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		GIVEN_FILE("f", "content");
		EXPECT(0, chmod("f", 06777));
		EXPECT(0, changes[i]("f")); /* by root, who may */
		TRUE((stat_of("f").st_mode & 07777) == 06777);
		GIVEN_FILE("f", "content");
		TRUE(as_nobody(changes[i], "f") == 0);
		TRUE((stat_of("f").st_mode & 07777) == 0777);
		GIVEN_FILE("f", "content");
		EXPECT(0, chmod("f", 04767)); /* setgid is no more there */
		TRUE(as_nobody(changes[i], "f") == 0);
		TRUE((stat_of("f").st_mode & 07777) == 0767);
	}
}

static void nothing_is_executable_by_itself(void)
{
	GIVEN_FILE("f", "x");

	EXPECT(EACCES, access("f", X_OK));
	EXPECT(0, chmod("f", 0755));
	EXPECT(0, access("f", X_OK));
}

static void space_is_told(void)
{
	struct statvfs st;

	EXPECT(0, statvfs(".", &st));
	TRUE(st.f_blocks > 0 && st.f_bfree <= st.f_blocks);
	TRUE(st.f_bavail > 0 && st.f_files > 0 && st.f_ffree > 0);
	TRUE(st.f_namemax == 255);
}

const struct promise promises_attributes[] = {
	{"modes are kept", modes_are_kept},
	{"owners are kept", owners_are_kept},
	{"times are kept to the nanosecond", times_are_kept_to_the_nanosecond},
	{"times move with changes", times_move_with_changes},
	{"a set time outlives the close", a_set_time_outlives_the_close},
	{"rights are checked", rights_are_checked},
	{"a change by another ends setuid and setgid",
	 a_change_by_another_ends_setuid_and_setgid},
	{"nothing is executable by itself", nothing_is_executable_by_itself},
	{"space is told", space_is_told},
	{NULL, NULL},
};

/* Until locks are cluster-wide they are refused, never silently local. */
static void locks_are_refused(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd;

	GIVEN_FILE("f", "x");
	fd = open("f", O_RDWR);
	EXPECT(ENOLCK, flock(fd, LOCK_EX));
	EXPECT(ENOLCK, flock(fd, LOCK_SH | LOCK_NB));
	EXPECT(ENOLCK, fcntl(fd, F_SETLK, &lock));
	EXPECT(ENOLCK, fcntl(fd, F_OFD_SETLK, &lock));
	close(fd);
}

static void a_file_has_a_largest_size(void)
{
	const off_t limit = (off_t)1 << 30;
	int fd;

	GIVEN_FILE("f", "content");
	fd = open("f", O_RDWR);
	EXPECT(EFBIG, pwrite(fd, "x", 1, limit));
	EXPECT(EFBIG, ftruncate(fd, limit + 1));
	TRUE(holds("f", "content"));
	TRUE(pwrite(fd, "x", 1, limit - 1) == 1);
	TRUE(stat_of("f").st_size == limit);
	close(fd);
	EXPECT(0, unlink("f"));
}

static void the_status_folder_stays(void)
{
	/* The folders of the promises are two below the root. */
	EXPECT(EPERM, rmdir("../../.raftfs"));
	EXPECT(EPERM, unlink("../../.raftfs/status"));
	EXPECT(EPERM, rename("../../.raftfs", "mine"));
	EXPECT(0, mkdir("d", 0755));
	EXPECT(EPERM, rename("d", "../../.raftfs"));
	EXPECT(EPERM, link("../../.raftfs", "mine"));
	/* The kernel answers first: it has found a folder there. */
	EXPECT(EEXIST, mkdir("../../.raftfs", 0755));
	EXPECT(EEXIST, mkfifo("../../.raftfs", 0644));
	EXPECT(EEXIST, symlink("d", "../../.raftfs"));
	EXPECT(0, close(open("f", O_CREAT | O_WRONLY, 0644)));
	EXPECT(EEXIST, link("f", "../../.raftfs"));
	EXPECT(EISDIR, rename("f", "../../.raftfs"));
	EXPECT(0, unlink("f"));
	EXPECT(EISDIR, unlink("../../.raftfs"));
	EXPECT(EEXIST, open("../../.raftfs", O_CREAT | O_EXCL | O_RDWR, 0644));
	EXPECT(EISDIR, open("../../.raftfs", O_CREAT | O_RDWR, 0644));
	EXPECT(EPERM, open("../../.raftfs/new", O_CREAT | O_WRONLY, 0644));
	EXPECT(0, access("../../.raftfs/leader", R_OK));
	EXPECT(0, access("../../.raftfs/status", R_OK));
	/* Only there is the name special. */
	EXPECT(0, mkdir(".raftfs", 0755));
	EXPECT(0, rmdir(".raftfs"));
}

const struct promise promises_raftfs[] = {
	{"locks are refused", locks_are_refused},
	{"a file has a largest size", a_file_has_a_largest_size},
	{"the status folder stays", the_status_folder_stays},
	{NULL, NULL},
};
