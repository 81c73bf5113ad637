/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: what one node encodes the other decodes to the same, and nothing
 * that is out of bounds gets past the decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/wire.h"

static struct wire_message message; /* large: not on the stack */

static struct entry *GIVEN_ENTRY(enum entry_kind kind, raft_index index,
				 raft_term term, const char *text)
{
	struct entry *e = entry_new(kind, text, strlen(text));

	e->index = index;
	e->term = term;
	e->time_ns = 1000 + index;
	return e;
}

static struct raft_msg GIVEN_APPEND(raft_index after, raft_index last) {
	return (struct raft_msg){
		.kind = RAFT_APPEND,
		.from = 0xa1,
		.to = 0xb2,
		.term = 7,
		.pos = {.term = after > 0 ? 5 : 0, .index = after},
		.last = last,
		.commit = 9,
		.settled = 4,
		.round = 3,
	};
}

/* Encode an append of the entries and decode it again. */
static int
through(const struct raft_msg *msg, struct entry **entries, size_t count)
{
	static struct buffer body;
	int rc;

	buffer_reset(&body);
	wire_encode_core(&body, msg, entries, count);
	rc = wire_decode(buffer_bytes(&body), WIRE_CORE, &message);
	for (size_t i = 0; i < count; i++) {
		entry_unref(entries[i]);
	}
	if (rc != 0) {
		buffer_deinit(&body);
	}
	return rc;
}

static struct wire_hello GIVEN_HELLO(void) {
	struct wire_hello hello = {
		.level = WIRE_LEVEL,
		.name = "n1",
		.id = 0x1111222233334444,
		.boot = 3,
		.target = "n2",
		.target_id = 5,
		.count = 2,
		.members = {{.name = "n1",
			     .id = 0,
			     .address = "127.0.0.1:7001"},
			    {.name = "n2", .id = 0, .address = "[::1]:7002"}},
	};

	return hello;
}

static int
hello_through(const struct wire_hello *hello)
{
	struct buffer body = {0};
	int rc;

	wire_encode_hello(&body, hello);
	rc = wire_decode(buffer_bytes(&body), WIRE_HELLO, &message);
	buffer_deinit(&body);
	return rc;
}

static void assert_same(const struct raft_msg *a, const struct raft_msg *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->to, b->to);
	assert_int_equal(a->term, b->term);
	assert_int_equal(a->pos.term, b->pos.term);
	assert_int_equal(a->pos.index, b->pos.index);
	assert_int_equal(a->last, b->last);
	assert_int_equal(a->commit, b->commit);
	assert_int_equal(a->settled, b->settled);
	assert_int_equal(a->round, b->round);
	assert_int_equal(a->reject, b->reject);
	assert_int_equal(a->lease, b->lease);
	assert_int_equal(a->transfer, b->transfer);
}

static void append_comes_through_whole(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 12);
	struct entry *entries[] = {GIVEN_ENTRY(ENTRY_COMMAND, 11, 5, "one"),
				   GIVEN_ENTRY(ENTRY_NOOP, 12, 7, "")};
	(void)state;

	assert_int_equal(through(&msg, entries, 2), 0);

	assert_same(&message.core, &msg);
	assert_int_equal(message.count, 2);
	assert_int_equal(message.payload_bytes, 3);
	assert_int_equal(message.entries[0].kind, ENTRY_COMMAND);
	assert_int_equal(message.entries[0].term, 5);
	assert_int_equal(message.entries[0].time_ns, 1011);
	assert_memory_equal(message.entries[0].data.data, "one", 3);
	assert_int_equal(message.entries[1].kind, ENTRY_NOOP);
	assert_int_equal(message.entries[1].term, 7);
	assert_int_equal(message.entries[1].data.size, 0);
}

