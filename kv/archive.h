/* SPDX-License-Identifier: Apache-2.0 */
/* archive.h - a checkpoint of the state as one file, and back: a backup.
 *
 *   V1  the file appears whole under its name, readable by its owner only, or
 *       not at all
 *   V2  each part is checksummed with its place, and the end is marked: what is
 *       cut short, changed or put together of two is refused, and names where
 *   V3  nothing of a file that is refused is left behind
 *   V4  only a regular file is ever replaced: not a folder, a link, a device, a
 *       pipe or a socket, neither under the name nor under that of the file
 *       that is being made, NAME.partial
 *
 * The calls block on the disk; any thread. problem gets a line for a person. */
#ifndef KV_ARCHIVE_H
#define KV_ARCHIVE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"

struct archive {
	uint64_t index; /* the last entry that is in it */
	uint64_t term;
	uint64_t made_ns; /* since 1970 */
	uint8_t cluster[16];
	char name[LIMIT_NODE_NAME_BYTES + 1]; /* of the node that made it */
	/* Set by both calls. */
	uint64_t files;
	uint64_t bytes;
};

/* Write the files of the folder, durably; one that is there is replaced.
 * cancelled: looked at now and then. STATUS_INTERRUPTED: it was;
 * STATUS_EXISTS: V4; STATUS_IO, STATUS_NO_SPACE, STATUS_DENIED,
 * STATUS_NOT_FOUND (where it is to be). */
MUST_USE int archive_save(const char *path, const char *folder,
			  struct archive *a, const atomic_bool *cancelled,
			  struct buffer *problem);
/* Verify all of it; into: a folder to be made of it, durably; NULL: none.
 * STATUS_CORRUPT; STATUS_NOT_FOUND, STATUS_DENIED, STATUS_IO, STATUS_NO_SPACE,
 * STATUS_EXISTS: the folder. */
MUST_USE int archive_load(const char *path, const char *into, struct archive *a,
			  struct buffer *problem);

#endif
