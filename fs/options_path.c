/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the command line. The daemon leaves its folder, and a mount point
 * inside the data folder (or the other way round) would have it wait for
 * itself: both want paths that can be compared. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fs/options.h"

/* As given, but absolute. */
static char *from_root(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/' || getcwd(here, sizeof here) == NULL) {
		return mem_strdup(path);
	}
	return mem_printf("%s/%s", strcmp(here, "/") == 0 ? "" : here, path);
}

/* A missing folder, or a dead mount, has no real path: then the longest part
 * that has one is resolved and the rest appended. */
char *options_absolute(const char *path)
{
	char *whole = from_root(path);
	char real[PATH_MAX];
	size_t size = strlen(whole);
	char *result = NULL;

	while (size > 1 && whole[size - 1] == '/') {
		whole[--size] = '\0';
	}
	if (realpath(whole, real) != NULL) {
		result = mem_strdup(real);
	}
	for (; result == NULL && size > 0; size--) {
		if (whole[size] != '/' || whole[size + 1] == '\0') {
			continue;
		}
		whole[size] = '\0';
		if (realpath(whole, real) != NULL) {
			result = mem_printf("%s/%s",
					    strcmp(real, "/") == 0 ? "" : real,
					    whole + size + 1);
		}
		whole[size] = '/';
	}
	if (result == NULL) {
		return whole; /* nothing of it exists but the root */
	}
	mem_free(whole);
	return result;
}

bool options_is_within(const char *path, const char *folder)
{
	size_t size = strlen(folder);

	if (size == 1) {
		return true; /* the root holds everything */
	}
	return strncmp(path, folder, size) == 0 &&
	       (path[size] == '\0' || path[size] == '/');
}
