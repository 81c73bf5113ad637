/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/frame.h"
#include "base/mem.h"
#include "base/status.h"
#include "proto/codec.h"
#include "proto/kv.pb.h"

static const char magic[8] = "raftfsbk";

enum {
	CHUNK_BYTES = 256 << 10,
	FRAME_BYTES_MAX = FRAME_HEADER_BYTES + CHUNK_BYTES,
	RECORD_BYTES_MAX = 256,
	FILES_MAX = 65536,
};
enum part { PART_BEGIN = 1, PART_FILE, PART_DATA, PART_END };

static_assert((int)kv_Backup_size <= (int)RECORD_BYTES_MAX, "it fits");
static_assert((int)kv_BackupFile_size <= (int)RECORD_BYTES_MAX, "it fits");

/* --- Writing -------------------------------------------------------------- */

struct writer {
	int fd;
	const char *path;   /* of the file being made */
	const char *folder; /* where it comes from */
	const atomic_bool *cancelled;
	struct archive *archive;
	struct buffer frame;
	struct buffer names; /* each with its NUL */
	uint64_t number;
	struct buffer *problem;
};

static int write_all(struct writer *w, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(w->fd, data, size);

		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written < 0) {
			return status_failed(w->problem, "write", w->path);
		}
		data += written;
		size -= (size_t)written;
	}
	return 0;
}

/* Seal what w->frame holds since start and write it. */
static int write_frame(struct writer *w, size_t start, enum part part)
{
	frame_seal(&w->frame, start, (uint8_t)part, w->number++);
	return write_all(w, w->frame.data, w->frame.size);
}

static int write_record(struct writer *w, enum part part,
			const pb_msgdesc_t *fields, const void *record)
{
	size_t start;

	buffer_reset(&w->frame);
	start = frame_begin(&w->frame);
	codec_encode(&w->frame, fields, record, RECORD_BYTES_MAX);
	return write_frame(w, start, part);
}

static int write_begin(struct writer *w)
{
	const struct archive *a = w->archive;
	kv_Backup record = {
		.index = a->index,
		.term = a->term,
		.made_ns = a->made_ns,
	};
	int rc;

	memcpy(record.cluster, a->cluster, sizeof record.cluster);
	memcpy(record.name, a->name, sizeof record.name);
	rc = write_record(w, PART_BEGIN, kv_Backup_fields, &record);
	w->number += record.made_ns; /* V2: no two backups number alike */
	return rc;
}

/* The content of the file fd, `size` bytes of it. */
static int write_content(struct writer *w, int fd, const char *path,
			 uint64_t size)
{
	int rc = 0;

	while (size > 0 && rc == 0) {
		size_t part = size < CHUNK_BYTES ? (size_t)size : CHUNK_BYTES;
		size_t start;
		ssize_t got;

		if (atomic_load(w->cancelled)) {
			return STATUS_INTERRUPTED;
		}
		buffer_reset(&w->frame);
		start = frame_begin(&w->frame);
		got = read(fd, buffer_reserve(&w->frame, part), part);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			errno = got == 0 ? EIO : errno; /* it got shorter */
			return status_failed(w->problem, "read", path);
		}
		buffer_grow(&w->frame, (size_t)got);
		size -= (size_t)got;
		rc = write_frame(w, start, PART_DATA);
	}
	return rc;
}

