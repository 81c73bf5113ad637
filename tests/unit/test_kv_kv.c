/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a read waits until what was acknowledged is applied here, or says
 * that it fell back; the state fits the log or is refused with a line that says
 * what and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/command.h"
#include "tests/lib/kvkit.h"

/* --- Reading -------------------------------------------------------------- */

static void a_lease_answers_a_fresh_read_at_once(void **state)
{
	struct home *h = *state;
	struct waiter a;

	GIVEN_LEADER(h);

	home_barrier(h, &a, "a", KV_READS_FRESH);

	assert_int_equal(a.id, 0);
	assert_told(h, "a=fresh ");
}

static void a_local_read_asks_nobody(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;

	GIVEN_OPEN(h);

	home_barrier(h, &a, "a", KV_READS_LOCAL);

	assert_told(h, "a=fresh ");
	assert_int_equal(fakenode_ticket(h->node, &lease), 0);
}

static void a_follower_waits_until_the_read_index_is_applied(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	home_barrier(h, &a, "a", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	assert_int_not_equal(ticket, 0);

	fakenode_answer(h->node, ticket, h->log.commit + 1, 0);
	assert_told(h, "");
	fakenode_commit_entry(h->node, entry_new(ENTRY_NOOP, "", 0));

	assert_told(h, "a=fresh ");
}

static void a_strict_read_does_not_take_the_lease(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;
	uint64_t ticket;

	GIVEN_LEADER(h);
	home_barrier(h, &a, "a", KV_READS_STRICT);
	assert_told(h, "");
	ticket = fakenode_ticket(h->node, &lease);
	assert_false(lease);

	fakenode_answer(h->node, ticket, h->log.commit, 0);

	assert_told(h, "a=fresh ");
}

static void a_new_leader_is_asked_at_once(void **state)
{
	struct home *h = *state;
	struct waiter a;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	home_barrier(h, &a, "a", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, 0, STATUS_NO_QUORUM);
	assert_int_equal(fakenode_ticket(h->node, &lease), 0);

	fakenode_role(h->node, 0);
	fakenode_role(h->node, FAKENODE_OTHER);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, h->log.commit, 0);

	assert_told(h, "a=fresh ");
}

static void cut_off_reads_fall_back_until_a_leader_answers(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;
	struct waiter c;
	struct waiter s;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	fakenode_role(h->node, 0);
	home_barrier(h, &a, "a", KV_READS_FRESH);
	fakenode_answer(h->node, fakenode_ticket(h->node, &lease), 0,
			STATUS_NOT_LEADER);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS);
	assert_told(h, "a=fell back ");
	home_barrier(h, &b, "b", KV_READS_FRESH);
	assert_told(h, "b=fell back ");
	home_barrier(h, &s, "s", KV_READS_STRICT);
	assert_told(h, "s=no quorum ");

	ticket = fakenode_ticket(h->node, &lease);
	assert_int_not_equal(ticket, 0);
	fakenode_answer(h->node, ticket, h->log.commit, 0);
	home_barrier(h, &c, "c", KV_READS_FRESH);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, h->log.commit, 0);

	assert_told(h, "c=fresh ");
}

/* B4: what it has may be older than what it has shown. */
static void a_repaired_node_falls_back_to_nothing(void **state)
{
	struct home *h = *state;
	struct waiter w[5];
	bool lease;
	uint64_t ticket;

	h->log.repairs = true;
	GIVEN_FOLLOWER(h);
	fakenode_role(h->node, 0);
	home_barrier(h, &w[0], "a", KV_READS_FRESH);
	home_barrier(h, &w[1], "l", KV_READS_LOCAL);
	fakenode_answer(h->node, fakenode_ticket(h->node, &lease), 0,
			STATUS_NOT_LEADER);
	assert_told(h, "");
	fakenode_sleep(h->node, LIMIT_BARRIER_MS);
	assert_told(h, "a=no quorum l=no quorum ");
	home_barrier(h, &w[2], "b", KV_READS_FRESH);
	assert_told(h, "b=no quorum ");

	fakenode_role(h->node, FAKENODE_OTHER);
	ticket = fakenode_ticket(h->node, &lease); /* of before */
	fakenode_answer(h->node, ticket, h->log.commit, 0);
	home_barrier(h, &w[3], "c", KV_READS_LOCAL);
	ticket = fakenode_ticket(h->node, &lease);
	fakenode_answer(h->node, ticket, h->log.commit, 0);
	assert_told(h, "c=fresh ");
	fakenode_role(h->node, 0);
	home_barrier(h, &w[4], "d", KV_READS_LOCAL);
	assert_told(h, "d=fresh ");
}

