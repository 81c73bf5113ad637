/* SPDX-License-Identifier: Apache-2.0 */
/* init.h - what the mount agrees with the kernel when it begins. */
#ifndef FS_MOUNT_INIT_H
#define FS_MOUNT_INIT_H

#include "fs/mount/adapter.h"

/* The INIT operation of fuse_lowlevel_ops; context: the mount. */
void init_agree(void *context, struct fuse_conn_info *conn);
/* Put ourselves between libfuse and the device, once it is open. 0 or a
 * negative errno. */
MUST_USE int init_hook(struct mount *m);

#endif
