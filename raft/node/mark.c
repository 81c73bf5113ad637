/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/mark.h"

#include <xxhash.h>

static const char FILE_NAME[] = "committed";
enum { MARK_BYTES = 16 }; /* index, checksum of it; little-endian */

int mark_open(struct mark *m, struct disk *disk)
{
	uint8_t data[MARK_BYTES];
	int rc = disk->ops->open(disk, FILE_NAME, false, &m->file);

	m->index = 0;
	if (rc == STATUS_NOT_FOUND) {
		rc = disk->ops->open(disk, FILE_NAME, true, &m->file);
	}
	if (rc != 0) {
		m->file = NULL;
		return rc;
	}
	if (disk->ops->read(m->file, 0, data, sizeof data) == 0 &&
	    XXH3_64bits(data, 8) == get_le64(data + 8)) {
		m->index = get_le64(data);
	}
	m->disk = disk;
	return 0;
}

void mark_close(struct mark *m)
{
	if (m->file != NULL) {
		m->disk->ops->close(m->file);
		m->file = NULL;
	}
}

static void write_mark(struct mark *m, raft_index index)
{
	uint8_t data[MARK_BYTES];

	m->index = index;
	put_le64(data, index);
	put_le64(data + 8, XXH3_64bits(data, 8));
	/* In place and within one sector: old or new, or it does not check. */
	(void)m->disk->ops->write(m->file, 0, data, sizeof data);
}

void mark_reset(struct mark *m)
{
	if (m->index > 0) {
		write_mark(m, 0);
	}
}

void mark_set(struct mark *m, raft_index index)
{
	if (index > m->index) {
		write_mark(m, index);
	}
}
