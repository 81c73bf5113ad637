/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/tree/record.h"

int record_get(struct kv_reader *r, struct bytes key, size_t size_min,
	       struct buffer *value, int absent)
{
	int rc = kv_get(r, key, value);

	if (rc == STATUS_NOT_FOUND) {
		return absent;
	}
	if (rc != 0) {
		return record_error(rc);
	}
	if (value->size < size_min || value->size == 0 ||
	    value->data[0] != RECORD_VERSION) {
		return -EUCLEAN;
	}
	return 0;
}

int record_error(int status)
{
	if (status == 0) {
		return 0;
	}
	return status == STATUS_CORRUPT ? -EUCLEAN : -EIO;
}

int record_status(int error)
{
	return error == -EUCLEAN ? STATUS_CORRUPT : STATUS_IO;
}

bool record_failed(int error)
{
	return error == -EIO || error == -EUCLEAN;
}
