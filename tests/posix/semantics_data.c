/* SPDX-License-Identifier: Apache-2.0 */
/* semantics_data.c - reading, writing, sizes, open files that lost their name.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/posix/posix.h"

enum { BIG_BYTES = 3 * 1024 * 1024 + 17 };

static void appends_go_to_the_end(void)
{
	int a, b;

	GIVEN_FILE("f", "0");
	a = open("f", O_WRONLY | O_APPEND);
	b = open("f", O_WRONLY | O_APPEND);
	TRUE(write(a, "1", 1) == 1);
	TRUE(write(b, "2", 1) == 1);
	TRUE(write(a, "3", 1) == 1);
	TRUE(lseek(b, 0, SEEK_SET) == 0);
	TRUE(write(b, "4", 1) == 1);
	close(a);
	close(b);
	TRUE(holds("f", "01234"));
}

static void truncation_cuts_and_zeroes(void)
{
	char buf[16];
	int fd;

	GIVEN_FILE("f", "abcdefgh");
	EXPECT(0, truncate("f", 3));
	TRUE(holds("f", "abc"));
	EXPECT(0, truncate("f", 6));
	fd = open("f", O_RDWR);
	TRUE(read(fd, buf, sizeof buf) == 6);
	TRUE(memcmp(buf, "abc\0\0\0", 6) == 0);
	EXPECT(0, ftruncate(fd, 0));
	TRUE(stat_of("f").st_size == 0);
	close(fd);
	EXPECT(EINVAL, truncate("f", -1));
	EXPECT(0, mkdir("d", 0755));
	EXPECT(EISDIR, truncate("d", 0));
	EXPECT(ENOENT, truncate("absent", 0));
	fd = open("f", O_RDONLY);
	EXPECT(EINVAL, ftruncate(fd, 0));
	close(fd);
}

static void opening_with_truncation_empties(void)
{
	int fd;

	GIVEN_FILE("f", "old content");
	fd = open("f", O_WRONLY | O_TRUNC);
	TRUE(fd >= 0);
	EXPECT(0, fsync(fd));
	TRUE(stat_of("f").st_size == 0);
	EXPECT(0, close(fd));

	/* Neither written to nor synced: empty soon after the close. */
	GIVEN_FILE("f", "old content");
	fd = open("f", O_WRONLY | O_TRUNC);
	EXPECT(0, close(fd));
	for (int i = 0; i < 200 && stat_of("f").st_size != 0; i++)
		poll(NULL, 0, 10);
	TRUE(stat_of("f").st_size == 0);

	GIVEN_FILE("f", "old content");
	fd = open("f", O_WRONLY | O_TRUNC);
	TRUE(pwrite(fd, "x", 1, 3) == 1);
	EXPECT(0, close(fd));
	TRUE(stat_of("f").st_size == 4);
}

static void holes_read_as_zeroes(void)
{
	static char buf[300000], zero[300000];
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	TRUE(pwrite(fd, "end", 3, 250000) == 3);
	TRUE(pwrite(fd, "begin", 5, 0) == 5);

	TRUE(stat_of("f").st_size == 250003);
	TRUE(pread(fd, buf, sizeof buf, 0) == 250003);
	TRUE(memcmp(buf, "begin", 5) == 0);
	TRUE(memcmp(buf + 5, zero, 249995) == 0);
	TRUE(memcmp(buf + 250000, "end", 3) == 0);
	TRUE(pread(fd, buf, 10, 250003) == 0);
	TRUE(pread(fd, buf, 10, 900000) == 0);
	close(fd);
}

/* Many sizes and places, beside a copy in memory. */
static void random_writes_read_back(void)
{
	char *want = calloc(1, BIG_BYTES), *got = malloc(BIG_BYTES);
	unsigned seed = 7;
	size_t size = 0;
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	TRUE(want != NULL && got != NULL);
	for (int i = 0; i < 150; i++) {
		size_t at = (size_t)rand_r(&seed) % (BIG_BYTES - 70000);
		size_t n = 1 + (size_t)rand_r(&seed) % 70000;

		if (i % 10 == 9) {
			EXPECT(0, ftruncate(fd, (off_t)at));
			if (at < size)
				memset(want + at, 0, size - at);
			size = at;
			continue;
		}
		for (size_t k = 0; k < n; k++)
			want[at + k] = (char)rand_r(&seed);
		TRUE(pwrite(fd, want + at, n, (off_t)at) == (ssize_t)n);
		size = at + n > size ? at + n : size;
	}
	TRUE(stat_of("f").st_size == (off_t)size);
	TRUE(pread(fd, got, BIG_BYTES, 0) == (ssize_t)size);
	TRUE(memcmp(want, got, size) == 0);
	EXPECT(0, fsync(fd));
	close(fd);
	free(want);
	free(got);
}

