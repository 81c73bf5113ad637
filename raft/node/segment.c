/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define RECORD_MAGIC 0x64636572u /* "recd" */
#define RECORD_END 0x2e646e65u	 /* "end.": no single flip makes a byte zero */

static const uint8_t segment_magic[8] = "raftlog";

static_assert(SEGMENT_HEADER_BYTES % SEGMENT_SECTOR_BYTES == 0,
	      "records start on a sector");
static_assert(RECORD_HEADER_BYTES + RECORD_TRAILER_BYTES <=
		      SEGMENT_SECTOR_BYTES,
	      "a record without entries is one sector");

static uint64_t checksum(const uint8_t *data, size_t size, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, size, seed);
}

static bool is_zero(const uint8_t *data, size_t size)
{
	return size == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

size_t segment_used(struct bytes bytes)
{
	size_t size = bytes.size;

	while (size >= SEGMENT_SECTOR_BYTES &&
	       is_zero(bytes.data + size - SEGMENT_SECTOR_BYTES,
		       SEGMENT_SECTOR_BYTES)) {
		size -= SEGMENT_SECTOR_BYTES;
	}
	while (size > 0 && bytes.data[size - 1] == 0) {
		size--;
	}
	return size;
}

void segment_name(uint64_t number, char name[SEGMENT_NAME_BYTES])
{
	(void)snprintf(name, SEGMENT_NAME_BYTES, "log-%016" PRIx64, number);
}

bool segment_number(const char *name, uint64_t *number)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;

	if (strlen(name) != 20 || memcmp(name, "log-", 4) != 0) {
		return false;
	}
	*number = 0;
	for (name += 4; *name != 0; name++) {
		digit = strchr(digits, *name);
		if (digit == NULL) {
			return false;
		}
		*number = *number << 4 | (uint64_t)(digit - digits);
	}
	return true;
}

/* --- The segment's header ------------------------------------------------- */

void segment_seal(uint8_t *block)
{
	const size_t end = SEGMENT_HEADER_BYTES - 8;

	put_le64(block + end, checksum(block, end, 0));
}

void segment_encode(const struct segment_header *h, uint8_t *block)
{
	memset(block, 0, SEGMENT_HEADER_BYTES);
	memcpy(block, segment_magic, sizeof segment_magic);
	put_le32(block + 8, SEGMENT_VERSION);
	put_le32(block + 12, h->bytes);
	put_le64(block + 16, h->number);
	put_le64(block + 24, h->seed);
	put_le64(block + 32, h->record);
	put_le64(block + 40, h->chain);
	put_le64(block + 48, h->hard.term);
	put_le64(block + 56, h->hard.vote);
	put_le64(block + 64, h->commit);
	put_le64(block + 72, h->last.index);
	put_le64(block + 80, h->last.term);
	put_le64(block + 88, h->begun);
	segment_seal(block);
}

int segment_decode(const uint8_t *block, struct segment_header *h)
{
	const size_t end = SEGMENT_HEADER_BYTES - 8;

	*h = (struct segment_header){0};
	if (memcmp(block, segment_magic, sizeof segment_magic) != 0 ||
	    get_le64(block + end) != checksum(block, end, 0)) {
		return STATUS_CORRUPT;
	}
	if (get_le32(block + 8) != SEGMENT_VERSION) {
		h->number = get_le32(block + 8);
		return STATUS_VERSION;
	}
	h->bytes = get_le32(block + 12);
	h->number = get_le64(block + 16);
	h->seed = get_le64(block + 24);
	h->record = get_le64(block + 32);
	h->chain = get_le64(block + 40);
	h->hard.term = get_le64(block + 48);
	h->hard.vote = get_le64(block + 56);
	h->commit = get_le64(block + 64);
	h->last.index = get_le64(block + 72);
	h->last.term = get_le64(block + 80);
	h->begun = get_le64(block + 88);
	return 0;
}

/* --- Records ---------------------------------------------------------------
 */

