/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/home.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "raft/node/options.h"

/* What may be there before a node has begun: of a disk of its own; of a start
 * that came no further, or was refused. */
static const char *const before[] = {
	"lost+found", "lock",		"identity.new",
	"raftfs.log", "raftfs.log.old", "control",
};
/* And then; what ends in a '-' or '.' begins a name. */
static const char *const ours[] = {
	"identity",   "log",	       "promise",   "promise.", "committed",
	"reserve",    "reserve-start", "state",	    "state-",	"state.",
	"snapshot-",  "incoming",      "incoming.", "saving",	"saving.",
	"unfinished", "repair",	       "repair.",   "damaged",	"damaged.",
	"log.",
};
/* Not a node's, or the last to go. */
static const char *const kept[] = {
	"lost+found",
	"lock",
	"raftfs.log",
	"raftfs.log.old",
};

static bool is_among(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(names[i]);
		bool begins = strchr("-.", names[i][size - 1]) != NULL;

		if (begins ? strncmp(names[i], name, size) == 0
			   : strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

struct content {
	bool is_nodes; /* whole or not */
	bool fresh;
	char foreign[256]; /* a name, or "" */
};

static int look_at(void *context, const char *name)
{
	struct content *c = context;

	if (is_among(before, COUNT_OF(before), name)) {
		return 0;
	}
	c->fresh = false;
	c->is_nodes = c->is_nodes || strcmp(name, "identity") == 0 ||
		      strcmp(name, "log") == 0;
	if (!is_among(ours, COUNT_OF(ours), name)) {
		(void)snprintf(c->foreign, sizeof c->foreign, "%s", name);
	}
	return 0;
}

static int check_content(const char *path, bool *fresh, struct buffer *problem)
{
	struct content c = {.fresh = true};

	if (folder_list(path, look_at, &c) != 0) {
		return status_failed(problem, "read the data folder", path);
	}
	if (!c.is_nodes && c.foreign[0] != 0) {
		buffer_printf(problem,
			      "%s holds '%s' and is no data folder: give one "
			      "that is empty or missing",
			      path, c.foreign);
		return STATUS_FOREIGN;
	}
	*fresh = c.fresh;
	return 0;
}

static int check_mode(const char *path, const struct stat *st,
		      struct buffer *problem)
{
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		buffer_printf(problem,
			      "the data folder %s may be written by others "
			      "(mode %04o): chmod 700 it",
			      path, (unsigned)(st->st_mode & 07777));
		return STATUS_DENIED;
	}
	if ((st->st_mode & (S_IRWXG | S_IRWXO)) == 0 ||
	    st->st_uid != geteuid()) {
		return 0;
	}
	if (chmod(path, S_IRWXU) != 0) {
		return status_failed(problem, "give mode 700 to", path);
	}
	log_info("gave mode 0700 to the data folder %s", path);
	return 0;
}

int home_open(const char *path, struct home *home, struct buffer *problem)
{
	struct stat st;
	int rc;

	*home = (struct home){.fresh = true};
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		return options_folder(path, &home->made, problem);
	}
	rc = check_content(path, &home->fresh, problem);
	if (rc == 0) {
		rc = check_mode(path, &st, problem);
	}
	return rc == 0 ? options_folder(path, &home->made, problem) : rc;
}

/* --- Its end -------------------------------------------------------------- */

static int clear(void *context, const char *name)
{
	char *path;

	if (is_among(kept, COUNT_OF(kept), name) ||
	    (!is_among(before, COUNT_OF(before), name) &&
	     !is_among(ours, COUNT_OF(ours), name))) {
		return 0;
	}
	path = mem_printf("%s/%s", *(const char *const *)context, name);
	if (unlink(path) != 0) {
		(void)folder_remove(path);
	}
	mem_free(path);
	return 0;
}

void home_clear(const char *path, const struct home *home)
{
	char *lock = mem_printf("%s/lock", path);

	CHECK(home->fresh);
	if (folder_list(path, clear, &path) != 0) {
		log_warn("cannot clear the folder %s", path);
	}
	(void)unlink(lock);
	if (home->made) {
		(void)rmdir(path); /* not with a text log in it */
	}
	mem_free(lock);
}
