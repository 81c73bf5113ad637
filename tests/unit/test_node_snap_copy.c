/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: what a reader gives is all that the receiver does not have, in
 * order, and checks; a copy that can not be sent is not made. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/mem.h"
#include "raft/node/snap_copy.h"

enum { BIG = 3 * SNAP_CHUNK_BYTES + 1000 };

/* The client: what it puts in the folder. */
struct toy {
	const char *extra; /* one more file's name */
	int fails;
	struct raft_pos pos;
	const char *members;
};

static char *root, *folder;
static uint8_t *big;
static struct toy toy;
static struct snap_copy *copy;
static struct buffer received[3]; /* of each file */
static uint64_t hashes[3];

static void put(const char *path, const char *name, const void *data,
		size_t size)
{
	char *full = mem_printf("%s/%s", path, name);
	int fd = open(full, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	mem_free(full);
}

static int on_snapshot(void *context, const char *path,
		       struct node_snapshot_info *info)
{
	const struct toy *t = context;

	assert_int_equal(access(path, F_OK), -1);
	if (t->fails != 0) {
		return t->fails;
	}
	assert_int_equal(mkdir(path, 0700), 0);
	put(path, "MANIFEST", "manifest", 8);
	put(path, "000012.sst", big, BIG);
	put(path, "EMPTY", "", 0);
	if (t->extra != NULL) {
		put(path, t->extra, "x", 1);
	}
	info->pos = t->pos;
	info->members_index = 1;
	buffer_append(&info->members, t->members, strlen(t->members));
	return 0;
}

static const struct node_client client = {.snapshot = on_snapshot};

static int make(void)
{
	return snap_copy_make(&client, &toy, folder, &copy);
}

static int setup(void **state)
{
	char template[] = "/tmp/raftfs-copy-XXXXXX";
	(void)state;

	root = mem_strdup(mkdtemp(template));
	folder = mem_printf("%s/snapshot", root);
	big = mem_alloc(BIG);
	for (size_t i = 0; i < BIG; i++) {
		big[i] = (uint8_t)(i * 31 + i / 253);
	}
	toy = (struct toy){.pos = {2, 50}, .members = "members"};
	copy = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	snap_copy_free(copy);
	for (size_t i = 0; i < 3; i++) {
		buffer_deinit(&received[i]);
	}
	assert_int_equal(access(folder, F_OK), -1);
	assert_int_equal(rmdir(root), 0);
	mem_free(root);
	mem_free(folder);
	mem_free(big);
	return 0;
}

/* Read all of it for a receiver that has these; how many chunks. */
static unsigned read_all(const struct snap_piece *pieces, size_t count,
			 uint64_t *kept)
{
	struct snap_reader *r = snap_reader_new(copy, pieces, count);
	enum snap_read what = SNAP_READ_CHUNK;
	unsigned chunks = 0;

	while (what != SNAP_READ_END) {
		struct snap_chunk chunk;
		uint64_t sum;

		assert_int_equal(snap_reader_next(r, &what, &chunk, &sum), 0);
		if (what != SNAP_READ_CHUNK) {
			continue;
		}
		assert_int_equal(sum,
				 XXH3_64bits(chunk.data.data, chunk.data.size));
		if (received[chunk.file].size != chunk.at) {
			assert_int_equal(chunk.at, 0);
			buffer_reset(&received[chunk.file]);
		}
		buffer_append_bytes(&received[chunk.file], chunk.data);
		hashes[chunk.file] = chunk.hash;
		chunks++;
	}
	*kept = snap_reader_kept(r);
	snap_reader_free(r);
	return chunks;
}

static void assert_received(void)
{
	assert_int_equal(received[0].size, BIG);
	assert_memory_equal(received[0].data, big, BIG);
	assert_int_equal(received[1].size, 0);
	assert_true(bytes_equal(buffer_bytes(&received[2]),
				bytes_of_text("manifest")));
}

static void a_copy_knows_its_files(void **state)
{
	(void)state;

	assert_int_equal(make(), 0);

	assert_int_equal(copy->count, 3);
	assert_string_equal(copy->files[0].name, "000012.sst");
	assert_string_equal(copy->files[1].name, "EMPTY");
	assert_string_equal(copy->files[2].name, "MANIFEST");
	assert_int_equal(copy->files[0].size, BIG);
	assert_int_equal(copy->bytes, BIG + 8);
	assert_int_equal(copy->info.pos.index, 50);
}

static void all_of_it_is_read_for_who_has_nothing(void **state)
{
	uint64_t kept;
	(void)state;

	assert_int_equal(make(), 0);
	assert_int_equal(read_all(NULL, 0, &kept), 4 + 1 + 1);

	assert_received();
	assert_int_equal(kept, 0);
	assert_int_equal(hashes[0], XXH3_64bits(big, BIG));
	assert_int_equal(hashes[1], XXH3_64bits("", 0));
	assert_int_equal(hashes[2], XXH3_64bits("manifest", 8));
}

static void what_the_receiver_has_is_not_read_again(void **state)
{
	struct snap_piece pieces[] = {{0, 1000, XXH3_64bits(big, 1000)},
				      {2, 8, XXH3_64bits("manifest", 8)}};
	uint64_t kept;
	(void)state;

	assert_int_equal(make(), 0);
	buffer_append(&received[0], big, 1000);
	buffer_append(&received[2], "manifest", 8);
	assert_int_equal(read_all(pieces, 2, &kept), 3 + 1);

	assert_received();
	assert_int_equal(kept, 1008);
	assert_int_equal(hashes[0], XXH3_64bits(big, BIG));
}

static void what_the_receiver_has_otherwise_is_read_again(void **state)
{
	struct snap_piece pieces[] = {{0, 1000, XXH3_64bits(big, 999)},
				      {1, 1, 7}, /* larger than it is */
				      {2, 8, XXH3_64bits("manifesx", 8)}};
	uint64_t kept;
	(void)state;

	assert_int_equal(make(), 0);
	buffer_append(&received[0], "x", 1);
	buffer_append(&received[1], "x", 1);
	buffer_append(&received[2], "manifesx", 8);
	assert_int_equal(read_all(pieces, 3, &kept), 4 + 1 + 1);

	assert_received();
	assert_int_equal(kept, 0);
}

static void a_file_that_shrank_is_noticed(void **state)
{
	struct snap_reader *r;
	enum snap_read what;
	struct snap_chunk chunk;
	uint64_t sum;
	char *path = mem_printf("%s/000012.sst", folder);
	(void)state;

	assert_int_equal(make(), 0);
	assert_int_equal(truncate(path, 1000), 0);
	r = snap_reader_new(copy, NULL, 0);
	assert_int_equal(snap_reader_next(r, &what, &chunk, &sum),
			 STATUS_SHORT);

	snap_reader_free(r);
	mem_free(path);
}

static void what_an_earlier_attempt_left_is_removed_first(void **state)
{
	(void)state;

	assert_int_equal(mkdir(folder, 0700), 0);
	put(folder, "000001.sst", "old", 3);
	assert_int_equal(make(), 0);
	assert_int_equal(copy->count, 3);
}

static void what_can_not_be_sent_is_not_left_there(void **state)
{
	(void)state;

	toy.extra = "a b";
	assert_int_equal(make(), STATUS_INVALID);
	toy.extra = NULL;
	toy.fails = STATUS_NOT_READY;
	assert_int_equal(make(), STATUS_NOT_READY);
	toy.fails = 0;
	toy.members = "";
	assert_int_equal(make(), STATUS_INVALID);
	assert_int_equal(access(folder, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_copy_knows_its_files),
		TEST(all_of_it_is_read_for_who_has_nothing),
		TEST(what_the_receiver_has_is_not_read_again),
		TEST(what_the_receiver_has_otherwise_is_read_again),
		TEST(a_file_that_shrank_is_noticed),
		TEST(what_an_earlier_attempt_left_is_removed_first),
		TEST(what_can_not_be_sent_is_not_left_there),
	};

	return cmocka_run_group_tests_name("raft/node/snap_copy", tests, NULL,
					   NULL);
}