static int write_file(struct writer *w, const char *name)
{
	char *path = mem_printf("%s/%s", w->folder, name);
	kv_BackupFile record = {.size = 0};
	struct stat at = {.st_size = 0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = 0;

	CHECK(strlen(name) < sizeof record.name);
	if (fd < 0 || fstat(fd, &at) != 0) {
		rc = status_failed(w->problem, "open", path);
	}
	if (rc == 0) {
		memcpy(record.name, name, strlen(name));
		record.size = (uint64_t)at.st_size;
		rc = write_record(w, PART_FILE, kv_BackupFile_fields, &record);
	}
	if (rc == 0) {
		rc = write_content(w, fd, path, record.size);
	}
	if (fd >= 0) {
		close(fd);
	}
	w->archive->files++;
	w->archive->bytes += record.size;
	mem_free(path);
	return rc;
}

static int add_name(void *context, const char *name)
{
	buffer_append(context, name, strlen(name) + 1);
	return 0;
}

static int write_parts(struct writer *w)
{
	kv_BackupEnd end;
	int rc = folder_list(w->folder, add_name, &w->names);

	if (rc != 0) {
		return status_failed(w->problem, "read", w->folder);
	}
	rc = write_all(w, (const uint8_t *)magic, sizeof magic);
	if (rc == 0) {
		rc = write_begin(w);
	}
	for (size_t at = 0; at < w->names.size && rc == 0;) {
		const char *name = (const char *)w->names.data + at;

		rc = write_file(w, name);
		at += strlen(name) + 1;
	}
	if (rc == 0) {
		end = (kv_BackupEnd){w->archive->files, w->archive->bytes};
		rc = write_record(w, PART_END, kv_BackupEnd_fields, &end);
	}
	if (rc == 0 && fsync(w->fd) != 0) {
		rc = status_failed(w->problem, "write", w->path);
	}
	return rc;
}

static const char *kind_text(mode_t mode)
{
	return S_ISDIR(mode)	? "a folder"
	       : S_ISLNK(mode)	? "a symbolic link"
	       : S_ISCHR(mode)	? "a device"
	       : S_ISBLK(mode)	? "a device"
	       : S_ISFIFO(mode) ? "a pipe"
				: "a socket";
}

/* V4. A link is not followed: what it leads to may be any of these. */
static int check_place(const char *path, struct buffer *problem)
{
	struct stat at;

	if (lstat(path, &at) != 0 || S_ISREG(at.st_mode)) {
		return 0; /* open() or rename() says why it can not be */
	}
	buffer_printf(problem, "%s is %s: only a regular file is replaced",
		      path, kind_text(at.st_mode));
	return STATUS_EXISTS;
}

/* Looked at again: much may happen while it is written. */
static int put_in_place(const char *partial, const char *path,
			struct buffer *problem)
{
	int rc = check_place(path, problem);

	if (rc == 0 && rename(partial, path) != 0) {
		rc = status_failed(problem, "make", path);
	}
	if (rc != 0) {
		(void)unlink(partial);
		return rc;
	}
	return folder_sync_name(path) == 0
		       ? 0
		       : status_failed(problem, "write", path);
}

/* One that is there is of an earlier try, whosever mode it has. */
static int open_partial(const char *partial, struct buffer *problem, int *fd)
{
	int rc = check_place(partial, problem);

	if (rc != 0) {
		return rc;
	}
	(void)unlink(partial);
	*fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return *fd >= 0 ? 0 : status_failed(problem, "make", partial);
}

int archive_save(const char *path, const char *folder, struct archive *a,
		 const atomic_bool *cancelled, struct buffer *problem)
{
	char *partial = mem_printf("%s.partial", path);
	struct writer w = {
		.path = partial,
		.folder = folder,
		.cancelled = cancelled,
		.archive = a,
		.problem = problem,
	};
	int rc;

	a->files = 0;
	a->bytes = 0;
	rc = check_place(path, problem);
	if (rc == 0) {
		rc = open_partial(partial, problem, &w.fd);
	}
	if (rc == 0) {
		rc = write_parts(&w);
		close(w.fd);
		if (rc != 0) {
			(void)unlink(partial);
		}
	}
	if (rc == 0) {
		rc = put_in_place(partial, path, problem);
	}
	if (rc == STATUS_INTERRUPTED) {
		buffer_printf(problem, "given up");
	}
	buffer_deinit(&w.frame);
	buffer_deinit(&w.names);
	mem_free(partial);
	return rc;
}

/* --- Reading -------------------------------------------------------------- */

struct reader {
	int fd;
	const char *path;
	const char *into; /* NULL: only verified */
	struct archive *archive;
	uint8_t *bytes; /* FRAME_BYTES_MAX of them */
	struct frame frame;
	uint64_t at; /* where the frame stands in the file */
	uint64_t number;
	int out; /* the file being made; -1: none */
	char out_name[64];
	uint64_t left; /* of it */
	struct buffer *problem;
};

static int damage(struct reader *r, const char *what)
{
	buffer_printf(r->problem, "%s is damaged at offset %" PRIu64 ": %s",
		      r->path, r->at, what);
	return STATUS_CORRUPT;
}

/* Exactly size bytes. */
static int read_all(struct reader *r, uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t got = read(r->fd, data, size);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return status_failed(r->problem, "read", r->path);
		}
		if (got == 0) {
			return damage(r, "it ends too early");
		}
		data += got;
		size -= (size_t)got;
	}
	return 0;
}

static int read_frame(struct reader *r)
{
	size_t size = 0;
	int rc = read_all(r, r->bytes, FRAME_HEADER_BYTES);

	if (rc != 0) {
		return rc;
	}
	rc = frame_parse(bytes_of(r->bytes, FRAME_HEADER_BYTES), r->number,
			 &r->frame, &size);
	if (rc != STATUS_SHORT || size > FRAME_BYTES_MAX) {
		return damage(r, "no part begins here");
	}
	rc = read_all(r, r->bytes + FRAME_HEADER_BYTES,
		      size - FRAME_HEADER_BYTES);
	if (rc != 0) {
		return rc;
	}
	rc = frame_parse(bytes_of(r->bytes, size), r->number, &r->frame, &size);
	if (rc != 0) {
		return damage(r, "checksum");
	}
	r->number++;
	r->at += size;
	return 0;
}

static bool decode(const struct reader *r, const pb_msgdesc_t *fields,
		   void *record)
{
	pb_istream_t in =
		pb_istream_from_buffer(r->frame.body.data, r->frame.body.size);

	return pb_decode(&in, fields, record);
}

