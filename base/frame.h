/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - length, checksum and version around a message. Pure.
 *
 * On the wire, little-endian:
 *
 *   0  4  body size in bytes, 1 ... LIMIT_FRAME_BYTES
 *   4  1  protocol version (FRAME_VERSION)
 *   5  1  kind, the sender's business
 *   6  2  zero
 *   8  8  XXH3-64 of bytes 0-7 and of the body, seeded with the number of
 *         this frame on its connection (0, 1, ...): a replayed, lost or
 *         reordered frame does not check
 *  16  -  body */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"

enum { FRAME_VERSION = 1, FRAME_HEADER_BYTES = 16 };

struct frame {
	uint8_t kind;
	struct bytes body; /* points into what was parsed */
};

/* Begin a frame at the end of out: room for the header. Return where it
 * starts; append the body to out and call frame_seal() with that place. */
size_t frame_begin(struct buffer *out);
void frame_seal(struct buffer *out, size_t start, uint8_t kind,
		uint64_t number);

/* Read the frame number `number` of a connection at the start of in.
 * Return 0 and set *frame and *used (its whole size);
 * STATUS_SHORT: not all of it is there yet; *used is the size it needs in
 * all, once the header is there, else FRAME_HEADER_BYTES;
 * STATUS_MALFORMED: length out of bounds or reserved bits set; known as soon as
 * the header is there, so that nothing larger than the bound is ever awaited;
 * STATUS_VERSION: another protocol version; STATUS_CORRUPT: checksum. */
MUST_USE int frame_parse(struct bytes in, uint64_t number, struct frame *frame,
			 size_t *used);

#endif
