/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: what is said about members comes through whole, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/node/wire.h"

static struct wire_message message;

static void config_comes_through_whole_and_fits(void **state)
{
	static struct wire_config c, back;
	struct buffer body = {0};
	(void)state;

	c = (struct wire_config){.level = WIRE_LEVEL, .count = LIMIT_PEERS};
	memset(c.cluster, 9, sizeof c.cluster);
	for (size_t i = 0; i < c.count; i++) {
		struct wire_member *m = &c.members[i];

		memset(m->name, 'a', sizeof m->name - 1);
		m->name[0] = (char)('A' + i / 26);
		m->name[1] = (char)('A' + i % 26);
		memset(m->address, 'h', sizeof m->address - 3);
		memcpy(m->address + sizeof m->address - 3, ":1", 2);
		m->id = UINT64_MAX - i;
		m->standing = i < 3 ? WIRE_VOTER : WIRE_LEARNER;
		m->stay = i >= 3;
		m->replaces = i == 9 ? c.members[1].id : 0;
	}
	c.joint = true;
	c.members[2].standing = WIRE_OUTGOING;
	c.members[3].standing = WIRE_INCOMING;
	c.members[4].standing = WIRE_INVITED;
	c.members[4].id = 0;
	wire_encode_config(&body, &c);

	assert_true(body.size <= WIRE_CONFIG_BYTES_MAX);
	assert_int_equal(wire_decode(buffer_bytes(&body), WIRE_JOIN, &message),
			 0);
	assert_int_equal(wire_decode_config(buffer_bytes(&body), &back), 0);
	assert_memory_equal(&back, &c, sizeof c);
	buffer_deinit(&body);
}

static int denied_through(const struct wire_denied *denied)
{
	struct buffer body = {0};
	int rc;

	wire_encode_denied(&body, denied);
	rc = wire_decode(buffer_bytes(&body), WIRE_DENIED, &message);
	buffer_deinit(&body);
	return rc;
}

static void denial_comes_through(void **state)
{
	struct wire_denied denied = {
		.reason = WIRE_DENIED_UNKNOWN,
		.cluster = {1},
		.name = "n4",
		.address = "h:4",
	};
	(void)state;

	assert_int_equal(denied_through(&denied), 0);
	assert_memory_equal(&message.denied, &denied, sizeof denied);
	denied.reason++;
	assert_int_equal(denied_through(&denied), STATUS_MALFORMED);
	denied.reason = WIRE_DENIED_LATER;
	strcpy(denied.address, "nowhere");
	assert_int_equal(denied_through(&denied), STATUS_MALFORMED);
}

static int change_through(const struct wire_change *change)
{
	struct buffer body = {0};
	int rc;

	wire_encode_change(&body, change);
	rc = wire_decode(buffer_bytes(&body), WIRE_CHANGE, &message);
	buffer_deinit(&body);
	return rc;
}

static void change_comes_through_with_what_its_kind_needs(void **state)
{
	struct wire_change change = {
		.ticket = 5,
		.kind = WIRE_CHANGE_REPLACE,
		.name = "n4",
		.old = "n3",
		.address = "h:4",
		.asked = 3,
	};
	(void)state;

	assert_int_equal(change_through(&change), 0);
	assert_memory_equal(&message.change, &change, sizeof change);
	change.kind = WIRE_CHANGE_ADD;
	assert_int_equal(change_through(&change), STATUS_MALFORMED);
	change.old[0] = 0;
	change.stay = true;
	assert_int_equal(change_through(&change), 0);
	change.kind = WIRE_CHANGE_REMOVE;
	assert_int_equal(change_through(&change), STATUS_MALFORMED);
	change.stay = false;
	change.address[0] = 0;
	assert_int_equal(change_through(&change), 0);
	change.name[0] = 0;
	assert_int_equal(change_through(&change), STATUS_MALFORMED);
	change.kind = WIRE_CHANGE_TRANSFER;
	assert_int_equal(change_through(&change), 0);
	change.kind = WIRE_CHANGE_UNINVITE;
	assert_int_equal(change_through(&change), STATUS_MALFORMED);
	strcpy(change.name, "n4");
	assert_int_equal(change_through(&change), 0);
	change.kind = (enum wire_change_kind)(WIRE_CHANGE_UNINVITE + 1);
	assert_int_equal(change_through(&change), STATUS_MALFORMED);
}

static void an_answer_to_a_change_is_within_bounds_and_printable(void **state)
{
	struct wire_changed changed = {
		.ticket = 5,
		.status = STATUS_EXISTS,
		.asked = 3,
		.index = WIRE_NUMBER_MAX - 1,
		.text = "n4 is a member",
	};
	struct buffer body = {0};
	(void)state;

	wire_encode_changed(&body, &changed);
	assert_int_equal(
		wire_decode(buffer_bytes(&body), WIRE_CHANGED, &message), 0);
	assert_memory_equal(&message.changed, &changed, sizeof changed);

	buffer_reset(&body);
	changed.index++; /* W3 */
	wire_encode_changed(&body, &changed);
	assert_int_equal(wire_decode(buffer_bytes(&body), WIRE_CHANGED,
				     &message),
			 STATUS_MALFORMED);

	buffer_reset(&body);
	changed.index = 0;
	strcpy(changed.text, "n4\033[2J");
	wire_encode_changed(&body, &changed);
	assert_int_equal(wire_decode(buffer_bytes(&body), WIRE_CHANGED,
				     &message),
			 STATUS_MALFORMED);
	buffer_deinit(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_comes_through_whole_and_fits),
		cmocka_unit_test(denial_comes_through),
		cmocka_unit_test(change_comes_through_with_what_its_kind_needs),
		cmocka_unit_test(
			an_answer_to_a_change_is_within_bounds_and_printable),
	};

	return cmocka_run_group_tests_name("raft/node/wire members", tests,
					   NULL, NULL);
}
