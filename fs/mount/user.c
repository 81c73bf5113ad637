/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

/* As fusermount3 reads it: a line of its own, with blanks around. */
static bool allows_others(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	bool allows = false;

	if (f == NULL) {
		return false;
	}
	while (!allows && getline(&line, &size, f) > 0) {
		char *word = line + strspn(line, " \t");

		word[strcspn(word, "#\n")] = '\0';
		while (*word != '\0' &&
		       strchr(" \t\r", word[strlen(word) - 1]) != NULL) {
			word[strlen(word) - 1] = '\0';
		}
		allows = strcmp(word, "user_allow_other") == 0;
	}
	free(line); /* getline() allocated it */
	fclose(f);
	return allows;
}

static int judge(const struct mount_user *user, const char *word,
		 struct buffer *problem)
{
	if (!user->has_selinux && strstr(word, "context=") != NULL) {
		buffer_printf(problem,
			      "mount option '%s' needs SELinux, which this "
			      "machine does not run",
			      word);
		return STATUS_INVALID;
	}
	if (user->is_root) {
		return 0;
	}
	if ((strcmp(word, "allow_other") == 0 ||
	     strcmp(word, "allow_root") == 0) &&
	    !allows_others(user->fuse_conf)) {
		buffer_printf(problem,
			      "mount option '%s' is for root, unless a line "
			      "'user_allow_other' in %s allows it to all",
			      word, user->fuse_conf);
		return STATUS_DENIED;
	}
	if (strcmp(word, "dev") == 0 || strcmp(word, "suid") == 0 ||
	    strstr(word, "context=") != NULL) {
		buffer_printf(problem, "mount option '%s' is for root alone",
			      word);
		return STATUS_DENIED;
	}
	return 0;
}

int user_allowed(const struct mount_user *user, const char *options,
		 struct buffer *problem)
{
	char *copy = mem_strdup(options != NULL ? options : "");
	char *rest = copy;
	char *word;
	int rc = 0;

	while (rc == 0 && (word = strsep(&rest, ",")) != NULL) {
		rc = judge(user, word, problem);
	}
	mem_free(copy);
	return rc;
}
