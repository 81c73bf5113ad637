/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a member whose log or state is damaged begins anew and is repaired
 * from its peers by itself; it does not vote until it is whole; who has no
 * peers, or does not know what it has promised, is not begun anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/frame.h"
#include "base/mem.h"
#include "raft/node/mend.h"
#include "tests/lib/faultdisk.h"
#include "tests/lib/nodekit.h"

enum { MIB = 1 << 20, NUMBERS = 100 };

static int GIVEN_THREE(void **state)
{
	struct kit *kit = mem_alloc(sizeof *kit);

	kit_init(kit, 3);
	*state = kit;
	return 0;
}

static int teardown(void **state)
{
	kit_deinit(*state);
	mem_free(*state);
	return 0;
}

/* By a shell command that uses $D, its folder. */
static bool shell(struct kit_node *k, const char *command)
{
	char *line = mem_printf("D=%s; %s", k->folder, command);
	int rc = system(line);

	mem_free(line);
	return rc == 0;
}

/* Of the oldest segment, behind its first record: no torn tail. */
static void damage_log(struct kit_node *k)
{
	assert_true(shell(k, "f=$(ls $D/log/log-0* | head -n 1) && "
			     "printf '\\377\\377' | dd of=$f bs=1 seek=4200 "
			     "conv=notrunc 2>/dev/null"));
}

static bool is_whole(const struct node_status *status, uint64_t unused)
{
	(void)unused;
	return status->raft.leader != 0 && !status->raft.repairing;
}

static bool is_repairing(const struct node_status *status, uint64_t unused)
{
	(void)unused;
	return status->raft.repairing;
}

static bool has_refused(const struct node_status *status, uint64_t count)
{
	return status->raft.counters.prevotes_refused >= count;
}

static bool begins_after(const struct node_status *status, uint64_t index)
{
	return status->raft.first > index + 1;
}

/* And it does not win an election that it has begun. */
static bool has_no_leader(const struct node_status *status, uint64_t unused)
{
	(void)unused;
	return status->raft.role == RAFT_PRECANDIDATE;
}

static bool has_leader(const struct node_status *status, uint64_t unused)
{
	(void)unused;
	return status->raft.leader != 0;
}

static void await_all(struct kit *kit, size_t numbers)
{
	for (size_t i = 0; i < kit->count; i++) {
		if (kit->nodes[i].node != NULL) {
			assert_true(kit_await(&kit->nodes[i], numbers));
		}
	}
}

/* All have NUMBERS, and the follower given is stopped. */
static struct kit_node *GIVEN_STOPPED(struct kit *kit, struct kit_node **leader)
{
	struct kit_node *follower;

	kit_start_all(kit);
	*leader = kit_leader(kit);
	follower = *leader == &kit->nodes[0] ? &kit->nodes[1] : &kit->nodes[0];
	kit_propose(*leader, 0, NUMBERS, 8);
	await_all(kit, NUMBERS);
	kit_stop(follower);
	return follower;
}

static void assert_repaired(struct kit *kit, struct kit_node *k)
{
	assert_true(kit_await_status(k, is_whole, 0));
	assert_true(kit_await(k, NUMBERS));
	for (size_t i = 0; i < kit->count; i++) {
		assert_true(kit->nodes[i].node == NULL ||
			    kit_agree(k, &kit->nodes[i]));
	}
	assert_true(shell(k, "for i in $(seq 100); do "
			     "test -e $D/repair || exit 0; sleep 0.1; done; "
			     "exit 1"));
}

static void a_damaged_log_is_repaired(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k = GIVEN_STOPPED(kit, &leader);

	damage_log(k);
	kit_start(k);
	assert_repaired(kit, k);
	assert_true(shell(k, "test -e $D/damaged/log/log-0000000000000001"));

	/* It votes: with one of the others gone, there is a leader. */
	kit_stop(leader);
	assert_true(kit_await_status(k, has_leader, 0));
	kit_propose(k, NUMBERS, 10, 8);
	await_all(kit, NUMBERS + 10);
}

static void a_log_that_is_gone_is_repaired(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k = GIVEN_STOPPED(kit, &leader);

	assert_true(shell(k, "rm -r $D/log"));
	kit_start(k);
	assert_repaired(kit, k);

	kit_stop(k);
	assert_true(shell(k, "rm $D/log/log-0*"));
	kit_start(k);
	assert_repaired(kit, k);
}

static void a_log_of_yesterday_is_repaired(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k;

	k = GIVEN_STOPPED(kit, &leader);
	assert_true(shell(k, "cp -r $D/log $D/old"));
	kit_start(k);
	kit_stop(leader); /* it votes, or stands, in a later term */
	assert_true(kit_await_status(k, has_leader, 0));
	kit_start(leader);
	(void)kit_leader(kit);
	kit_stop(k);
	assert_true(shell(k, "rm -r $D/log && mv $D/old $D/log"));
	kit_start(k);
	assert_repaired(kit, k);
	assert_true(shell(k, "test -e $D/damaged/log"));
}

