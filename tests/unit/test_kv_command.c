/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what kv writes into entries and messages comes back as it was, and
 * whatever else comes is refused without a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/command.h"

static void an_operation_comes_back_as_it_was(void **state)
{
	struct entry *e = command_operation(bytes_of_text("hello"));
	struct command c;
	(void)state;

	command_stamp(e, 5, UINT64_MAX, UINT64_MAX - 3);

	assert_int_equal(command_decode(&c, entry_bytes(e)), 0);
	assert_int_equal(c.kind, COMMAND_OPERATION);
	assert_int_equal(c.session, 5);
	assert_true(c.number == UINT64_MAX);
	assert_true(c.low == UINT64_MAX - 3);
	assert_true(bytes_equal(c.operation, bytes_of_text("hello")));
	entry_unref(e);
}

static void the_largest_operation_fits_in_an_entry(void **state)
{
	uint8_t *bytes = calloc(1, COMMAND_OPERATION_BYTES);
	struct entry *e =
		command_operation(bytes_of(bytes, COMMAND_OPERATION_BYTES));
	struct command c;
	(void)state;

	command_stamp(e, 1, 1, 1);

	assert_int_equal(command_decode(&c, entry_bytes(e)), 0);
	assert_int_equal(c.operation.size, COMMAND_OPERATION_BYTES);
	assert_true(c.operation.size >= LIMIT_WRITE_BYTES + 16000);
	entry_unref(e);
	free(bytes);
}

static void an_empty_operation_is_one(void **state)
{
	struct entry *e = command_operation(bytes_of("", 0));
	struct command c;
	(void)state;

	command_stamp(e, 1, 1, 1);

	assert_int_equal(command_decode(&c, entry_bytes(e)), 0);
	assert_int_equal(c.kind, COMMAND_OPERATION);
	assert_int_equal(c.operation.size, 0);
	entry_unref(e);
}

static void openings_ends_and_births_come_back(void **state)
{
	struct session_owner owner = {7, 8, 9};
	struct entry *open = command_open(&owner);
	struct entry *end = command_end(4);
	struct entry *birth = command_birth(bytes_of_text("born"));
	struct command c;
	(void)state;

	assert_int_equal(command_decode(&c, entry_bytes(open)), 0);
	assert_int_equal(c.kind, COMMAND_OPEN);
	assert_int_equal(c.owner.incarnation, 7);
	assert_int_equal(c.owner.boot, 8);
	assert_int_equal(c.owner.opening, 9);
	assert_int_equal(command_decode(&c, entry_bytes(end)), 0);
	assert_int_equal(c.kind, COMMAND_END);
	assert_int_equal(c.session, 4);
	assert_int_equal(command_decode(&c, entry_bytes(birth)), 0);
	assert_int_equal(c.kind, COMMAND_BIRTH);
	assert_true(bytes_equal(c.operation, bytes_of_text("born")));
	entry_unref(open);
	entry_unref(end);
	entry_unref(birth);
}

static void assert_refused(const char *bytes, size_t size)
{
	struct command c;

	assert_int_equal(command_decode(&c, bytes_of(bytes, size)),
			 STATUS_MALFORMED);
}

static void commands_that_break_a_rule_are_refused(void **state)
{
	(void)state;

	assert_refused("", 0);
	assert_refused("\xff", 1);
	/* An operation without session and number. */
	assert_refused("\x22\x01x", 3);
	/* A number for the operation, where bytes belong. */
	assert_refused("\x20\x05", 2);
	/* A birth and an end in one. */
	assert_refused("\x32\x00\x3a\x01x", 5);
	/* An opening of nobody. */
	assert_refused("\x2a\x00", 2);
	/* Two births. */
	assert_refused("\x3a\x01x\x3a\x01y", 6);
}

static void a_low_that_is_no_window_is_refused(void **state)
{
	struct entry *e = command_operation(bytes_of_text("x"));
	struct command c;
	(void)state;

	command_stamp(e, 1, LIMIT_WINDOW_PROPOSALS + 1, 1);
	assert_int_equal(command_decode(&c, entry_bytes(e)), STATUS_MALFORMED);
	command_stamp(e, 1, LIMIT_WINDOW_PROPOSALS, 1);
	assert_int_equal(command_decode(&c, entry_bytes(e)), 0);
	entry_unref(e);
}

static void mutated_commands_never_reach_outside_their_bytes(void **state)
{
	struct entry *e = command_operation(bytes_of_text("operation"));
	(void)state;

	srand(4);
	command_stamp(e, 3, 9, 4);
	for (int i = 0; i < 20000; i++) {
		size_t size = (size_t)rand() % (e->size + 1);
		uint8_t *copy = malloc(size + 1);
		struct command c;

		memcpy(copy, e->data, size);
		for (int j = rand() % 4; j > 0 && size > 0; j--) {
			copy[(size_t)rand() % size] = (uint8_t)rand();
		}
		if (command_decode(&c, bytes_of(copy, size)) == 0 &&
		    (c.kind == COMMAND_OPERATION || c.kind == COMMAND_BIRTH) &&
		    c.operation.size > 0) {
			assert_true(c.operation.data >= copy);
			assert_true(c.operation.data + c.operation.size <=
				    copy + size);
		}
		free(copy);
	}
	entry_unref(e);
}

static void messages_between_nodes_come_back(void **state)
{
	struct alive a = {5,	 100,  42,
			  false, true, bytes_of("\0\0\0\0\0\0\0\1", 8)};
	struct heard h = {5, 100, true, 20000};
	struct alive alive;
	struct heard heard;
	enum peer_kind kind;
	struct buffer message = {0};
	(void)state;

	alive_encode(&a, &message);
	assert_int_equal(
		peer_decode(buffer_bytes(&message), &kind, &alive, &heard), 0);
	assert_int_equal(kind, PEER_ALIVE);
	assert_int_equal(alive.session, 5);
	assert_int_equal(alive.sent_ms, 100);
	assert_int_equal(alive.applied, 42);
	assert_false(alive.many);
	assert_true(alive.low);
	assert_true(bytes_equal(alive.held, a.held));

	buffer_reset(&message);
	heard_encode(&h, &message);
	assert_int_equal(
		peer_decode(buffer_bytes(&message), &kind, &alive, &heard), 0);
	assert_int_equal(kind, PEER_HEARD);
	assert_int_equal(heard.sent_ms, 100);
	assert_true(heard.full);
	assert_int_equal(heard.session_ms, 20000);
	assert_int_equal(peer_decode(bytes_of("", 0), &kind, &alive, &heard),
			 STATUS_MALFORMED);
	buffer_deinit(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_operation_comes_back_as_it_was),
		cmocka_unit_test(the_largest_operation_fits_in_an_entry),
		cmocka_unit_test(an_empty_operation_is_one),
		cmocka_unit_test(openings_ends_and_births_come_back),
		cmocka_unit_test(commands_that_break_a_rule_are_refused),
		cmocka_unit_test(a_low_that_is_no_window_is_refused),
		cmocka_unit_test(
			mutated_commands_never_reach_outside_their_bytes),
		cmocka_unit_test(messages_between_nodes_come_back),
	};

	return cmocka_run_group_tests_name("kv/command", tests, NULL, NULL);
}