/* The status says that there is a leader: no read may be older than that. */
static void reads_wait_again_once_a_leader_is_heard(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	fakenode_role(h->node, 0);
	home_barrier(h, &a, "a", KV_READS_FRESH);
	fakenode_answer(h->node, fakenode_ticket(h->node, &lease), 0,
			STATUS_NOT_LEADER);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS);
	assert_told(h, "a=fell back ");

	fakenode_role(h->node, FAKENODE_OTHER);
	home_barrier(h, &b, "b", KV_READS_FRESH);
	assert_told(h, "");
	while ((ticket = fakenode_ticket(h->node, &lease)) != 0) {
		fakenode_answer(h->node, ticket, h->log.commit, 0);
	}

	assert_told(h, "b=fresh ");
}

/* SIGSTOP, or a suspended machine: what waits in the sockets comes first. */
static void time_in_which_it_did_not_run_cuts_nothing_off(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter s;
	bool lease;
	uint64_t ticket;

	GIVEN_FOLLOWER(h);
	home_barrier(h, &a, "a", KV_READS_FRESH);
	home_barrier(h, &s, "s", KV_READS_STRICT);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS / 2);
	fakenode_stop_for(h->node, 3600 * 1000);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS - 1);
	assert_told(h, "");

	while ((ticket = fakenode_ticket(h->node, &lease)) != 0) {
		fakenode_answer(h->node, ticket, h->log.commit, 0);
	}

	assert_told(h, "a=fresh s=fresh ");
}

/* open(2) is a look-up, which waits for a barrier, and then a proposal. */
static void a_barrier_and_a_proposal_share_one_timeout(void **state)
{
	struct home *h = *state;
	struct waiter a;
	struct waiter b;
	bool lease;

	GIVEN_FOLLOWER(h);
	home_barrier(h, &a, "a", KV_READS_FRESH);
	(void)fakenode_ticket(h->node, &lease);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS / 2);
	fakenode_route(h->node, false); /* only now the loss is noticed */
	fakenode_sleep(h->node, LIMIT_BARRIER_MS / 2);
	assert_told(h, "a=fell back ");

	home_propose(h, &b, "b");
	fakenode_sleep(h->node, HOME_TIMEOUT - LIMIT_BARRIER_MS - 1);
	assert_told(h, "");
	fakenode_sleep(h->node, 1);

	assert_told(h, "b=timed out before it was proposed ");
}

static void the_status_names_the_lack_of_a_quorum(void **state)
{
	struct home *h = *state;
	struct kv_status *status = malloc(sizeof *status);

	GIVEN_FOLLOWER(h);
	kv_status(h->kv, status);
	assert_true(status->quorum);
	assert_string_equal(status->role, "follower");
	assert_int_equal(status->applied, 2);

	fakenode_role(h->node, 0);
	kv_status(h->kv, status);

	assert_false(status->quorum);
	assert_non_null(strstr(status->why, "quorum"));
	free(status);
}

/* Its leader was heard a moment ago, but a read has waited in vain. */
static void who_is_cut_off_has_no_quorum(void **state)
{
	struct home *h = *state;
	struct kv_status *status = malloc(sizeof *status);
	struct waiter a;
	bool lease;

	GIVEN_FOLLOWER(h);
	home_barrier(h, &a, "a", KV_READS_STRICT);
	fakenode_sleep(h->node, LIMIT_BARRIER_MS);
	assert_told(h, "a=no quorum ");

	kv_status(h->kv, status);
	assert_true(status->cut_off);
	assert_false(status->quorum);
	assert_string_equal(status->why,
			    "no quorum: no leader with a majority answers");

	fakenode_answer(h->node, fakenode_ticket(h->node, &lease),
			h->log.commit, 0);
	kv_status(h->kv, status);
	assert_true(status->quorum);
	free(status);
}

static void while_founding_nobody_leads(void **state)
{
	struct home *h = *state;
	struct kv_status *status = malloc(sizeof *status);

	GIVEN_FOLLOWER(h);
	fakenode_founding(h->node);

	kv_status(h->kv, status);

	assert_string_equal(status->leader, "");
	assert_false(status->members[0].leader || status->members[1].leader);
	assert_true(status->members[0].self);
	assert_false(status->members[1].self);
	free(status);
}

/* --- Recovery ------------------------------------------------------------- */

static void GIVEN_HISTORY(struct home *h)
{
	struct waiter a;
	struct waiter b;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	home_propose(h, &b, "b");
	fakenode_settle(h->node);
	assert_told(h, "a=ok:a; b=ok:a;b; ");
}

/* Another node may have begun at the same path meanwhile. */
static void what_comes_to_stand_at_its_path_is_left_alone(void **state)
{
	struct home *h = *state;
	char moved[sizeof h->folder + 8];
	char command[sizeof moved * 3];

	GIVEN_HISTORY(h);
	snprintf(moved, sizeof moved, "%s.moved", h->folder);
	assert_int_equal(rename(h->folder, moved), 0);
	assert_int_equal(mkdir(h->folder, 0700), 0);

	home_close(h);

	assert_int_equal(rmdir(h->folder), 0); /* still empty */
	snprintf(command, sizeof command, "mv '%s' '%s'", moved, h->folder);
	assert_int_equal(system(command), 0);
	GIVEN_OPEN(h);
	assert_log(h, "a;b;");
}

