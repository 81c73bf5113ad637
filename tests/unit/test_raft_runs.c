/* SPDX-License-Identifier: Apache-2.0 */
/* Runs remember every entry's term through appends, cuts and compactions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/random.h"
#include "raft/runs.h"

static struct runs t;

/* A log of entries of these terms, 0 ends them. */
static void given_runs(const raft_term *terms)
{
	raft_index last = 0;

	runs_init(&t, (struct raft_pos){0, 0});
	for (; *terms != 0; terms++)
		assert_true(runs_append(&t, *terms, ++last));
}
#define GIVEN_RUNS(...) given_runs((const raft_term[]){__VA_ARGS__, 0})

static void an_empty_log_ends_at_its_base(void **state)
{
	(void)state;

	runs_init(&t, (struct raft_pos){3, 7});

	assert_int_equal(runs_last(&t), 7);
	assert_int_equal(runs_term(&t, 7), 3);
	assert_int_equal(runs_term(&t, 6), 0);
	assert_int_equal(runs_term(&t, 8), 0);
}

static void entries_of_one_term_are_one_run(void **state)
{
	(void)state;

	GIVEN_RUNS(1, 1, 1, 2);

	assert_int_equal(t.count, 2);
	assert_int_equal(runs_last(&t), 4);
	assert_int_equal(runs_term(&t, 3), 1);
	assert_int_equal(runs_term(&t, 4), 2);
}

/* A new leader overwrites a suffix: the older run must shrink, not vanish. */
static void truncate_inside_a_run_keeps_its_head(void **state)
{
	(void)state;

	GIVEN_RUNS(1, 1, 1, 2);
	runs_truncate(&t, 2);

	assert_int_equal(runs_last(&t), 2);
	assert_int_equal(runs_term(&t, 2), 1);
	assert_int_equal(runs_term(&t, 3), 0);
}

static void compact_inside_a_run_keeps_its_tail(void **state)
{
	(void)state;

	GIVEN_RUNS(1, 1, 1, 2);
	runs_compact(&t, 2);

	assert_int_equal(t.base.index, 2);
	assert_int_equal(t.base.term, 1);
	assert_int_equal(runs_term(&t, 1), 0);
	assert_int_equal(runs_term(&t, 3), 1);
	assert_int_equal(runs_term(&t, 4), 2);
}

static void compact_to_the_tip_leaves_the_base(void **state)
{
	(void)state;

	GIVEN_RUNS(1, 1, 2);
	runs_compact(&t, 3);

	assert_int_equal(t.count, 0);
	assert_int_equal(runs_last(&t), 3);
	assert_int_equal(runs_last_pos(&t).term, 2);
}

static void agree_skips_whole_terms(void **state)
{
	(void)state;

	GIVEN_RUNS(1, 1, 4, 4, 4, 6);

	assert_int_equal(runs_agree(&t, 6, 6), 6);
	assert_int_equal(runs_agree(&t, 6, 5), 5);
	assert_int_equal(runs_agree(&t, 5, 3), 2);
	assert_int_equal(runs_agree(&t, 9, 1), 2);
	assert_int_equal(runs_agree(&t, 4, 0), 0);
}

static void a_new_run_is_refused_when_all_are_taken(void **state)
{
	raft_term term;
	(void)state;

	runs_init(&t, (struct raft_pos){0, 0});
	for (term = 1; term <= RUNS_MAX; term++)
		assert_true(runs_append(&t, term, term));

	assert_false(runs_room(&t, RUNS_MAX + 1));
	assert_false(runs_append(&t, RUNS_MAX + 1, RUNS_MAX + 1));
	assert_true(runs_append(&t, RUNS_MAX, RUNS_MAX + 1));
	runs_compact(&t, 1);
	assert_true(runs_append(&t, RUNS_MAX + 1, RUNS_MAX + 2));
}

/* Against an array of terms, through a long random history. */
static void random_histories_agree_with_an_array(void **state)
{
	static raft_term array[1 << 16];
	uint64_t random = 7;
	raft_index base = 0, last = 0, i;
	int step;
	(void)state;

	runs_init(&t, (struct raft_pos){0, 0});
	for (step = 0; step < 5000; step++) {
		raft_term term = array[last] + random_from(&random, 0, 2);
		uint64_t more = random_from(&random, 1, 3);

		if (term == 0)
			term = 1;
		switch (random_from(&random, 0, 8)) {
		case 0:
			last = random_from(&random, base, last - base + 1);
			runs_truncate(&t, last);
			break;
		case 1:
			base = random_from(&random, base, last - base + 1);
			runs_compact(&t, base);
			break;
		default:
			assert_true(runs_append(&t, term, last + more));
			while (more-- > 0)
				array[++last] = term;
		}
		runs_check(&t);
		assert_int_equal(runs_last(&t), last);
		for (i = base; i <= last && i < base + 64; i++)
			assert_int_equal(runs_term(&t, i), array[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_log_ends_at_its_base),
		cmocka_unit_test(entries_of_one_term_are_one_run),
		cmocka_unit_test(truncate_inside_a_run_keeps_its_head),
		cmocka_unit_test(compact_inside_a_run_keeps_its_tail),
		cmocka_unit_test(compact_to_the_tip_leaves_the_base),
		cmocka_unit_test(agree_skips_whole_terms),
		cmocka_unit_test(a_new_run_is_refused_when_all_are_taken),
		cmocka_unit_test(random_histories_agree_with_an_array),
	};

	return cmocka_run_group_tests_name("raft/runs", tests, NULL, NULL);
}
