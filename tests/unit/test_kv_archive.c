/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a backup comes back as it was, or is refused with a line that says
 * where it is damaged; nothing half made is ever found under its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/folder.h"
#include "base/frame.h"
#include "base/mem.h"
#include "base/status.h"
#include "kv/archive.h"
#include "proto/codec.h"
#include "proto/kv.pb.h"

static char home[64];
static atomic_bool goes_on;

static int setup(void **state)
{
	(void)state;
	strcpy(home, "/tmp/test_archive.XXXXXX");
	return mkdtemp(home) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	folder_remove(home);
	return 0;
}

/* Lent for a while. */
static const char *at(const char *name)
{
	static char paths[4][128];
	static unsigned turn;

	turn = (turn + 1) % 4;
	(void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", home, name);
	return paths[turn];
}

static void GIVEN_FILE(const char *name, size_t size, unsigned seed)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	srand(seed);
	for (size_t i = 0; i < size; i++) {
		assert_true(fputc(rand() & 0xff, f) != EOF);
	}
	assert_int_equal(fclose(f), 0);
}

static void GIVEN_BACKUP(void)
{
	struct archive a = {.index = 42, .term = 7, .made_ns = 9, .name = "n1"};
	struct buffer problem = {0};

	memset(a.cluster, 5, sizeof a.cluster);
	assert_int_equal(folder_make(at("state")), 0);
	GIVEN_FILE("state/CURRENT", 16, 1);
	GIVEN_FILE("state/000012.sst", 600000, 2);
	GIVEN_FILE("state/empty", 0, 3);
	assert_int_equal(archive_save(at("backup"), at("state"), &a, &goes_on,
				      &problem),
			 0);
	assert_int_equal(a.files, 3);
	assert_int_equal(a.bytes, 600016);
	assert_int_equal(problem.size, 0);
}

static int load(const char *into, struct buffer *problem)
{
	struct archive a;

	return archive_load(at("backup"), into != NULL ? at(into) : NULL, &a,
			    problem);
}

static bool there(const char *name)
{
	return access(at(name), F_OK) == 0;
}

