/* SPDX-License-Identifier: Apache-2.0 */
#include "base/frame.h"

#include <xxhash.h>

#include "base/limits.h"
#include "base/status.h"

static uint64_t checksum(const uint8_t *header, struct bytes body,
			 uint64_t number)
{
	uint64_t head = XXH3_64bits_withSeed(header, 8, number);

	return XXH3_64bits_withSeed(body.data, body.size, head);
}

size_t frame_begin(struct buffer *out)
{
	size_t start = out->size;

	buffer_reserve(out, FRAME_HEADER_BYTES);
	buffer_grow(out, FRAME_HEADER_BYTES);
	return start;
}

void frame_seal(struct buffer *out, size_t start, uint8_t kind, uint64_t number)
{
	size_t size = out->size - start - FRAME_HEADER_BYTES;
	uint8_t *header = out->data + start;
	struct bytes body = bytes_of(header + FRAME_HEADER_BYTES, size);

	CHECK(size > 0 && size <= LIMIT_FRAME_BYTES);
	put_le32(header, (uint32_t)size);
	header[4] = FRAME_VERSION;
	header[5] = kind;
	put_le16(header + 6, 0);
	put_le64(header + 8, checksum(header, body, number));
}

int frame_parse(struct bytes in, uint64_t number, struct frame *frame,
		size_t *used)
{
	uint32_t size;

	*used = FRAME_HEADER_BYTES;
	if (in.size < FRAME_HEADER_BYTES) {
		return STATUS_SHORT;
	}
	if (in.data[4] != FRAME_VERSION) {
		return STATUS_VERSION;
	}
	size = get_le32(in.data);
	if (size == 0 || size > LIMIT_FRAME_BYTES || get_le16(in.data + 6)) {
		return STATUS_MALFORMED;
	}
	*used = FRAME_HEADER_BYTES + (size_t)size;
	if (in.size < *used) {
		return STATUS_SHORT;
	}
	frame->kind = in.data[5];
	frame->body = bytes_of(in.data + FRAME_HEADER_BYTES, size);
	if (checksum(in.data, frame->body, number) != get_le64(in.data + 8)) {
		return STATUS_CORRUPT;
	}
	return 0;
}
