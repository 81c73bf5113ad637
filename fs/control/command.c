/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control/command.h"

#include <string.h>

enum { QUICK_S = 10, SLOW_S = 60, BACKUP_S = 24 * 3600 };

const struct command command_table[COMMAND_COUNT] = {
	[COMMAND_STATUS] = {.name = "status",
			    .usage = "[--json]",
			    .help = "say how the node and its cluster stand",
			    .patience_s = QUICK_S},
	[COMMAND_GET] = {.name = "get",
			 .usage = "PATH",
			 .help = "write the content of a file to stdout",
			 .path = true,
			 .patience_s = SLOW_S},
	[COMMAND_SET] = {.name = "set",
			 .usage = "PATH [VALUE|-]",
			 .help = "make VALUE and a newline, or stdin, "
				 "the content of a file",
			 .path = true,
			 .data = true,
			 .patience_s = SLOW_S},
	[COMMAND_LS] = {.name = "ls",
			.usage = "[-0] PATH",
			.help = "list a directory, one name a line",
			.path = true,
			.patience_s = SLOW_S},
	[COMMAND_RM] = {.name = "rm",
			.usage = "PATH",
			.help = "remove a file or an empty directory",
			.path = true,
			.patience_s = SLOW_S},
	[COMMAND_MEMBER] = {.name = "member",
			    .usage = "[list] | add ID HOST:PORT [--learner] | "
				     "promote ID | remove ID |\n"
				     "         replace OLD ID HOST:PORT | "
				     "address ID HOST:PORT",
			    .help = "show or change the members of the cluster",
			    .words = true,
			    .patience_s = SLOW_S},
	[COMMAND_TRANSFER] = {.name = "transfer",
			      .usage = "[ID]",
			      .help = "have ID lead, or the best other voter",
			      .words = true,
			      .patience_s = SLOW_S},
	[COMMAND_SNAPSHOT] = {.name = "snapshot",
			      .usage = "save FILE",
			      .help = "save what this node has applied to a "
				      "file of its machine",
			      .words = true,
			      .patience_s = BACKUP_S},
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(command_table[i].name, name) == 0) {
			return &command_table[i];
		}
	}
	return NULL;
}

enum command_id command_id(const struct command *command)
{
	return (enum command_id)(command - command_table);
}
