/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - kv.proto to structs and back.
 *
 * An operation is laid behind a header of fixed size when it is proposed and
 * stamped when it is handed over, so that its bytes are copied only once. The
 * layout is what any encoder of kv.Command would write: all three numbers of
 * an operation are above 0, so none is left out. */
#include "kv/command.h"

#include <string.h>

#include "proto/codec.h"
#include "proto/kv.pb.h"

enum {
	OPERATION_TAG = kv_Command_operation_tag << 3 | PB_WT_STRING,
	PEER_BYTES_MAX = COMMAND_HELD * sizeof(uint64_t) + 128,
};

/* --- Commands ------------------------------------------------------------- */

static int operation_check(struct command *c, const kv_Command *m,
			   struct bytes operation)
{
	*c = (struct command){
		.kind = COMMAND_OPERATION,
		.session = m->session,
		.number = m->number,
		.low = m->low,
		.operation = operation,
	};
	return m->session == 0 || m->low == 0 || m->low > m->number ||
			       m->number - m->low >= LIMIT_WINDOW_PROPOSALS
		       ? STATUS_MALFORMED
		       : 0;
}

int command_decode(struct command *c, struct bytes payload)
{
	struct codec_slice operation;
	struct codec_slice birth;
	kv_Command m = kv_Command_init_zero;
	pb_istream_t in = pb_istream_from_buffer(payload.data, payload.size);

	codec_take(&m.operation, &operation, payload);
	codec_take(&m.birth, &birth, payload);
	if (!pb_decode(&in, kv_Command_fields, &m) ||
	    operation.seen + birth.seen + m.has_open + m.has_end != 1) {
		return STATUS_MALFORMED;
	}
	if (operation.seen == 1) {
		return operation_check(c, &m, operation.found);
	}
	if (m.session != 0 || m.number != 0 || m.low != 0) {
		return STATUS_MALFORMED;
	}
	if (birth.seen == 1) {
		*c = (struct command){
			.kind = COMMAND_BIRTH,
			.operation = birth.found,
		};
		return 0;
	}
	if (m.has_end) {
		*c = (struct command){
			.kind = COMMAND_END,
			.session = m.end.session,
		};
		return 0;
	}
	*c = (struct command){
		.kind = COMMAND_OPEN,
		.owner = {m.open.incarnation, m.open.boot, m.open.opening},
	};
	return m.open.incarnation == 0 ? STATUS_MALFORMED : 0;
}

struct entry *command_operation(struct bytes operation)
{
	uint8_t head[6] = {OPERATION_TAG};
	pb_ostream_t out = pb_ostream_from_buffer(head + 1, sizeof head - 1);
	struct entry *e;
	uint8_t *at;
	bool encoded;

	CHECK(operation.size <= COMMAND_OPERATION_BYTES);
	encoded = pb_encode_varint(&out, operation.size);
	CHECK(encoded);
	e = entry_new(ENTRY_COMMAND, NULL,
		      COMMAND_HEADER_BYTES + 1 + out.bytes_written +
			      operation.size);
	at = e->data + COMMAND_HEADER_BYTES;
	memcpy(at, head, 1 + out.bytes_written);
	if (operation.size > 0) {
		memcpy(at + 1 + out.bytes_written, operation.data,
		       operation.size);
	}
	return e;
}

void command_stamp(struct entry *e, uint64_t session, uint64_t number,
		   uint64_t low)
{
	kv_Command m = kv_Command_init_zero;
	pb_ostream_t out =
		pb_ostream_from_buffer(e->data, COMMAND_HEADER_BYTES);
	bool encoded;

	CHECK(session > 0 && low > 0 && low <= number);
	m.session = session;
	m.number = number;
	m.low = low;
	encoded = pb_encode(&out, kv_Command_fields, &m);
	CHECK(encoded && out.bytes_written == COMMAND_HEADER_BYTES);
}

static struct entry *encoded_entry(const kv_Command *m)
{
	size_t size = 0;
	bool encoded = pb_get_encoded_size(&size, kv_Command_fields, m);
	struct entry *e;
	pb_ostream_t out;

	CHECK(encoded);
	e = entry_new(ENTRY_COMMAND, NULL, size);
	out = pb_ostream_from_buffer(e->data, size);
	encoded = pb_encode(&out, kv_Command_fields, m);
	CHECK(encoded);
	return e;
}

struct entry *command_open(const struct session_owner *owner)
{
	kv_Command m = kv_Command_init_zero;

	m.has_open = true;
	m.open = (kv_Open){owner->incarnation, owner->boot, owner->opening};
	return encoded_entry(&m);
}

struct entry *command_end(uint64_t session)
{
	kv_Command m = kv_Command_init_zero;

	m.has_end = true;
	m.end.session = session;
	return encoded_entry(&m);
}

struct entry *command_birth(struct bytes operation)
{
	kv_Command m = kv_Command_init_zero;

	CHECK(operation.size > 0);
	codec_give(&m.birth, &operation);
	return encoded_entry(&m);
}

/* --- Between nodes -------------------------------------------------------- */

static void peer_encode(const kv_Peer *m, struct buffer *out)
{
	codec_encode(out, kv_Peer_fields, m, PEER_BYTES_MAX);
}

void alive_encode(const struct alive *a, struct buffer *out)
{
	struct bytes held = a->held;
	kv_Peer m = kv_Peer_init_zero;

	CHECK(a->held.size <= COMMAND_HELD * sizeof(uint64_t));
	m.has_alive = true;
	m.alive.session = a->session;
	m.alive.sent_ms = a->sent_ms;
	m.alive.applied = a->applied;
	m.alive.many = a->many;
	m.alive.low = a->low;
	codec_give(&m.alive.held, &held);
	peer_encode(&m, out);
}

void heard_encode(const struct heard *h, struct buffer *out)
{
	kv_Peer m = kv_Peer_init_zero;

	m.has_heard = true;
	m.heard.session = h->session;
	m.heard.sent_ms = h->sent_ms;
	m.heard.full = h->full;
	m.heard.session_ms = h->session_ms;
	peer_encode(&m, out);
}

int peer_decode(struct bytes message, enum peer_kind *kind, struct alive *a,
		struct heard *h)
{
	struct codec_slice held;
	kv_Peer m = kv_Peer_init_zero;
	pb_istream_t in = pb_istream_from_buffer(message.data, message.size);

	codec_take(&m.alive.held, &held, message);
	if (!pb_decode(&in, kv_Peer_fields, &m) ||
	    m.has_alive + m.has_heard != 1 || held.seen > 1 ||
	    held.found.size % sizeof(uint64_t) != 0 ||
	    held.found.size > COMMAND_HELD * sizeof(uint64_t)) {
		return STATUS_MALFORMED;
	}
	if (m.has_heard) {
		*kind = PEER_HEARD;
		*h = (struct heard){m.heard.session, m.heard.sent_ms,
				    m.heard.full, m.heard.session_ms};
		return 0;
	}
	*kind = PEER_ALIVE;
	*a = (struct alive){
		.session = m.alive.session,
		.sent_ms = m.alive.sent_ms,
		.applied = m.alive.applied,
		.many = m.alive.many,
		.low = m.alive.low,
		.held = held.found,
	};
	return 0;
}
