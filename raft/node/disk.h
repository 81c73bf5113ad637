/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h - the few disk operations the log is built on, as a table.
 *
 * disk_system() is the real one; tests put another in its place that fails,
 * tears, forgets what was not synced, or rots. All calls block. Any thread may
 * call; an open file is used by one at a time unless said otherwise.
 *
 * Names are single file names inside the disk's folder. Every int returns 0
 * or STATUS_IO (errno stays set for the message), STATUS_NO_SPACE,
 * STATUS_NOT_FOUND, STATUS_DENIED. */
#ifndef RAFT_NODE_DISK_H
#define RAFT_NODE_DISK_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/check.h"

struct disk_file; /* an open file, opaque */

struct disk {
	const struct disk_ops *ops;
};

struct disk_ops {
	/* Open for reading and writing; create makes it, STATUS_EXISTS if
	 * it is there. */
	int (*open)(struct disk *d, const char *name, bool create,
		    struct disk_file **file);
	void (*close)(struct disk_file *file);
	int (*size)(struct disk_file *file, uint64_t *size);
	/* All of it or an error; STATUS_SHORT past the end of the file. Any
	 * thread, also beside a write elsewhere in the file. */
	int (*read)(struct disk_file *file, uint64_t at, void *data,
		    size_t size);
	int (*write)(struct disk_file *file, uint64_t at, const void *data,
		     size_t size);
	int (*sync)(struct disk_file *file); /* fdatasync */
	int (*rename)(struct disk *d, const char *from, const char *to);
	int (*remove)(struct disk *d, const char *name);
	/* Names made, renamed and removed so far are durable afterwards. */
	int (*sync_folder)(struct disk *d);
	/* Call visit for each name, in no order. */
	int (*list)(struct disk *d,
		    void (*visit)(void *context, const char *name),
		    void *context);
	/* Make the file with so many bytes of the disk of its own: all, or
	 * nothing is left of it. STATUS_EXISTS. */
	int (*allocate)(struct disk *d, const char *name, uint64_t bytes);
	/* Bytes of the file system: free for this process, and in all. */
	int (*space)(struct disk *d, uint64_t *free, uint64_t *total);
	void (*free)(struct disk *d);
};

/* The folder `path` of the real file system; it must exist. Returned. */
MUST_USE int disk_system(const char *path, struct disk **disk);

/* Replace the file of that name by these bytes, which are written to `beside`
 * first: whatever happens, the old or the new one is there. Durable on return.
 */
MUST_USE int disk_replace(struct disk *d, const char *name, const char *beside,
			  struct bytes data);

/* Why an operation failed just now, for a person: errno's text behind a
 * STATUS_IO. */
const char *disk_status_text(int rc);

#endif
