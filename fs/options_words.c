/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/options_words.h"

#include <string.h>

#include "base/check.h"

/* What mount(8) and fstab say to others than us. */
bool words_is_for_others(const char *word)
{
	static const char *const words[] = {
		"defaults",    "auto",	   "noauto",	 "user",
		"nouser",      "users",	   "owner",	 "group",
		"nofail",      "_netdev",  "relatime",	 "norelatime",
		"strictatime", "lazytime", "nolazytime", "noiversion",
		"iversion",    "silent",   "loud",
	};
	size_t i;

	if (strncmp(word, "x-", 2) == 0 || strncmp(word, "X-", 2) == 0 ||
	    strncmp(word, "comment=", 8) == 0) {
		return true;
	}
	for (i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* What libfuse 3.14 and the kernel take. fsname, subtype and
 * default_permissions are the mount's own. */
bool words_is_for_fuse(const char *word)
{
	static const char *const words[] = {
		"rw",
		"ro",
		"suid",
		"nosuid",
		"dev",
		"nodev",
		"exec",
		"noexec",
		"async",
		"sync",
		"dirsync",
		"noatime",
		"atime",
		"nodiratime",
		"diratime",
		"allow_other",
		"allow_root",
		"auto_unmount",
		"default_permissions",
	};
	size_t i;

	if (strncmp(word, "context=", 8) == 0 ||
	    strncmp(word, "fscontext=", 10) == 0 ||
	    strncmp(word, "defcontext=", 11) == 0 ||
	    strncmp(word, "rootcontext=", 12) == 0) {
		return true;
	}
	for (i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			return true;
		}
	}
	return false;
}