static void every_field_of_a_reply_comes_through(void **state)
{
	struct raft_msg msg = {
		.kind = RAFT_READ_REPLY,
		.from = UINT64_MAX,
		.to = 1,
		.term = WIRE_NUMBER_MAX - 1,
		.pos = {2, 3},
		.last = 4,
		.commit = 5,
		.settled = 6,
		.round = 7,
		.reject = true,
		.lease = true,
		.transfer = true,
	};
	(void)state;

	assert_int_equal(through(&msg, NULL, 0), 0);

	assert_same(&message.core, &msg);
}

static void largest_message_comes_through(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(1, 1 + LIMIT_MESSAGE_ENTRIES);
	static struct entry *entries[LIMIT_MESSAGE_ENTRIES];
	(void)state;

	msg.pos.term = 1;
	for (size_t i = 0; i < LIMIT_MESSAGE_ENTRIES; i++) {
		entries[i] = entry_new(ENTRY_COMMAND, NULL, 4096);
		memset(entries[i]->data, (int)i, 4096);
		entries[i]->term = 2;
	}

	assert_int_equal(through(&msg, entries, LIMIT_MESSAGE_ENTRIES), 0);

	assert_int_equal(message.count, LIMIT_MESSAGE_ENTRIES);
	assert_int_equal(message.payload_bytes, LIMIT_MESSAGE_BYTES);
}

static void largest_entry_comes_through_alone(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(1, 2);
	struct entry *e = entry_new(ENTRY_COMMAND, NULL, LIMIT_ENTRY_BYTES);
	(void)state;

	memset(e->data, 'x', LIMIT_ENTRY_BYTES);
	e->term = 6;

	assert_int_equal(through(&msg, &e, 1), 0);

	assert_int_equal(message.entries[0].data.size, LIMIT_ENTRY_BYTES);
}

static void append_with_a_gap_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 12);
	struct entry *e = GIVEN_ENTRY(ENTRY_COMMAND, 11, 5, "one");
	(void)state;

	assert_int_equal(through(&msg, &e, 1), STATUS_MALFORMED);
}

static void append_that_ends_before_it_begins_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 9);
	(void)state;

	assert_int_equal(through(&msg, NULL, 0), STATUS_MALFORMED);
}

static void falling_terms_are_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 12);
	struct entry *entries[] = {GIVEN_ENTRY(ENTRY_COMMAND, 11, 6, "a"),
				   GIVEN_ENTRY(ENTRY_COMMAND, 12, 5, "b")};
	(void)state;

	assert_int_equal(through(&msg, entries, 2), STATUS_MALFORMED);
}

static void entry_older_than_the_one_before_it_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 11);
	struct entry *e = GIVEN_ENTRY(ENTRY_COMMAND, 11, 4, "a");
	(void)state;

	assert_int_equal(through(&msg, &e, 1), STATUS_MALFORMED);
}

static void entry_newer_than_its_message_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 11);
	struct entry *e = GIVEN_ENTRY(ENTRY_COMMAND, 11, 8, "a");
	(void)state;

	assert_int_equal(through(&msg, &e, 1), STATUS_MALFORMED);
}

static void entry_of_term_zero_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(0, 1);
	struct entry *e = GIVEN_ENTRY(ENTRY_COMMAND, 1, 0, "a");
	(void)state;

	assert_int_equal(through(&msg, &e, 1), STATUS_MALFORMED);
}

/* Row 24: 0 stands for "unknown" nowhere. */
static void append_after_an_unknown_term_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 10);
	(void)state;

	msg.pos.term = 0;

	assert_int_equal(through(&msg, NULL, 0), STATUS_MALFORMED);
}

static void noop_with_a_payload_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 11);
	struct entry *e = GIVEN_ENTRY(ENTRY_NOOP, 11, 6, "a");
	(void)state;

	assert_int_equal(through(&msg, &e, 1), STATUS_MALFORMED);
}

static void entry_of_an_unknown_kind_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 11);
	struct entry *e = GIVEN_ENTRY((enum entry_kind)4, 11, 6, "a");
	(void)state;

	assert_int_equal(through(&msg, &e, 1), STATUS_MALFORMED);
}

