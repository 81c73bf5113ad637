/* SPDX-License-Identifier: Apache-2.0 */
/* nodbsync.c - syncs that RocksDB asks for in vain: linked into a test build of
 * the daemon, its fsync and fdatasync are found before libc's by every library.
 * Those of the tables and of the manifest within a folder state-N do nothing,
 * all others are carried out. The power cut must then lose what was
 * acknowledged, once the log was cut behind a flush. */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd);
int fsync(int fd);

static bool is_of_database(int fd)
{
	char path[PATH_MAX], link[64];
	const char *state;
	ssize_t size;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof path - 1);
	path[size < 0 ? 0 : size] = '\0';
	state = strstr(path, "/state-");
	return state != NULL && (strstr(state, ".sst") != NULL ||
				 strstr(state, "/MANIFEST-") != NULL);
}

int fdatasync(int fd)
{
	return is_of_database(fd) ? 0 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	return is_of_database(fd) ? 0 : (int)syscall(SYS_fsync, fd);
}
