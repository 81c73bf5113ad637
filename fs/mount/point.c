/* SPDX-License-Identifier: Apache-2.0 */
/* The mount point before the mount: is it fit, and is an earlier run's dead
 * mount in the way?
 *
 * A daemon that was killed leaves its mount behind; every use of it, stat of
 * the folder too, gives ENOTCONN. Only such a mount, and only of our own type,
 * is cleared. */
#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "fs/mount/point.h"

static const char own_type[] = "fuse.raftfs";

/* Undo the octal escapes of /proc/self/mountinfo in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++, to++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
		    text[2] != '\0' && text[3] != '\0') {
			*to = (char)((text[1] - '0') * 64 +
				     (text[2] - '0') * 8 + (text[3] - '0'));
			text += 3;
		} else {
			*to = *text;
		}
	}
	*to = '\0';
}

/* Is what is mounted there, on top, of our type? A line of mountinfo: id,
 * parent, device, root, place, options, ... "-", type, source, ... */
static bool is_own_mount(const char *mountpoint)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	bool is_own = false;

	if (f == NULL) {
		return false;
	}
	while (getline(&line, &size, f) > 0) {
		char *dash = strstr(line, " - ");
		char *rest = line;
		char *place = NULL;
		int i;

		for (i = 0; i < 5 && rest != NULL; i++) {
			place = strsep(&rest, " ");
		}
		if (dash == NULL || rest == NULL || place == NULL) {
			continue;
		}
		unescape(place);
		if (strcmp(place, mountpoint) == 0) {
			is_own = strncmp(dash + 3, own_type,
					 sizeof own_type - 1) == 0 &&
				 dash[3 + sizeof own_type - 1] == ' ';
		}
	}
	free(line); /* getline() allocated it */
	fclose(f);
	return is_own;
}

static int clear_dead(const char *mountpoint)
{
	char *argv[] = {(char[]){"fusermount3"}, (char[]){"-u"}, (char[]){"-z"},
			mem_strdup(mountpoint), NULL};
	extern char **environ;
	pid_t pid;
	int rc;
	int wstatus = 0;

	rc = umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW);
	if (rc != 0) { /* not root */
		rc = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
		while (rc == 0 && waitpid(pid, &wstatus, 0) < 0) {
			rc = errno == EINTR ? 0 : -1;
		}
		rc = rc == 0 && wstatus == 0 ? 0 : -1;
	}
	mem_free(argv[3]);
	return rc;
}

static int refuse_stat(const char *mountpoint, int error,
		       struct buffer *problem)
{
	switch (error) {
	case ENOENT:
		buffer_printf(problem, "mount point %s does not exist",
			      mountpoint);
		return STATUS_NOT_FOUND;
	case ENOTDIR:
		buffer_printf(problem, "mount point %s is not a directory",
			      mountpoint);
		return STATUS_INVALID;
	case EACCES:
		buffer_printf(problem, "no rights to reach the mount point %s",
			      mountpoint);
		return STATUS_DENIED;
	default:
		buffer_printf(problem, "mount point %s: %s", mountpoint,
			      strerror(error));
		return STATUS_IO;
	}
}

static int refuse_content(const char *mountpoint, struct buffer *problem)
{
	DIR *dir = opendir(mountpoint);
	struct dirent *entry;
	int rc = 0;

	if (dir == NULL) {
		return refuse_stat(mountpoint, errno, problem);
	}
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0) {
			buffer_printf(problem,
				      "mount point %s is not empty (it holds "
				      "'%s')",
				      mountpoint, entry->d_name);
			rc = STATUS_INVALID;
		}
	}
	closedir(dir);
	return rc;
}

/* The container or the kernel may lack it, or the user the right to it. */
static int refuse_device(struct buffer *problem)
{
	if (access("/dev/fuse", R_OK | W_OK) == 0) {
		return 0;
	}
	if (errno == EACCES) {
		buffer_printf(problem,
			      "no right to open /dev/fuse: this user must be "
			      "able to read and write it (usually its mode is "
			      "0666)");
		return STATUS_DENIED;
	}
	buffer_printf(problem,
		      "/dev/fuse is missing: load the fuse module (modprobe "
		      "fuse), or give the container --device /dev/fuse");
	return STATUS_NOT_FOUND;
}

/* fusermount3 mounts for a user only where that one may write. */
static int refuse_user(const char *mountpoint, struct buffer *problem)
{
	if (geteuid() == 0 || access(mountpoint, W_OK) == 0) {
		return 0;
	}
	buffer_printf(problem,
		      "no right to mount at %s: a user must be able to write "
		      "there",
		      mountpoint);
	return STATUS_DENIED;
}

int point_prepare(const char *mountpoint, struct buffer *problem)
{
	struct stat st;
	int rc = refuse_device(problem);

	if (rc != 0) {
		return rc;
	}
	rc = stat(mountpoint, &st);
	if (rc != 0 && (errno == ENOTCONN || errno == ECONNABORTED) &&
	    is_own_mount(mountpoint)) {
		if (clear_dead(mountpoint) != 0) {
			buffer_printf(problem,
				      "a dead mount is at %s and can not be "
				      "cleared: umount -l %s",
				      mountpoint, mountpoint);
			return STATUS_DENIED;
		}
		log_info("cleared the dead mount of an earlier run at %s",
			 mountpoint);
		rc = stat(mountpoint, &st);
	}
	if (rc != 0) {
		return refuse_stat(mountpoint, errno, problem);
	}
	if (!S_ISDIR(st.st_mode)) {
		return refuse_stat(mountpoint, ENOTDIR, problem);
	}
	if (is_own_mount(mountpoint)) {
		buffer_printf(problem, "raftfs is already mounted at %s",
			      mountpoint);
		return STATUS_BUSY;
	}
	rc = refuse_user(mountpoint, problem);
	return rc == 0 ? refuse_content(mountpoint, problem) : rc;
}
