/* SPDX-License-Identifier: Apache-2.0 */
/* Segment files come and go here.
 *
 *   nothing, or a retired segment
 *     -> "log-new"     log_retire(): renamed; spare_make(): created
 *     -> "log-spare"   spare_make(): zeros written and synced, then renamed
 *     -> "log-NUMBER"  log_advance(): header written and synced, then renamed
 *                      and the folder synced, before its first record
 *     -> retired       log_retire(): oldest first, each durably (row 46)
 *
 * So a file that is named as a segment has a whole header, and one that is
 * named as the spare is zero behind its first block, whenever the power goes.
 * Whoever makes log->spare busy owns both names until it settles it. */
#include <errno.h>

#include "base/mem.h"
#include "raft/node/log_core.h"

enum { ZERO_CHUNK_BYTES = 1 << 20 };

/* Each chunk is synced by itself: a save that comes meanwhile does not wait
 * behind the whole segment. */
static int write_zeros(struct disk *disk, struct disk_file *file,
		       uint32_t bytes)
{
	uint32_t chunk = bytes < ZERO_CHUNK_BYTES ? bytes : ZERO_CHUNK_BYTES;
	uint8_t *zeros = mem_zalloc(chunk);
	int rc = 0;

	for (uint32_t at = 0; rc == 0 && at < bytes; at += chunk) {
		uint32_t rest = bytes - at;

		rc = disk->ops->write(file, at, zeros,
				      rest < chunk ? rest : chunk);
		if (rc == 0) {
			rc = disk->ops->sync(file);
		}
		if (rest < chunk) {
			break;
		}
	}
	mem_free(zeros);
	return rc;
}

/* Open log-new, which may be left from a crash or a retired segment. */
static int open_new(struct disk *disk, uint32_t bytes, struct disk_file **file)
{
	uint64_t size = 0;
	int rc = disk->ops->open(disk, SPARE_NEW_NAME, false, file);

	if (rc == 0) {
		rc = disk->ops->size(*file, &size);
		if (rc == 0 && size <= bytes) {
			return 0;
		}
		disk->ops->close(*file);
		*file = NULL;
		if (rc == 0) {
			rc = disk->ops->remove(disk, SPARE_NEW_NAME);
		}
	} else if (rc == STATUS_NOT_FOUND) {
		rc = 0;
	}
	return rc == 0 ? disk->ops->open(disk, SPARE_NEW_NAME, true, file) : rc;
}

/* The caller made log->spare busy. */
static int spare_make(struct log *log)
{
	struct disk *disk = log->disk;
	struct disk_file *file = NULL;
	int rc = open_new(disk, log->segment_bytes, &file);
	int error;

	if (rc == 0) {
		rc = write_zeros(disk, file, log->segment_bytes);
		error = errno;
		disk->ops->close(file);
		errno = error;
	}
	if (rc == 0) {
		rc = disk->ops->rename(disk, SPARE_NEW_NAME, SPARE_NAME);
	}
	if (rc == 0) {
		return disk->ops->sync_folder(disk);
	}
	if (rc == STATUS_NO_SPACE) {
		/* Half a spare only makes it worse for the others. It does not
		 * matter if this fails too. */
		(void)disk->ops->remove(disk, SPARE_NEW_NAME);
	}
	return rc;
}

static void spare_settle(struct log *log, enum spare spare)
{
	pthread_mutex_lock(&log->mutex);
	CHECK(log->spare == SPARE_BUSY);
	log->spare = spare;
	pthread_cond_broadcast(&log->spare_settled);
	pthread_mutex_unlock(&log->mutex);
}

/* Make the spare busy if it is as wanted. */
static bool spare_claim(struct log *log, enum spare wanted)
{
	bool claimed;

	pthread_mutex_lock(&log->mutex);
	claimed = log->spare == wanted;
	if (claimed) {
		log->spare = SPARE_BUSY;
	}
	pthread_mutex_unlock(&log->mutex);
	return claimed;
}

bool log_wants_spare(struct log *log)
{
	bool wanted;

	pthread_mutex_lock(&log->mutex);
	wanted = log->spare == SPARE_NONE;
	pthread_mutex_unlock(&log->mutex);
	return wanted;
}

