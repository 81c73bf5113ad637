/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - the encoders. What does not encode is a bug of this program: all
 * that comes in here was made or checked by it. */
#include "raft/node/wire.h"
#include "raft/node/address.h"

#include <string.h>

#include "proto/codec.h"
#include "proto/raft.pb.h"

struct entries {
	struct entry *const *at;
	size_t count;
	bool with_term; /* an append's; proposals have neither term nor time */
};

static void encode(struct buffer *out, const pb_msgdesc_t *fields,
		   const void *message)
{
	codec_encode(out, fields, message, LIMIT_FRAME_BYTES);
}

static bool encode_entries(pb_ostream_t *stream, const pb_field_t *field,
			   void *const *arg)
{
	const struct entries *entries = *arg;

	for (size_t i = 0; i < entries->count; i++) {
		struct entry *e = entries->at[i];
		struct bytes data = entry_bytes(e);
		raft_Entry message = raft_Entry_init_zero;

		message.kind = (uint32_t)e->kind;
		message.term = entries->with_term ? e->term : 0;
		message.time_ns = entries->with_term ? e->time_ns : 0;
		codec_give(&message.data, &data);
		if (!pb_encode_tag_for_field(stream, field) ||
		    !pb_encode_submessage(stream, raft_Entry_fields,
					  &message)) {
			return false;
		}
	}
	return true;
}

static void copy_members(raft_Member *to, const struct wire_member *from,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		name_copy(to[i].name, sizeof to[i].name, from[i].name);
		name_copy(to[i].address, sizeof to[i].address, from[i].address);
		to[i].id = from[i].id;
		to[i].standing = (uint32_t)from[i].standing;
		to[i].replaces = from[i].replaces;
		to[i].stay = from[i].stay;
	}
}

void wire_encode_hello(struct buffer *out, const struct wire_hello *hello)
{
	raft_Hello message = raft_Hello_init_zero;

	message.level = hello->level;
	message.founded = hello->founded;
	if (hello->founded) {
		message.cluster.size = WIRE_CLUSTER_BYTES;
		memcpy(message.cluster.bytes, hello->cluster,
		       WIRE_CLUSTER_BYTES);
	}
	name_copy(message.name, sizeof message.name, hello->name);
	message.id = hello->id;
	message.boot = hello->boot;
	name_copy(message.target, sizeof message.target, hello->target);
	message.target_id = hello->target_id;
	name_copy(message.address, sizeof message.address, hello->address);
	message.joining = hello->joining;
	message.config = hello->config;
	message.repairing = hello->repairing;
	message.purpose = (uint32_t)hello->purpose;
	CHECK(hello->count <= LIMIT_VOTERS);
	message.members_count = (pb_size_t)hello->count;
	copy_members(message.members, hello->members, hello->count);
	encode(out, raft_Hello_fields, &message);
}

void wire_encode_config(struct buffer *out, const struct wire_config *config)
{
	raft_Config message = raft_Config_init_zero;

	CHECK(config->count <= LIMIT_PEERS);
	memcpy(message.cluster, config->cluster, WIRE_CLUSTER_BYTES);
	message.level = config->level;
	message.joint = config->joint;
	message.members_count = (pb_size_t)config->count;
	copy_members(message.members, config->members, config->count);
	encode(out, raft_Config_fields, &message);
}

void wire_encode_core(struct buffer *out, const struct raft_msg *msg,
		      struct entry *const *entries, size_t count)
{
	struct entries list = {entries, count, true};
	raft_Core message = raft_Core_init_zero;

	CHECK(count <= LIMIT_MESSAGE_ENTRIES);
	message.kind = (uint32_t)msg->kind;
	message.from = msg->from;
	message.to = msg->to;
	message.term = msg->term;
	message.pos_term = msg->pos.term;
	message.pos_index = msg->pos.index;
	message.last = msg->last;
	message.commit = msg->commit;
	message.settled = msg->settled;
	message.round = msg->round;
	message.repair = msg->repair;
	message.proof = msg->proof;
	message.reject = msg->reject;
	message.lease = msg->lease;
	message.transfer = msg->transfer;
	if (count > 0) {
		message.entries.funcs.encode = encode_entries;
		message.entries.arg = &list;
	}
	encode(out, raft_Core_fields, &message);
}

void wire_encode_propose(struct buffer *out, raft_term term,
			 struct entry *const *entries, size_t count)
{
	struct entries list = {entries, count, false};
	raft_Propose message = raft_Propose_init_zero;

	CHECK(count > 0 && count <= LIMIT_MESSAGE_ENTRIES);
	message.term = term;
	message.entries.funcs.encode = encode_entries;
	message.entries.arg = &list;
	encode(out, raft_Propose_fields, &message);
}

void wire_encode_refused(struct buffer *out, const struct wire_refused *refused)
{
	raft_Refused message = {
		.reason = refused->reason,
		.term = refused->term,
		.leader = refused->leader,
	};

	encode(out, raft_Refused_fields, &message);
}

void wire_encode_denied(struct buffer *out, const struct wire_denied *denied)
{
	raft_Denied message = {.reason = (uint32_t)denied->reason};

	memcpy(message.cluster, denied->cluster, WIRE_CLUSTER_BYTES);
	name_copy(message.name, sizeof message.name, denied->name);
	name_copy(message.address, sizeof message.address, denied->address);
	encode(out, raft_Denied_fields, &message);
}

void wire_encode_change(struct buffer *out, const struct wire_change *change)
{
	raft_Change message = {
		.ticket = change->ticket,
		.kind = (uint32_t)change->kind,
		.stay = change->stay,
		.asked = change->asked,
	};

	name_copy(message.name, sizeof message.name, change->name);
	name_copy(message.old, sizeof message.old, change->old);
	name_copy(message.address, sizeof message.address, change->address);
	encode(out, raft_Change_fields, &message);
}

void wire_encode_changed(struct buffer *out, const struct wire_changed *changed)
{
	raft_Changed message = {
		.ticket = changed->ticket,
		.status = changed->status,
		.asked = changed->asked,
		.index = changed->index,
	};

	name_copy(message.text, sizeof message.text, changed->text);
	encode(out, raft_Changed_fields, &message);
}
