/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - the one table of commands: what they are called and what they
 * take. raftfsctl reads its usage and help from it; the daemon looks names up
 * in it and does the work in job.c. */
#ifndef FS_CONTROL_COMMAND_H
#define FS_CONTROL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum command_id {
	COMMAND_STATUS,
	COMMAND_GET,
	COMMAND_SET,
	COMMAND_LS,
	COMMAND_RM,
	COMMAND_MEMBER,
	COMMAND_TRANSFER,
	COMMAND_SNAPSHOT,
	COMMAND_COUNT,
};

struct command {
	const char *name;
	const char *usage;   /* its arguments */
	const char *help;    /* one sentence */
	bool path;	     /* the first argument is a path */
	bool data;	     /* then comes the content */
	bool words;	     /* or words: member.h */
	unsigned patience_s; /* how long raftfsctl waits for a next word */
};

/* Indexed by enum command_id; COMMAND_COUNT of them. */
extern const struct command command_table[];

/* NULL: no such command. */
const struct command *command_find(const char *name);
enum command_id command_id(const struct command *command);

#endif
