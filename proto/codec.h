/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h - what the encoders and decoders of all rooms have in common. Pure.
 *
 * Messages are written straight behind what a buffer holds. Their long fields
 * (pb_callback_t, of bytes) are not copied: given, they are taken from where
 * they lie; decoded, they point into the body. */
#ifndef PROTO_CODEC_H
#define PROTO_CODEC_H

#include <pb_decode.h>
#include <pb_encode.h>

#include "base/bytes.h"

/* Append a message. It must encode, into at most bytes_max: else it is a bug
 * of who made it. */
void codec_encode(struct buffer *out, const pb_msgdesc_t *fields,
		  const void *message, size_t bytes_max);

/* The field has these bytes; bytes is lent until the message is encoded. An
 * empty field is left out. */
void codec_give(pb_callback_t *field, struct bytes *bytes);

struct codec_slice {
	struct bytes body;
	struct bytes found; /* in body; empty: the field did not come */
	unsigned seen;	    /* how often it came: the last one counts */
};

/* Find the field in what is decoded. slice is filled then, and lent until
 * then; the decoding fails when the field is of a wrong wire type. The stream
 * is body itself, whole. */
void codec_take(pb_callback_t *field, struct codec_slice *slice,
		struct bytes body);

#endif
