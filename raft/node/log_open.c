/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the log: what a folder of segments says, or where it is damaged.
 *
 *   list -> the newest header: where the log begins, if it was ever reset
 *        -> each segment: header -> its records, taken as a save is
 *        -> the newest one's tail: cut, or damage
 *        -> sync: what was read may not have reached the disk before a crash
 *        -> what is left from before a reset is removed
 *
 * Where a segment's records end is not written in it but follows from the
 * next header, which names the first record it holds and the checksum of the
 * one before: a segment that ends too early is found there. The newest one's
 * end is judged by segment.h, and by L1: when a later record is valid, then
 * the one that fails had been synced. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "raft/node/log_core.h"

struct found {
	uint64_t *numbers;
	size_t count;
	size_t stale; /* the first so many are from before a reset */
	size_t capacity;
	bool has_spare;
};

struct recovery {
	struct log *log;
	struct found found;
	uint8_t *bytes; /* a segment, whole */
	size_t size;
	struct disk_file *file; /* it, until the log has it */
	char name[SEGMENT_NAME_BYTES];
	/* Why the records of the segment looked at last ended where they do. */
	enum record_verdict verdict;
	const char *reason;
};

static void visit(void *context, const char *name)
{
	struct found *found = context;
	uint64_t number;

	if (strcmp(name, SPARE_NAME) == 0) {
		found->has_spare = true;
	}
	if (!segment_number(name, &number)) {
		return;
	}
	if (found->count == found->capacity) {
		found->capacity = found->capacity * 2 + 16;
		found->numbers = mem_realloc(found->numbers,
					     found->capacity * sizeof number);
	}
	found->numbers[found->count++] = number;
}

