/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_archive.c - whatever a backup holds, it is refused whole, or makes a
 * folder whose own backup has the same.
 *
 * The first byte: even, the rest is the file as it is; odd, it is a list of
 * parts, each kind 1, size 2 (little-endian), bytes, which get their frames. In
 * a folder in TMPDIR. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/frame.h"
#include "base/mem.h"
#include "base/status.h"
#include "kv/archive.h"
#include "proto/codec.h"
#include "proto/kv.pb.h"

enum { PART_BEGIN = 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *folder, *file, *again, *into;

static void folder_end(void)
{
	(void)folder_remove(folder);
	mem_free(folder);
	mem_free(file);
	mem_free(again);
	mem_free(into);
}

static void folder_begin(void)
{
	const char *base = getenv("TMPDIR");

	folder = mem_printf("%s/raftfs-fuzz.XXXXXX",
			    base != NULL ? base : "/tmp");
	CHECK(mkdtemp(folder) != NULL);
	file = mem_printf("%s/file", folder);
	again = mem_printf("%s/again", folder);
	into = mem_printf("%s/into", folder);
	CHECK(atexit(folder_end) == 0);
}

/* What the frames behind the first are numbered on from. */
static uint64_t made_ns(struct bytes begin)
{
	kv_Backup record = kv_Backup_init_zero;
	pb_istream_t in = pb_istream_from_buffer(begin.data, begin.size);

	return pb_decode(&in, kv_Backup_fields, &record) ? record.made_ns : 0;
}

static void seal(struct buffer *out, struct bytes left)
{
	uint64_t number = 0;

	buffer_append(out, "raftfsbk", 8);
	while (left.size >= 3) {
		uint8_t kind = left.data[0];
		size_t size = get_le16(left.data + 1);
		size_t start = frame_begin(out);
		struct bytes body;

		left = bytes_of(left.data + 3, left.size - 3);
		body = bytes_of(left.data, size < left.size ? size : left.size);
		if (body.size == 0) {
			break; /* no frame is empty; the header is left */
		}
		buffer_append_bytes(out, body);
		frame_seal(out, start, kind, number++);
		if (kind == PART_BEGIN && number == 1) {
			number += made_ns(body);
		}
		left = bytes_of(left.data + body.size, left.size - body.size);
	}
}

static void put_file(struct bytes content)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, content.data, content.size) == (ssize_t)content.size);
	CHECK(close(fd) == 0);
}

/* Accepted: what it made is saved, and that says the same. */
static void check_again(const struct archive *first, struct buffer *problem)
{
	struct archive copy = *first, loaded;
	atomic_bool cancelled = false;

	CHECK(archive_save(again, into, &copy, &cancelled, problem) == 0);
	CHECK(archive_load(again, NULL, &loaded, problem) == 0);
	CHECK(loaded.index == first->index && loaded.term == first->term &&
	      loaded.made_ns == first->made_ns &&
	      loaded.files == first->files && loaded.bytes == first->bytes);
	CHECK(problem->size == 0);
	CHECK(folder_remove(into) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer content = {0}, problem = {0};
	struct archive verified, made;
	int rc;

	if (folder == NULL) {
		folder_begin();
	}
	if (size < 1) {
		return 0;
	}
	if (data[0] % 2 == 0) {
		buffer_append(&content, data + 1, size - 1);
	} else {
		seal(&content, bytes_of(data + 1, size - 1));
	}
	put_file(buffer_bytes(&content));
	rc = archive_load(file, NULL, &verified, &problem);
	CHECK(rc == 0 || (rc == STATUS_CORRUPT && problem.size > 0));
	buffer_reset(&problem);
	if (archive_load(file, into, &made, &problem) == 0) {
		CHECK(rc == 0 && verified.bytes == made.bytes);
		check_again(&made, &problem);
	} else {
		/* Verified only, a name that comes twice is not noticed. */
		CHECK(problem.size > 0 && access(into, F_OK) != 0);
	}
	buffer_deinit(&content);
	buffer_deinit(&problem);
	return 0;
}
