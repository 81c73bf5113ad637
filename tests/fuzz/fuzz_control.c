/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_control.c - whatever comes over the control socket is refused, or
 * within every bound, and means the same when it is said again.
 *
 * The first byte: even a request, odd a response; the rest is its body. */
#include <string.h>

#include "base/frame.h"
#include "fs/control/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The body of the one frame in b. */
static struct bytes body_of(const struct buffer *b)
{
	struct frame frame;
	size_t used;

	CHECK(frame_parse(buffer_bytes(b), 0, &frame, &used) == 0);
	CHECK(used == b->size);
	return frame.body;
}

static void fuzz_request(struct bytes body)
{
	static struct message_request first, again;
	struct buffer b = {0};

	if (message_decode_request(body, &first) != 0)
		return;
	CHECK(strlen(first.command) <= MESSAGE_COMMAND_BYTES);
	CHECK(strlen(first.path) < LIMIT_PATH_BYTES);
	if (first.command[0] == '\0')
		return; /* nobody says that: no frame is empty */
	message_encode_request(&first, 0, &b);
	CHECK(message_decode_request(body_of(&b), &again) == 0);
	CHECK(strcmp(first.command, again.command) == 0);
	CHECK(strcmp(first.path, again.path) == 0);
	CHECK(first.json == again.json && bytes_equal(first.data, again.data));
	buffer_deinit(&b);
}

static void fuzz_response(struct bytes body)
{
	static struct message_response first, again;
	struct buffer b = {0};

	if (message_decode_response(body, &first) != 0)
		return;
	CHECK(strlen(first.reason) <= MESSAGE_REASON_BYTES);
	if (first.more && first.data.size == 0)
		return; /* nor that */
	message_encode_response(&first, 0, &b);
	CHECK(message_decode_response(body_of(&b), &again) == 0);
	CHECK(first.error == again.error && first.more == again.more);
	CHECK(strcmp(first.reason, again.reason) == 0);
	CHECK(bytes_equal(first.data, again.data));
	buffer_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] % 2 == 0)
		fuzz_request(bytes_of(data + 1, size - 1));
	else
		fuzz_response(bytes_of(data + 1, size - 1));
	return 0;
}
