/* SPDX-License-Identifier: Apache-2.0 */
/* point.h - the mount point before the mount. */
#ifndef FS_MOUNT_POINT_H
#define FS_MOUNT_POINT_H

#include "base/bytes.h"
#include "base/check.h"

/* The device and the place of mount_prepare(), with its errors. */
MUST_USE int point_prepare(const char *mountpoint, struct buffer *problem);

#endif
