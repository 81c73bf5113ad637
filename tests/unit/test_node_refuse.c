/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: whoever does not belong to a cluster is told so, and whatever
 * comes in on the port, the cluster goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/frame.h"
#include "base/mem.h"
#include "raft/node/clock.h"
#include "raft/node/wire.h"
#include "tests/lib/caller.h"
#include "tests/lib/nodetest.h"

/* --- Nodes that do not belong ----------------------------------------------
 */

/* Row 31: a wiped disk is a new incarnation. */
static void a_member_that_lost_its_data_is_told_to_be_replaced(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct node_status status;

	kit_start_all(kit);
	kit_leader(kit);
	kit_stop(k);
	kit_wipe(k);
	kit_start(k);

	assert_true(kit_await_failed(k, "this name was a member: node n3"));
	kit_propose(&kit->nodes[0], 0, 10, 8);
	assert_true(kit_await(&kit->nodes[1], 10));
	node_status(k->node, &status);
	assert_false(status.founded);
	assert_int_equal(kit_applied(k), 0);
}

/* It has never had a core: nobody relies on what it forgets. */
static void who_is_denied_before_it_was_a_member_leaves_nothing(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	char *reserve = mem_printf("%s/reserve", k->folder);

	kit_start_all(kit);
	kit_leader(kit);
	kit_stop(k);
	assert_int_equal(access(k->folder, F_OK), 0); /* of a member it stays */
	kit_wipe(k);
	kit_start(k);
	assert_int_equal(access(k->folder, F_OK), 0);
	assert_int_not_equal(access(reserve, F_OK), 0);

	assert_true(kit_await_failed(k, "this name was a member: node n3"));
	kit_stop(k);
	assert_int_not_equal(access(k->folder, F_OK), 0);
	mem_free(reserve);
}

/* Ends the call. */
static bool is_denied(struct caller_ear *ear)
{
	struct bytes body;
	bool denied = caller_hears(ear, WIRE_DENIED, &body);

	caller_ends(ear);
	return denied;
}

static bool is_denied_when_called(struct kit_node *k, struct kit_node *by)
{
	struct buffer answer = {0};
	struct caller_ear ear;

	caller_hello_empty(k, by, &answer);
	ear = caller_called_by(k, by, buffer_bytes(&answer));
	buffer_deinit(&answer);
	return is_denied(&ear);
}

/* The leader still calls the lost one when its successor is there already. */
static void who_is_invited_is_not_denied_where_the_lost_one_was(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct kit_node *leader;

	GIVEN_STEADY(kit);
	kit_stop(k);
	leader = kit_leader(kit);
	assert_true(is_denied_when_called(k, leader));

	assert_int_equal(kit_change(leader, NODE_REPLACE, k->name, k->name,
				    k->address, false),
			 0);

	assert_false(is_denied_when_called(k, kit_leader(kit)));
}

/* n3 has led, and its log ends with a configuration that nobody else has. */
static void GIVEN_N3_AWAY(struct kit *kit, struct kit_node **leader,
			  struct buffer *hello)
{
	GIVEN_STEADY(kit);
	kit_stop(&kit->nodes[2]);
	*leader = kit_leader(kit);
	caller_hello_of(&kit->nodes[2], *leader, 1, 1000, hello);
}

static void a_removed_member_is_told_whatever_its_log_ends_with(void **state)
{
	struct kit *kit = *state;
	struct buffer hello = {0};
	struct kit_node *leader;
	struct caller_ear ear = {0};

	GIVEN_N3_AWAY(kit, &leader, &hello);
	assert_int_equal(
		kit_change(leader, NODE_REMOVE, "n3", NULL, NULL, false), 0);

	ear.fd = caller_dial(leader);
	caller_say(ear.fd, buffer_bytes(&hello));

	assert_true(is_denied(&ear));
	buffer_deinit(&hello);
}

