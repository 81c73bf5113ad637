/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - the files of a machine: as they are, and as they would be after a
 * power cut. What a sync has not made durable may be kept in part, drawn.
 *
 *   D1  a file's contents are durable by its sync, its name by a sync of its
 *       folder; a folder's own name by a sync of the folder it is in
 *   D2  of the changes to names that are not durable, a prefix is kept
 *   D3  after a failed sync the pages count as clean: a later sync does not
 *       write them, and they are gone with the machine
 *
 * Functions return 0 or an errno. All as the world. */
#ifndef TESTS_SIM_FILES_H
#define TESTS_SIM_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/faultdisk_file.h"

enum { FILES_NAME_BYTES = 48 };

struct vnode;

struct files_name {
	char text[FILES_NAME_BYTES];
	struct vnode *vnode;
};

struct files_names {
	struct files_name *at;
	size_t count, capacity;
};

struct vnode {
	struct inode *inode; /* of a file; NULL: a folder */
	struct vnode *parent;
	bool is_truncated; /* since the last sync */
	uint64_t reserved; /* bytes allocated, written or not */
	uint64_t durable_reserved;
	struct files_names now, durable;
};

struct files_change {
	struct vnode *from_folder; /* NULL: made anew */
	char from[FILES_NAME_BYTES];
	struct vnode *to_folder; /* NULL: removed */
	char to[FILES_NAME_BYTES];
	struct vnode *vnode;
};

struct files {
	struct vnode *root;
	struct files_change *changes; /* not durable, in order */
	size_t change_count, change_capacity;
};

struct files *files_new(void);

/* The folder a path ends in and its last name; the path begins within root. */
int files_walk(struct files *f, struct vnode *from, const char *path,
	       struct vnode **folder, const char **last);
struct vnode *files_look(struct vnode *folder, const char *name);
struct vnode *files_make(struct files *f, struct vnode *folder,
			 const char *name, bool is_folder);
void files_remove(struct files *f, struct vnode *folder, const char *name);
void files_rename(struct files *f, struct vnode *from_folder, const char *from,
		  struct vnode *to_folder, const char *to);
void files_truncate(struct vnode *v);
void files_sync(struct vnode *v);
/* The sync fails: some of what was written is on disk, the rest never. */
void files_sync_failed(struct vnode *v, uint64_t seed);
void files_sync_folder(struct files *f, struct vnode *folder);
/* The power is cut. Return whether a write was left in part. */
bool files_crash(struct files *f, uint64_t seed);
uint64_t files_bytes(const struct files *f);
uint64_t files_size(const struct vnode *file);
/* Call visit for each file, with the folder it is in. */
void files_each(struct vnode *folder,
		void (*visit)(void *context, const char *name,
			      struct vnode *file),
		void *context);

#endif
