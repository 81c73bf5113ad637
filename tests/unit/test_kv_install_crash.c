/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: wherever a crash comes while a snapshot is taken over, the next
 * start has the old state with its log, or the new one with an empty log behind
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/folder.h"
#include "tests/lib/otherkit.h"

static void row_53_the_reset_of_the_log_is_made_up_for(void **state)
{
	struct home *h = *state;
	struct buffer problem = {0};
	struct other o;
	struct waiter a;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	fakenode_settle(h->node);
	GIVEN_OTHER(&o, h);
	other_skip(&o, 20);
	other_operation(&o, "x");
	other_snapshot(&o);
	assert_int_equal(fakenode_load_and_crash(h->node, o.folder, o.pos), 0);
	assert_true(h->log.commit < o.pos.index);
	home_close(h);

	GIVEN_OPEN(h);
	assert_int_equal(h->log.base, o.pos.index);
	assert_int_equal(h->log.count, 0);
	assert_log(h, "a;x;");
	fakenode_commit_entry(h->node, entry_new(ENTRY_NOOP, "", 0));
	home_close(h); /* which flushes: from here on the log was begun */

	/* A log behind the state is again what it always was: a loss. */
	entry_unref(h->log.entries[--h->log.count]);
	h->log.commit--;
	assert_int_equal(home_open(h, &problem), STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), "log lost its tail"));
	buffer_deinit(&problem);
	other_deinit(&o);
}

static void a_state_whose_log_is_of_another_history_is_refused(void **state)
{
	struct home *h = *state;
	struct buffer problem = {0};

	GIVEN_FOLLOWER(h);
	home_close(h);
	h->log.entries[h->log.count - 1]->term = 2;

	assert_int_equal(home_open(h, &problem), STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), "different histories"));
	buffer_deinit(&problem);
	h->log.entries[h->log.count - 1]->term = 1;
}

/* The power went between the rename and the marker. */
static void row_53_a_state_that_no_marker_names_is_removed(void **state)
{
	struct home *h = *state;
	struct other o;
	struct waiter a;
	char path[160];

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	fakenode_settle(h->node);
	GIVEN_OTHER(&o, h);
	other_operation(&o, "x");
	other_snapshot(&o);
	home_close(h);
	snprintf(path, sizeof path, "%s/state-2", h->folder);
	assert_int_equal(rename(o.folder, path), 0);
	snprintf(path, sizeof path, "%s/state-3.gone", h->folder);
	assert_int_equal(folder_make(path), 0);

	GIVEN_OPEN(h);
	assert_log(h, "a;");
	assert_false(home_has(h, "state-2"));
	assert_false(home_has(h, "state-3.gone"));
	other_deinit(&o);
}

/* Too late for the apply thread: the next start has it. */
static void a_load_while_closing_counts_at_the_next_start(void **state)
{
	struct home *h = *state;
	struct other o;

	GIVEN_FOLLOWER(h);
	GIVEN_OTHER(&o, h);
	other_operation(&o, "x");
	other_snapshot(&o);
	pthread_mutex_lock(&h->kv->lock);
	h->kv->stopping = true;
	pthread_mutex_unlock(&h->kv->lock);
	assert_int_equal(fakenode_load(h->node, o.folder, o.pos), STATUS_ENDED);
	home_close(h);

	GIVEN_OPEN(h);
	assert_log(h, "x;");
	other_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(row_53_the_reset_of_the_log_is_made_up_for),
		HOME_TEST(a_state_whose_log_is_of_another_history_is_refused),
		HOME_TEST(row_53_a_state_that_no_marker_names_is_removed),
		HOME_TEST(a_load_while_closing_counts_at_the_next_start),
	};

	return cmocka_run_group_tests_name("kv/install, crashes", tests, NULL,
					   NULL);
}