/* nanopb hands such a field over as a copy on its own stack. */
static void payload_of_another_wire_type_is_refused(void **state)
{
	static const uint8_t body[] = {0x08, 5, 0x12, 11, 0x08, ENTRY_COMMAND,
				       0x21, 1, 2,    3,  4,	5,
				       6,    7, 8};
	struct wire_message *out = mem_zalloc(sizeof *out);
	(void)state;

	assert_int_equal(wire_decode(bytes_of(body, sizeof body), WIRE_PROPOSE,
				     out),
			 STATUS_MALFORMED);
	mem_free(out);
}

static void entries_in_a_vote_are_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 11);
	struct entry *e = GIVEN_ENTRY(ENTRY_COMMAND, 11, 6, "a");
	(void)state;

	msg.kind = RAFT_VOTE;

	assert_int_equal(through(&msg, &e, 1), STATUS_MALFORMED);
}

static void message_of_an_unknown_kind_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 10);
	(void)state;

	msg.kind = (enum raft_msg_kind)(RAFT_TIMEOUT_NOW + 1);
	assert_int_equal(through(&msg, NULL, 0), STATUS_MALFORMED);
	msg.kind = RAFT_MSG_NONE;
	assert_int_equal(through(&msg, NULL, 0), STATUS_MALFORMED);
}

static void message_of_nobody_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 10);
	(void)state;

	msg.from = 0;

	assert_int_equal(through(&msg, NULL, 0), STATUS_MALFORMED);
}

static void number_that_could_overflow_is_refused(void **state)
{
	struct raft_msg msg = GIVEN_APPEND(10, 10);
	(void)state;

	msg.commit = WIRE_NUMBER_MAX;

	assert_int_equal(through(&msg, NULL, 0), STATUS_MALFORMED);
}

static void too_many_entries_are_refused(void **state)
{
	static const uint8_t entry[] = {0x72, 4, 0x08, 3, 0x10, 1};
	struct raft_msg msg = GIVEN_APPEND(1, 2 + LIMIT_MESSAGE_ENTRIES);
	struct buffer body = {0};
	(void)state;

	msg.pos.term = 1;
	wire_encode_core(&body, &msg, NULL, 0);
	for (size_t i = 0; i < LIMIT_MESSAGE_ENTRIES + 1; i++) {
		buffer_append(&body, entry, sizeof entry);
	}

	assert_int_equal(wire_decode(buffer_bytes(&body), WIRE_CORE, &message),
			 STATUS_MALFORMED);
	buffer_deinit(&body);
}

static void proposals_come_through_without_term_and_time(void **state)
{
	struct entry *e = GIVEN_ENTRY(ENTRY_COMMAND, 11, 6, "do it");
	struct buffer body = {0};
	(void)state;

	wire_encode_propose(&body, 8, &e, 1);

	assert_int_equal(
		wire_decode(buffer_bytes(&body), WIRE_PROPOSE, &message), 0);
	assert_int_equal(message.propose, 8);
	assert_int_equal(message.count, 1);
	assert_int_equal(message.entries[0].term, 0);
	assert_int_equal(message.entries[0].time_ns, 0);
	assert_memory_equal(message.entries[0].data.data, "do it", 5);
	buffer_deinit(&body);
	entry_unref(e);
}

static void only_commands_may_be_proposed(void **state)
{
	struct entry *e = GIVEN_ENTRY(ENTRY_MEMBERS, 1, 1, "all mine");
	struct buffer body = {0};
	(void)state;

	wire_encode_propose(&body, 8, &e, 1);

	assert_int_equal(wire_decode(buffer_bytes(&body), WIRE_PROPOSE,
				     &message),
			 STATUS_MALFORMED);
	buffer_deinit(&body);
	entry_unref(e);
}

