/* SPDX-License-Identifier: Apache-2.0 */
/* wire_decode.c - the decoders, and every bound of what comes from a peer.
 *
 * nanopb accepts most mutated bytes as some message, so that nothing is
 * believed here before it is checked (W1 ... W4). Payloads are not copied:
 * the stream is the body itself. */
#include <pb_decode.h>
#include <string.h>

#include "proto/raft.pb.h"
#include "raft/node/address.h"
#include "raft/node/wire.h"

static bool number_valid(uint64_t number)
{
	return number < WIRE_NUMBER_MAX;
}

/* --- Entries -------------------------------------------------------------- */

struct data {
	struct bytes body;
	struct bytes found;
};

/* A field of a wrong wire type comes as a copy that is soon gone. */
static bool decode_data(pb_istream_t *stream, const pb_field_t *field,
			void **arg)
{
	struct data *data = *arg;

	(void)field;
	data->found = bytes_of(stream->state, stream->bytes_left);
	return bytes_within(data->found, data->body) &&
	       pb_read(stream, NULL, stream->bytes_left);
}

static bool decode_entry(pb_istream_t *stream, const pb_field_t *field,
			 void **arg)
{
	struct wire_message *out = *arg;
	raft_Entry message = raft_Entry_init_zero;
	struct data data = {.body = out->body};
	struct wire_entry *e;

	(void)field;
	if (out->count == LIMIT_MESSAGE_ENTRIES) {
		return false;
	}
	e = &out->entries[out->count];
	message.data.funcs.decode = decode_data;
	message.data.arg = &data;
	if (!pb_decode(stream, raft_Entry_fields, &message) ||
	    message.kind < ENTRY_NOOP || message.kind > ENTRY_COMMAND ||
	    data.found.size > LIMIT_ENTRY_BYTES ||
	    !number_valid(message.term)) {
		return false;
	}
	if (message.kind == ENTRY_NOOP && data.found.size > 0) {
		return false;
	}
	*e = (struct wire_entry){
		.kind = (enum entry_kind)message.kind,
		.term = message.term,
		.time_ns = message.time_ns,
		.data = data.found,
	};
	out->payload_bytes += e->data.size;
	out->count++;
	return out->count == 1 || out->payload_bytes <= LIMIT_MESSAGE_BYTES;
}

/* --- Members and founding ------------------------------------------------- */

static bool address_valid(const char *text)
{
	struct address address;

	return text[0] == 0 || address_parse(text, &address) == 0;
}

static bool read_members(const raft_Member *from, size_t count,
			 struct wire_member *to)
{
	if (count > LIMIT_VOTERS) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!name_valid(from[i].name) ||
		    !address_valid(from[i].address)) {
			return false;
		}
		if (i > 0 && strcmp(from[i - 1].name, from[i].name) >= 0) {
			return false;
		}
		name_copy(to[i].name, sizeof to[i].name, from[i].name);
		name_copy(to[i].address, sizeof to[i].address, from[i].address);
		to[i].id = from[i].id;
	}
	return true;
}

static bool ids_valid(const struct wire_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (members[i].id == 0) {
			return false;
		}
		for (size_t j = 0; j < i; j++) {
			if (members[i].id == members[j].id) {
				return false;
			}
		}
	}
	return true;
}

int wire_decode_founding(struct bytes body, struct wire_founding *out)
{
	static const uint8_t none[WIRE_CLUSTER_BYTES];
	raft_Founding message = raft_Founding_init_zero;
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);

	*out = (struct wire_founding){0};
	if (body.size > WIRE_FOUNDING_BYTES_MAX ||
	    !pb_decode(&stream, raft_Founding_fields, &message) ||
	    !read_members(message.members, message.members_count,
			  out->members) ||
	    message.members_count == 0 ||
	    !ids_valid(out->members, message.members_count) ||
	    memcmp(message.cluster, none, sizeof none) == 0) {
		return STATUS_MALFORMED;
	}
	out->count = message.members_count;
	out->level = message.level;
	memcpy(out->cluster, message.cluster, WIRE_CLUSTER_BYTES);
	return 0;
}

/* --- Kinds ---------------------------------------------------------------- */

