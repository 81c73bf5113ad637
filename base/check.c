/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "raftfs: bug: %s:%d: broken: %s\n", file, line,
		condition);
	abort();
}
