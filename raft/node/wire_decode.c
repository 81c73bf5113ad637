/* SPDX-License-Identifier: Apache-2.0 */
/* wire_decode.c - the decoders, and every bound of what comes from a peer.
 *
 * nanopb accepts most mutated bytes as some message, so that nothing is
 * believed here before it is checked (W1 ... W4). Payloads are not copied:
 * the stream is the body itself. */
#include <string.h>

#include "proto/codec.h"
#include "proto/raft.pb.h"
#include "raft/node/address.h"
#include "raft/node/config.h"

static bool number_valid(uint64_t number)
{
	return number < WIRE_NUMBER_MAX;
}

/* --- Entries -------------------------------------------------------------- */

static bool decode_entry(pb_istream_t *stream, const pb_field_t *field,
			 void **arg)
{
	struct wire_message *out = *arg;
	raft_Entry message = raft_Entry_init_zero;
	struct codec_slice data;
	struct wire_entry *e;

	(void)field;
	if (out->count == LIMIT_MESSAGE_ENTRIES) {
		return false;
	}
	e = &out->entries[out->count];
	codec_take(&message.data, &data, out->body);
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

/* --- Members ---------------------------------------------------------------
 */

static bool address_valid(const char *text)
{
	struct address address;

	return text[0] == 0 || address_parse(text, &address) == 0;
}

static bool read_members(const raft_Member *from, size_t count,
			 struct wire_member *to)
{
	for (size_t i = 0; i < count; i++) {
		if (!name_valid(from[i].name) ||
		    !address_valid(from[i].address) ||
		    from[i].standing > WIRE_INVITED) {
			return false;
		}
		name_copy(to[i].name, sizeof to[i].name, from[i].name);
		name_copy(to[i].address, sizeof to[i].address, from[i].address);
		to[i].id = from[i].id;
		to[i].standing = (enum wire_standing)from[i].standing;
		to[i].replaces = from[i].replaces;
		to[i].stay = from[i].stay;
	}
	return true;
}

static bool names_rise(const struct wire_member *members, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (strcmp(members[i - 1].name, members[i].name) >= 0) {
			return false;
		}
	}
	return true;
}

static bool cluster_valid(const uint8_t *cluster)
{
	static const uint8_t none[WIRE_CLUSTER_BYTES];

	return memcmp(cluster, none, sizeof none) != 0;
}

int wire_decode_config(struct bytes body, struct wire_config *out)
{
	raft_Config message = raft_Config_init_zero;
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);

	*out = (struct wire_config){0};
	if (body.size > WIRE_CONFIG_BYTES_MAX ||
	    !pb_decode(&stream, raft_Config_fields, &message) ||
	    !cluster_valid(message.cluster) ||
	    !read_members(message.members, message.members_count,
			  out->members)) {
		return STATUS_MALFORMED;
	}
	out->count = message.members_count;
	out->level = message.level;
	out->joint = message.joint;
	memcpy(out->cluster, message.cluster, WIRE_CLUSTER_BYTES);
	return config_valid(out) ? 0 : STATUS_MALFORMED;
}

/* --- Kinds ---------------------------------------------------------------- */

/* To whom is it said? Only who joins does not know yet. */
static bool target_valid(const raft_Hello *message)
{
	if (message->joining) {
		return !message->founded && message->target[0] == 0;
	}
	return name_valid(message->target);
}

static bool hello_valid(const raft_Hello *message)
{
	return name_valid(message->name) && target_valid(message) &&
	       address_valid(message->address) && message->id != 0 &&
	       message->boot != 0 && number_valid(message->config) &&
	       message->purpose <= WIRE_FOR_SNAPSHOT &&
	       message->cluster.size ==
		       (message->founded ? WIRE_CLUSTER_BYTES : 0) &&
	       (!message->founded || cluster_valid(message->cluster.bytes));
}

