/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/options_words.h"

#include <string.h>

#include "base/check.h"

static const char stale[] = "the kernel would answer from what it keeps, "
			    "stale once another node has changed it";
static const char owners[] =
	"modes and owners are the tree's, equal on all nodes";

/* What mount(8) and fstab say to others than us. Of access times there is
 * nothing to choose: they never move by themselves. */
bool words_is_for_others(const char *word)
{
	static const char *const words[] = {
		"defaults",    "auto",	   "noauto",	 "user",
		"nouser",      "users",	   "owner",	 "group",
		"nofail",      "_netdev",  "relatime",	 "norelatime",
		"strictatime", "lazytime", "nolazytime", "noiversion",
		"iversion",    "silent",   "loud",	 "nodiratime",
		"diratime",
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

/* What libfuse 3.14 and the kernel take; test_fs_options asks libfuse. */
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

static const char *why_not(const char *word)
{
	static const struct {
		const char *word; /* ends with '=': with any value */
		const char *why;
	} refusals[] = {
		{"kernel_cache", stale},
		{"auto_cache", stale},
		{"ac_attr_timeout=", stale},
		{"attr_timeout=", stale},
		{"entry_timeout=", stale},
		{"negative_timeout=", stale},
		{"writeback_cache", stale},
		{"direct_io", "caching is raftfs's own to choose"},
		{"subtype=", "it is always raftfs"},
		{"max_read=", "raftfs agrees on sizes with the kernel itself"},
		{"max_write=", "raftfs agrees on sizes with the kernel itself"},
		{"blksize=", "this is no block device"},
		{"blkdev", "this is no block device"},
		{"umask=", owners},
		{"uid=", owners},
		{"gid=", owners},
		{"nonempty", "a mount point is an empty folder"},
		{"remount", "unmount and mount again"},
	};
	size_t i;

	for (i = 0; i < COUNT_OF(refusals); i++) {
		size_t size = strlen(refusals[i].word);

		if (refusals[i].word[size - 1] == '='
			    ? strncmp(word, refusals[i].word, size) == 0
			    : strcmp(word, refusals[i].word) == 0) {
			return refusals[i].why;
		}
	}
	return NULL;
}

void words_refuse(const char *word, struct buffer *problem)
{
	const char *why = why_not(word);

	if (why != NULL) {
		buffer_printf(problem, "no mount option '%s' here: %s", word,
			      why);
	} else {
		buffer_printf(problem,
			      "unknown mount option '%s'; see raftfs --help",
			      word);
	}
}