int log_prepare(struct log *log)
{
	int rc;

	if (!spare_claim(log, SPARE_NONE)) {
		return 0;
	}
	rc = spare_make(log);
	spare_settle(log, rc == 0 ? SPARE_READY : SPARE_NONE);
	return rc;
}

/* --- The next segment ------------------------------------------------------
 */

/* Claim the spare, waiting for who is at it; say whether it is ready. */
static bool spare_take(struct log *log)
{
	bool is_ready;

	pthread_mutex_lock(&log->mutex);
	while (log->spare == SPARE_BUSY) {
		pthread_cond_wait(&log->spare_settled, &log->mutex);
	}
	is_ready = log->spare == SPARE_READY;
	log->spare = SPARE_BUSY;
	pthread_mutex_unlock(&log->mutex);
	return is_ready;
}

static struct segment_header header_next(struct log *log)
{
	struct segment_header h = {
		.bytes = log->segment_bytes,
		.number = 1,
		.seed = log->seed,
		.record = log->record,
		.chain = log->chain,
		.begun = log->begun,
	};

	pthread_mutex_lock(&log->mutex);
	if (log->segment_count > 0) {
		h.number = log->segments[log->segment_count - 1]->number + 1;
	}
	h.hard = log->hard;
	h.commit = log->commit;
	h.last = log->base;
	if (log->count > 0) {
		h.last.index += log->count;
		h.last.term = log->places[log->count - 1].term;
	}
	pthread_mutex_unlock(&log->mutex);
	return h;
}

static int write_header(struct log *log, const struct segment_header *h,
			struct disk_file **file)
{
	struct disk *disk = log->disk;
	uint8_t block[SEGMENT_HEADER_BYTES];
	int rc;

	segment_encode(h, block);
	rc = disk->ops->open(disk, SPARE_NAME, false, file);
	if (rc == 0) {
		rc = disk->ops->write(*file, 0, block, sizeof block);
	}
	if (rc == 0) {
		rc = disk->ops->sync(*file);
	}
	return rc;
}

static int add_segment(struct log *log, const struct segment_header *h)
{
	struct disk *disk = log->disk;
	struct disk_file *file = NULL;
	char name[SEGMENT_NAME_BYTES];
	int rc = 0;

	CHECK(h->number <= UINT32_MAX);
	segment_name(h->number, name);
	if (!spare_take(log)) {
		rc = spare_make(log);
		if (rc == STATUS_NO_SPACE) { /* nothing has begun */
			rc = log_trouble(log, rc, name, "prepare");
			spare_settle(log, SPARE_NONE);
			return rc;
		}
	}
	if (rc == 0) {
		rc = write_header(log, h, &file);
	}
	if (rc == 0) {
		rc = disk->ops->rename(disk, SPARE_NAME, name);
	}
	if (rc == 0) {
		rc = disk->ops->sync_folder(disk);
	}
	if (rc != 0) {
		rc = log_trouble(log, rc, name, "prepare");
		rc = rc == STATUS_NO_SPACE ? STATUS_IO : rc; /* half done */
	}
	spare_settle(log, SPARE_NONE);
	if (rc != 0) {
		if (file != NULL) {
			disk->ops->close(file);
		}
		return rc;
	}
	log_add_segment(log, h->number, h->bytes, file);
	log->end = SEGMENT_HEADER_BYTES;
	return 0;
}

int log_advance(struct log *log)
{
	struct segment_header h = header_next(log);

	return add_segment(log, &h);
}

int log_begin_anew(struct log *log, struct raft_pos base)
{
	struct segment_header h = header_next(log);
	int rc;

	h.commit = base.index;
	h.last = base;
	h.begun = h.number;
	rc = add_segment(log, &h);
	if (rc == 0) {
		log->begun = h.number;
	}
	return rc;
}

int log_retire(struct log *log, uint64_t number)
{
	struct disk *disk = log->disk;
	char name[SEGMENT_NAME_BYTES];
	bool is_kept = spare_claim(log, SPARE_NONE);
	int rc;

	segment_name(number, name);
	rc = is_kept ? disk->ops->rename(disk, name, SPARE_NEW_NAME)
		     : disk->ops->remove(disk, name);
	if (rc == 0) {
		rc = disk->ops->sync_folder(disk);
	}
	if (rc != 0) {
		rc = log_trouble(log, rc, name, "remove");
	}
	if (is_kept) {
		spare_settle(log, SPARE_NONE);
	}
	return rc;
}
