/* SPDX-License-Identifier: Apache-2.0 */
/* Term and vote survive beside the log; what does not check is not known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/node/promise.h"
#include "tests/lib/faultdisk.h"

static const struct raft_hard HARD = {.term = 7, .vote = 0x1122334455667788};

static void a_new_file_knows_nothing(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct promise p;
	(void)state;

	assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
	assert_false(p.known);
	promise_close(&p);
	assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
	assert_false(p.known);
	promise_close(&p);
	faultdisk_free(f);
}

static void what_was_saved_outlives_a_power_cut(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct promise p;
	(void)state;

	assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
	assert_int_equal(promise_save(&p, HARD, true), 0);
	faultdisk_crash(f, 1);
	promise_close(&p);

	assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
	assert_true(p.known);
	assert_int_equal(p.hard.term, HARD.term);
	assert_int_equal(p.hard.vote, HARD.vote);
	assert_true(p.others);
	promise_close(&p);
	faultdisk_free(f);
}

static void the_same_again_is_not_written(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct promise p;
	unsigned calls;
	(void)state;

	assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
	assert_int_equal(promise_save(&p, HARD, true), 0);
	calls = faultdisk_calls(f);
	assert_int_equal(promise_save(&p, HARD, true), 0);
	assert_int_equal(faultdisk_calls(f), calls);
	assert_int_equal(promise_save(&p, HARD, false), 0);
	assert_int_equal(faultdisk_calls(f), calls + 2);
	promise_close(&p);
	faultdisk_free(f);
}

static void a_rotten_byte_is_no_promise(void **state)
{
	(void)state;

	for (uint64_t at = 0; at < 32; at++) {
		struct faultdisk *f = faultdisk_new();
		struct promise p;

		assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
		assert_int_equal(promise_save(&p, HARD, true), 0);
		promise_close(&p);
		faultdisk_flip(f, "promise", at, 0x10);
		assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
		assert_false(p.known);
		promise_close(&p);
		faultdisk_free(f);
	}
}

static void a_failed_sync_promises_nothing(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct promise p;
	(void)state;

	assert_int_equal(promise_open(&p, faultdisk_disk(f)), 0);
	faultdisk_fail(f, 2, STATUS_IO);
	assert_int_equal(promise_save(&p, HARD, true), STATUS_IO);
	assert_false(p.known);
	promise_close(&p);
	faultdisk_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_file_knows_nothing),
		cmocka_unit_test(what_was_saved_outlives_a_power_cut),
		cmocka_unit_test(the_same_again_is_not_written),
		cmocka_unit_test(a_rotten_byte_is_no_promise),
		cmocka_unit_test(a_failed_sync_promises_nothing),
	};

	return cmocka_run_group_tests_name("raft/node/promise", tests, NULL,
					   NULL);
}