static bool decode_hello(pb_istream_t *stream, struct wire_hello *out)
{
	raft_Hello message = raft_Hello_init_zero;

	*out = (struct wire_hello){0};
	if (!pb_decode(stream, raft_Hello_fields, &message) ||
	    !hello_valid(&message) ||
	    !read_members(message.members, message.members_count,
			  out->members) ||
	    !names_rise(out->members, message.members_count)) {
		return false;
	}
	out->count = message.members_count;
	out->founded = message.founded;
	memcpy(out->cluster, message.cluster.bytes, message.cluster.size);
	name_copy(out->address, sizeof out->address, message.address);
	out->joining = message.joining;
	out->config = message.config;
	out->repairing = message.repairing;
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
	    message.kind <= RAFT_MSG_NONE || message.kind > RAFT_TIMEOUT_NOW ||
	    message.from == 0 || message.to == 0 ||
	    !number_valid(message.term) || message.term == 0 ||
	    !number_valid(message.pos_term) ||
	    !number_valid(message.pos_index) || !number_valid(message.last) ||
	    !number_valid(message.commit) || !number_valid(message.settled) ||
	    !number_valid(message.proof)) {
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
		.repair = message.repair,
		.proof = message.proof,
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

static bool decode_denied(pb_istream_t *stream, struct wire_denied *out)
{
	raft_Denied message = raft_Denied_init_zero;

	if (!pb_decode(stream, raft_Denied_fields, &message) ||
	    message.reason < WIRE_DENIED_LATER ||
	    message.reason > WIRE_DENIED_UNKNOWN ||
	    !cluster_valid(message.cluster) || !name_valid(message.name) ||
	    !address_valid(message.address)) {
		return false;
	}
	*out = (struct wire_denied){
		.reason = (enum wire_denial)message.reason,
	};
	memcpy(out->cluster, message.cluster, WIRE_CLUSTER_BYTES);
	name_copy(out->name, sizeof out->name, message.name);
	name_copy(out->address, sizeof out->address, message.address);
	return true;
}

/* A name where there is one to be, else none. */
static bool word_valid(const char *text, bool wanted)
{
	return wanted ? name_valid(text) : text[0] == 0;
}

bool wire_change_valid(const struct wire_change *change)
{
	enum wire_change_kind kind = change->kind;
	bool replace = kind == WIRE_CHANGE_REPLACE;
	bool address = replace || kind == WIRE_CHANGE_ADD ||
		       kind == WIRE_CHANGE_ADDRESS;
	bool name = kind != WIRE_CHANGE_TRANSFER || change->name[0] != 0;

	return change->ticket != 0 && kind >= WIRE_CHANGE_ADD &&
	       kind <= WIRE_CHANGE_UNINVITE && word_valid(change->name, name) &&
	       word_valid(change->old, replace) &&
	       (change->address[0] != 0) == address &&
	       address_valid(change->address) &&
	       (!change->stay || kind == WIRE_CHANGE_ADD);
}

static bool decode_change(pb_istream_t *stream, struct wire_change *out)
{
	raft_Change message = raft_Change_init_zero;

	if (!pb_decode(stream, raft_Change_fields, &message) ||
	    message.kind > WIRE_CHANGE_UNINVITE) {
		return false;
	}
	*out = (struct wire_change){
		.ticket = message.ticket,
		.kind = (enum wire_change_kind)message.kind,
		.stay = message.stay,
		.asked = message.asked,
	};
	name_copy(out->name, sizeof out->name, message.name);
	name_copy(out->old, sizeof out->old, message.old);
	name_copy(out->address, sizeof out->address, message.address);
	return wire_change_valid(out);
}

static bool decode_changed(pb_istream_t *stream, struct wire_changed *out)
{
	raft_Changed message = raft_Changed_init_zero;

	if (!pb_decode(stream, raft_Changed_fields, &message) ||
	    message.ticket == 0 || message.status > 0 ||
	    message.status < STATUS_IO || !number_valid(message.index)) {
		return false;
	}
	for (const char *at = message.text; *at != 0; at++) {
		if (*at < ' ' || *at > '~') {
			return false;
		}
	}
	*out = (struct wire_changed){
		.ticket = message.ticket,
		.status = message.status,
		.asked = message.asked,
		.index = message.index,
	};
	name_copy(out->text, sizeof out->text, message.text);
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
	case WIRE_JOIN:
		return wire_decode_config(body, &out->config) == 0;
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
	case WIRE_DENIED:
		return decode_denied(&stream, &out->denied);
	case WIRE_CHANGE:
		return decode_change(&stream, &out->change);
	case WIRE_CHANGED:
		return decode_changed(&stream, &out->changed);
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
