/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: names and addresses are what they should be, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"
#include "raft/node/address.h"

static void host_and_port_are_told_apart(void **state)
{
	struct address a;
	(void)state;

	assert_int_equal(address_parse("db-1.example.org:7001", &a), 0);
	assert_string_equal(a.host, "db-1.example.org");
	assert_string_equal(a.port, "7001");

	assert_int_equal(address_parse("[fe80::1%eth0]:1", &a), 0);
	assert_string_equal(a.host, "fe80::1%eth0");
	assert_string_equal(a.port, "1");
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	   "n1",       ":7001",
		"n1:",	   "n1:0",     "n1:-1",
		"n1:x",	   "n1:65536", "n1:70000000000000000001",
		"::1:7",   "[]:70",    "n 1:70",
		"n1:70\n", "[::1:7",
	};
	struct address a;
	(void)state;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		assert_int_equal(address_parse(bad[i], &a), STATUS_INVALID);
	}
}

static void names_are_words(void **state)
{
	(void)state;

	assert_true(name_valid("n1"));
	assert_true(name_valid("rack-2_b.left"));
	assert_false(name_valid(""));
	assert_false(name_valid(".n1"));
	assert_false(name_valid("-n1"));
	assert_false(name_valid("a/b"));
	assert_false(name_valid("a b"));
	assert_false(name_valid("0123456789012345678901234567890123456789"
				"012345678901234567890123"));
}

static void loopback_is_what_says_so_itself(void **state)
{
	static const char *const own[] = {"127.0.0.1:1", "127.200.3.4:7",
					  "[::1]:7", "localhost:7"};
	static const char *const open[] = {"10.0.0.1:1", "0.0.0.0:1",
					   "[::]:1",	 "[fe80::1]:1",
					   "n1:1",	 "127.n1:1",
					   "nonsense"};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(own); i++) {
		assert_true(address_is_loopback(own[i]));
	}
	for (size_t i = 0; i < COUNT_OF(open); i++) {
		assert_false(address_is_loopback(open[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_and_port_are_told_apart),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(names_are_words),
		cmocka_unit_test(loopback_is_what_says_so_itself),
	};

	return cmocka_run_group_tests_name("raft/node/address", tests, NULL,
					   NULL);
}
