/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control/message.h"

#include <string.h>

#include "base/frame.h"
#include "base/status.h"
#include "proto/codec.h"
#include "proto/control.pb.h"

/* An error is an errno of this machine; the kernel reserves those below. */
enum { ERRNO_MAX = 4095 };

static void encode(const pb_msgdesc_t *fields, const void *message,
		   enum message_kind kind, uint64_t number, struct buffer *out)
{
	size_t start = frame_begin(out);

	codec_encode(out, fields, message, LIMIT_FRAME_BYTES);
	frame_seal(out, start, (uint8_t)kind, number);
}

void message_encode_request(const struct message_request *request,
			    uint64_t number, struct buffer *out)
{
	control_Request m = control_Request_init_zero;
	struct bytes data = request->data;
	size_t path = strlen(request->path);

	CHECK(data.size <= LIMIT_WRITE_BYTES && path < LIMIT_PATH_BYTES);
	memcpy(m.command, request->command, sizeof request->command);
	memcpy(m.path.bytes, request->path, path);
	m.path.size = (pb_size_t)path;
	m.json = request->json;
	CHECK(request->word_count <= MESSAGE_WORDS);
	m.words_count = (pb_size_t)request->word_count;
	memcpy(m.words, request->words, sizeof m.words);
	codec_give(&m.data, &data);
	encode(control_Request_fields, &m, MESSAGE_REQUEST, number, out);
}

void message_encode_response(const struct message_response *response,
			     uint64_t number, struct buffer *out)
{
	control_Response m = control_Response_init_zero;
	struct bytes data = response->data;

	CHECK(response->error >= 0 && response->error <= ERRNO_MAX);
	CHECK(!response->more || data.size > 0); /* no frame is empty */
	m.error = (uint32_t)response->error;
	memcpy(m.reason, response->reason, sizeof response->reason);
	m.last = !response->more;
	codec_give(&m.data, &data);
	encode(control_Response_fields, &m, MESSAGE_RESPONSE, number, out);
}

int message_decode_request(struct bytes body, struct message_request *request)
{
	control_Request m = control_Request_init_zero;
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);
	struct codec_slice data;

	*request = (struct message_request){0};
	codec_take(&m.data, &data, body);
	if (!pb_decode(&stream, control_Request_fields, &m) ||
	    m.path.size >= LIMIT_PATH_BYTES ||
	    memchr(m.path.bytes, '\0', m.path.size) ||
	    data.found.size > LIMIT_WRITE_BYTES) {
		return STATUS_MALFORMED;
	}
	request->data = data.found;
	memcpy(request->command, m.command, sizeof request->command);
	memcpy(request->path, m.path.bytes, m.path.size);
	request->json = m.json;
	request->word_count = m.words_count;
	memcpy(request->words, m.words, sizeof request->words);
	return 0;
}

int message_decode_response(struct bytes body,
			    struct message_response *response)
{
	control_Response m = control_Response_init_zero;
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);
	struct codec_slice data;

	*response = (struct message_response){0};
	codec_take(&m.data, &data, body);
	if (!pb_decode(&stream, control_Response_fields, &m) ||
	    m.error > ERRNO_MAX) {
		return STATUS_MALFORMED;
	}
	response->data = data.found;
	response->error = (int)m.error;
	memcpy(response->reason, m.reason, sizeof response->reason);
	response->more = !m.last;
	return 0;
}
