/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_files.c - the small files of a data folder: whatever is in one, it is
 * refused, or what it says can be saved and says the same again.
 *
 * The first byte: which file (low two bits), and whether the rest is the file
 * as it is or a body that gets the right checksum. In a folder in TMPDIR. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/frame.h"
#include "base/mem.h"
#include "kv/marker.h"
#include "raft/node/disk.h"
#include "raft/node/identity.h"
#include "raft/node/mend.h"
#include "raft/node/promise.h"

enum { SEALED = 4, KIND = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *folder;
static int folder_fd;
static struct disk *disk;

static void folder_end(void)
{
	(void)folder_remove(folder);
	disk->ops->free(disk);
	mem_free(folder);
}

static void folder_begin(void)
{
	const char *base = getenv("TMPDIR");

	folder = mem_printf("%s/raftfs-fuzz.XXXXXX",
			    base != NULL ? base : "/tmp");
	CHECK(mkdtemp(folder) != NULL);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
	CHECK(folder_fd >= 0 && disk_system(folder, &disk) == 0);
	CHECK(atexit(folder_end) == 0);
}

static void put_file(const char *name, struct bytes content)
{
	int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, content.data, content.size) == (ssize_t)content.size);
	CHECK(close(fd) == 0);
}

static void fuzz_marker(void)
{
	struct marker first, again;
	struct buffer problem = {0};
	int rc = marker_load(folder_fd, folder, &first, &problem);

	if (rc != 0) {
		CHECK(rc == STATUS_CORRUPT && problem.size > 0);
		buffer_deinit(&problem);
		return;
	}
	CHECK(first.folder > 0);
	CHECK(marker_save(folder_fd, folder, &first, &problem) == 0);
	CHECK(marker_load(folder_fd, folder, &again, &problem) == 0);
	CHECK(first.folder == again.folder && first.index == again.index &&
	      first.term == again.term && first.installed == again.installed);
	CHECK(problem.size == 0);
}

static void fuzz_identity(void)
{
	static struct identity first, again;
	struct buffer problem = {0};
	int rc = identity_load(disk, &first, &problem);

	if (rc != 0) {
		CHECK(rc == STATUS_CORRUPT || rc == STATUS_VERSION);
		CHECK(problem.size > 0);
		buffer_deinit(&problem);
		return;
	}
	CHECK(first.name[0] != '\0' && first.self != 0 && first.boot != 0);
	CHECK(first.founded || (first.record_size == 0 && !first.log_begun));
	CHECK(first.record_size <= sizeof first.record);
	CHECK(identity_save(disk, &first, &problem) == 0);
	CHECK(identity_load(disk, &again, &problem) == 0);
	CHECK(strcmp(first.name, again.name) == 0 && first.self == again.self &&
	      first.boot == again.boot && first.founded == again.founded &&
	      first.log_begun == again.log_begun &&
	      first.joined == again.joined);
	CHECK(bytes_equal(bytes_of(first.record, first.record_size),
			  bytes_of(again.record, again.record_size)));
	CHECK(problem.size == 0);
}

static void fuzz_promise(void)
{
	struct promise first, again;
	struct raft_hard hard;

	CHECK(promise_open(&first, disk) == 0);
	hard = first.hard;
	if (!first.known) {
		CHECK(hard.term == 0 && hard.vote == 0 && !first.others);
	}
	hard.vote++; /* or nothing would be written */
	CHECK(promise_save(&first, hard, first.others) == 0);
	promise_close(&first);
	CHECK(promise_open(&again, disk) == 0);
	CHECK(again.known && again.others == first.others &&
	      again.hard.term == hard.term && again.hard.vote == hard.vote);
	promise_close(&again);
}

static void fuzz_repair(void)
{
	struct mend first, again;

	CHECK(mend_load(disk, &first) == 0);
	CHECK(first.phase != MEND_NONE); /* the file is there */
	CHECK(mend_save(disk, &first) == 0);
	CHECK(mend_load(disk, &again) == 0);
	CHECK(first.phase == again.phase);
	CHECK(strcmp(first.what, again.what) == 0);
}

static const struct {
	const char *name;
	void (*fuzz)(void);
} files[4] = {
	{"state", fuzz_marker},
	{"identity", fuzz_identity},
	{"promise", fuzz_promise},
	{"repair", fuzz_repair},
};

static void seal(struct buffer *out, struct bytes body, bool is_promise)
{
	uint8_t sum[8];
	size_t start;

	if (is_promise) {
		put_le64(sum, XXH3_64bits(body.data, body.size));
		buffer_append_bytes(out, body);
		buffer_append(out, sum, sizeof sum);
		return;
	}
	start = frame_begin(out);
	buffer_append_bytes(out, body);
	frame_seal(out, start, KIND, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer content = {0};
	struct bytes rest;
	unsigned which;

	if (folder == NULL) {
		folder_begin();
	}
	if (size < 2) {
		return 0;
	}
	which = data[0] % 4;
	rest = bytes_of(data + 1, size - 1);
	if ((data[0] & SEALED) != 0) {
		seal(&content, rest, files[which].fuzz == fuzz_promise);
	} else {
		buffer_append_bytes(&content, rest);
	}
	put_file(files[which].name, buffer_bytes(&content));
	files[which].fuzz();
	buffer_deinit(&content);
	return 0;
}
