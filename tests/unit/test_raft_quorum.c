/* SPDX-License-Identifier: Apache-2.0 */
/* Majorities are counted right, for every number of voters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/quorum.h"

/* Every vector of small values: the greatest value that more than half reach,
 * found by trying each (row 17). */
static void value_agrees_with_brute_force(void **state)
{
	uint64_t values[6], best, candidate;
	size_t count, i, reach;
	unsigned int vector, rest;
	(void)state;

	for (count = 1; count <= 6; count++) {
		for (vector = 0; vector < 1u << (2 * count); vector++) {
			rest = vector;
			for (i = 0; i < count; i++, rest /= 4)
				values[i] = rest % 4;
			best = 0;
			for (candidate = 0; candidate < 4; candidate++) {
				reach = 0;
				for (i = 0; i < count; i++)
					reach += values[i] >= candidate;
				if (2 * reach > count)
					best = candidate;
			}
			assert_int_equal(quorum_value(values, count), best);
		}
	}
}

static void nine_voters_need_five(void **state)
{
	const uint64_t values[] = {9, 1, 8, 2, 7, 3, 6, 4, 5};
	(void)state;

	assert_int_equal(quorum_value(values, 9), 5);
	assert_int_equal(quorum_size(9), 5);
	assert_int_equal(quorum_size(4), 3);
}

/* An election is open as long as the missing voters could turn it. */
static void votes_agree_with_brute_force(void **state)
{
	size_t voters, yes, no;
	(void)state;

	for (voters = 1; voters <= 9; voters++) {
		for (yes = 0; yes <= voters; yes++) {
			for (no = 0; no + yes <= voters; no++) {
				enum quorum_verdict verdict =
					quorum_votes(voters, yes, no);

				assert_int_equal(verdict == QUORUM_WON,
						 2 * yes > voters);
				assert_int_equal(verdict == QUORUM_LOST,
						 2 * (voters - no) <= voters);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_agrees_with_brute_force),
		cmocka_unit_test(nine_voters_need_five),
		cmocka_unit_test(votes_agree_with_brute_force),
	};

	return cmocka_run_group_tests_name("raft/quorum", tests, NULL, NULL);
}
