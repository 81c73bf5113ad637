/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of raftfs.
 *
 * The same settings may be given as long options or, from fstab, through -o.
 * Nothing outside the process is changed here; paths are made absolute. */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "kv/kv.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_LOOK,	 /* what a recovery would start from */
	OPTIONS_RECOVER, /* then leave */
};

struct options {
	enum options_action action;
	bool again;   /* LOOK: and a node that needs no recovery is no error */
	char *id;     /* LOOK, RECOVER: NULL: as the data folder says */
	char *data;   /* absolute */
	char *listen; /* NULL: as the cluster or --peers has it */
	char *source; /* first field of mtab */
	char *mountpoint; /* absolute; NULL with no_mount */
	struct kv_peer peers[LIMIT_PEERS];
	size_t peer_count;
	char *join;    /* NULL: not */
	char *restore; /* absolute: the backup to begin with; NULL: none */
	enum kv_reads reads;
	uint32_t timeout_ms;
	uint32_t session_ms;
	uint64_t snapshot_rate; /* bytes a second; 0: limits.h */
	bool foreground;
	bool debug;
	bool no_mount;
	bool insecure;
	char *fuse_options; /* for libfuse, comma-separated; NULL: none */
};

/* Read the command line into the zeroed o. Return 0, or STATUS_INVALID with
 * one line for a person in problem. options_deinit() o in either case. */
MUST_USE int options_parse(struct options *o, int argc, char **argv,
			   struct buffer *problem);
void options_deinit(struct options *o);

/* The text of --help. */
const char *options_help(void);

/* An absolute path without symbolic links as far as it exists. Returned. */
char *options_absolute(const char *path);
/* Is path the folder itself or something below it? Both absolute. */
bool options_is_within(const char *path, const char *folder);

#endif
