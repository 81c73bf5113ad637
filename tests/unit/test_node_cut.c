/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the log is cut as far as nobody needs it, and stays bounded whoever
 * is away; what a transfer needs stays, within bounds of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/cut.h"
#include "raft/node/segment.h"
#include "tests/lib/logkit.h"

enum { TAIL = CUT_TAIL_ENTRIES, MANY = 10 * CUT_TAIL_ENTRIES };

/* Everybody has everything, in little space. */
static struct cut_view all_well(void)
{
	return (struct cut_view){
		.now = 1000,
		.last = MANY,
		.flushed = MANY,
		.applied = MANY,
		.settled = MANY,
		.tail = CUT_TAIL_ENTRIES,
	};
}

static raft_index look(const struct cut_view *v)
{
	struct cut c = {.last_pin = 0};

	return cut_look(&c, v);
}

static void a_tail_stays(void **state)
{
	struct cut_view v = all_well();
	(void)state;

	assert_int_equal(look(&v), MANY - TAIL);
	v.last = v.flushed = v.applied = v.settled = TAIL - 1;
	assert_int_equal(look(&v), 0);
}

/* C1. */
static void nothing_goes_that_the_state_does_not_hold(void **state)
{
	struct cut_view v = all_well();
	(void)state;

	v.flushed = 2 * TAIL;
	v.excess.limit = MANY - 1;
	assert_int_equal(look(&v), 2 * TAIL);
	v.applied = TAIL;
	assert_int_equal(look(&v), TAIL);
}

/* C2. */
static void a_tail_of_large_entries_is_shorter(void **state)
{
	struct cut_view v = all_well();
	(void)state;

	v.excess.tail = MANY - 30;
	assert_int_equal(look(&v), MANY - 30);
}

/* C3. */
static void row_51_who_is_away_is_waited_for_only_so_long(void **state)
{
	struct cut_view v = all_well();
	(void)state;

	v.settled = 100;
	assert_int_equal(look(&v), 100);
	v.excess.tail = MANY - 30;
	assert_int_equal(look(&v), 100);
	v.excess.limit = 5000;
	assert_int_equal(look(&v), 5000);
	v.excess.limit = 0;
	v.last = v.applied = v.flushed = LIMIT_LOG_ENTRIES + 700;
	assert_int_equal(look(&v), 700);
}

/* C4. */
static void row_51_what_follows_a_pin_stays(void **state)
{
	struct cut c = {.last_pin = 0};
	struct cut_view v = all_well();
	unsigned a;
	unsigned b;
	(void)state;

	a = cut_pin(&c, 9000, v.now);
	b = cut_pin(&c, 8000, v.now);
	v.excess.limit = MANY - 1;
	assert_int_equal(cut_look(&c, &v), 8000);
	cut_unpin(&c, b);
	assert_false(cut_pinned(&c, b));
	assert_int_equal(cut_look(&c, &v), 9000);
	assert_true(cut_pinned(&c, a));
	cut_unpin(&c, a);
	cut_unpin(&c, a);
	assert_int_equal(cut_look(&c, &v), MANY - 1);
}

static void row_51_a_pin_that_asks_for_too_much_is_lost(void **state)
{
	struct cut c = {.last_pin = 0};
	struct cut_view v = all_well();
	unsigned a;
	unsigned b;
	(void)state;

	a = cut_pin(&c, 5000, v.now);
	b = cut_pin(&c, 6000, v.now);
	v.excess.limit = 7000;
	v.excess.pinned = 5000; /* it is no larger for what follows 5000 */
	assert_int_equal(cut_look(&c, &v), 5000);
	v.excess.pinned = 5001;
	assert_int_equal(cut_look(&c, &v), 6000);
	assert_false(cut_pinned(&c, a));
	v.now += CUT_PIN_MS;
	assert_int_equal(cut_look(&c, &v), MANY - TAIL);
	assert_false(cut_pinned(&c, b));
}

static void pins_are_bounded_and_their_numbers_never_repeat(void **state)
{
	struct cut c = {.last_pin = UINT32_MAX - 1};
	unsigned pins[CUT_PINS];
	(void)state;

	for (size_t i = 0; i < CUT_PINS; i++) {
		pins[i] = cut_pin(&c, 10, 0);
		assert_int_not_equal(pins[i], 0);
		assert_true(cut_pinned(&c, pins[i]));
	}
	assert_int_equal(cut_pin(&c, 10, 0), 0);
	assert_false(cut_pinned(&c, 0));
	cut_unpin(&c, 0);
	cut_unpin(&c, pins[1]);
	assert_int_not_equal(cut_pin(&c, 10, 0), pins[1]);
	assert_false(cut_pinned(&c, pins[1]));
}

static void it_looks_again_after_so_many_entries_or_a_while(void **state)
{
	struct cut c = {.last_pin = 0};
	struct cut_view v = all_well();
	(void)state;

	(void)cut_look(&c, &v);
	assert_false(cut_due(&c, MANY + CUT_LOOK_ENTRIES - 1, v.now));
	assert_true(cut_due(&c, MANY + CUT_LOOK_ENTRIES, v.now));
	assert_false(cut_due(&c, MANY, v.now + CUT_LOOK_MS - 1));
	assert_true(cut_due(&c, MANY, v.now + CUT_LOOK_MS));
}

/* --- log_excess ----------------------------------------------------------- */

/* Three entries to a segment. */
static void the_excess_of_a_log_is_in_whole_segments(void **state)
{
	const uint64_t segment = LOGKIT_SEGMENT_BYTES;
	struct logkit_model *m = mem_zalloc(sizeof *m);
	struct log_state s;
	struct logkit k;
	(void)state;

	logkit_init(&k);
	assert_int_equal(logkit_open(&k), 0);
	assert_int_equal(log_excess(k.log, 0), 0); /* the one in use stays */
	for (raft_index i = 0; i < 8; i++) {
		logkit_append(&k, m, 1, i, 1, 3500);
	}
	log_state(k.log, &s);
	assert_int_equal(s.segments, 3);

	assert_int_equal(log_excess(k.log, 3 * segment), 0);
	assert_int_equal(log_excess(k.log, 3 * segment - 1), 3);
	assert_int_equal(log_excess(k.log, 2 * segment), 3);
	assert_int_equal(log_excess(k.log, 2 * segment - 1), 6);
	assert_int_equal(log_excess(k.log, 0), 6);

	/* A cut up to there leaves just as much. */
	assert_int_equal(log_cut(k.log, log_excess(k.log, 2 * segment)), 0);
	log_state(k.log, &s);
	assert_int_equal(s.bytes, 2 * segment);
	assert_int_equal(log_excess(k.log, segment), 6);
	assert_int_equal(log_cut(k.log, 6), 0);
	assert_int_equal(log_excess(k.log, 0), 0);
	logkit_deinit(&k);
	mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tail_stays),
		cmocka_unit_test(nothing_goes_that_the_state_does_not_hold),
		cmocka_unit_test(a_tail_of_large_entries_is_shorter),
		cmocka_unit_test(row_51_who_is_away_is_waited_for_only_so_long),
		cmocka_unit_test(row_51_what_follows_a_pin_stays),
		cmocka_unit_test(row_51_a_pin_that_asks_for_too_much_is_lost),
		cmocka_unit_test(
			pins_are_bounded_and_their_numbers_never_repeat),
		cmocka_unit_test(
			it_looks_again_after_so_many_entries_or_a_while),
		cmocka_unit_test(the_excess_of_a_log_is_in_whole_segments),
	};

	return cmocka_run_group_tests_name("raft/node/cut", tests, NULL, NULL);
}
