/* SPDX-License-Identifier: Apache-2.0 */
/* recover.h - `raftfsctl recover`: says what there is, asks, and has raftfs do
 * it. */
#ifndef FS_RECOVER_H
#define FS_RECOVER_H

extern const char recover_usage[];
extern const char recover_help[];

/* data: of the stopped node; NULL: raftfs' own default. The words after
 * "recover". Blocks. Returns an exit code; all is said. */
int recover(const char *data, char **words, int count);

#endif
