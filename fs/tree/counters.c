/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/tree/counters.h"

#include "fs/tree/key.h"
#include "fs/tree/record.h"

enum { COUNTERS_BYTES = 56 };

void counters_init(struct counters *counters)
{
	*counters = (struct counters){
		.next = FS_ROOT + 1,
		.file_bytes_max = LIMIT_FILE_BYTES,
		.usage = {.bytes_max = LIMIT_TOTAL_BYTES,
			  .inodes_max = LIMIT_INODES},
	};
}

int counters_get(struct kv_reader *r, struct counters *counters)
{
	struct buffer value = {0};
	struct key key;
	int rc = record_get(r, key_all(&key, KEY_COUNTERS), COUNTERS_BYTES,
			    &value, -ESTALE);

	if (rc == 0) {
		const uint8_t *at = value.data;

		counters->next = get_le64(at + 8);
		counters->usage.bytes_used = get_le64(at + 16);
		counters->usage.inodes_used = get_le64(at + 24);
		counters->file_bytes_max = get_le64(at + 32);
		counters->usage.bytes_max = get_le64(at + 40);
		counters->usage.inodes_max = get_le64(at + 48);
	}
	buffer_deinit(&value);
	return rc;
}

void counters_put(struct kv_batch *b, const struct counters *counters)
{
	uint8_t value[COUNTERS_BYTES] = {RECORD_VERSION};
	struct key key;

	put_le64(value + 8, counters->next);
	put_le64(value + 16, counters->usage.bytes_used);
	put_le64(value + 24, counters->usage.inodes_used);
	put_le64(value + 32, counters->file_bytes_max);
	put_le64(value + 40, counters->usage.bytes_max);
	put_le64(value + 48, counters->usage.inodes_max);
	kv_put(b, key_all(&key, KEY_COUNTERS), bytes_of(value, sizeof(value)));
}