static void a_backup_comes_back_as_it_was(void **state)
{
	struct archive a;
	struct buffer problem = {0};
	struct stat s;
	char command[256];
	(void)state;

	GIVEN_BACKUP();
	assert_int_equal(stat(at("backup"), &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_false(there("backup.partial"));
	assert_int_equal(archive_load(at("backup"), NULL, &a, &problem), 0);
	assert_int_equal(archive_load(at("backup"), at("back"), &a, &problem),
			 0);

	assert_int_equal(a.index, 42);
	assert_int_equal(a.term, 7);
	assert_int_equal(a.made_ns, 9);
	assert_int_equal(a.cluster[15], 5);
	assert_string_equal(a.name, "n1");
	assert_int_equal(a.files, 3);
	assert_int_equal(a.bytes, 600016);
	snprintf(command, sizeof command, "diff -r %s %s", at("state"),
		 at("back"));
	assert_int_equal(system(command), 0);
}

/* V2: not one bit, and no byte less or more. */
static void any_damage_is_refused_and_leaves_nothing(void **state)
{
	struct buffer problem = {0};
	struct stat s;
	(void)state;

	GIVEN_BACKUP();
	assert_int_equal(stat(at("backup"), &s), 0);
	for (off_t i = 0; i < s.st_size; i += i < 2000 ? 1 : 4999) {
		bool in_folder = i % 101 == 0; /* which takes syncs */
		FILE *f = fopen(at("backup"), "r+");
		int byte;

		assert_int_equal(fseek(f, i, SEEK_SET), 0);
		byte = fgetc(f);
		assert_int_equal(fseek(f, i, SEEK_SET), 0);
		fputc(byte ^ 1 << i % 8, f);
		assert_int_equal(fclose(f), 0);

		buffer_reset(&problem);
		assert_int_equal(load(in_folder ? "back" : NULL, &problem),
				 STATUS_CORRUPT);
		assert_non_null(strstr(buffer_text(&problem), "backup"));
		assert_false(there("back"));

		f = fopen(at("backup"), "r+");
		assert_int_equal(fseek(f, i, SEEK_SET), 0);
		fputc(byte, f);
		assert_int_equal(fclose(f), 0);
	}
	assert_int_equal(load(NULL, &problem), 0);
	assert_int_equal(truncate(at("backup"), s.st_size + 1), 0);
	assert_int_equal(load("back", &problem), STATUS_CORRUPT);
	for (off_t size = s.st_size - 1; size >= 0;
	     size -= size < 1000 ? 1 : 997) {
		assert_int_equal(truncate(at("backup"), size), 0);
		assert_int_equal(load(NULL, &problem), STATUS_CORRUPT);
	}
	buffer_deinit(&problem);
}

/* The same files, of other content and at another time. */
static void GIVEN_SECOND_BACKUP(const char *name)
{
	struct archive a = {.index = 43, .term = 7, .made_ns = 9000000};
	struct buffer problem = {0};

	GIVEN_FILE("state/CURRENT", 16, 11);
	GIVEN_FILE("state/000012.sst", 600000, 12);
	assert_int_equal(
		archive_save(at(name), at("state"), &a, &goes_on, &problem), 0);
}

static void read_file(const char *name, struct buffer *out)
{
	FILE *f = fopen(at(name), "r");

	assert_non_null(f);
	buffer_grow(out, fread(buffer_reserve(out, 1 << 20), 1, 1 << 20, f));
	fclose(f);
}

/* As when a copy over an older one is cut short: each part checks by itself. */
static void what_is_of_two_backups_is_refused(void **state)
{
	struct buffer first = {0};
	struct buffer second = {0};
	struct buffer problem = {0};
	unsigned seams = 0;
	size_t seam = 8; /* behind the name of the format */
	(void)state;

	GIVEN_BACKUP();
	GIVEN_SECOND_BACKUP("second");
	read_file("backup", &first);
	read_file("second", &second);
	seam += FRAME_HEADER_BYTES + get_le32(second.data + seam);
	while (seam < second.size) {
		FILE *f = fopen(at("backup"), "w");

		fwrite(second.data, 1, seam, f);
		fwrite(first.data + first.size - (second.size - seam), 1,
		       second.size - seam, f);
		fclose(f);
		assert_int_equal(load(NULL, &problem), STATUS_CORRUPT);
		seam += FRAME_HEADER_BYTES + get_le32(second.data + seam);
		seams++;
	}
	assert_int_equal(seams, 8); /* three files, of 1, 3 and 0 parts; end */
	buffer_deinit(&first);
	buffer_deinit(&second);
	buffer_deinit(&problem);
}

static void what_is_no_backup_is_called_that(void **state)
{
	struct buffer problem = {0};
	(void)state;

	assert_int_equal(load(NULL, &problem), STATUS_NOT_FOUND);
	buffer_reset(&problem);
	GIVEN_FILE("backup", 5000, 4);
	assert_int_equal(load(NULL, &problem), STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), "is no backup"));
	buffer_deinit(&problem);
}

static void one_that_fails_leaves_the_earlier_one(void **state)
{
	struct archive a = {.index = 1, .name = "n1"};
	struct buffer problem = {0};
	atomic_bool cancelled = true;
	(void)state;

	GIVEN_BACKUP();
	assert_int_equal(archive_save(at("backup"), at("state"), &a, &cancelled,
				      &problem),
			 STATUS_INTERRUPTED);
	assert_false(there("backup.partial"));
	assert_int_equal(archive_save(at("no/backup"), at("state"), &a,
				      &goes_on, &problem),
			 STATUS_NOT_FOUND);
	assert_int_equal(archive_save(at("backup"), at("gone"), &a, &goes_on,
				      &problem),
			 STATUS_NOT_FOUND);
	assert_int_equal(load(NULL, &problem), 0);
	buffer_deinit(&problem);
}

static int save(const char *name, struct buffer *problem)
{
	struct archive a = {.index = 42, .name = "n1"};

	buffer_reset(problem);
	return archive_save(at(name), at("state"), &a, &goes_on, problem);
}

static mode_t kind_of(const char *name)
{
	struct stat s;

	assert_int_equal(lstat(at(name), &s), 0);
	return s.st_mode & S_IFMT;
}

static void GIVEN_ONE_OF_EACH_KIND(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, at("socket"));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	close(fd);
	assert_int_equal(mkfifo(at("pipe"), 0600), 0);
	assert_int_equal(mkdir(at("folder"), 0700), 0);
	assert_int_equal(symlink("backup", at("link")), 0);
	assert_int_equal(symlink("nowhere", at("dangling")), 0);
	if (geteuid() == 0) { /* of no driver: nothing can be done with it */
		assert_int_equal(
			mknod(at("device"), S_IFCHR | 0600, makedev(0, 0)), 0);
	}
}