static void who_is_removed_is_told_whatever_it_called_with(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct buffer hello = {0};
	struct kit_node *leader;
	struct caller_ear ear;
	int fd;

	GIVEN_N3_AWAY(kit, &leader, &hello);
	fd = caller_dial(leader);
	caller_say(fd, buffer_bytes(&hello));
	ear = caller_called_by(k, leader, buffer_bytes(&hello));

	assert_int_equal(
		kit_change(leader, NODE_REMOVE, k->name, NULL, NULL, false), 0);

	assert_true(is_denied(&ear));
	buffer_deinit(&hello);
	close(fd);
}

static void a_name_the_cluster_does_not_know_is_told_so(void **state)
{
	struct kit *kit = *state;

	kit->count = 3;
	kit_start_all(kit);
	kit_leader(kit);
	kit->count = 4;
	kit_start(&kit->nodes[3]);

	assert_true(kit_await_failed(&kit->nodes[3], "does not know n4"));
	assert_true(
		kit_await_failed(&kit->nodes[3], "raftfsctl member add n4"));
	kit_propose(&kit->nodes[0], 0, 10, 8);
	assert_true(kit_await(&kit->nodes[1], 10));
}

static void a_member_of_another_cluster_is_left_out(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct node_status status;

	/* n3 has founded a cluster of its own before. */
	kit->count = 1;
	kit->peers[0] = (struct node_peer){k->name, k->address};
	kit_start(k);
	kit_propose(k, 500, 1, 8);
	assert_true(kit_await(k, 1));
	kit_stop(k);
	kit->count = 3;
	kit->peers[0] = (struct node_peer){"n1", kit->nodes[0].address};

	kit_start_all(kit);

	assert_true(kit_await_failed(&kit->nodes[0], "does not know n1"));
	node_status(kit->nodes[0].node, &status);
	assert_false(status.founded);
	kit_propose(k, 501, 1, 8); /* it goes on by itself */
	assert_true(kit_await(k, 2));
}

/* Two of its three peers: it can never have a quorum of its own here. */
static void the_data_of_another_cluster_is_refused_by_its_node(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];

	char *kept = mem_printf("%s.kept", k->folder);

	kit_start_all(kit);
	kit_leader(kit);
	for (size_t i = 0; i < kit->count; i++) {
		kit_stop(&kit->nodes[i]);
	}
	assert_int_equal(rename(k->folder, kept), 0);
	kit_forget(k);
	kit_wipe(&kit->nodes[0]);
	kit_wipe(&kit->nodes[1]);
	kit_start_all(kit);
	kit_leader(kit);
	kit_stop(k);
	kit_wipe(k);
	assert_int_equal(rename(kept, k->folder), 0);
	mem_free(kept);

	kit_start(k);

	assert_true(kit_await_failed(k, "belongs to another cluster"));
	kit_propose(&kit->nodes[0], 0, 10, 8);
	assert_true(kit_await(&kit->nodes[1], 10));
}

/* Somebody at n2's port, who says who it is, and then that it does not speak
 * to whoever calls. */
static void GIVEN_N2_ENDS_A_CALL_OF_N1(struct kit *kit)
{
	struct caller_ear ear = {.fd = caller_called(&kit->nodes[1])};
	struct buffer hello = {0};
	struct bytes body;

	assert_true(caller_hears(&ear, WIRE_HELLO, &body));
	caller_hello(&kit->nodes[1], &kit->nodes[0], &hello);
	caller_say(ear.fd, buffer_bytes(&hello));
	buffer_deinit(&hello);
	buffer_deinit(&ear.in);
	close(ear.fd);
}

static void who_greets_and_refuses_is_called_less_and_less_often(void **state)
{
	struct kit *kit = *state;
	raft_ms began;

	kit_start_all(kit);
	kit_leader(kit);
	kit_stop(&kit->nodes[1]);
	GIVEN_N2_ENDS_A_CALL_OF_N1(kit);

	began = clock_ms();
	for (size_t i = 0; i < 8; i++) {
		GIVEN_N2_ENDS_A_CALL_OF_N1(kit);
	}

	assert_true(clock_ms() - began >= 2000);
}

static void different_peer_lists_wait_and_say_so(void **state)
{
	struct kit *kit = *state;

	kit->count = 2;
	kit_start(&kit->nodes[0]);
	kit->count = 3;
	kit_start(&kit->nodes[1]);

	assert_true(kit_await_waiting(&kit->nodes[0],
				      "it was given other peers: n1 n2 n3"));
	assert_true(kit_await_waiting(&kit->nodes[1],
				      "it was given other peers: n1 n2"));
}