static void a_large_write_is_whole(void)
{
	char *want = malloc(BIG_BYTES), *got = malloc(BIG_BYTES);
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	size_t done = 0;

	for (size_t i = 0; i < BIG_BYTES; i++)
		want[i] = (char)(i * 7 + i / 251);
	while (done < BIG_BYTES) {
		ssize_t n = write(fd, want + done, BIG_BYTES - done);

		TRUE(n > 0);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	TRUE(pread(fd, got, BIG_BYTES, 0) == BIG_BYTES);
	TRUE(memcmp(want, got, BIG_BYTES) == 0);
	TRUE(stat_of("f").st_blocks > 0);
	close(fd);
	free(want);
	free(got);
}

static void an_unlinked_file_lives_while_open(void)
{
	char buf[16];
	struct stat st;
	int fd;

	GIVEN_FILE("f", "content");
	fd = open("f", O_RDWR);
	EXPECT(0, unlink("f"));

	TRUE(read(fd, buf, sizeof buf) == 7);
	TRUE(pwrite(fd, "C", 1, 0) == 1);
	TRUE(pread(fd, buf, sizeof buf, 0) == 7 && buf[0] == 'C');
	EXPECT(0, fstat(fd, &st));
	TRUE(st.st_nlink == 0);
	EXPECT(0, ftruncate(fd, 2));
	EXPECT(0, fchmod(fd, 0600));
	EXPECT(ENOENT, access("f", F_OK));
	EXPECT(0, close(fd));
}

static void a_replaced_file_lives_while_open(void)
{
	char buf[16];
	int fd;

	GIVEN_FILE("f", "old");
	fd = open("f", O_RDWR);
	GIVEN_FILE("new", "new");
	EXPECT(0, rename("new", "f"));

	TRUE(read(fd, buf, sizeof buf) == 3 && memcmp(buf, "old", 3) == 0);
	TRUE(write(fd, "er", 2) == 2);
	TRUE(holds("f", "new"));
	EXPECT(0, close(fd));
	TRUE(holds("f", "new"));
}

static void descriptors_do_what_they_were_opened_for(void)
{
	char buf[4];
	int fd;

	GIVEN_FILE("f", "x");
	EXPECT(0, mkdir("d", 0755));
	fd = open("f", O_RDONLY);
	EXPECT(EBADF, write(fd, "x", 1));
	close(fd);
	fd = open("f", O_WRONLY);
	EXPECT(EBADF, read(fd, buf, 1));
	close(fd);
	fd = open("d", O_RDONLY);
	EXPECT(EISDIR, read(fd, buf, 1));
	EXPECT(0, fsync(fd));
	close(fd);
}

static void memory_maps_show_the_file(void)
{
	char *map;
	int fd;

	GIVEN_FILE("f", "content");
	fd = open("f", O_RDWR);
	map = mmap(NULL, 7, PROT_READ, MAP_PRIVATE, fd, 0);
	TRUE(map != MAP_FAILED && memcmp(map, "content", 7) == 0);
	munmap(map, 7);
	map = mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUE(map != MAP_FAILED);
	if (map != MAP_FAILED) {
		map[0] = 'C';
		EXPECT(0, msync(map, 7, MS_SYNC));
		munmap(map, 7);
	}
	close(fd);
	TRUE(holds("f", "Content"));
}

static void copies_within_the_kernel_work(void)
{
	int from, to;
	off_t at = 0;

	GIVEN_FILE("a", "some text");
	from = open("a", O_RDONLY);
	to = open("b", O_WRONLY | O_CREAT, 0644);
	TRUE(copy_file_range(from, &at, to, NULL, 9, 0) == 9);
	close(from);
	close(to);
	TRUE(holds("b", "some text"));
}

static void space_can_be_asked_for(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	EXPECT(0, (errno = posix_fallocate(fd, 0, 10000)) != 0 ? -1 : 0);
	TRUE(stat_of("f").st_size == 10000);
	close(fd);
}

const struct promise promises_data[] = {
	{"appends go to the end", appends_go_to_the_end},
	{"truncation cuts and zeroes", truncation_cuts_and_zeroes},
	{"opening with truncation empties", opening_with_truncation_empties},
	{"holes read as zeroes", holes_read_as_zeroes},
	{"random writes read back", random_writes_read_back},
	{"a large write is whole", a_large_write_is_whole},
	{"an unlinked file lives while open",
	 an_unlinked_file_lives_while_open},
	{"a replaced file lives while open", a_replaced_file_lives_while_open},
	{"descriptors do what they were opened for",
	 descriptors_do_what_they_were_opened_for},
	{"memory maps show the file", memory_maps_show_the_file},
	{"copies within the kernel work", copies_within_the_kernel_work},
	{"space can be asked for", space_can_be_asked_for},
	{NULL, NULL},
};