/* V4, of the name and of the one that is made first. */
static void only_a_regular_file_is_replaced(void **state)
{
	static const struct {
		const char *name, *says;
		mode_t kind;
	} kinds[] = {
		{"folder", "is a folder:", S_IFDIR},
		{"link", "is a symbolic link:", S_IFLNK},
		{"dangling", "is a symbolic link:", S_IFLNK},
		{"pipe", "is a pipe:", S_IFIFO},
		{"socket", "is a socket:", S_IFSOCK},
		{"device", "is a device:", S_IFCHR},
	};
	struct buffer problem = {0};
	char partial[32];
	(void)state;

	GIVEN_BACKUP();
	GIVEN_ONE_OF_EACH_KIND();
	for (size_t i = 0; i < COUNT_OF(kinds) - (geteuid() != 0); i++) {
		snprintf(partial, sizeof partial, "%s.partial", kinds[i].name);
		assert_int_equal(save(kinds[i].name, &problem), STATUS_EXISTS);
		assert_non_null(strstr(buffer_text(&problem), kinds[i].says));
		assert_int_equal(kind_of(kinds[i].name), kinds[i].kind);
		assert_false(there(partial));
		assert_int_equal(rename(at(kinds[i].name), at("b.partial")), 0);
		assert_int_equal(save("b", &problem), STATUS_EXISTS);
		assert_non_null(strstr(buffer_text(&problem), kinds[i].says));
		assert_int_equal(kind_of("b.partial"), kinds[i].kind);
		assert_false(there("b"));
		assert_int_equal(remove(at("b.partial")), 0);
	}
	assert_int_equal(load(NULL, &problem), 0); /* the link's end */
	GIVEN_FILE("b.partial", 1000, 4);
	GIVEN_FILE("b", 1000, 5);
	assert_int_equal(save("b", &problem), 0);
	assert_false(there("b.partial"));
	buffer_deinit(&problem);
}

static void add_part(FILE *f, uint64_t number, uint8_t kind,
		     const pb_msgdesc_t *fields, const void *message)
{
	struct buffer part = {0};
	size_t start = frame_begin(&part);

	codec_encode(&part, fields, message, 256);
	frame_seal(&part, start, kind, number);
	assert_int_equal(fwrite(part.data, part.size, 1, f), 1);
	buffer_deinit(&part);
}

/* Nobody makes such a backup; the checksums are right. */
static void a_file_that_is_in_it_twice_is_named(void **state)
{
	kv_Backup begin = {.index = 9, .term = 2, .name = "n1"};
	kv_BackupFile twice = {.name = "CURRENT"};
	kv_BackupEnd end = {.files = 2};
	struct buffer problem = {0};
	FILE *f = fopen(at("backup"), "w");
	(void)state;

	assert_non_null(f);
	assert_int_equal(fwrite("raftfsbk", 8, 1, f), 1);
	add_part(f, 0, 1, kv_Backup_fields, &begin);
	add_part(f, 1, 2, kv_BackupFile_fields, &twice);
	add_part(f, 2, 2, kv_BackupFile_fields, &twice);
	add_part(f, 3, 4, kv_BackupEnd_fields, &end);
	assert_int_equal(fclose(f), 0);

	assert_int_equal(load("back", &problem), STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), "came before"));
	assert_false(there("back"));
	buffer_deinit(&problem);
}

static void it_does_not_go_into_a_folder_that_is_there(void **state)
{
	struct buffer problem = {0};
	(void)state;

	GIVEN_BACKUP();
	assert_int_equal(folder_make(at("back")), 0);
	GIVEN_FILE("back/mine", 3, 5);
	assert_int_equal(load("back", &problem), STATUS_EXISTS);
	assert_true(there("back/mine"));
	buffer_deinit(&problem);
}

#define ARCHIVE_TEST(name)                                                     \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ARCHIVE_TEST(a_backup_comes_back_as_it_was),
		ARCHIVE_TEST(any_damage_is_refused_and_leaves_nothing),
		ARCHIVE_TEST(what_is_of_two_backups_is_refused),
		ARCHIVE_TEST(what_is_no_backup_is_called_that),
		ARCHIVE_TEST(one_that_fails_leaves_the_earlier_one),
		ARCHIVE_TEST(only_a_regular_file_is_replaced),
		ARCHIVE_TEST(a_file_that_is_in_it_twice_is_named),
		ARCHIVE_TEST(it_does_not_go_into_a_folder_that_is_there),
	};

	return cmocka_run_group_tests_name("kv/archive", tests, NULL, NULL);
}
