/* SPDX-License-Identifier: Apache-2.0 */
/* snap_wire_decode.c - the decoders, and every bound of what comes. */
#include <string.h>
#include <xxhash.h>

#include "proto/codec.h"
#include "proto/snap.pb.h"
#include "raft/node/snap_wire.h"
#include "raft/node/wire.h"

static bool number_valid(uint64_t number)
{
	return number < WIRE_NUMBER_MAX;
}

bool snap_name_valid(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > SNAP_NAME_BYTES || name[0] == '.') {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '.' || c == '-' ||
		      c == '_')) {
			return false;
		}
	}
	return true;
}

/* --- OFFER ---------------------------------------------------------------- */

static bool decode_file(pb_istream_t *stream, const pb_field_t *field,
			void **arg)
{
	struct snap_message *out = *arg;
	struct snap_offer *offer = &out->offer;
	snap_File message = snap_File_init_zero;
	struct snap_file *file;

	(void)field;
	if (offer->count == SNAP_FILES_MAX ||
	    !pb_decode(stream, snap_File_fields, &message) ||
	    !snap_name_valid(message.name) ||
	    message.size > SNAP_BYTES_MAX - offer->bytes) {
		return false;
	}
	file = &out->files[offer->count];
	if (offer->count > 0 && strcmp(file[-1].name, message.name) >= 0) {
		return false;
	}
	memcpy(file->name, message.name, sizeof file->name);
	file->size = message.size;
	offer->bytes += message.size;
	offer->count++;
	return true;
}

static bool decode_offer(pb_istream_t *stream, struct bytes body,
			 struct snap_message *out)
{
	struct codec_slice members;
	snap_Offer message = snap_Offer_init_zero;

	out->offer = (struct snap_offer){0};
	codec_take(&message.members, &members, body);
	message.files.funcs.decode = decode_file;
	message.files.arg = out;
	if (!pb_decode(stream, snap_Offer_fields, &message) ||
	    out->offer.count == 0 || !number_valid(message.term) ||
	    !number_valid(message.pos_index) || message.pos_index == 0 ||
	    message.pos_term == 0 || message.pos_term > message.term ||
	    message.members_index == 0 ||
	    message.members_index > message.pos_index ||
	    members.found.size == 0 ||
	    members.found.size > SNAP_MEMBERS_BYTES_MAX) {
		return false;
	}
	out->offer.term = message.term;
	out->offer.pos.term = message.pos_term;
	out->offer.pos.index = message.pos_index;
	out->offer.members_index = message.members_index;
	out->offer.members = members.found;
	return true;
}

/* --- HAVE ----------------------------------------------------------------- */

static bool decode_piece(pb_istream_t *stream, const pb_field_t *field,
			 void **arg)
{
	struct snap_message *out = *arg;
	struct snap_piece *piece = &out->piece[out->pieces];
	snap_Piece message = snap_Piece_init_zero;

	(void)field;
	if (out->pieces == SNAP_FILES_MAX ||
	    !pb_decode(stream, snap_Piece_fields, &message) ||
	    message.file >= SNAP_FILES_MAX || message.size == 0 ||
	    message.size > SNAP_BYTES_MAX ||
	    (out->pieces > 0 && piece[-1].file >= message.file)) {
		return false;
	}
	*piece = (struct snap_piece){
		.file = message.file,
		.size = message.size,
		.hash = message.hash,
	};
	out->pieces++;
	return true;
}

static bool decode_have(pb_istream_t *stream, struct snap_message *out)
{
	snap_Have message = snap_Have_init_zero;

	out->pieces = 0;
	message.pieces.funcs.decode = decode_piece;
	message.pieces.arg = out;
	return pb_decode(stream, snap_Have_fields, &message) &&
	       message.count == out->pieces + 1;
}

/* --- The small ones ------------------------------------------------------- */

static int decode_chunk(pb_istream_t *stream, struct bytes body,
			struct snap_chunk *out)
{
	struct codec_slice data;
	snap_Chunk message = snap_Chunk_init_zero;

	codec_take(&message.data, &data, body);
	if (!pb_decode(stream, snap_Chunk_fields, &message) ||
	    message.file >= SNAP_FILES_MAX ||
	    data.found.size > SNAP_CHUNK_BYTES || message.at > SNAP_BYTES_MAX) {
		return STATUS_MALFORMED;
	}
	*out = (struct snap_chunk){
		.file = message.file,
		.at = message.at,
		.hash = message.hash,
		.data = data.found,
	};
	return XXH3_64bits(data.found.data, data.found.size) == message.sum
		       ? 0
		       : STATUS_CORRUPT;
}

static bool decode_ack(pb_istream_t *stream, uint64_t *out)
{
	snap_Ack message = snap_Ack_init_zero;

	if (!pb_decode(stream, snap_Ack_fields, &message) ||
	    message.bytes == 0 || message.bytes > SNAP_BYTES_MAX) {
		return false;
	}
	*out = message.bytes;
	return true;
}

static bool decode_verdict(pb_istream_t *stream, struct snap_verdict *out)
{
	snap_Verdict message = snap_Verdict_init_zero;

	if (!pb_decode(stream, snap_Verdict_fields, &message) ||
	    message.status > 0 || message.status < STATUS_IO ||
	    !number_valid(message.index) ||
	    (message.status == 0 && message.index == 0)) {
		return false;
	}
	out->status = message.status;
	out->index = message.index;
	return true;
}

static bool decode(pb_istream_t *stream, struct bytes body,
		   struct snap_message *out)
{
	switch (out->kind) {
	case SNAP_OFFER:
		return decode_offer(stream, body, out);
	case SNAP_HAVE:
		return decode_have(stream, out);
	case SNAP_ACK:
		return decode_ack(stream, &out->ack);
	case SNAP_DONE:
		return body.size == 1;
	case SNAP_VERDICT:
		return decode_verdict(stream, &out->verdict);
	case SNAP_CHUNK:
		break;
	}
	return false;
}

int snap_decode(struct bytes body, uint8_t kind, struct snap_message *out)
{
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);

	out->kind = (enum snap_kind)kind;
	if (body.size > SNAP_FRAME_BYTES_MAX) {
		return STATUS_MALFORMED;
	}
	if (kind == SNAP_CHUNK) {
		return decode_chunk(&stream, body, &out->chunk);
	}
	return decode(&stream, body, out) ? 0 : STATUS_MALFORMED;
}