static void refusal_comes_through(void **state)
{
	struct wire_refused refused = {STATUS_FULL, 4, 0xb2};
	struct buffer body = {0};
	(void)state;

	wire_encode_refused(&body, &refused);

	assert_int_equal(
		wire_decode(buffer_bytes(&body), WIRE_REFUSED, &message), 0);
	assert_int_equal(message.refused.reason, STATUS_FULL);
	assert_int_equal(message.refused.term, 4);
	assert_int_equal(message.refused.leader, 0xb2);
	buffer_deinit(&body);
}

static void refusal_for_no_reason_is_refused(void **state)
{
	struct wire_refused refused = {STATUS_CORRUPT, 4, 0xb2};
	struct buffer body = {0};
	(void)state;

	wire_encode_refused(&body, &refused);

	assert_int_equal(wire_decode(buffer_bytes(&body), WIRE_REFUSED,
				     &message),
			 STATUS_MALFORMED);
	buffer_deinit(&body);
}

static void hello_comes_through(void **state)
{
	struct wire_hello hello = GIVEN_HELLO();
	(void)state;

	assert_int_equal(hello_through(&hello), 0);

	assert_memory_equal(&message.hello, &hello, sizeof hello);
}

static void hello_says_what_the_connection_is_for(void **state)
{
	struct wire_hello hello = GIVEN_HELLO();
	(void)state;

	hello.purpose = WIRE_FOR_SNAPSHOT;
	assert_int_equal(hello_through(&hello), 0);
	assert_int_equal(message.hello.purpose, WIRE_FOR_SNAPSHOT);

	hello.purpose++;
	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
}

static void hello_of_a_founded_node_names_its_cluster(void **state)
{
	struct wire_hello hello = GIVEN_HELLO();
	(void)state;

	hello.founded = true;
	memset(hello.cluster, 7, sizeof hello.cluster);
	hello.members[0].id = 1;
	hello.members[1].id = 2;
	assert_int_equal(hello_through(&hello), 0);
	assert_memory_equal(&message.hello, &hello, sizeof hello);

	memset(hello.cluster, 0, sizeof hello.cluster);
	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
}

static void hello_with_a_name_for_the_terminal_is_refused(void **state)
{
	struct wire_hello hello = GIVEN_HELLO();
	(void)state;

	strcpy(hello.name, "n1\033[2J");

	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
}

static void hello_with_members_out_of_order_is_refused(void **state)
{
	struct wire_hello hello = GIVEN_HELLO();
	(void)state;

	strcpy(hello.members[1].name, "n1");

	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
}

static void hello_without_an_incarnation_is_refused(void **state)
{
	struct wire_hello hello = GIVEN_HELLO();
	(void)state;

	hello.id = 0;

	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
}

static void founding_comes_through_and_its_ids_are_distinct(void **state)
{
	struct wire_config f = {
		.level = WIRE_LEVEL,
		.count = 2,
		.members = {{.name = "n1", .id = 1, .address = "a:1"},
			    {.name = "n2", .id = 2, .address = "b:2"}},
	};
	struct wire_config back;
	struct buffer body = {0};
	(void)state;

	memset(f.cluster, 9, sizeof f.cluster);
	wire_encode_config(&body, &f);
	assert_int_equal(wire_decode_config(buffer_bytes(&body), &back), 0);
	assert_memory_equal(&back, &f, sizeof f);

	f.members[1].id = 1;
	buffer_reset(&body);
	wire_encode_config(&body, &f);
	assert_int_equal(wire_decode_config(buffer_bytes(&body), &back),
			 STATUS_MALFORMED);
	buffer_deinit(&body);
}

static void joining_is_said_to_nobody_by_who_has_no_cluster(void **state)
{
	struct wire_hello hello = GIVEN_HELLO();
	(void)state;

	hello.joining = true;
	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
	memset(hello.target, 0, sizeof hello.target);
	assert_int_equal(hello_through(&hello), 0);
	assert_memory_equal(&message.hello, &hello, sizeof hello);
	hello.joining = false;
	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
	hello.joining = hello.founded = true;
	memset(hello.cluster, 7, sizeof hello.cluster);
	assert_int_equal(hello_through(&hello), STATUS_MALFORMED);
}

