/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - whole folders by their path: moved, removed, listed.
 *
 * For what is kept or thrown away as one thing: a state database, a snapshot.
 * All calls block on the disk; any thread. Every int returns 0 or STATUS_IO
 * (errno stays set for a message), STATUS_NO_SPACE, STATUS_NOT_FOUND,
 * STATUS_EXISTS, STATUS_DENIED. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include <stdint.h>

#include "base/check.h"

/* Make an empty folder, mode 0700; its name is durable on return. */
MUST_USE int folder_make(const char *path);
/* Rename a folder (or a file); both names are durable on return. `to` must
 * not exist, or be an empty folder. */
MUST_USE int folder_move(const char *from, const char *to);
/* Remove a folder and all that is in it; gone for good on return. One that is
 * not there is fine. It goes through another name first ("PATH.gone"), so
 * that a crash never leaves half a folder under this one. */
int folder_remove(const char *path);
/* Make the names in a folder durable; or its own name. */
MUST_USE int folder_sync(const char *path);
MUST_USE int folder_sync_name(const char *path);
/* Call visit for each name in it but "." and "..", in no order, for as long as
 * it returns 0; then the same is returned. It may move or remove what it is
 * called for: all are read before. */
MUST_USE int folder_list(const char *path,
			 int (*visit)(void *context, const char *name),
			 void *context);
/* Bytes that are free for this process on the file system of path, and how
 * many it has in all. */
MUST_USE int folder_space(const char *path, uint64_t *unused, uint64_t *total);

#endif
