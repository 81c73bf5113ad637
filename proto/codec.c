/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/codec.h"

#include "base/check.h"

static bool to_buffer(pb_ostream_t *stream, const pb_byte_t *data, size_t size)
{
	buffer_append(stream->state, data, size);
	return true;
}

void codec_encode(struct buffer *out, const pb_msgdesc_t *fields,
		  const void *message, size_t bytes_max)
{
	pb_ostream_t stream = {
		.callback = to_buffer,
		.state = out,
		.max_size = bytes_max,
	};
	bool encoded = pb_encode(&stream, fields, message);

	CHECK(encoded);
}

static bool give(pb_ostream_t *stream, const pb_field_t *field,
		 void *const *arg)
{
	const struct bytes *bytes = *arg;

	return pb_encode_tag_for_field(stream, field) &&
	       pb_encode_string(stream, bytes->data, bytes->size);
}

void codec_give(pb_callback_t *field, struct bytes *bytes)
{
	if (bytes->size > 0) {
		field->funcs.encode = give;
		field->arg = bytes;
	}
}

static bool take(pb_istream_t *stream, const pb_field_t *field, void **arg)
{
	struct codec_slice *slice = *arg;

	(void)field;
	slice->found = bytes_of(stream->state, stream->bytes_left);
	slice->seen++;
	/* A field of a wrong wire type comes as a copy that is soon gone. */
	return bytes_within(slice->found, slice->body) &&
	       pb_read(stream, NULL, stream->bytes_left);
}

void codec_take(pb_callback_t *field, struct codec_slice *slice,
		struct bytes body)
{
	*slice = (struct codec_slice){.body = body};
	field->funcs.decode = take;
	field->arg = slice;
}
