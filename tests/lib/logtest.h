/* SPDX-License-Identifier: Apache-2.0 */
/* logtest.h - what tests of one log (logkit.h) have in common. */
#ifndef TESTS_LIB_LOGTEST_H
#define TESTS_LIB_LOGTEST_H

#include "tests/lib/logkit.h"

#define FIRST "log-0000000000000001"
#define SECOND "log-0000000000000002"

struct fixture {
	struct logkit kit;
	struct logkit_model model; /* what the log must hold */
};

/* cmocka's set-up: *state is a fixture, its log open and empty. */
int logtest_setup(void **state);
int logtest_teardown(void **state);

#define LOG_TEST(name)                                                         \
	cmocka_unit_test_setup_teardown(name, logtest_setup, logtest_teardown)

void crash_and_open(struct fixture *f, uint64_t seed);
void assert_holds(struct fixture *f);

#endif
