/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_wire.c - whatever a peer sends is refused, or within every bound (W1
 * ... W4), and means the same when it is said again.
 *
 * The first byte is the kind of the frame, the rest its body. */
#include "raft/node/address.h"
#include "raft/node/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire_message first, again;
static struct entry *entries[LIMIT_MESSAGE_ENTRIES];

static void check_entries(const struct wire_message *m, struct bytes body)
{
	size_t bytes = 0;

	CHECK(m->count <= LIMIT_MESSAGE_ENTRIES);
	for (size_t i = 0; i < m->count; i++) {
		struct bytes data = m->entries[i].data;

		CHECK(data.size <= LIMIT_ENTRY_BYTES);
		CHECK(data.size == 0 ||
		      (data.data >= body.data &&
		       data.data + data.size <= body.data + body.size));
		bytes += data.size;
	}
	CHECK(bytes == m->payload_bytes);
	CHECK(m->count <= 1 || bytes <= LIMIT_MESSAGE_BYTES);
}

static void check_core(const struct wire_message *m)
{
	raft_term term = m->core.pos.term;

	CHECK(m->core.term > 0 && m->core.term < WIRE_NUMBER_MAX);
	CHECK(m->count == 0 || m->core.kind == RAFT_APPEND);
	if (m->core.kind == RAFT_APPEND) {
		CHECK(m->core.pos.index + m->count == m->core.last);
	}
	for (size_t i = 0; i < m->count; i++) {
		CHECK(m->entries[i].term >= term);
		term = m->entries[i].term;
	}
	CHECK(term <= m->core.term || m->core.kind != RAFT_APPEND);
}

static void check_members(const struct wire_member *members, size_t count)
{
	struct address address;

	for (size_t i = 0; i < count; i++) {
		CHECK(name_valid(members[i].name));
		CHECK(members[i].address[0] == 0 ||
		      address_parse(members[i].address, &address) == 0);
	}
}

static void make_entries(const struct wire_message *m)
{
	for (size_t i = 0; i < m->count; i++) {
		entries[i] =
			entry_new(m->entries[i].kind, m->entries[i].data.data,
				  m->entries[i].data.size);
		entries[i]->term = m->entries[i].term;
		entries[i]->time_ns = m->entries[i].time_ns;
	}
}

static void encode(const struct wire_message *m, struct buffer *out)
{
	make_entries(m);
	switch (m->kind) {
	case WIRE_HELLO:
		wire_encode_hello(out, &m->hello);
		break;
	case WIRE_FOUND:
	case WIRE_JOIN:
		wire_encode_config(out, &m->config);
		break;
	case WIRE_DENIED:
		wire_encode_denied(out, &m->denied);
		break;
	case WIRE_CHANGE:
		wire_encode_change(out, &m->change);
		break;
	case WIRE_CHANGED:
		wire_encode_changed(out, &m->changed);
		break;
	case WIRE_CORE:
		wire_encode_core(out, &m->core, entries, m->count);
		break;
	case WIRE_PROPOSE:
		wire_encode_propose(out, m->propose, entries, m->count);
		break;
	case WIRE_REFUSED:
		wire_encode_refused(out, &m->refused);
		break;
	case WIRE_OPAQUE:
	case WIRE_PING:
		break;
	}
	for (size_t i = 0; i < m->count; i++) {
		entry_unref(entries[i]);
	}
}

/* Encoded and decoded again, it encodes to the same bytes. */
static void check_again(const struct wire_message *m)
{
	struct buffer once = {0}, twice = {0};

	encode(m, &once);
	if (once.size > 0) {
		CHECK(wire_decode(buffer_bytes(&once), (uint8_t)m->kind,
				  &again) == 0);
		encode(&again, &twice);
		CHECK(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
	}
	buffer_deinit(&once);
	buffer_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct raft_members members;
	struct bytes body;

	if (size < 1) {
		return 0;
	}
	body = bytes_of(data + 1, size - 1);
	if (wire_decode(body, data[0] % (WIRE_CHANGED + 2), &first) != 0) {
		return 0;
	}
	check_entries(&first, body);
	switch (first.kind) {
	case WIRE_HELLO:
		CHECK(first.hello.count <= LIMIT_VOTERS);
		check_members(first.hello.members, first.hello.count);
		CHECK(name_valid(first.hello.name) && first.hello.id != 0);
		break;
	case WIRE_FOUND:
	case WIRE_JOIN:
		CHECK(first.config.count <= LIMIT_PEERS);
		check_members(first.config.members, first.config.count);
		config_members(&first.config, &members);
		CHECK(members.voter_count > 0);
		break;
	case WIRE_DENIED:
		CHECK(name_valid(first.denied.name));
		break;
	case WIRE_CHANGE:
		CHECK(first.change.kind == WIRE_CHANGE_TRANSFER ||
		      name_valid(first.change.name));
		break;
	case WIRE_CHANGED:
		CHECK(first.changed.status <= 0);
		break;
	case WIRE_CORE:
		check_core(&first);
		break;
	case WIRE_PROPOSE:
		CHECK(first.count > 0);
		break;
	case WIRE_REFUSED:
	case WIRE_OPAQUE:
	case WIRE_PING:
		break;
	}
	check_again(&first);
	return 0;
}