/* --- Bytes that do not belong ----------------------------------------------
 */

static bool has_bad(const struct node_status *status, uint64_t count)
{
	return status->bad_frames >= count;
}

static uint64_t bad_frames(struct kit_node *k, uint64_t at_least)
{
	struct node_status status;

	assert_true(kit_await_status(k, has_bad, at_least));
	node_status(k->node, &status);
	return status.bad_frames;
}

static void GIVEN_HELLO_OF_N2(struct kit *kit, struct buffer *out)
{
	caller_hello(&kit->nodes[1], &kit->nodes[0], out);
}

static void assert_goes_on(struct kit *kit)
{
	kit_propose(&kit->nodes[0], 0, 50, 8);
	for (size_t i = 0; i < kit->count; i++) {
		assert_true(kit_await(&kit->nodes[i], 50));
	}
}

static void noise_is_closed_and_counted(void **state)
{
	struct kit *kit = *state;
	struct buffer noise = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t word = i * 2654435761U;

		buffer_append(&noise, &word, sizeof word);
	}
	for (uint64_t round = 1; round <= 5; round++) {
		fd = caller_dial(&kit->nodes[0]);
		caller_say(fd, bytes_of(noise.data + 13 * round, 4096));
		assert_true(caller_is_closed(fd));
		assert_int_equal(bad_frames(&kit->nodes[0], round), round);
	}
	buffer_deinit(&noise);
	assert_goes_on(kit);
}

static void a_length_beyond_the_bound_is_closed_at_once(void **state)
{
	struct kit *kit = *state;
	uint8_t header[FRAME_HEADER_BYTES] = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	header[4] = FRAME_VERSION;
	header[5] = WIRE_HELLO;
	put_le32(header, LIMIT_FRAME_BYTES + 1);
	fd = caller_dial(&kit->nodes[0]);
	caller_say(fd, bytes_of(header, sizeof header));
	assert_true(caller_is_closed(fd));

	/* Within the bound, but not before a HELLO. */
	put_le32(header, WIRE_HELLO_BYTES_MAX + 1);
	fd = caller_dial(&kit->nodes[0]);
	caller_say(fd, bytes_of(header, sizeof header));
	assert_true(caller_is_closed(fd));
	assert_int_equal(bad_frames(&kit->nodes[0], 2), 2);
	assert_goes_on(kit);
}

static void another_protocol_version_is_closed(void **state)
{
	struct kit *kit = *state;
	struct buffer hello = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	GIVEN_HELLO_OF_N2(kit, &hello);
	hello.data[4] = FRAME_VERSION + 1;
	fd = caller_dial(&kit->nodes[0]);
	caller_say(fd, buffer_bytes(&hello));
	assert_true(caller_is_closed(fd));
	assert_int_equal(bad_frames(&kit->nodes[0], 1), 1);
	buffer_deinit(&hello);
}

static void a_truncated_frame_is_waited_for_only_so_long(void **state)
{
	struct kit *kit = *state;
	struct buffer hello = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	GIVEN_HELLO_OF_N2(kit, &hello);
	fd = caller_dial(&kit->nodes[0]);
	caller_say(fd, bytes_of(hello.data, hello.size / 2));
	assert_true(caller_is_closed(fd));
	buffer_deinit(&hello);
	assert_goes_on(kit);
}

static void a_replayed_frame_is_closed_and_counted(void **state)
{
	struct kit *kit = *state;
	struct buffer hello = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	GIVEN_HELLO_OF_N2(kit, &hello);
	fd = caller_dial(&kit->nodes[0]);
	caller_say(fd, buffer_bytes(&hello));
	caller_say(fd, buffer_bytes(&hello)); /* valid, but not as number 1 */
	assert_true(caller_is_closed(fd));
	assert_int_equal(bad_frames(&kit->nodes[0], 1), 1);
	buffer_deinit(&hello);
	assert_goes_on(kit);
}

