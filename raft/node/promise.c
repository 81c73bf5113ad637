/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/promise.h"

#include <xxhash.h>

static const char FILE_NAME[] = "promise";
/* term, vote, others (1 or 0), checksum of them; little-endian */
enum { PROMISE_BYTES = 32 };

static void parse(struct promise *p, const uint8_t *data)
{
	if (XXH3_64bits(data, 24) != get_le64(data + 24) ||
	    get_le64(data + 16) > 1) {
		return;
	}
	p->known = true;
	p->hard.term = get_le64(data);
	p->hard.vote = get_le64(data + 8);
	p->others = get_le64(data + 16) == 1;
}

int promise_open(struct promise *p, struct disk *disk)
{
	uint8_t data[PROMISE_BYTES];
	int rc;

	*p = (struct promise){.disk = disk};
	rc = disk->ops->open(disk, FILE_NAME, false, &p->file);
	if (rc == STATUS_NOT_FOUND) {
		rc = disk->ops->open(disk, FILE_NAME, true, &p->file);
		if (rc == 0) {
			rc = disk->ops->sync_folder(disk);
		}
	} else if (rc == 0 &&
		   disk->ops->read(p->file, 0, data, sizeof data) == 0) {
		parse(p, data);
	}
	if (rc != 0) {
		promise_close(p);
	}
	return rc;
}

void promise_close(struct promise *p)
{
	if (p->file != NULL) {
		p->disk->ops->close(p->file);
		p->file = NULL;
	}
}

int promise_save(struct promise *p, struct raft_hard hard, bool others)
{
	uint8_t data[PROMISE_BYTES];
	int rc;

	if (p->known && p->hard.term == hard.term &&
	    p->hard.vote == hard.vote && p->others == others) {
		return 0;
	}
	put_le64(data, hard.term);
	put_le64(data + 8, hard.vote);
	put_le64(data + 16, others ? 1 : 0);
	put_le64(data + 24, XXH3_64bits(data, 24));
	rc = p->disk->ops->write(p->file, 0, data, sizeof data);
	if (rc == 0) {
		rc = p->disk->ops->sync(p->file);
	}
	if (rc == 0) {
		if (!p->known) { /* else another thread may look */
			p->known = true;
		}
		p->hard = hard;
		p->others = others;
	}
	return rc;
}
