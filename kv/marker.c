/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/kv.pb.h"

enum { MARKER_BYTES_MAX = 128, MARKER_KIND = 1 };

static int parse(struct bytes file, struct marker *m)
{
	kv_Marker record = kv_Marker_init_zero;
	struct frame frame;
	size_t used;
	pb_istream_t in;

	if (frame_parse(file, 0, &frame, &used) != 0 || used != file.size ||
	    frame.kind != MARKER_KIND) {
		return STATUS_CORRUPT;
	}
	in = pb_istream_from_buffer(frame.body.data, frame.body.size);
	if (!pb_decode(&in, kv_Marker_fields, &record) || record.folder == 0) {
		return STATUS_CORRUPT;
	}
	*m = (struct marker){record.folder, record.index, record.term,
			     record.installed};
	return 0;
}

int marker_load(int folder, const char *data, struct marker *m,
		struct buffer *problem)
{
	char *path = mem_printf("%s/state", data);
	uint8_t bytes[MARKER_BYTES_MAX];
	int fd = openat(folder, "state", O_RDONLY | O_CLOEXEC);
	ssize_t size = -1;
	int rc = 0;

	if (fd >= 0) {
		size = read(fd, bytes, sizeof bytes);
	}
	if (fd < 0 && errno == ENOENT) {
		rc = STATUS_NOT_FOUND;
	} else if (size < 0) {
		rc = status_failed(problem, "read", path);
	} else {
		rc = parse(bytes_of(bytes, (size_t)size), m);
		if (rc != 0) {
			buffer_printf(problem,
				      "%s is damaged: it does not name the "
				      "state database",
				      path);
		}
	}
	if (fd >= 0) {
		close(fd);
	}
	mem_free(path);
	return rc;
}

static void encode(const struct marker *m, struct buffer *out)
{
	kv_Marker record = {m->folder, m->index, m->term, m->installed};
	size_t start = frame_begin(out);

	CHECK(m->folder > 0);
	codec_encode(out, kv_Marker_fields, &record, kv_Marker_size);
	frame_seal(out, start, MARKER_KIND, 0);
}

static int write_synced(int folder, const char *name, struct bytes bytes)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			0600);
	bool written;

	if (fd < 0) {
		return -1;
	}
	written = write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size &&
		  fsync(fd) == 0;
	return close(fd) == 0 && written ? 0 : -1;
}

int marker_save(int folder, const char *data, const struct marker *m,
		struct buffer *problem)
{
	static const char name[] = "state";
	static const char next[] = "state.new";
	char *path = mem_printf("%s/%s", data, name);
	struct buffer file = {0};
	int rc = 0;

	encode(m, &file);
	errno = 0;
	if (write_synced(folder, next, buffer_bytes(&file)) != 0 ||
	    renameat(folder, next, folder, name) != 0 || fsync(folder) != 0) {
		rc = status_failed(problem, "write", path);
		(void)unlinkat(folder, next, 0);
	}
	buffer_deinit(&file);
	mem_free(path);
	return rc;
}

char *marker_folder(const char *data, const struct marker *m)
{
	return mem_printf("%s/state-%" PRIu64, data, m->folder);
}

bool marker_folder_exists(const char *data, const struct marker *m)
{
	char *path = marker_folder(data, m);
	struct stat at;
	bool exists = stat(path, &at) == 0;

	mem_free(path);
	return exists;
}
