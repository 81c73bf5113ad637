/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - reading a stored record, and the two ways that can fail.
 *
 * Below tree.h, functions return 0 or a negative errno. Two of them never are
 * the outcome of an operation: -EIO, the store failed, and -EUCLEAN, what it
 * holds is damaged. Apply turns these back into a status, which ends the
 * process; a reader answers them. */
#ifndef FS_TREE_RECORD_H
#define FS_TREE_RECORD_H

#include <errno.h>

#include "kv/batch.h"

enum { RECORD_VERSION = 1 }; /* first byte of every record */

/* Replace value by the record of key. absent: what to return when there is
 * none. -EUCLEAN: shorter than size_min, or of another version. */
MUST_USE int record_get(struct kv_reader *r, struct bytes key, size_t size_min,
			struct buffer *value, int absent);
/* A scan's status as an errno. */
MUST_USE int record_error(int status);
MUST_USE int record_status(int error);
/* Is this a failure of the store, not an outcome? */
bool record_failed(int error);

#endif
