/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_log.c - whatever segments a folder holds, the log names the damage, or
 * opens to one that keeps L4: it reads, takes a save, and opens again to that.
 *
 * The input, a byte a number where nothing else is said:
 *
 *     segment: term, vote, commit, last index, last term, begun
 *     records: how, size 2 (little-endian), term, vote, keep index and term,
 *              commit, entries; so many bytes of entries; then the next
 *
 * What `how` does not leave out is sealed: checksums, places, the entries' own.
 * It may also begin another segment first. */
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "raft/node/segment.h"
#include "tests/lib/faultdisk.h"

enum { SEGMENT_BYTES = 16384, SEGMENTS_MAX = 3, HEAD_BYTES = 9 };
enum how {
	NEXT_SEGMENT = 1,
	BAD_HEADER = 2,
	BAD_BODY = 4,
	BAD_PLACE = 8,
	BAD_ENTRIES = 16,
	BAD_SIZE = 32,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct maker {
	struct disk *disk;
	struct segment_header header; /* of the next segment */
	struct record_place place;
	uint8_t bytes[SEGMENT_BYTES];
	size_t end;
};

/* A small number, or one that is as large as any. */
static uint64_t number_of(uint8_t byte)
{
	return byte == 255 ? 1ULL << 62 : byte;
}

static void put_segment(struct maker *m)
{
	char name[SEGMENT_NAME_BYTES];
	struct disk_file *file;

	segment_name(m->place.segment, name);
	CHECK(m->disk->ops->open(m->disk, name, true, &file) == 0);
	CHECK(m->disk->ops->write(file, 0, m->bytes, sizeof m->bytes) == 0);
	CHECK(m->disk->ops->sync(file) == 0);
	m->disk->ops->close(file);
}

static void begin_segment(struct maker *m)
{
	m->place.segment++;
	m->header.bytes = SEGMENT_BYTES;
	m->header.seed = m->place.seed;
	m->header.number = m->place.segment;
	m->header.record = m->place.number;
	m->header.chain = m->place.chain;
	memset(m->bytes, 0, sizeof m->bytes);
	segment_encode(&m->header, m->bytes);
	m->end = SEGMENT_HEADER_BYTES;
}

/* Walk the entries as the decoder does, and give each its checksum. */
static void seal_entries(struct maker *m, uint8_t *at, size_t left,
			 raft_index index, size_t count)
{
	for (size_t i = 0; i < count && left >= RECORD_ENTRY_BYTES; i++) {
		size_t size = get_le32(at + 24);

		if (size > left - RECORD_ENTRY_BYTES) {
			return;
		}
		size += RECORD_ENTRY_BYTES;
		put_le64(at, XXH3_64bits_withSeed(at + 8, size - 8,
						  m->place.seed ^ index++));
		m->header.last.term = get_le64(at + 8);
		at += size;
		left -= size;
	}
}

static void seal_record(struct maker *m, uint8_t *record, size_t size,
			unsigned how)
{
	uint8_t *trailer = record + size - RECORD_TRAILER_BYTES;
	uint32_t zeros = 0;

	put_le32(trailer + 8, (uint32_t)m->place.number);
	put_le32(trailer + 12, 0x2e646e65u);
	for (size_t at = SEGMENT_SECTOR_BYTES; at < size;
	     at += SEGMENT_SECTOR_BYTES) {
		static const uint8_t none[SEGMENT_SECTOR_BYTES];

		zeros += memcmp(record + at, none, sizeof none) == 0;
	}
	put_le32(record + 76, zeros);
	if ((how & BAD_HEADER) == 0) {
		put_le64(record + 80,
			 XXH3_64bits_withSeed(record, 80, m->place.seed));
	}
	if ((how & BAD_BODY) == 0) {
		put_le64(trailer, XXH3_64bits_withSeed(
					  record, size - RECORD_TRAILER_BYTES,
					  m->place.chain));
	}
	m->place.number++;
	m->place.chain = get_le64(trailer);
}

static void add_record(struct maker *m, const uint8_t *head,
		       struct bytes entries)
{
	size_t size = RECORD_HEADER_BYTES + entries.size + RECORD_TRAILER_BYTES;
	uint8_t *record = m->bytes + m->end;
	struct segment_header *h = &m->header;
	raft_index keep = number_of(head[5]);