static void a_hello_of_an_earlier_start_is_refused(void **state)
{
	struct kit *kit = *state;
	struct buffer hello = {0};
	int fd;

	GIVEN_CLUSTER(kit);
	kit_stop(&kit->nodes[1]);
	kit_start(&kit->nodes[1]); /* its second */
	kit_leader(kit);
	GIVEN_HELLO_OF_N2(kit, &hello);
	fd = caller_dial(&kit->nodes[0]);
	caller_say(fd, buffer_bytes(&hello));
	assert_true(caller_is_closed(fd));
	assert_int_equal(bad_frames(&kit->nodes[0], 1), 1);
	buffer_deinit(&hello);
	assert_goes_on(kit);
}

static void a_message_in_the_name_of_another_is_refused(void **state)
{
	struct kit *kit = *state;
	struct buffer out = {0};
	struct raft_msg msg = {
		.kind = RAFT_VOTE,
		.from = kit->nodes[2].id,
		.term = 1000,
	};
	struct node_status status;
	size_t start;
	int fd;

	GIVEN_CLUSTER(kit);
	msg.from = kit->nodes[2].id;
	msg.to = kit->nodes[0].id;
	GIVEN_HELLO_OF_N2(kit, &out);
	start = frame_begin(&out);
	wire_encode_core(&out, &msg, NULL, 0);
	frame_seal(&out, start, WIRE_CORE, 1);
	fd = caller_dial(&kit->nodes[0]);
	caller_say(fd, buffer_bytes(&out));
	assert_true(caller_is_closed(fd));
	assert_int_equal(bad_frames(&kit->nodes[0], 1), 1);
	node_status(kit->nodes[0].node, &status);
	assert_true(status.raft.term < 1000);
	buffer_deinit(&out);
	assert_goes_on(kit);
}

static void many_silent_callers_do_not_keep_members_out(void **state)
{
	struct kit *kit = *state;
	int fds[100];

	kit_start(&kit->nodes[0]);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = caller_dial(&kit->nodes[0]);
	}
	kit_start(&kit->nodes[1]);

	kit_leader(kit);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		close(fds[i]);
	}
	assert_goes_on(kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_THREE,
			 a_member_that_lost_its_data_is_told_to_be_replaced),
		KIT_TEST(GIVEN_THREE,
			 who_is_denied_before_it_was_a_member_leaves_nothing),
		KIT_TEST(GIVEN_THREE,
			 who_is_invited_is_not_denied_where_the_lost_one_was),
		KIT_TEST(GIVEN_THREE,
			 a_removed_member_is_told_whatever_its_log_ends_with),
		KIT_TEST(GIVEN_THREE,
			 who_is_removed_is_told_whatever_it_called_with),
		KIT_TEST(GIVEN_FOUR,
			 a_name_the_cluster_does_not_know_is_told_so),
		KIT_TEST(GIVEN_THREE, a_member_of_another_cluster_is_left_out),
		KIT_TEST(GIVEN_THREE,
			 the_data_of_another_cluster_is_refused_by_its_node),
		KIT_TEST(GIVEN_TWO,
			 who_greets_and_refuses_is_called_less_and_less_often),
		KIT_TEST(GIVEN_THREE, different_peer_lists_wait_and_say_so),
		KIT_TEST(GIVEN_THREE, noise_is_closed_and_counted),
		KIT_TEST(GIVEN_THREE,
			 a_length_beyond_the_bound_is_closed_at_once),
		KIT_TEST(GIVEN_TWO, another_protocol_version_is_closed),
		KIT_TEST(GIVEN_TWO,
			 a_truncated_frame_is_waited_for_only_so_long),
		KIT_TEST(GIVEN_THREE, a_replayed_frame_is_closed_and_counted),
		KIT_TEST(GIVEN_TWO, a_hello_of_an_earlier_start_is_refused),
		KIT_TEST(GIVEN_THREE,
			 a_message_in_the_name_of_another_is_refused),
		KIT_TEST(GIVEN_TWO,
			 many_silent_callers_do_not_keep_members_out),
	};

	return cmocka_run_group_tests_name("raft/node/refuse", tests, NULL,
					   NULL);
}