static void a_damaged_state_is_repaired_by_a_snapshot(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k = GIVEN_STOPPED(kit, &leader);
	struct buffer problem = {0};

	/* So much that the others have no log of it any more. */
	kit_propose(leader, NUMBERS, LIMIT_LOG_BYTES / MIB + 24, MIB);
	await_all(kit, NUMBERS + LIMIT_LOG_BYTES / MIB + 24);
	for (size_t i = 0; i < kit->count; i++) {
		struct kit_node *other = &kit->nodes[i];

		if (other != k) {
			node_flushed(other->node, kit_index(other));
			assert_true(kit_await_status(other, begins_after, 1));
		}
	}
	assert_int_equal(kit_open(k, &problem), 0);
	assert_int_equal(
		node_want_repair(k->node, "the state is rotten", &problem), 0);
	node_close(k->node);
	k->node = NULL;
	kit_start(k);
	assert_repaired(kit, k);
	assert_true(kit_await(k, NUMBERS + LIMIT_LOG_BYTES / MIB + 24));
	assert_true(k->loaded > 0);
	buffer_deinit(&problem);
}

/* The last of three, which has no leader any more. */
static struct kit_node *stop_leader(struct kit *kit, struct kit_node *leader,
				    struct kit_node *stopped)
{
	size_t other = 3 - (size_t)(leader - kit->nodes) -
		       (size_t)(stopped - kit->nodes);

	kit_stop(leader); /* hands over */
	assert_true(kit_await_status(&kit->nodes[other], has_no_leader, 0));
	return &kit->nodes[other];
}

/* Two that have it both, one of which has lost it: the third can not be
 * elected by that one. */
static void the_damaged_do_not_vote(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k, *other;
	struct node_status status;

	k = GIVEN_STOPPED(kit, &leader);
	other = stop_leader(kit, leader, k);
	damage_log(k);
	kit_start(k);
	assert_true(kit_await_status(k, has_refused, 5));
	node_status(k->node, &status);
	assert_true(status.raft.repairing && status.raft.leader == 0);
	assert_non_null(strstr(status.damage, "damaged at offset"));
	assert_true(kit_await_waiting(other, "damaged, and not voting"));
	assert_true(kit_await_waiting(other, k->name));
	node_status(other->node, &status);
	assert_int_equal(status.raft.leader, 0);

	/* It is not whole in its next life either. */
	kit_stop(k);
	kit_start(k);
	assert_true(kit_await_status(k, is_repairing, 0));

	kit_start(leader);
	assert_repaired(kit, k);
}

static void too_many_damaged_stay_without_a_leader(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k = GIVEN_STOPPED(kit, &leader);

	(void)stop_leader(kit, leader, k);
	damage_log(k);
	damage_log(leader);
	kit_start(k);
	kit_start(leader);
	for (size_t i = 0; i < kit->count; i++) {
		assert_true(kit_await_waiting(&kit->nodes[i],
					      "too many: raftfsctl recover"));
	}
}

static void a_crash_before_it_is_cleared_begins_it_again(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k = GIVEN_STOPPED(kit, &leader);
	struct buffer problem = {0};

	damage_log(k);
	assert_true(shell(k, "cp -r $D/log $D/copy"));
	for (int i = 0; i < 3; i++) {
		char *aside;

		assert_int_equal(kit_open(k, &problem), 0);
		aside = node_aside(k->node);
		assert_non_null(aside);
		mem_free(aside);
		node_close(k->node);
		k->node = NULL;
		assert_true(shell(k, "diff -r $D/copy $D/damaged/log"));
	}
	kit_start(k);
	assert_repaired(kit, k);
	assert_true(shell(k, "diff -r $D/copy $D/damaged/log"));
	buffer_deinit(&problem);
}

static void one_set_is_kept(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k = GIVEN_STOPPED(kit, &leader);

	for (int i = 0; i < 2; i++) {
		damage_log(k);
		assert_true(shell(k, "rm -fr $D/copy && cp -r $D/log $D/copy"));
		kit_start(k);
		assert_repaired(kit, k);
		kit_stop(k);
		assert_true(shell(k, "diff -r $D/copy $D/damaged/log"));
		assert_true(shell(k, "test $(ls -d $D/damaged* | wc -l) = 1"));
	}
}

/* n1 founded it alone, and its identity still says so: the others find it. */
static void the_founder_of_a_cluster_that_grew_is_repaired(void **state)
{
	struct kit *kit = *state;
	struct kit_node *first = &kit->nodes[0];

	first->alone = true;
	kit_start(first);
	for (size_t i = 1; i < kit->count; i++) {
		struct kit_node *k = &kit->nodes[i];

		assert_int_equal(kit_change(first, NODE_ADD, k->name, NULL,
					    k->address, false),
				 0);
		k->join = first->address;
		kit_start(k);
	}
	assert_true(kit_await_members(first, "n1:voter n2:voter n3:voter"));
	kit_propose(first, 0, NUMBERS, 8);
	await_all(kit, NUMBERS);
	kit_stop(first);
	damage_log(first);
	kit_start(first);
	assert_repaired(kit, first);
}

/* --- Not mended ----------------------------------------------------------- */

