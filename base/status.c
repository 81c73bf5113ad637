/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

static const char *const texts[] = {
	[-STATUS_OK] = "done",
	[-STATUS_NOT_FOUND] = "not found",
	[-STATUS_NOT_LEADER] = "not the leader",
	[-STATUS_NOT_READY] = "leader not ready",
	[-STATUS_FULL] = "too much in flight",
	[-STATUS_TOO_BIG] = "too big",
	[-STATUS_PENDING] = "another change is under way",
	[-STATUS_NO_SPACE] = "no space left on the data disk",
	[-STATUS_TIMED_OUT] = "timed out before it was proposed",
	[-STATUS_UNKNOWN] = "outcome unknown",
	[-STATUS_INTERRUPTED] = "interrupted",
	[-STATUS_ENDED] = "session ended",
	[-STATUS_NO_QUORUM] = "no quorum",
	[-STATUS_INVALID] = "invalid argument",
	[-STATUS_EXISTS] = "exists already",
	[-STATUS_BUSY] = "in use",
	[-STATUS_DENIED] = "permission denied",
	[-STATUS_FOREIGN] = "belongs to another cluster or node",
	[-STATUS_MALFORMED] = "malformed",
	[-STATUS_CORRUPT] = "damaged",
	[-STATUS_SHORT] = "incomplete",
	[-STATUS_VERSION] = "unknown version",
	[-STATUS_IO] = "input/output error",
};

const char *status_text(int status)
{
	if (status > 0 || status <= -(int)COUNT_OF(texts)) {
		return "no such status";
	}
	return texts[-status];
}

int status_of_errno(int error)
{
	switch (error) {
	case ENOENT:
		return STATUS_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
		return STATUS_NO_SPACE;
	case EADDRNOTAVAIL:
		return STATUS_INVALID;
	case EEXIST:
	case ENOTEMPTY:
		return STATUS_EXISTS;
	case EADDRINUSE:
	case EWOULDBLOCK: /* of flock() */
		return STATUS_BUSY;
	case EACCES:
	case EPERM:
	case EROFS:
		return STATUS_DENIED;
	default:
		return STATUS_IO;
	}
}

int status_failed(struct buffer *problem, const char *what, const char *name)
{
	int error = errno;

	buffer_printf(problem, "cannot %s %s: %s", what, name, strerror(error));
	errno = error;
	return status_of_errno(error);
}