	size = (size + SEGMENT_SECTOR_BYTES - 1) / SEGMENT_SECTOR_BYTES *
	       SEGMENT_SECTOR_BYTES;
	if (size > sizeof m->bytes - m->end) {
		return;
	}
	h->hard = (struct raft_hard){number_of(head[3]), number_of(head[4])};
	h->last = (struct raft_pos){.index = keep + head[8],
				    .term = number_of(head[6])};
	h->commit = number_of(head[7]);
	put_le32(record, 0x64636572u);
	put_le32(record + 4, (uint32_t)size + (head[0] & BAD_SIZE));
	put_le64(record + 8, m->place.segment);
	put_le64(record + 16, m->place.number);
	put_le64(record + 24, m->place.chain + (head[0] & BAD_PLACE));
	put_le64(record + 32, h->hard.term);
	put_le64(record + 40, h->hard.vote);
	put_le64(record + 48, keep);
	put_le64(record + 56, number_of(head[6]));
	put_le64(record + 64, h->commit);
	put_le32(record + 72, head[8]);
	memcpy(record + RECORD_HEADER_BYTES, entries.data, entries.size);
	if ((head[0] & BAD_ENTRIES) == 0) {
		seal_entries(m, record + RECORD_HEADER_BYTES, entries.size,
			     keep + 1, head[8]);
	}
	seal_record(m, record, size, head[0]);
	m->end += size;
}

static void make(struct maker *m, struct bytes in)
{
	const uint8_t *first = in.data;

	m->header.hard =
		(struct raft_hard){number_of(first[0]), number_of(first[1])};
	m->header.commit = number_of(first[2]);
	m->header.last = (struct raft_pos){.index = number_of(first[3]),
					   .term = number_of(first[4])};
	m->header.begun = number_of(first[5]);
	m->place = (struct record_place){.seed = 7, .number = 1, .chain = 7};
	begin_segment(m);
	in = bytes_of(in.data + 6, in.size - 6);
	while (in.size >= HEAD_BYTES) {
		const uint8_t *head = in.data;
		size_t size = get_le16(head + 1);

		in = bytes_of(in.data + HEAD_BYTES, in.size - HEAD_BYTES);
		size = size < in.size ? size : in.size;
		if ((head[0] & NEXT_SEGMENT) != 0 &&
		    m->place.segment < SEGMENTS_MAX) {
			put_segment(m);
			begin_segment(m);
		}
		add_record(m, head, bytes_of(in.data, size));
		in = bytes_of(in.data + size, in.size - size);
	}
	put_segment(m);
	CHECK(m->disk->ops->sync_folder(m->disk) == 0);
}

/* L4; and every entry reads, or its damage is named. */
static bool check_log(struct log *log, struct log_state *s)
{
	raft_term term;
	bool whole = true;

	log_state(log, s);
	CHECK(s->base.index <= s->last && s->commit <= s->last);
	CHECK(s->commit >= s->base.index);
	term = s->base.term;
	for (raft_index i = s->base.index + 1; i <= s->last; i++) {
		struct entry *e;
		int rc = log_read(log, i, &e);

		CHECK(log_term(log, i) >= term);
		term = log_term(log, i);
		CHECK(rc == 0 || rc == STATUS_CORRUPT);
		whole = whole && rc == 0;
		if (rc == 0) {
			CHECK(e->index == i && e->term == term);
			entry_unref(e);
		}
	}
	CHECK(term <= s->hard.term);
	return whole;
}

static int reopen(struct disk *disk, struct log **log)
{
	struct log_config config = {.disk = disk,
				    .segment_bytes = SEGMENT_BYTES};
	struct buffer problem = {0};
	int rc = log_open(&config, log, &problem);

	CHECK(rc == 0 || rc == STATUS_CORRUPT || rc == STATUS_VERSION);
	CHECK(rc == 0 || problem.size > 0);
	buffer_deinit(&problem);
	return rc;
}

static void save_one(struct log *log, const struct log_state *s)
{
	struct entry *e = entry_new(ENTRY_COMMAND, "more", 4);
	struct log_record record = {
		.hard = {s->hard.term + 1, 0},
		.commit = s->commit,
		.keep = s->last,
		.entries = &e,
		.count = 1,
	};

	e->index = s->last + 1;
	e->term = record.hard.term;
	CHECK(log_save(log, &record) == 0);
	entry_unref(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct maker maker;
	struct faultdisk *f;
	struct log_state first, again;
	struct log *log;
	bool whole;

	if (size < 6) {
		return 0;
	}
	f = faultdisk_new();
	maker = (struct maker){.disk = faultdisk_disk(f)};
	make(&maker, bytes_of(data, size));
	if (reopen(maker.disk, &log) == 0) {
		whole = check_log(log, &first);
		save_one(log, &first);
		log_close(log);
		CHECK(reopen(maker.disk, &log) == 0);
		CHECK(check_log(log, &again) == whole);
		CHECK(again.last == first.last + 1 &&
		      again.commit == first.commit &&
		      again.base.index == first.base.index &&
		      again.hard.term == first.hard.term + 1);
		log_close(log);
	}
	faultdisk_free(f);
	return 0;
}