static int by_number(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left;
	uint64_t b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static int damage(struct log *log, const char *name, uint64_t at,
		  const char *reason)
{
	buffer_reset(&log->problem);
	buffer_printf(&log->problem, "%s: damaged at offset %" PRIu64 ": %s",
		      name, at, reason);
	return STATUS_CORRUPT;
}

/* --- What is there ---------------------------------------------------------
 */

/* Which segments count is said by the newest one: those from the last reset
 * on. A header that does not decode is judged when its turn comes. */
static int find_begin(struct recovery *r)
{
	struct found *found = &r->found;
	struct disk *disk = r->log->disk;
	uint8_t block[SEGMENT_HEADER_BYTES];
	struct segment_header h;
	struct disk_file *file;
	int rc;

	segment_name(found->numbers[found->count - 1], r->name);
	rc = disk->ops->open(disk, r->name, false, &file);
	if (rc == 0) {
		rc = disk->ops->read(file, 0, block, sizeof block);
		disk->ops->close(file);
	}
	if (rc != 0 && rc != STATUS_SHORT) {
		return log_trouble(r->log, rc, r->name, "read");
	}
	if (rc != 0 || segment_decode(block, &h) != 0) {
		return 0;
	}
	if (h.begun > found->numbers[found->count - 1]) {
		return damage(r->log, r->name, 0, "the header makes no sense");
	}
	while (found->numbers[found->stale] < h.begun) {
		found->stale++;
	}
	if (found->stale > 0 && found->numbers[found->stale] != h.begun) {
		segment_name(h.begun, r->name);
		return damage(r->log, r->name, 0, "it is missing");
	}
	return 0;
}

static int check_numbers(struct recovery *r)
{
	const struct found *found = &r->found;
	uint64_t number = found->numbers[found->stale];

	for (size_t i = found->stale; i < found->count; i++, number++) {
		segment_name(number, r->name);
		if (found->numbers[i] != number) {
			return damage(r->log, r->name, 0, "it is missing");
		}
		if (number == 0 || number > UINT32_MAX) {
			return damage(r->log, r->name, 0, "no such segment");
		}
	}
	return 0;
}

static int find(struct recovery *r)
{
	struct found *found = &r->found;
	struct disk *disk = r->log->disk;
	int rc = disk->ops->list(disk, visit, found);

	if (rc != 0) {
		return log_trouble(r->log, rc, "the folder", "list");
	}
	if (found->count == 0) {
		return 0;
	}
	qsort(found->numbers, found->count, sizeof(found->numbers[0]),
	      by_number);
	rc = find_begin(r);
	return rc == 0 ? check_numbers(r) : rc;
}

/* A spare of another size is of no use. */
static int find_spare(struct log *log)
{
	struct disk *disk = log->disk;
	struct disk_file *file;
	uint64_t size = 0;
	int rc = disk->ops->open(disk, SPARE_NAME, false, &file);

	if (rc == 0) {
		rc = disk->ops->size(file, &size);
		disk->ops->close(file);
	}
	if (rc == 0 && size == log->segment_bytes) {
		log->spare = SPARE_READY;
	} else if (rc == 0) {
		rc = disk->ops->remove(disk, SPARE_NAME);
	}
	return rc == 0 ? 0 : log_trouble(log, rc, SPARE_NAME, "open");
}

/* --- One segment -----------------------------------------------------------
 */

static int load(struct recovery *r)
{
	struct disk *disk = r->log->disk;
	uint64_t size = 0;
	int rc = disk->ops->open(disk, r->name, false, &r->file);

	if (rc == 0) {
		rc = disk->ops->size(r->file, &size);
	}
	if (rc != 0) {
		return log_trouble(r->log, rc, r->name, "open");
	}
	if (size < SEGMENT_BYTES_MIN || size > SEGMENT_BYTES_MAX) {
		return damage(r->log, r->name, size, "the file's size");
	}
	if (size > r->size) {
		r->bytes = mem_realloc(r->bytes, size);
	}
	r->size = size;
	errno = 0;
	rc = disk->ops->read(r->file, 0, r->bytes, size);
	if (rc == STATUS_IO && errno == EIO) { /* a sector is gone */
		return damage(r->log, r->name, 0, strerror(EIO));
	}
	return rc == 0 ? 0 : log_trouble(r->log, rc, r->name, "read");
}

static bool header_continues(const struct log *log,
			     const struct segment_header *h)
{
	const struct place *last =
		log->count > 0 ? &log->places[log->count - 1] : NULL;
	raft_term last_term = last != NULL ? last->term : log->base.term;

	return h->seed == log->seed && h->begun == log->begun &&
	       h->hard.term == log->hard.term &&
	       h->hard.vote == log->hard.vote && h->commit >= log->commit &&
	       h->last.index == log->base.index + log->count &&
	       h->last.term == last_term;
}

/* Against the segment before, or as the oldest one that tells where the log
 * begins. */
static int take_header(struct recovery *r, const struct segment_header *h)
{
	struct log *log = r->log;
	char before[SEGMENT_NAME_BYTES];

	if (log->segment_count == 0) {
		log->seed = h->seed;
		log->record = h->record;
		log->chain = h->chain;
		log->begun = h->begun;
		log->hard = h->hard;
		log->base = h->last;
	} else if (h->record != log->record || h->chain != log->chain) {
		segment_name(h->number - 1, before);
		return damage(log, before, log->end, r->reason);
	} else if (!header_continues(log, h)) {
		return damage(log, r->name, 0,
			      "the header differs from the records before");
	}
	if (h->commit > h->last.index || h->last.term > h->hard.term) {
		return damage(log, r->name, 0, "the header makes no sense");
	}
	log->commit = h->commit;
	return 0;
}

static int read_header(struct recovery *r, uint64_t number)
{
	struct segment_header h;
	int rc = segment_decode(r->bytes, &h);

	if (rc == STATUS_VERSION) {
		buffer_printf(&r->log->problem,
			      "%s: written in format %" PRIu64
			      ", this version reads %d",
			      r->name, h.number, SEGMENT_VERSION);
		return rc;
	}
	if (rc != 0) {
		return damage(r->log, r->name, 0, "segment header checksum");
	}
	if (h.number != number) {
		return damage(r->log, r->name, 0,
			      "the header names another segment");
	}
	if (h.bytes != r->size) {
		return damage(r->log, r->name, r->size, "the file's size");
	}
	return take_header(r, &h);
}

static int read_records(struct recovery *r, uint64_t number)
{
	struct log *log = r->log;
	struct bytes segment = bytes_of(r->bytes, r->size);

	log->end = SEGMENT_HEADER_BYTES;
	for (;;) {
		struct record_place place = {
			.seed = log->seed,
			.segment = number,
			.number = log->record,
			.chain = log->chain,
		};
		struct record record;
		const char *objection;

		r->verdict = record_decode(segment, log->end, &place, &record,
					   &r->reason);
		if (r->verdict != RECORD_VALID) {
			return 0;
		}
		objection = log_objection(log, &record, true);
		if (objection != NULL) {
			return damage(log, r->name, log->end, objection);
		}
		log_take(log, &record);
	}
}

static int read_segment(struct recovery *r, uint64_t number)
{
	struct log *log = r->log;
	int rc;

	segment_name(number, r->name);
	rc = load(r);
	if (rc == 0) {
		rc = read_header(r, number);
	}
	if (rc != 0) {
		return rc;
	}
	log_add_segment(log, number, (uint32_t)r->size, r->file);
	r->file = NULL;
	return read_records(r, number);
}

/* --- The tail --------------------------------------------------------------
 */

static int zero(struct log *log, struct disk_file *file, size_t at, size_t size)
{
	uint8_t *zeros = mem_zalloc(size);
	int rc = log->disk->ops->write(file, at, zeros, size);

	mem_free(zeros);
	return rc == 0 ? log->disk->ops->sync(file) : rc;
}

/* First the body, then the header: whenever the power goes, what is left is
 * still a torn record. Zeros keep the promise that a later record ends in
 * unwritten space, and the cut one from coming back. */
static int cut_tail(struct recovery *r, size_t used)
{
	struct log *log = r->log;
	struct segment *s = log->segments[log->segment_count - 1];
	size_t body = log->end + RECORD_HEADER_BYTES;
	int rc = 0;

	if (used > body) {
		rc = zero(log, s->file, body, used - body);
	}
	if (rc == 0 && r->verdict == RECORD_TORN) {
		rc = zero(log, s->file, log->end, RECORD_HEADER_BYTES);
	}
	if (rc != 0) {
		return log_trouble(log, rc, r->name, "cut");
	}
	buffer_printf(&log->problem,
		      "%s: cut a torn record at offset %" PRIu32
		      ", it was never acknowledged",
		      r->name, log->end);
	return 0;
}

static int settle_tail(struct recovery *r, uint64_t number)
{
	struct log *log = r->log;
	struct segment *s = log->segments[log->segment_count - 1];
	struct bytes segment = bytes_of(r->bytes, r->size);
	size_t used = segment_used(segment);
	struct record_place place = {
		.seed = log->seed,
		.segment = number,
		.number = log->record,
		.chain = log->chain,
	};
	int rc;

	if (r->verdict == RECORD_DAMAGED ||
	    record_after(segment, log->end, &place) != 0) {
		return damage(log, r->name, log->end, r->reason);
	}
	if (used > log->end) {
		return cut_tail(r, used);
	}
	rc = log->disk->ops->sync(s->file);
	return rc == 0 ? 0 : log_trouble(log, rc, r->name, "sync");
}

static int remove_stale(struct recovery *r)
{
	struct disk *disk = r->log->disk;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->found.stale; i++) {
		segment_name(r->found.numbers[i], r->name);
		rc = disk->ops->remove(disk, r->name);
	}
	return rc == 0 ? 0 : log_trouble(r->log, rc, r->name, "remove");
}

