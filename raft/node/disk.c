/* SPDX-License-Identifier: Apache-2.0 */
/* The real disk: a folder's descriptor, and one for each open file.
 *
 * A sync is never tried again: after a failure the kernel may have dropped
 * the pages that it could not write, and would report success. */
#include "raft/node/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"

struct folder {
	struct disk disk;
	int fd;
};

struct disk_file {
	int fd;
};

int disk_replace(struct disk *d, const char *name, const char *beside,
		 struct bytes data)
{
	struct disk_file *file;
	int rc = d->ops->remove(d, beside); /* of an earlier crash */

	if (rc != 0 && rc != STATUS_NOT_FOUND) {
		return rc;
	}
	rc = d->ops->open(d, beside, true, &file);
	if (rc != 0) {
		return rc;
	}
	rc = d->ops->write(file, 0, data.data, data.size);
	if (rc == 0) {
		rc = d->ops->sync(file);
	}
	d->ops->close(file);
	if (rc == 0) {
		rc = d->ops->rename(d, beside, name);
	}
	return rc != 0 ? rc : d->ops->sync_folder(d);
}

const char *disk_status_text(int rc)
{
	const char *text = rc == STATUS_IO ? strerrordesc_np(errno) : NULL;

	return text != NULL ? text : status_text(rc);
}

static int status_of(int result)
{
	return result < 0 ? status_of_errno(errno) : 0;
}

static int folder_fd(struct disk *d)
{
	return CONTAINER_OF(d, struct folder, disk)->fd;
}

static int file_open(struct disk *d, const char *name, bool create,
		     struct disk_file **file)
{
	int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0);
	int fd = openat(folder_fd(d), name, flags, 0600);

	if (fd < 0) {
		return status_of_errno(errno);
	}
	*file = mem_alloc(sizeof **file);
	(*file)->fd = fd;
	return 0;
}

static void file_close(struct disk_file *file)
{
	if (file != NULL) {
		(void)close(file->fd);
		mem_free(file);
	}
}

static int file_size(struct disk_file *file, uint64_t *size)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0) {
		return status_of_errno(errno);
	}
	*size = (uint64_t)st.st_size;
	return 0;
}

static int file_read(struct disk_file *file, uint64_t at, void *data,
		     size_t size)
{
	uint8_t *to = data;

	while (size > 0) {
		ssize_t got = pread(file->fd, to, size, (off_t)at);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			return status_of_errno(errno);
		}
		if (got == 0) {
			return STATUS_SHORT;
		}
		to += got;
		at += (uint64_t)got;
		size -= (size_t)got;
	}
	return 0;
}

static int file_write(struct disk_file *file, uint64_t at, const void *data,
		      size_t size)
{
	const uint8_t *from = data;

	while (size > 0) {
		ssize_t put = pwrite(file->fd, from, size, (off_t)at);

		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put < 0) {
			return status_of_errno(errno);
		}
		from += put;
		at += (uint64_t)put;
		size -= (size_t)put;
	}
	return 0;
}

static int file_sync(struct disk_file *file)
{
	return status_of(fdatasync(file->fd));
}

static int file_rename(struct disk *d, const char *from, const char *to)
{
	return status_of(renameat(folder_fd(d), from, folder_fd(d), to));
}

static int file_remove(struct disk *d, const char *name)
{
	return status_of(unlinkat(folder_fd(d), name, 0));
}

static int folder_sync(struct disk *d)
{
	return status_of(fsync(folder_fd(d)));
}

static int folder_list(struct disk *d,
		       void (*visit)(void *context, const char *name),
		       void *context)
{
	int fd = openat(folder_fd(d), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *item;
	DIR *dir;
	int rc;

	if (fd < 0) {
		return status_of_errno(errno);
	}
	dir = fdopendir(fd);
	if (dir == NULL) {
		rc = status_of_errno(errno);
		(void)close(fd);
		return rc;
	}
	for (errno = 0; (item = readdir(dir)) != NULL; errno = 0) {
		if (item->d_name[0] != '.') {
			visit(context, item->d_name);
		}
	}
	rc = errno != 0 ? status_of_errno(errno) : 0;
	(void)closedir(dir);
	return rc;
}

static int file_allocate(struct disk *d, const char *name, uint64_t bytes)
{
	int fd = openat(folder_fd(d), name,
			O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
	int rc;

	if (fd < 0) {
		return status_of_errno(errno);
	}
	errno = posix_fallocate(fd, 0, (off_t)bytes);
	rc = errno != 0 ? status_of_errno(errno) : 0;
	(void)close(fd);
	if (rc != 0) {
		(void)unlinkat(folder_fd(d), name, 0);
	}
	return rc;
}

static int folder_space(struct disk *d, uint64_t *free, uint64_t *total)
{
	struct statvfs st;

	if (fstatvfs(folder_fd(d), &st) < 0) {
		return status_of_errno(errno);
	}
	*free = (uint64_t)st.f_bavail * st.f_frsize;
	*total = (uint64_t)st.f_blocks * st.f_frsize;
	return 0;
}

static void folder_free(struct disk *d)
{
	struct folder *folder;

	if (d != NULL) {
		folder = CONTAINER_OF(d, struct folder, disk);
		(void)close(folder->fd);
		mem_free(folder);
	}
}

int disk_system(const char *path, struct disk **disk)
{
	static const struct disk_ops ops = {
		.open = file_open,
		.close = file_close,
		.size = file_size,
		.read = file_read,
		.write = file_write,
		.sync = file_sync,
		.rename = file_rename,
		.remove = file_remove,
		.sync_folder = folder_sync,
		.list = folder_list,
		.allocate = file_allocate,
		.space = folder_space,
		.free = folder_free,
	};
	struct folder *folder;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		return status_of_errno(errno);
	}
	folder = mem_alloc(sizeof *folder);
	*folder = (struct folder){.disk = {.ops = &ops}, .fd = fd};
	*disk = &folder->disk;
	return 0;
}
