/* SPDX-License-Identifier: Apache-2.0 */
/* snap_wire.c - the encoders. As in wire.c, what does not encode is a bug. */
#include "raft/node/snap_wire.h"

#include <string.h>

#include "proto/codec.h"
#include "proto/snap.pb.h"

static void encode(struct buffer *out, const pb_msgdesc_t *fields,
		   const void *message)
{
	codec_encode(out, fields, message, SNAP_FRAME_BYTES_MAX);
}

/* --- OFFER ---------------------------------------------------------------- */

struct files {
	const struct snap_file *at;
	size_t count;
};

static bool encode_files(pb_ostream_t *stream, const pb_field_t *field,
			 void *const *arg)
{
	const struct files *files = *arg;

	for (size_t i = 0; i < files->count; i++) {
		snap_File message = snap_File_init_zero;
		size_t size = strlen(files->at[i].name);

		CHECK(size < sizeof message.name);
		memcpy(message.name, files->at[i].name, size + 1);
		message.size = files->at[i].size;
		if (!pb_encode_tag_for_field(stream, field) ||
		    !pb_encode_submessage(stream, snap_File_fields, &message)) {
			return false;
		}
	}
	return true;
}

void snap_encode_offer(struct buffer *out, const struct snap_offer *offer,
		       const struct snap_file *files)
{
	struct files list = {files, offer->count};
	struct bytes members = offer->members;
	snap_Offer message = snap_Offer_init_zero;

	CHECK(offer->count > 0 && offer->count <= SNAP_FILES_MAX &&
	      members.size <= SNAP_MEMBERS_BYTES_MAX);
	message.term = offer->term;
	message.pos_term = offer->pos.term;
	message.pos_index = offer->pos.index;
	message.members_index = offer->members_index;
	codec_give(&message.members, &members);
	message.files.funcs.encode = encode_files;
	message.files.arg = &list;
	encode(out, snap_Offer_fields, &message);
}

/* --- HAVE ----------------------------------------------------------------- */

struct pieces {
	const struct snap_piece *at;
	size_t count;
};

static bool encode_pieces(pb_ostream_t *stream, const pb_field_t *field,
			  void *const *arg)
{
	const struct pieces *pieces = *arg;

	for (size_t i = 0; i < pieces->count; i++) {
		snap_Piece message = {
			.file = pieces->at[i].file,
			.size = pieces->at[i].size,
			.hash = pieces->at[i].hash,
		};

		if (!pb_encode_tag_for_field(stream, field) ||
		    !pb_encode_submessage(stream, snap_Piece_fields,
					  &message)) {
			return false;
		}
	}
	return true;
}

/* An empty message would be an empty body, which no frame has: hence the count,
 * plus one. */
void snap_encode_have(struct buffer *out, const struct snap_piece *pieces,
		      size_t count)
{
	struct pieces list = {pieces, count};
	snap_Have message = snap_Have_init_zero;

	CHECK(count <= SNAP_FILES_MAX);
	message.count = (uint32_t)count + 1;
	message.pieces.funcs.encode = encode_pieces;
	message.pieces.arg = &list;
	encode(out, snap_Have_fields, &message);
}

/* --- The small ones ------------------------------------------------------- */

void snap_encode_chunk(struct buffer *out, const struct snap_chunk *chunk,
		       uint64_t sum)
{
	struct bytes data = chunk->data;
	snap_Chunk message = snap_Chunk_init_zero;

	CHECK(data.size <= SNAP_CHUNK_BYTES);
	message.file = chunk->file;
	message.at = chunk->at;
	message.sum = sum;
	message.hash = chunk->hash;
	codec_give(&message.data, &data);
	encode(out, snap_Chunk_fields, &message);
}

void snap_encode_ack(struct buffer *out, uint64_t bytes)
{
	snap_Ack message = {.bytes = bytes};

	encode(out, snap_Ack_fields, &message);
}

void snap_encode_done(struct buffer *out)
{
	static const uint8_t done = 1;

	buffer_append(out, &done, sizeof done);
}

void snap_encode_verdict(struct buffer *out, const struct snap_verdict *verdict)
{
	snap_Verdict message = {
		.status = verdict->status,
		.index = verdict->index,
	};

	encode(out, snap_Verdict_fields, &message);
}
