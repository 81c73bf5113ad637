/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/mark.h"

#include <xxhash.h>

static const char FILE_NAME[] = "committed";
enum { MARK_BYTES = 16 }; /* index, checksum of it; little-endian */

static int write_mark(struct mark *m, raft_index index)
{
	uint8_t data[MARK_BYTES];

	m->index = index;
	put_le64(data, index);
	put_le64(data + 8, XXH3_64bits(data, 8));
	/* In place and within one sector: old or new, or it does not check. */
	return m->disk->ops->write(m->file, 0, data, sizeof data);
}

/* A file that is as long as a mark has its place on the disk, full or not. */
static int load_or_make(struct mark *m)
{
	uint8_t data[MARK_BYTES];
	uint64_t size;
	int rc = m->disk->ops->size(m->file, &size);

	if (rc != 0 || size < MARK_BYTES) {
		return rc != 0 ? rc : write_mark(m, 0);
	}
	if (m->disk->ops->read(m->file, 0, data, sizeof data) == 0 &&
	    XXH3_64bits(data, 8) == get_le64(data + 8)) {
		m->index = get_le64(data);
	}
	return 0;
}

void mark_close(struct mark *m)
{
	if (m->file != NULL) {
		m->disk->ops->close(m->file);
		m->file = NULL;
	}
}

int mark_open(struct mark *m, struct disk *disk)
{
	int rc = disk->ops->open(disk, FILE_NAME, false, &m->file);

	m->index = 0;
	m->disk = disk;
	if (rc == STATUS_NOT_FOUND) {
		rc = disk->ops->open(disk, FILE_NAME, true, &m->file);
	}
	if (rc != 0) {
		m->file = NULL;
		return rc;
	}
	rc = load_or_make(m);
	if (rc != 0) {
		mark_close(m);
	}
	return rc;
}

void mark_reset(struct mark *m)
{
	if (m->index > 0) {
		(void)write_mark(m, 0);
	}
}

void mark_set(struct mark *m, raft_index index)
{
	if (index > m->index) {
		(void)write_mark(m, index);
	}
}