size_t record_size(const struct log_record *r)
{
	size_t size = RECORD_HEADER_BYTES + RECORD_TRAILER_BYTES;

	for (size_t i = 0; i < r->count; i++) {
		size += RECORD_ENTRY_BYTES + r->entries[i]->size;
	}
	return (size + SEGMENT_SECTOR_BYTES - 1) / SEGMENT_SECTOR_BYTES *
	       SEGMENT_SECTOR_BYTES;
}

static uint32_t zero_sectors(const uint8_t *record, size_t size)
{
	uint32_t count = 0;

	for (size_t at = 0; at < size; at += SEGMENT_SECTOR_BYTES) {
		if (is_zero(record + at, SEGMENT_SECTOR_BYTES)) {
			count++;
		}
	}
	return count;
}

/* Return where the next one goes. */
static uint8_t *entry_encode(const struct entry *e, uint64_t seed,
			     raft_index index, uint8_t *out)
{
	put_le64(out + 8, e->term);
	put_le64(out + 16, e->time_ns);
	put_le32(out + 24, e->size);
	put_le32(out + 28, e->kind);
	memcpy(out + RECORD_ENTRY_BYTES, e->data, e->size);
	put_le64(out, checksum(out + 8, RECORD_ENTRY_BYTES - 8 + e->size,
			       seed ^ index));
	return out + RECORD_ENTRY_BYTES + e->size;
}

void record_encode(const struct record_place *place, const struct log_record *r,
		   struct raft_pos keep, raft_index commit, uint8_t *out)
{
	size_t size = record_size(r);
	uint8_t *trailer = out + size - RECORD_TRAILER_BYTES;
	uint8_t *at = out + RECORD_HEADER_BYTES;

	for (size_t i = 0; i < r->count; i++) {
		at = entry_encode(r->entries[i], place->seed,
				  keep.index + i + 1, at);
	}
	memset(at, 0, (size_t)(trailer - at));
	put_le32(trailer + 8, (uint32_t)place->number);
	put_le32(trailer + 12, RECORD_END);

	put_le32(out, RECORD_MAGIC);
	put_le32(out + 4, (uint32_t)size);
	put_le64(out + 8, place->segment);
	put_le64(out + 16, place->number);
	put_le64(out + 24, place->chain);
	put_le64(out + 32, r->hard.term);
	put_le64(out + 40, r->hard.vote);
	put_le64(out + 48, keep.index);
	put_le64(out + 56, keep.term);
	put_le64(out + 64, commit);
	put_le32(out + 72, (uint32_t)r->count);
	put_le32(out + 76, zero_sectors(out, size));
	put_le64(out + 80, checksum(out, 80, place->seed));
	put_le64(trailer,
		 checksum(out, size - RECORD_TRAILER_BYTES, place->chain));
}

static bool header_is_whole(const uint8_t *header, uint64_t seed)
{
	return get_le32(header) == RECORD_MAGIC &&
	       get_le64(header + 80) == checksum(header, 80, seed);
}

/* Bounds of one entry at the front of in; 0: none. Payloads are not read. */
static size_t entry_bytes_at(struct bytes in)
{
	uint32_t size;
	uint32_t kind;

	if (in.size < RECORD_ENTRY_BYTES) {
		return 0;
	}
	size = get_le32(in.data + 24);
	kind = get_le32(in.data + 28);
	if (size > LIMIT_ENTRY_BYTES || size > in.size - RECORD_ENTRY_BYTES ||
	    kind < ENTRY_NOOP || kind > ENTRY_COMMAND) {
		return 0;
	}
	return RECORD_ENTRY_BYTES + size;
}

static bool entries_are_well_formed(struct bytes in, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t size = entry_bytes_at(in);

		if (size == 0) {
			return false;
		}
		in = bytes_of(in.data + size, in.size - size);
	}
	return true;
}

/* The record's size from a whole header, when it can be one. */
static size_t size_in_bounds(const uint8_t *header, size_t room)
{
	size_t size = get_le32(header + 4);

	return size > 0 && size % SEGMENT_SECTOR_BYTES == 0 && size <= room
		       ? size
		       : 0;
}

static bool body_is_whole(const uint8_t *record, size_t size, uint64_t chain)
{
	const uint8_t *trailer = record + size - RECORD_TRAILER_BYTES;

	return get_le32(trailer + 12) == RECORD_END &&
	       get_le32(trailer + 8) == get_le32(record + 16) &&
	       get_le64(trailer) ==
		       checksum(record, size - RECORD_TRAILER_BYTES, chain);
}

