/* SPDX-License-Identifier: Apache-2.0 */
/* user.h - what a user may ask of a mount.
 *
 * fusermount3 says it too, but only once there is a node, in lines of its own,
 * and drops what it does not allow without a failure. */
#ifndef FS_MOUNT_USER_H
#define FS_MOUNT_USER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/check.h"

struct mount_user {
	bool is_root;
	bool has_selinux;
	const char *fuse_conf; /* path: /etc/fuse.conf */
};

/* options: comma-separated; may be NULL. STATUS_DENIED: not for this user,
 * STATUS_INVALID: not on this machine; problem: one line. */
MUST_USE int user_allowed(const struct mount_user *user, const char *options,
			  struct buffer *problem);

#endif
