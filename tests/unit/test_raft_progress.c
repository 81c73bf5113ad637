/* SPDX-License-Identifier: Apache-2.0 */
/* A peer is probed downwards, then fed through a bounded window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/progress.h"

static struct progress p;
static const struct raft_config config = {
	.inflight_messages = 2,
	.inflight_bytes = 100,
};

/* A peer in step with a log that ends at last. */
static void given_replicating(raft_index last)
{
	progress_init(&p, 2, last, 0);
	progress_accept(&p, last, last);
}

static void one_probe_at_a_time(void **state)
{
	(void)state;

	progress_init(&p, 2, 5, 0);
	assert_true(progress_ready(&p, &config, 10));
	progress_sent(&p, 6, 10);

	assert_false(progress_ready(&p, &config, 10));
	assert_int_equal(p.next, 6);
}

static void probes_strictly_fall_and_never_below_match(void **state)
{
	raft_index refused;
	(void)state;

	progress_init(&p, 2, 9, 0);
	p.match = 6;

	for (refused = 9; refused > 6; refused--) {
		assert_true(progress_reject(&p, refused, 9)); /* a bad hint */
		assert_int_equal(p.next, refused);
		progress_check(&p, 9);
	}
	assert_false(progress_reject(&p, 6, 0));
	assert_int_equal(p.next, 7);
}

static void a_late_refusal_means_nothing(void **state)
{
	(void)state;

	progress_init(&p, 2, 9, 0);
	assert_true(progress_reject(&p, 9, 5));
	assert_false(progress_reject(&p, 9, 3)); /* its copy */
	progress_accept(&p, 5, 5);
	assert_false(progress_reject(&p, 5, 0));

	assert_int_equal(p.next, 6);
	assert_int_equal(p.state, PROGRESS_REPLICATE);
}

/* The link was lost, the probe begins again further up. */
static void a_refusal_of_no_outstanding_probe_means_nothing(void **state)
{
	(void)state;

	progress_init(&p, 2, 9, 0);
	assert_true(progress_reject(&p, 9, 5));
	progress_reset(&p, 9);

	assert_false(progress_reject(&p, 5, 2));
	assert_int_equal(p.next, 10);
}

static void the_window_is_bounded_by_messages(void **state)
{
	(void)state;

	given_replicating(5);
	progress_sent(&p, 6, 1);
	assert_true(progress_ready(&p, &config, 1));
	progress_sent(&p, 7, 1);
	assert_false(progress_ready(&p, &config, 1));

	progress_accept(&p, 6, 7);
	assert_true(progress_ready(&p, &config, 1));
	progress_check(&p, 9);
}

static void the_window_is_bounded_by_bytes_unless_empty(void **state)
{
	(void)state;

	given_replicating(5);
	assert_true(progress_ready(&p, &config, 500));
	progress_sent(&p, 6, 90);
	assert_true(progress_ready(&p, &config, 10));
	assert_false(progress_ready(&p, &config, 11));
}

static void a_gap_empties_the_window_and_probes(void **state)
{
	(void)state;

	given_replicating(5);
	progress_sent(&p, 6, 1);
	progress_sent(&p, 7, 1);
	assert_true(progress_reject(&p, 6, 5));

	assert_int_equal(p.state, PROGRESS_PROBE);
	assert_int_equal(p.next, 6);
	assert_int_equal(p.window.count, 0);
	assert_int_equal(p.window.bytes, 0);
	progress_check(&p, 7);
}

static void a_lost_link_starts_again_after_the_match(void **state)
{
	(void)state;

	given_replicating(5);
	progress_sent(&p, 6, 1);
	progress_reset(&p, 6);

	assert_int_equal(p.state, PROGRESS_PROBE);
	assert_int_equal(p.match, 5);
	assert_int_equal(p.next, 6);
	assert_true(progress_ready(&p, &config, 1));
}

static void held_but_not_saved_is_no_match(void **state)
{
	(void)state;

	progress_init(&p, 2, 5, 0);
	progress_accept(&p, 2, 5);

	assert_int_equal(p.match, 2);
	assert_int_equal(p.next, 6);
	assert_int_equal(p.state, PROGRESS_REPLICATE);
}

static void a_paused_peer_resumes_when_it_has_caught_up(void **state)
{
	(void)state;

	progress_init(&p, 2, 5, 0);
	assert_true(progress_reject(&p, 5, 1));
	progress_snapshot(&p);
	assert_false(progress_ready(&p, &config, 1));
	assert_false(progress_reject(&p, 4, 1));
	progress_accept(&p, 4, 4);

	assert_int_equal(p.state, PROGRESS_REPLICATE);
	assert_int_equal(p.next, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_probe_at_a_time),
		cmocka_unit_test(probes_strictly_fall_and_never_below_match),
		cmocka_unit_test(a_late_refusal_means_nothing),
		cmocka_unit_test(
			a_refusal_of_no_outstanding_probe_means_nothing),
		cmocka_unit_test(the_window_is_bounded_by_messages),
		cmocka_unit_test(the_window_is_bounded_by_bytes_unless_empty),
		cmocka_unit_test(a_gap_empties_the_window_and_probes),
		cmocka_unit_test(a_lost_link_starts_again_after_the_match),
		cmocka_unit_test(held_but_not_saved_is_no_match),
		cmocka_unit_test(a_paused_peer_resumes_when_it_has_caught_up),
	};

	return cmocka_run_group_tests_name("raft/progress", tests, NULL, NULL);
}
