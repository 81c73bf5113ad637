/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/errmap.h"

#include <errno.h>

#include "base/status.h"

int errmap_status(int status)
{
	switch (status) {
	case STATUS_OK:
		return 0;
	case STATUS_TIMED_OUT:
	case STATUS_ENDED:
		return EROFS;
	case STATUS_UNKNOWN:
	case STATUS_NO_QUORUM:
		return ETIMEDOUT;
	case STATUS_INTERRUPTED:
		return EINTR;
	case STATUS_FULL:
		return EAGAIN;
	case STATUS_TOO_BIG:
		return EFBIG;
	case STATUS_NO_SPACE:
		return ENOSPC;
	case STATUS_NOT_FOUND:
		return ENOENT;
	case STATUS_EXISTS:
		return EEXIST;
	case STATUS_DENIED:
		return EACCES;
	case STATUS_BUSY:
		return EBUSY;
	case STATUS_INVALID:
		return EINVAL;
	default:
		return EIO;
	}
}
