/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: no more than the rate goes over any time, and all of it if somebody
 * always asks, however late its timer is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "raft/node/snap_pace.h"

enum { RATE = 1000000, PIECE = 25000 };

static void a_piece_goes_at_once_and_the_next_in_its_time(void **state)
{
	struct snap_pace p = {.rate = RATE};
	(void)state;

	assert_true(snap_pace_take(&p, 5000, PIECE));
	while (snap_pace_take(&p, 5000, PIECE)) { /* what was kept */
	}
	assert_int_equal(p.budget, 0);
	assert_int_equal(snap_pace_wait(&p, PIECE), 26);
	assert_false(snap_pace_take(&p, 5024, PIECE));
	assert_int_equal(snap_pace_wait(&p, PIECE), 2);
	assert_true(snap_pace_take(&p, 5025, PIECE));
}

static void what_was_not_used_is_not_saved_up(void **state)
{
	struct snap_pace p = {.rate = RATE};
	uint64_t sent = 0;
	(void)state;

	while (snap_pace_take(&p, 3600000, PIECE)) {
		sent += PIECE;
	}
	assert_int_equal(sent, RATE / 20 + PIECE);
}

/* Asked every so many milliseconds, for ten seconds. */
static uint64_t sent_in_ten_seconds(raft_ms every)
{
	struct snap_pace p = {.rate = RATE, .at = 1000};
	uint64_t sent = 0;

	for (raft_ms now = 1000; now < 11000; now += every) {
		while (snap_pace_take(&p, now, PIECE)) {
			sent += PIECE;
		}
	}
	return sent;
}

static void the_rate_is_kept(void **state)
{
	(void)state;

	for (raft_ms every = 1; every <= 50; every++) {
		uint64_t sent = sent_in_ten_seconds(every);

		assert_in_range(sent, 10 * RATE - 4 * PIECE, 10 * RATE);
	}
}

static void a_low_rate_waits_long_and_ends(void **state)
{
	struct snap_pace p = {.rate = 1, .at = 1000};
	raft_ms now = 1000;
	unsigned waits = 0;
	(void)state;

	while (!snap_pace_take(&p, now, 3)) {
		now += snap_pace_wait(&p, 3);
		waits++;
		assert_in_range(waits, 1, 10);
	}
	assert_in_range(now, 4000, 4100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_piece_goes_at_once_and_the_next_in_its_time),
		cmocka_unit_test(what_was_not_used_is_not_saved_up),
		cmocka_unit_test(the_rate_is_kept),
		cmocka_unit_test(a_low_rate_waits_long_and_ends),
	};

	return cmocka_run_group_tests_name("raft/node/snap_pace", tests, NULL,
					   NULL);
}
