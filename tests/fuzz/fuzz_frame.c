/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_frame.c - a stream of frames is read as it was written, or not at all.
 *
 * The first byte chooses: even, the rest is a stream as it came from outside;
 * odd, the rest is split into bodies that are sealed into a stream, and one
 * bit of it is flipped: every frame before the flip must come back, and
 * nothing else. */
#include "base/frame.h"
#include "base/limits.h"
#include "base/status.h"

enum { FRAMES_MAX = 64, BODY_BYTES_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read a stream to its end. Return how many frames it had. */
static size_t read_stream(struct bytes stream, struct frame *frames)
{
	size_t count = 0, used;
	int rc = 0;

	while (count < FRAMES_MAX) {
		rc = frame_parse(stream, count, &frames[count], &used);
		CHECK(used >= FRAME_HEADER_BYTES);
		CHECK(used <= FRAME_HEADER_BYTES + (size_t)LIMIT_FRAME_BYTES);
		if (rc != 0) {
			break;
		}
		CHECK(used <= stream.size);
		CHECK(frames[count].body.size == used - FRAME_HEADER_BYTES);
		stream = bytes_of(stream.data + used, stream.size - used);
		count++;
	}
	CHECK(rc != STATUS_SHORT || used > stream.size);
	return count;
}

/* Seal bodies of the bytes, as long as there are some. */
static size_t write_stream(struct bytes bodies, struct buffer *out,
			   size_t *ends)
{
	size_t count = 0;

	while (bodies.size > 1 && count < FRAMES_MAX - 1) {
		size_t want = 1 + bodies.data[0] % BODY_BYTES_MAX;
		size_t body = want < bodies.size ? want : bodies.size - 1;
		size_t start = frame_begin(out);

		buffer_append(out, bodies.data + 1, body);
		frame_seal(out, start, bodies.data[0], count);
		ends[count++] = out->size;
		bodies = bytes_of(bodies.data + 1 + body,
				  bodies.size - 1 - body);
	}
	return count;
}

static void flip_one(struct bytes rest, size_t where, uint8_t bit)
{
	struct frame frames[FRAMES_MAX];
	struct buffer out = {0};
	size_t ends[FRAMES_MAX], count, whole = 0;

	count = write_stream(rest, &out, ends);
	CHECK(read_stream(buffer_bytes(&out), frames) == count);
	if (out.size > 0) {
		where %= out.size;
		out.data[where] ^= (uint8_t)(1 << (bit % 8));
		while (whole < count && ends[whole] <= where) {
			whole++;
		}
		CHECK(read_stream(buffer_bytes(&out), frames) == whole);
	}
	buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame frames[FRAMES_MAX];

	if (size < 4) {
		return 0;
	}
	if (data[0] % 2 == 0) {
		(void)read_stream(bytes_of(data + 1, size - 1), frames);
	} else {
		flip_one(bytes_of(data + 4, size - 4), get_le16(data + 1),
			 data[3]);
	}
	return 0;
}