static int read_begin(struct reader *r)
{
	kv_Backup record = kv_Backup_init_zero;
	uint8_t head[sizeof magic];
	int rc = read_all(r, head, sizeof head);

	if (rc == STATUS_CORRUPT ||
	    (rc == 0 && memcmp(head, magic, sizeof magic) != 0)) {
		buffer_reset(r->problem);
		buffer_printf(r->problem, "%s is no backup of raftfs", r->path);
		return STATUS_CORRUPT;
	}
	r->at = sizeof head;
	rc = rc == 0 ? read_frame(r) : rc;
	if (rc != 0) {
		return rc;
	}
	if (r->frame.kind != PART_BEGIN ||
	    !decode(r, kv_Backup_fields, &record) || record.index == 0) {
		return damage(r, "its beginning makes no sense");
	}
	*r->archive = (struct archive){
		.index = record.index,
		.term = record.term,
		.made_ns = record.made_ns,
	};
	r->number += record.made_ns;
	memcpy(r->archive->cluster, record.cluster, sizeof record.cluster);
	memcpy(r->archive->name, record.name, sizeof r->archive->name);
	r->archive->name[sizeof r->archive->name - 1] = '\0';
	return 0;
}

/* A plain name, so that nothing is written anywhere else. */
static bool is_plain(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return name[0] != '\0' && name[0] != '.' &&
	       strspn(name, allowed) == strlen(name);
}

static int close_file(struct reader *r)
{
	int rc = 0;

	if (r->left > 0) {
		return damage(r, "a file ends too early");
	}
	if (r->out >= 0) {
		if (fsync(r->out) != 0) {
			rc = status_failed(r->problem, "write", r->out_name);
		}
		close(r->out);
		r->out = -1;
	}
	return rc;
}

static int open_file(struct reader *r)
{
	kv_BackupFile record = kv_BackupFile_init_zero;
	int rc = close_file(r);

	if (rc != 0) {
		return rc;
	}
	if (!decode(r, kv_BackupFile_fields, &record) ||
	    !is_plain(record.name) || r->archive->files == FILES_MAX ||
	    record.size > INT64_MAX) {
		return damage(r, "a file that makes no sense");
	}
	r->left = record.size;
	r->archive->files++;
	r->archive->bytes += record.size;
	memcpy(r->out_name, record.name, sizeof r->out_name);
	if (r->into != NULL) {
		char *path = mem_printf("%s/%s", r->into, record.name);

		r->out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			      0600);
		if (r->out < 0) {
			rc = errno == EEXIST
				     ? damage(r, "a file that came before")
				     : status_failed(r->problem, "make", path);
		}
		mem_free(path);
	}
	return rc;
}

static int take_data(struct reader *r)
{
	struct bytes data = r->frame.body;

	if (data.size > r->left) {
		return damage(r, "more content than the file has");
	}
	r->left -= data.size;
	while (r->out >= 0 && data.size > 0) {
		ssize_t written = write(r->out, data.data, data.size);

		if (written < 0 && errno != EINTR) {
			return status_failed(r->problem, "write", r->out_name);
		}
		if (written > 0) {
			data = bytes_of(data.data + written,
					data.size - (size_t)written);
		}
	}
	return 0;
}

static int read_end(struct reader *r)
{
	kv_BackupEnd end = kv_BackupEnd_init_zero;
	uint8_t more;
	int rc = close_file(r);

	if (rc != 0) {
		return rc;
	}
	if (!decode(r, kv_BackupEnd_fields, &end) ||
	    end.files != r->archive->files || end.bytes != r->archive->bytes) {
		return damage(r, "its end does not fit");
	}
	return read(r->fd, &more, 1) == 0 ? 0
					  : damage(r, "more behind its end");
}

static int read_parts(struct reader *r)
{
	int rc = read_begin(r);

	while (rc == 0) {
		rc = read_frame(r);
		if (rc == 0 && r->frame.kind == PART_END) {
			return read_end(r);
		}
		if (rc == 0) {
			rc = r->frame.kind == PART_FILE	  ? open_file(r)
			     : r->frame.kind == PART_DATA ? take_data(r)
							  : damage(r, "kind");
		}
	}
	return rc;
}

int archive_load(const char *path, const char *into, struct archive *a,
		 struct buffer *problem)
{
	struct reader r = {
		.path = path,
		.into = into,
		.archive = a,
		.out = -1,
		.problem = problem,
	};
	int rc = 0;

	r.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r.fd < 0) {
		return status_failed(problem, "read", path);
	}
	if (into != NULL && folder_make(into) != 0) {
		rc = status_failed(problem, "make", into);
		close(r.fd);
		return rc;
	}
	r.bytes = mem_alloc(FRAME_BYTES_MAX);
	rc = read_parts(&r);
	if (r.out >= 0) {
		close(r.out);
	}
	close(r.fd);
	mem_free(r.bytes);
	if (rc == 0 && into != NULL && folder_sync(into) != 0) {
		rc = status_failed(problem, "write", into);
	}
	if (rc != 0 && into != NULL) {
		(void)folder_remove(into); /* V3 */
	}
	return rc;
}