static int recover(struct recovery *r)
{
	struct log *log = r->log;
	size_t count;
	int rc = find(r);

	count = r->found.count;
	if (rc == 0 && r->found.has_spare) {
		rc = find_spare(log);
	}
	for (size_t i = r->found.stale; rc == 0 && i < count; i++) {
		rc = read_segment(r, r->found.numbers[i]);
	}
	if (rc == 0 && count > 0) {
		rc = settle_tail(r, r->found.numbers[count - 1]);
	}
	if (rc == 0) {
		rc = remove_stale(r);
	}
	if (rc == 0 && count > 0) {
		rc = log->disk->ops->sync_folder(log->disk);
		if (rc != 0) {
			rc = log_trouble(log, rc, "the folder", "sync");
		}
	}
	/* A cut promises that what it drops is committed, although no save
	 * may have told so yet. */
	if (rc == 0 && log->commit < log->base.index) {
		log->commit = log->base.index;
	}
	return rc;
}

/* --- Opening ---------------------------------------------------------------
 */

static struct log *log_new(const struct log_config *config)
{
	struct log *log = mem_zalloc(sizeof *log);

	CHECK(config->segment_bytes >= SEGMENT_BYTES_MIN &&
	      config->segment_bytes <= SEGMENT_BYTES_MAX &&
	      config->segment_bytes % SEGMENT_SECTOR_BYTES == 0);
	log->disk = config->disk;
	log->segment_bytes = config->segment_bytes;
	CHECK(pthread_mutex_init(&log->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&log->spare_settled, NULL) == 0);
	return log;
}

static int make_anew(struct log *log, uint64_t seed)
{
	log->seed = seed;
	if (seed == 0 && getrandom(&log->seed, sizeof log->seed, 0) !=
				 (ssize_t)sizeof log->seed) {
		return log_trouble(log, STATUS_IO, "the system", "getrandom");
	}
	log->record = 1;
	log->chain = log->seed;
	return log_advance(log);
}

int log_open(const struct log_config *config, struct log **log,
	     struct buffer *problem)
{
	struct recovery r = {.log = log_new(config)};
	int rc = recover(&r);

	if (rc == 0 && r.found.count == 0) {
		rc = make_anew(r.log, config->seed);
	}
	buffer_append_bytes(problem, buffer_bytes(&r.log->problem));
	if (r.file != NULL) {
		config->disk->ops->close(r.file);
	}
	mem_free(r.found.numbers);
	mem_free(r.bytes);
	if (rc != 0) {
		log_close(r.log);
		return rc;
	}
	buffer_reset(&r.log->problem);
	*log = r.log;
	return 0;
}