static void empty_and_foreign_bodies_are_refused(void **state)
{
	static const uint8_t noise[] = {0xff, 0xff, 0xff, 0xff, 0x7f};
	struct bytes noisy = bytes_of(noise, sizeof noise);
	(void)state;

	for (uint8_t kind = WIRE_HELLO; kind <= WIRE_CHANGED; kind++) {
		if (kind == WIRE_OPAQUE) {
			continue; /* any bytes */
		}
		assert_int_equal(wire_decode(bytes_of(noise, 0), kind,
					     &message),
				 STATUS_MALFORMED);
		assert_int_equal(wire_decode(noisy, kind, &message),
				 STATUS_MALFORMED);
	}
	assert_int_equal(wire_decode(noisy, 0, &message), STATUS_MALFORMED);
	assert_int_equal(wire_decode(noisy, WIRE_CHANGED + 1, &message),
			 STATUS_MALFORMED);
	assert_int_equal(wire_decode(noisy, WIRE_PING, &message),
			 STATUS_MALFORMED);
}

static void opaque_bytes_are_bounded(void **state)
{
	static const uint8_t zeros[WIRE_OPAQUE_BYTES_MAX + 1];
	(void)state;

	assert_int_equal(wire_decode(bytes_of(zeros, WIRE_OPAQUE_BYTES_MAX),
				     WIRE_OPAQUE, &message),
			 0);
	assert_int_equal(wire_decode(bytes_of(zeros, sizeof zeros), WIRE_OPAQUE,
				     &message),
			 STATUS_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(append_comes_through_whole),
		cmocka_unit_test(every_field_of_a_reply_comes_through),
		cmocka_unit_test(largest_message_comes_through),
		cmocka_unit_test(largest_entry_comes_through_alone),
		cmocka_unit_test(append_with_a_gap_is_refused),
		cmocka_unit_test(append_that_ends_before_it_begins_is_refused),
		cmocka_unit_test(falling_terms_are_refused),
		cmocka_unit_test(entry_older_than_the_one_before_it_is_refused),
		cmocka_unit_test(entry_newer_than_its_message_is_refused),
		cmocka_unit_test(entry_of_term_zero_is_refused),
		cmocka_unit_test(append_after_an_unknown_term_is_refused),
		cmocka_unit_test(noop_with_a_payload_is_refused),
		cmocka_unit_test(entry_of_an_unknown_kind_is_refused),
		cmocka_unit_test(payload_of_another_wire_type_is_refused),
		cmocka_unit_test(entries_in_a_vote_are_refused),
		cmocka_unit_test(message_of_an_unknown_kind_is_refused),
		cmocka_unit_test(message_of_nobody_is_refused),
		cmocka_unit_test(number_that_could_overflow_is_refused),
		cmocka_unit_test(too_many_entries_are_refused),
		cmocka_unit_test(proposals_come_through_without_term_and_time),
		cmocka_unit_test(only_commands_may_be_proposed),
		cmocka_unit_test(refusal_comes_through),
		cmocka_unit_test(refusal_for_no_reason_is_refused),
		cmocka_unit_test(hello_comes_through),
		cmocka_unit_test(hello_says_what_the_connection_is_for),
		cmocka_unit_test(hello_of_a_founded_node_names_its_cluster),
		cmocka_unit_test(hello_with_a_name_for_the_terminal_is_refused),
		cmocka_unit_test(hello_with_members_out_of_order_is_refused),
		cmocka_unit_test(hello_without_an_incarnation_is_refused),
		cmocka_unit_test(
			founding_comes_through_and_its_ids_are_distinct),
		cmocka_unit_test(
			joining_is_said_to_nobody_by_who_has_no_cluster),
		cmocka_unit_test(empty_and_foreign_bodies_are_refused),
		cmocka_unit_test(opaque_bytes_are_bounded),
	};

	return cmocka_run_group_tests_name("raft/node/wire", tests, NULL, NULL);
}
