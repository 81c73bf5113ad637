/* SPDX-License-Identifier: Apache-2.0 */
/* mount.h - the tree as a mounted filesystem (libfuse low-level).
 *
 * Requests become barriers and reads, or proposals; replies are sent when
 * they are applied. No FUSE thread waits for consensus; every request has a
 * deadline. */
#ifndef FS_MOUNT_MOUNT_H
#define FS_MOUNT_MOUNT_H

#include "base/bytes.h"
#include "base/check.h"
#include "kv/kv.h"

struct mount_config {
	struct kv *kv;		/* lent until mount_close() */
	const char *mountpoint; /* absolute */
	const char *source;	/* first field of mtab; "raftfs" */
	const char *options;	/* for FUSE, comma-separated; may be NULL */
	enum kv_reads reads;
	uint32_t timeout_ms;
	bool debug; /* libfuse's own request log */
};

struct mount;

/* What stands in the way of that mount: the device, the options, the rights of
 * this user, the mount point; a dead mount of an earlier run is cleared.
 * Changes nothing else, and needs no kv yet.
 * STATUS_NOT_FOUND, STATUS_INVALID (not a directory, not empty, an option that
 * is not known), STATUS_BUSY (mounted by someone alive), STATUS_DENIED;
 * problem: one line. */
MUST_USE int mount_prepare(const struct mount_config *config,
			   struct buffer *problem);
/* Mount; the tree is visible on return. Errors as above. */
MUST_USE int mount_open(const struct mount_config *config, struct mount **mount,
			struct buffer *problem);
/* Serve until mount_stop(), an unmount from outside, or a failure of the
 * device (STATUS_IO). Blocks. */
MUST_USE int mount_serve(struct mount *mount);
/* Make mount_serve() return. Any thread; async-signal-safe. */
void mount_stop(struct mount *mount);
void mount_close(struct mount *mount); /* unmounts, answers what is left */

#endif
