/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"

enum { SOCKET_MODE = 0600 };

int socket_complain(struct buffer *problem, const char *path, const char *what)
{
	int error = errno;

	buffer_printf(problem, "control socket %s: %s: %s", path, what,
		      strerror(error));
	return error == EACCES || error == EPERM || error == EROFS
		       ? STATUS_DENIED
		       : STATUS_IO;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int open_folder(const char *path)
{
	size_t size = (size_t)(name_of(path) - path);
	char *folder = size == 0 ? mem_strdup(".")
				 : mem_printf("%.*s", (int)size, path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	mem_free(folder);
	return fd;
}

/* Remove what an earlier run left. The data folder's lock says that nobody
 * serves it; what is no socket is not ours to remove. */
static int remove_stale(const char *path, int folder, struct buffer *problem)
{
	struct stat st;

	if (fstatat(folder, name_of(path), &st, AT_SYMLINK_NOFOLLOW) != 0) {
		return errno == ENOENT ? 0
				       : socket_complain(problem, path, "stat");
	}
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return socket_complain(problem, path, "not a socket");
	}
	return unlinkat(folder, name_of(path), 0) == 0
		       ? 0
		       : socket_complain(problem, path, "unlink");
}

/* The mode is set before anyone can connect: listen comes later. */
static int bind_at(const struct sockaddr_un *address, int *fd,
		   struct buffer *problem)
{
	const char *path = address->sun_path;
	int rc = 0;

	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0) {
		return socket_complain(problem, path, "socket");
	}
	if (bind(*fd, (const struct sockaddr *)address, sizeof *address) != 0) {
		rc = socket_complain(problem, path, "bind");
	} else if (chmod(path, SOCKET_MODE) != 0) {
		rc = socket_complain(problem, path, "chmod");
		unlink(path);
	}
	if (rc != 0) {
		close(*fd);
	}
	return rc;
}

int socket_bind(const char *path, int *fd, int *folder, struct buffer *problem)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int rc;

	if (strlen(path) >= sizeof address.sun_path) {
		buffer_printf(problem,
			      "control socket %s: longer than %zu bytes", path,
			      sizeof address.sun_path - 1);
		return STATUS_INVALID;
	}
	memcpy(address.sun_path, path, strlen(path));
	*folder = open_folder(path);
	if (*folder < 0) {
		return socket_complain(problem, path, "open the folder");
	}
	rc = remove_stale(path, *folder, problem);
	if (rc == 0) {
		rc = bind_at(&address, fd, problem);
	}
	if (rc != 0) {
		close(*folder);
	}
	return rc;
}

void socket_remove(const char *path, int folder)
{
	(void)unlinkat(folder, name_of(path), 0);
	(void)close(folder);
}