static void mark_the_end(void *context)
{
	struct home *h = context;

	pthread_mutex_lock(&h->lock);
	buffer_printf(&h->told, "| ");
	pthread_mutex_unlock(&h->lock);
}

/* It finishes what it saves, for as long as a slow disk takes. */
static void nobody_waits_for_the_end_of_the_node(void **state)
{
	struct home *h = *state;
	struct waiter a, b;

	GIVEN_FOLLOWER(h);
	home_propose(h, &a, "a");
	assert_int_equal(fakenode_take(h->node), 1);
	home_barrier(h, &b, "b", KV_READS_STRICT);
	fakenode_on_stop(h->node, mark_the_end, h);

	home_close(h);

	assert_told(h, "a=outcome unknown b=session ended | ");
}

static void a_restart_keeps_everything(void **state)
{
	struct home *h = *state;
	struct waiter c;

	GIVEN_HISTORY(h);
	home_close(h);

	GIVEN_FOLLOWER(h);
	assert_log(h, "a;b;");
	home_propose(h, &c, "c");
	fakenode_settle(h->node);

	assert_told(h, "c=ok:a;b;c; ");
}

static void what_was_not_flushed_comes_back_from_the_log(void **state)
{
	struct home *h = *state;
	struct memdisk *forgetful = memdisk_new();

	GIVEN_OPEN(h);
	home_close(h);
	for (int i = 0; i < 3000; i++) {
		struct entry *e = command_birth(bytes_of_text("born"));

		fakelog_append(&h->log, e);
	}

	GIVEN_OPEN(h);

	assert_log(h, "born;");
	assert_int_equal(h->kv->applied, 3000);
	memdisk_free(forgetful);
}

static void assert_refused(struct home *h, const char *word)
{
	struct buffer problem = {0};

	assert_int_equal(home_open(h, &problem), STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), word));
	assert_non_null(strstr(buffer_text(&problem), h->folder));
	h->kv = NULL;
	buffer_deinit(&problem);
}

static void a_database_that_lost_its_tail_is_refused(void **state)
{
	struct home *h = *state;

	GIVEN_HISTORY(h);
	home_close(h);
	memdisk_free(h->disk);
	h->disk = memdisk_new();

	assert_refused(h, "lost its tail");
}

static void a_database_ahead_of_the_log_is_refused(void **state)
{
	struct home *h = *state;

	GIVEN_HISTORY(h);
	home_close(h);
	fakelog_deinit(&h->log);

	assert_refused(h, "the log lost its tail");
}

static void a_log_that_begins_too_late_is_refused(void **state)
{
	struct home *h = *state;

	GIVEN_HISTORY(h);
	home_close(h);
	h->log.base += 100;
	h->log.commit += 100;

	assert_refused(h, "begins after");
}

static void a_missing_or_damaged_marker_is_refused(void **state)
{
	struct home *h = *state;
	char path[96];

	GIVEN_HISTORY(h);
	home_close(h);
	snprintf(path, sizeof path, "%s/state", h->folder);
	assert_int_equal(truncate(path, 10), 0);
	assert_refused(h, "damaged");
	assert_int_equal(unlink(path), 0);

	assert_refused(h, "missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOME_TEST(a_lease_answers_a_fresh_read_at_once),
		HOME_TEST(a_local_read_asks_nobody),
		HOME_TEST(a_follower_waits_until_the_read_index_is_applied),
		HOME_TEST(a_strict_read_does_not_take_the_lease),
		HOME_TEST(a_new_leader_is_asked_at_once),
		HOME_TEST(cut_off_reads_fall_back_until_a_leader_answers),
		HOME_TEST(a_repaired_node_falls_back_to_nothing),
		HOME_TEST(time_in_which_it_did_not_run_cuts_nothing_off),
		HOME_TEST(a_barrier_and_a_proposal_share_one_timeout),
		HOME_TEST(reads_wait_again_once_a_leader_is_heard),
		HOME_TEST(the_status_names_the_lack_of_a_quorum),
		HOME_TEST(who_is_cut_off_has_no_quorum),
		HOME_TEST(while_founding_nobody_leads),
		HOME_TEST(what_comes_to_stand_at_its_path_is_left_alone),
		HOME_TEST(nobody_waits_for_the_end_of_the_node),
		HOME_TEST(a_restart_keeps_everything),
		HOME_TEST(what_was_not_flushed_comes_back_from_the_log),
		HOME_TEST(a_database_that_lost_its_tail_is_refused),
		HOME_TEST(a_database_ahead_of_the_log_is_refused),
		HOME_TEST(a_log_that_begins_too_late_is_refused),
		HOME_TEST(a_missing_or_damaged_marker_is_refused),
	};

	return cmocka_run_group_tests_name("kv/kv", tests, NULL, NULL);
}