static bool decode_hello(pb_istream_t *stream, struct wire_hello *out)
{
	static const uint8_t none[WIRE_CLUSTER_BYTES];
	raft_Hello message = raft_Hello_init_zero;

	*out = (struct wire_hello){0};
	if (!pb_decode(stream, raft_Hello_fields, &message) ||
	    !name_valid(message.name) || !name_valid(message.target) ||
	    message.id == 0 || message.boot == 0 ||
	    message.purpose > WIRE_FOR_SNAPSHOT ||
	    message.cluster.size !=
		    (message.founded ? WIRE_CLUSTER_BYTES : 0) ||
	    !read_members(message.members, message.members_count,
			  out->members)) {
		return false;
	}
	out->count = message.members_count;
	out->founded = message.founded;
	if (out->founded) {
		memcpy(out->cluster, message.cluster.bytes, WIRE_CLUSTER_BYTES);
		if (memcmp(out->cluster, none, sizeof none) == 0 ||
		    !ids_valid(out->members, out->count)) {
			return false;
		}
	}
	out->level = message.level;
	name_copy(out->name, sizeof out->name, message.name);
	out->id = message.id;
	out->boot = message.boot;
	name_copy(out->target, sizeof out->target, message.target);
	out->target_id = message.target_id;
	out->purpose = (enum wire_purpose)message.purpose;
	return true;
}

/* W2, and that only an append carries entries. */
static bool append_valid(const struct wire_message *out)
{
	const struct raft_msg *msg = &out->core;
	raft_term term = msg->pos.term;

	if (msg->kind != RAFT_APPEND) {
		return out->count == 0;
	}
	if (msg->last < msg->pos.index ||
	    msg->last - msg->pos.index != out->count ||
	    msg->pos.term > msg->term ||
	    (msg->pos.index == 0) != (msg->pos.term == 0)) {
		return false;
	}
	for (size_t i = 0; i < out->count; i++) {
		if (out->entries[i].term < term || out->entries[i].term == 0 ||
		    out->entries[i].term > msg->term) {
			return false;
		}
		term = out->entries[i].term;
	}
	return true;
}

static bool decode_core(pb_istream_t *stream, struct wire_message *out)
{
	raft_Core message = raft_Core_init_zero;

	message.entries.funcs.decode = decode_entry;
	message.entries.arg = out;
	if (!pb_decode(stream, raft_Core_fields, &message) ||
	    message.kind <= RAFT_MSG_NONE || message.kind > RAFT_READ_REPLY ||
	    message.from == 0 || message.to == 0 ||
	    !number_valid(message.term) || message.term == 0 ||
	    !number_valid(message.pos_term) ||
	    !number_valid(message.pos_index) || !number_valid(message.last) ||
	    !number_valid(message.commit) || !number_valid(message.settled)) {
		return false;
	}
	out->core = (struct raft_msg){
		.kind = (enum raft_msg_kind)message.kind,
		.from = message.from,
		.to = message.to,
		.term = message.term,
		.pos = {.term = message.pos_term, .index = message.pos_index},
		.last = message.last,
		.commit = message.commit,
		.settled = message.settled,
		.round = message.round,
		.reject = message.reject,
		.lease = message.lease,
		.transfer = message.transfer,
	};
	return append_valid(out);
}

static bool decode_propose(pb_istream_t *stream, struct wire_message *out)
{
	raft_Propose message = raft_Propose_init_zero;

	message.entries.funcs.decode = decode_entry;
	message.entries.arg = out;
	if (!pb_decode(stream, raft_Propose_fields, &message) ||
	    out->count == 0 || !number_valid(message.term)) {
		return false;
	}
	for (size_t i = 0; i < out->count; i++) {
		if (out->entries[i].kind != ENTRY_COMMAND) {
			return false;
		}
	}
	out->propose = message.term;
	return true;
}

static bool decode_refused(pb_istream_t *stream, struct wire_refused *out)
{
	raft_Refused message = raft_Refused_init_zero;

	if (!pb_decode(stream, raft_Refused_fields, &message) ||
	    !number_valid(message.term) ||
	    (message.reason != STATUS_NOT_LEADER &&
	     message.reason != STATUS_FULL)) {
		return false;
	}
	out->reason = message.reason;
	out->term = message.term;
	out->leader = message.leader;
	return true;
}

static bool decode(struct bytes body, struct wire_message *out)
{
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);

	switch (out->kind) {
	case WIRE_HELLO:
		return body.size <= WIRE_HELLO_BYTES_MAX &&
		       decode_hello(&stream, &out->hello);
	case WIRE_FOUND:
		return wire_decode_founding(body, &out->found) == 0;
	case WIRE_CORE:
		return decode_core(&stream, out);
	case WIRE_PROPOSE:
		return decode_propose(&stream, out);
	case WIRE_REFUSED:
		return decode_refused(&stream, &out->refused);
	case WIRE_OPAQUE:
		out->opaque = body;
		return body.size <= WIRE_OPAQUE_BYTES_MAX;
	case WIRE_PING:
		return body.size == 1;
	}
	return false;
}

int wire_decode(struct bytes body, uint8_t kind, struct wire_message *out)
{
	out->kind = (enum wire_kind)kind;
	out->body = body;
	out->count = 0;
	out->payload_bytes = 0;
	return decode(body, out) ? 0 : STATUS_MALFORMED;
}
