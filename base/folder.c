/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"

enum { DEPTH_MAX = 8 };

/* Close without losing the errno of what failed before. */
static void close_fd(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

int folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0) {
		return status_of_errno(errno);
	}
	if (fsync(fd) != 0) {
		rc = status_of_errno(errno);
	}
	close_fd(fd);
	return rc;
}

int folder_sync_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	int rc;

	if (slash == NULL) {
		return folder_sync(".");
	}
	parent = slash == path ? mem_strdup("/")
			       : mem_printf("%.*s", (int)(slash - path), path);
	rc = folder_sync(parent);
	mem_free(parent);
	return rc;
}

int folder_make(const char *path)
{
	return mkdir(path, 0700) == 0 ? folder_sync_name(path)
				      : status_of_errno(errno);
}

int folder_move(const char *from, const char *to)
{
	int rc;

	if (rename(from, to) != 0) {
		return status_of_errno(errno);
	}
	rc = folder_sync_name(to);
	return rc == 0 ? folder_sync_name(from) : rc;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Whatever is in the folder; fd is given. */
static int empty(int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *d;
	int rc = 0;

	if (dir == NULL) {
		rc = status_of_errno(errno);
		close_fd(fd);
		return rc;
	}
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		int inner;

		if (is_dots(d->d_name) || unlinkat(fd, d->d_name, 0) == 0) {
			continue;
		}
		if (errno != EISDIR || depth == DEPTH_MAX) {
			rc = status_of_errno(errno);
			break;
		}
		inner = openat(fd, d->d_name,
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		rc = inner < 0 ? status_of_errno(errno)
			       : empty(inner, depth + 1);
		if (rc == 0 && unlinkat(fd, d->d_name, AT_REMOVEDIR) != 0) {
			rc = status_of_errno(errno);
		}
	}
	closedir(dir);
	return rc;
}

static int remove_now(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int rc;

	if (fd < 0) {
		return errno == ENOENT ? 0 : status_of_errno(errno);
	}
	rc = empty(fd, 0);
	if (rc == 0 && rmdir(path) != 0) {
		rc = status_of_errno(errno);
	}
	return rc;
}

int folder_remove(const char *path)
{
	char *gone = mem_printf("%s.gone", path);
	int rc = remove_now(gone); /* of a removal cut short */

	if (rc == 0 && rename(path, gone) != 0) {
		rc = errno == ENOENT ? 0 : status_of_errno(errno);
	} else if (rc == 0) {
		rc = folder_sync_name(gone);
		rc = rc == 0 ? remove_now(gone) : rc;
		rc = rc == 0 ? folder_sync_name(gone) : rc;
	}
	mem_free(gone);
	return rc;
}

/* Each with its NUL. */
static int read_names(const char *path, struct buffer *names)
{
	DIR *dir = opendir(path);
	const struct dirent *d;
	int rc = 0;

	if (dir == NULL) {
		return status_of_errno(errno);
	}
	errno = 0;
	while ((d = readdir(dir)) != NULL) {
		if (!is_dots(d->d_name)) {
			buffer_append(names, d->d_name, strlen(d->d_name) + 1);
		}
		errno = 0;
	}
	if (errno != 0) {
		rc = status_of_errno(errno);
	}
	closedir(dir);
	return rc;
}

int folder_list(const char *path, int (*visit)(void *context, const char *name),
		void *context)
{
	struct buffer names = {0};
	int rc = read_names(path, &names);

	for (size_t at = 0; rc == 0 && at < names.size;) {
		const char *name = (const char *)names.data + at;

		rc = visit(context, name);
		at += strlen(name) + 1;
	}
	buffer_deinit(&names);
	return rc;
}

int folder_space(const char *path, uint64_t *unused, uint64_t *total)
{
	struct statvfs s;

	if (statvfs(path, &s) != 0) {
		return status_of_errno(errno);
	}
	*unused = (uint64_t)s.f_bavail * s.f_frsize;
	*total = (uint64_t)s.f_blocks * s.f_frsize;
	return 0;
}