static bool was_cut_short(const uint8_t *record, size_t size)
{
	return record[size - 1] == 0 ||
	       zero_sectors(record, size) > get_le32(record + 76);
}

static void take_record(const uint8_t *at, size_t size, struct record *r)
{
	*r = (struct record){
		.size = (uint32_t)size,
		.hard = {.term = get_le64(at + 32), .vote = get_le64(at + 40)},
		.keep = {.index = get_le64(at + 48), .term = get_le64(at + 56)},
		.commit = get_le64(at + 64),
		.count = get_le32(at + 72),
		.chain = get_le64(at + size - RECORD_TRAILER_BYTES),
		.entries = bytes_of(at + RECORD_HEADER_BYTES,
				    size - RECORD_HEADER_BYTES -
					    RECORD_TRAILER_BYTES),
	};
}

enum record_verdict record_decode(struct bytes segment, size_t at,
				  const struct record_place *place,
				  struct record *r, const char **reason)
{
	size_t room = segment.size - at;
	const uint8_t *record = segment.data + at;
	size_t size;

	*reason = "no record";
	if (room < SEGMENT_SECTOR_BYTES ||
	    is_zero(record, RECORD_HEADER_BYTES)) {
		return RECORD_NONE;
	}
	*reason = "record header checksum";
	if (!header_is_whole(record, place->seed)) {
		return is_zero(record + RECORD_HEADER_BYTES,
			       room - RECORD_HEADER_BYTES)
			       ? RECORD_TORN
			       : RECORD_DAMAGED;
	}
	*reason = "record out of sequence";
	if (get_le64(record + 8) != place->segment ||
	    get_le64(record + 16) != place->number ||
	    get_le64(record + 24) != place->chain) {
		return RECORD_DAMAGED;
	}
	*reason = "record size";
	size = size_in_bounds(record, room);
	if (size == 0) {
		return RECORD_DAMAGED;
	}
	*reason = "record checksum";
	if (!body_is_whole(record, size, place->chain)) {
		return was_cut_short(record, size) ? RECORD_TORN
						   : RECORD_DAMAGED;
	}
	*reason = "record entries";
	take_record(record, size, r);
	return entries_are_well_formed(r->entries, r->count) ? RECORD_VALID
							     : RECORD_DAMAGED;
}

size_t record_after(struct bytes segment, size_t at,
		    const struct record_place *place)
{
	for (at += SEGMENT_SECTOR_BYTES; at < segment.size;
	     at += SEGMENT_SECTOR_BYTES) {
		const uint8_t *record = segment.data + at;
		size_t size;

		/* The seed is secret: no payload can pose as a record. */
		if (!header_is_whole(record, place->seed) ||
		    get_le64(record + 8) != place->segment ||
		    get_le64(record + 16) <= place->number) {
			continue;
		}
		size = size_in_bounds(record, segment.size - at);
		if (size > 0 &&
		    body_is_whole(record, size, get_le64(record + 24))) {
			return at;
		}
	}
	return 0;
}

static void take_entry(const uint8_t *at, struct record_entry *e)
{
	*e = (struct record_entry){
		.term = get_le64(at + 8),
		.time_ns = get_le64(at + 16),
		.kind = (enum entry_kind)get_le32(at + 28),
		.data = bytes_of(at + RECORD_ENTRY_BYTES, get_le32(at + 24)),
	};
}

void record_next(struct bytes *entries, struct record_entry *e)
{
	size_t size = entry_bytes_at(*entries);

	CHECK(size > 0);
	take_entry(entries->data, e);
	*entries = bytes_of(entries->data + size, entries->size - size);
}

int record_entry_decode(struct bytes in, uint64_t seed, raft_index index,
			struct record_entry *e)
{
	if (entry_bytes_at(in) != in.size ||
	    get_le64(in.data) !=
		    checksum(in.data + 8, in.size - 8, seed ^ index)) {
		return STATUS_CORRUPT;
	}
	take_entry(in.data, e);
	return 0;
}
