/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

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
