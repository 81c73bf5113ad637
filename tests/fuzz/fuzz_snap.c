/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_snap.c - whatever a peer says about a snapshot is refused, or within
 * every bound (SW1 ... SW3), and means the same when it is said again.
 *
 * The first byte is the kind of the frame, the rest its body. */
#include "base/status.h"
#include "raft/node/snap_wire.h"
#include "raft/node/wire.h"

#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct snap_message first, again;

static void check_offer(const struct snap_message *m, struct bytes body)
{
	uint64_t bytes = 0;

	CHECK(m->offer.count > 0 && m->offer.count <= SNAP_FILES_MAX);
	for (size_t i = 0; i < m->offer.count; i++) {
		CHECK(snap_name_valid(m->files[i].name));
		CHECK(strchr(m->files[i].name, '/') == NULL);
		CHECK(i == 0 ||
		      strcmp(m->files[i - 1].name, m->files[i].name) < 0);
		bytes += m->files[i].size;
	}
	CHECK(bytes == m->offer.bytes && bytes <= SNAP_BYTES_MAX);
	CHECK(bytes_within(m->offer.members, body));
	CHECK(m->offer.members_index > 0 &&
	      m->offer.members_index <= m->offer.pos.index);
	CHECK(m->offer.pos.term <= m->offer.term &&
	      m->offer.term < WIRE_NUMBER_MAX);
}

static void check_have(const struct snap_message *m)
{
	CHECK(m->pieces <= SNAP_FILES_MAX);
	for (size_t i = 0; i < m->pieces; i++) {
		CHECK(m->piece[i].file < SNAP_FILES_MAX);
		CHECK(m->piece[i].size > 0 &&
		      m->piece[i].size <= SNAP_BYTES_MAX);
		CHECK(i == 0 || m->piece[i - 1].file < m->piece[i].file);
	}
}

static void encode(const struct snap_message *m, struct buffer *out)
{
	switch (m->kind) {
	case SNAP_OFFER:
		snap_encode_offer(out, &m->offer, m->files);
		break;
	case SNAP_HAVE:
		snap_encode_have(out, m->piece, m->pieces);
		break;
	case SNAP_CHUNK:
		snap_encode_chunk(out, &m->chunk,
				  XXH3_64bits(m->chunk.data.data,
					      m->chunk.data.size));
		break;
	case SNAP_ACK:
		snap_encode_ack(out, m->ack);
		break;
	case SNAP_DONE:
		snap_encode_done(out);
		break;
	case SNAP_VERDICT:
		snap_encode_verdict(out, &m->verdict);
		break;
	}
}

/* Encoded and decoded again, it encodes to the same bytes. */
static void check_again(const struct snap_message *m)
{
	struct buffer once = {0}, twice = {0};

	encode(m, &once);
	CHECK(once.size > 0 && once.size <= SNAP_FRAME_BYTES_MAX);
	CHECK(snap_decode(buffer_bytes(&once), (uint8_t)m->kind, &again) == 0);
	encode(&again, &twice);
	CHECK(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
	buffer_deinit(&once);
	buffer_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body;

	if (size < 1) {
		return 0;
	}
	body = bytes_of(data + 1, size - 1);
	if (snap_decode(body, (uint8_t)(SNAP_OFFER + data[0] % 7), &first) !=
	    0) {
		return 0;
	}
	switch (first.kind) {
	case SNAP_OFFER:
		check_offer(&first, body);
		break;
	case SNAP_HAVE:
		check_have(&first);
		break;
	case SNAP_CHUNK:
		CHECK(first.chunk.file < SNAP_FILES_MAX);
		CHECK(first.chunk.data.size <= SNAP_CHUNK_BYTES);
		break;
	case SNAP_ACK:
		CHECK(first.ack > 0 && first.ack <= SNAP_BYTES_MAX);
		break;
	case SNAP_DONE:
		break;
	case SNAP_VERDICT:
		CHECK(first.verdict.status <= 0);
		break;
	}
	check_again(&first);
	return 0;
}