static void refuses(struct kit_node *k, const char *line)
{
	struct buffer problem = {0};

	assert_true(shell(k, "rm -fr $D.copy && cp -r $D $D.copy"));
	assert_int_equal(kit_open(k, &problem), STATUS_CORRUPT);
	if (strstr(buffer_text(&problem), line) == NULL) {
		fail_msg("%s", buffer_text(&problem));
	}
	assert_true(shell(k, "diff -r $D $D.copy"));
	buffer_deinit(&problem);
}

static void a_node_alone_does_not_start(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[0];

	k->alone = true;
	kit_start(k);
	kit_propose(k, 0, NUMBERS, 8);
	assert_true(kit_await(k, NUMBERS));
	kit_stop(k);
	damage_log(k);
	refuses(k, "damaged at offset");
}

/* It was one of three. */
static void who_is_left_alone_does_not_start(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader;

	kit_start_all(kit);
	leader = kit_leader(kit);
	kit_propose(leader, 0, NUMBERS, 8);
	await_all(kit, NUMBERS);
	for (size_t i = 0; i < kit->count; i++) {
		struct kit_node *k = &kit->nodes[i];

		if (k != leader) {
			assert_int_equal(kit_change(leader, NODE_REMOVE,
						    k->name, NULL, NULL, false),
					 0);
			kit_stop(k);
		}
	}
	kit_stop(leader);
	damage_log(leader);
	refuses(leader, "damaged at offset");
}

static void an_unknown_promise_is_not_guessed(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader, *k = GIVEN_STOPPED(kit, &leader);

	damage_log(k);
	assert_true(shell(k, "printf xxx | dd of=$D/promise bs=1 seek=3 "
			     "conv=notrunc 2>/dev/null"));
	refuses(k, "must be replaced, see raftfsctl member replace");
}

/* --- The file --------------------------------------------------------------
 */

static void the_file_says_what_was_saved(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct disk *disk = faultdisk_disk(f);
	struct mend m = {.phase = MEND_WANTED, .what = "log-1: rot"}, got;
	(void)state;

	assert_int_equal(mend_load(disk, &got), 0);
	assert_int_equal(got.phase, MEND_NONE);
	assert_int_equal(mend_save(disk, &m), 0);
	assert_int_equal(mend_load(disk, &got), 0);
	assert_int_equal(got.phase, MEND_WANTED);
	assert_string_equal(got.what, m.what);
	m.phase = MEND_BEGUN;
	assert_int_equal(mend_save(disk, &m), 0);
	faultdisk_crash(f, 1);
	assert_int_equal(mend_load(disk, &got), 0);
	assert_int_equal(got.phase, MEND_BEGUN);
	faultdisk_flip(f, "repair", 20, 1);
	assert_int_equal(mend_load(disk, &got), 0);
	assert_int_equal(got.phase, MEND_WANTED);
	m.phase = MEND_NONE;
	assert_int_equal(mend_save(disk, &m), 0);
	assert_int_equal(mend_save(disk, &m), 0);
	assert_false(faultdisk_has(f, "repair"));
	faultdisk_free(f);
}

static void a_file_that_names_nothing_is_damaged(void **state)
{
	static const uint8_t not_begun[] = {1 << 3, 0};
	struct faultdisk *f = faultdisk_new();
	struct disk *disk = faultdisk_disk(f);
	struct buffer data = {0};
	struct mend got;
	size_t start = frame_begin(&data);
	(void)state;

	buffer_append(&data, not_begun, sizeof not_begun);
	frame_seal(&data, start, 1, 0);
	assert_int_equal(
		disk_replace(disk, "repair", "new", buffer_bytes(&data)), 0);

	assert_int_equal(mend_load(disk, &got), 0);
	assert_int_equal(got.phase, MEND_WANTED);
	assert_string_equal(got.what, "the file repair is damaged");
	assert_int_equal(mend_save(disk, &got), 0);
	buffer_deinit(&data);
	faultdisk_free(f);
}

int main(void)
{
#define THREE(name) cmocka_unit_test_setup_teardown(name, GIVEN_THREE, teardown)
	const struct CMUnitTest tests[] = {
		THREE(a_damaged_log_is_repaired),
		THREE(a_log_that_is_gone_is_repaired),
		THREE(a_log_of_yesterday_is_repaired),
		THREE(a_damaged_state_is_repaired_by_a_snapshot),
		THREE(the_damaged_do_not_vote),
		THREE(too_many_damaged_stay_without_a_leader),
		THREE(a_crash_before_it_is_cleared_begins_it_again),
		THREE(one_set_is_kept),
		THREE(the_founder_of_a_cluster_that_grew_is_repaired),
		THREE(a_node_alone_does_not_start),
		THREE(who_is_left_alone_does_not_start),
		THREE(an_unknown_promise_is_not_guessed),
		cmocka_unit_test(the_file_says_what_was_saved),
		cmocka_unit_test(a_file_that_names_nothing_is_damaged),
	};

	return cmocka_run_group_tests_name("raft/node/mend", tests, NULL, NULL);
}
