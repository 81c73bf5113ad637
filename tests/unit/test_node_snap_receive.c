/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a follower takes a snapshot only of the leader of the newest term,
 * one at a time, and only whole; what does not check is refused, and counted
 * if it can only be malice or a mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/mem.h"
#include "raft/node/snap_wire.h"
#include "raft/node/wire.h"
#include "tests/lib/caller.h"
#include "tests/lib/nodetest.h"

enum { AHEAD = 1000 }; /* entries that the snapshot is ahead */

/* A connection on which a snapshot is sent, by hand. */
struct talk {
	struct caller_ear ear;
	uint64_t number; /* of the next frame out */
};

static struct snap_message message; /* of the last answer */
static struct buffer content[2];    /* of the files */
static struct snap_file files[2] = {{"000001.sst", 0}, {"state", 0}};

/* It has waited for a leader in vain: the hand-over of those that stopped is
 * over, and with it the last change of its term. */
static bool is_alone(const struct node_status *status, uint64_t argument)
{
	(void)argument;
	return status->raft.role == RAFT_PRECANDIDATE &&
	       !status->members[0].connected && !status->members[1].connected;
}

static bool has_counted(const struct node_status *status, uint64_t bad_frames)
{
	return status->bad_frames == bad_frames;
}

/* n3 is alone; n1 is who sends. */
static int setup(void **state)
{
	struct kit *kit;

	(void)GIVEN_THREE(state);
	kit = *state;
	kit_start_all(kit);
	kit_leader(kit);
	kit_propose(&kit->nodes[2], 0, 10, 8);
	assert_true(kit_await(&kit->nodes[2], 10));
	kit_stop(&kit->nodes[0]);
	kit_stop(&kit->nodes[1]);
	assert_true(kit_await_status(&kit->nodes[2], is_alone, 0));
	return 0;
}

static int teardown(void **state)
{
	buffer_deinit(&content[0]);
	buffer_deinit(&content[1]);
	return kit_teardown(state);
}

/* --- What is said ----------------------------------------------------------
 */

static struct talk GIVEN_TALK(struct kit *kit) {
	struct talk t = {.number = 1};
	struct buffer out = {0};
	struct bytes body;

	caller_hello_snapshot(&kit->nodes[0], &kit->nodes[2], &out);
	t.ear.fd = caller_dial(&kit->nodes[2]);
	caller_say(t.ear.fd, buffer_bytes(&out));
	buffer_deinit(&out);
	assert_true(caller_hears(&t.ear, WIRE_HELLO, &body));
	return t;
}

static void
end(struct talk *t)
{
	close(t->ear.fd);
	buffer_deinit(&t->ear.in);
}

static void assert_closed(struct talk *t)
{
	assert_true(caller_is_closed(t->ear.fd));
	buffer_deinit(&t->ear.in);
}

static struct raft_pos pos_of(struct kit_node *k, raft_index ahead)
{
	struct node_status status = status_of(k);

	return (struct raft_pos){status.raft.term, status.raft.commit + ahead};
}

/* A state of the toy that ends at pos, and some ballast. */
static void fill_files(const struct kit_node *k, struct raft_pos pos)
{
	uint8_t head[40];

	put_le64(head, pos.index);
	put_le64(head + 8, pos.term);
	put_le64(head + 16, k->members_index);
	put_le64(head + 24, k->members.size);
	put_le64(head + 32, 0);
	buffer_reset(&content[0]);
	buffer_reset(&content[1]);
	memset(buffer_reserve(&content[0], 2 * SNAP_CHUNK_BYTES), 0x5a,
	       2 * SNAP_CHUNK_BYTES);
	buffer_grow(&content[0], 2 * SNAP_CHUNK_BYTES);
	buffer_append(&content[1], head, sizeof head);
	buffer_append_bytes(&content[1], buffer_bytes(&k->members));
	files[0].size = content[0].size;
	files[1].size = content[1].size;
}

static void offer(struct talk *t, struct kit_node *k, struct raft_pos pos,
		  raft_term term)
{
	struct snap_offer o = {
		.term = term,
		.pos = pos,
		.members_index = k->members_index,
		.members = buffer_bytes(&k->members),
		.count = 2,
	};
	struct buffer body = {0};

	fill_files(k, pos);
	snap_encode_offer(&body, &o, files);
	caller_say_frame(t->ear.fd, &t->number, SNAP_OFFER, &body);
}

static void say_chunk(struct talk *t, uint32_t file, uint64_t at, size_t size,
		      uint64_t wrong_sum, uint64_t wrong_hash)
{
	struct snap_chunk chunk = {
		.file = file,
		.at = at,
		.data = bytes_of(content[file].data + at, size),
	};
	struct buffer body = {0};

	if (at + size == content[file].size) {
		chunk.hash =
			XXH3_64bits(content[file].data, content[file].size) +
			wrong_hash;
	}
	snap_encode_chunk(&body, &chunk,
			  XXH3_64bits(chunk.data.data, size) + wrong_sum);
	caller_say_frame(t->ear.fd, &t->number, SNAP_CHUNK, &body);
}

static void say_all(struct talk *t)
{
	struct buffer body = {0};

	say_chunk(t, 0, 0, SNAP_CHUNK_BYTES, 0, 0);
	say_chunk(t, 0, SNAP_CHUNK_BYTES, SNAP_CHUNK_BYTES, 0, 0);
	say_chunk(t, 1, 0, content[1].size, 0, 0);
	snap_encode_done(&body);
	caller_say_frame(t->ear.fd, &t->number, SNAP_DONE, &body);
}

static bool hears(struct talk *t, enum snap_kind kind)
{
	struct bytes body;

	return caller_hears(&t->ear, (uint8_t)kind, &body) &&
	       snap_decode(body, (uint8_t)kind, &message) == 0;
}

static void assert_verdict(struct talk *t, int status)
{
	assert_true(hears(t, SNAP_VERDICT));
	assert_int_equal(message.verdict.status, status);
}

/* A connection on which a snapshot that ends there was offered, and taken. */
static struct talk GIVEN_OFFER(struct kit *kit, struct raft_pos pos) {
	struct talk t = GIVEN_TALK(kit);

	offer(&t, &kit->nodes[2], pos, pos.term);
	assert_true(hears(&t, SNAP_HAVE));
	return t;
}

/* --- The way it goes -------------------------------------------------------
 */

static void
a_whole_snapshot_is_loaded_and_told(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, AHEAD);
	struct talk t = GIVEN_OFFER(kit, pos);

	assert_int_equal(message.pieces, 0);
	say_all(&t);

	assert_true(hears(&t, SNAP_ACK));
	assert_int_equal(message.ack, SNAP_CHUNK_BYTES);
	assert_verdict(&t, 0);
	assert_int_equal(message.verdict.index, pos.index);
	assert_int_equal(kit_index(k), pos.index);
	assert_int_equal(k->loaded, 1);
	assert_int_equal(status_of(k).bad_frames, 0);
	end(&t);
}

static void what_is_here_already_is_not_sent(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, 0);
	struct talk t = GIVEN_TALK(kit);

	offer(&t, k, pos, pos.term);

	assert_verdict(&t, 0);
	assert_int_equal(message.verdict.index, pos.index);
	assert_int_equal(k->loaded, 0);
	end(&t);
}

/* Its sender has noticed first that the connection is dead. */
static void the_leaders_second_connection_takes_over(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, AHEAD);
	struct talk first = GIVEN_TALK(kit);
	struct talk second = GIVEN_TALK(kit);

	offer(&first, k, pos, pos.term);
	assert_true(hears(&first, SNAP_HAVE));
	say_chunk(&first, 0, 0, SNAP_CHUNK_BYTES, 0, 0);
	assert_true(hears(&first, SNAP_ACK));
	offer(&second, k, pos, pos.term);

	assert_verdict(&first, STATUS_INTERRUPTED);
	assert_true(hears(&second, SNAP_HAVE));
	assert_int_equal(message.pieces, 1);
	assert_int_equal(message.piece[0].size, SNAP_CHUNK_BYTES);
	assert_int_equal(message.piece[0].hash,
			 XXH3_64bits(content[0].data, SNAP_CHUNK_BYTES));
	end(&first);
	end(&second);
}

/* --- Who may ---------------------------------------------------------------
 */

static void a_second_one_is_not_taken_while_one_is_loaded(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, AHEAD);
	struct talk first = GIVEN_TALK(kit);
	struct talk second = GIVEN_TALK(kit);

	kit_hold_load(k);
	offer(&first, k, pos, pos.term);
	assert_true(hears(&first, SNAP_HAVE));
	say_all(&first);
	assert_true(kit_await_load(k));
	offer(&second, k, pos_of(k, 2 * AHEAD), pos.term);

	assert_verdict(&second, STATUS_PENDING);
	kit_release_load(k);
	assert_verdict(&first, 0);
	assert_int_equal(message.verdict.index, pos.index);
	end(&first);
	end(&second);
}

static void an_offer_of_an_old_term_is_refused(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, AHEAD);
	struct talk t = GIVEN_TALK(kit);

	pos.term--;
	offer(&t, k, pos, pos.term);

	assert_verdict(&t, STATUS_NOT_LEADER);
	end(&t);
}

/* --- What does not check ---------------------------------------------------
 */

static void a_corrupt_chunk_ends_the_connection(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, AHEAD);
	struct talk t = GIVEN_OFFER(kit, pos);

	say_chunk(&t, 0, 0, SNAP_CHUNK_BYTES, 1, 0);
	assert_closed(&t);
	assert_true(kit_await_status(k, has_counted, 1));

	/* Nothing of it is kept, and the next one is taken. */
	t = GIVEN_OFFER(kit, pos);
	assert_int_equal(message.pieces, 0);
	say_all(&t);
	assert_verdict(&t, 0);
	end(&t);
}

static void a_file_that_is_not_what_was_read_is_refused(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, AHEAD);
	struct talk t = GIVEN_OFFER(kit, pos);

	say_chunk(&t, 0, 0, SNAP_CHUNK_BYTES, 0, 0);
	say_chunk(&t, 0, SNAP_CHUNK_BYTES, SNAP_CHUNK_BYTES, 0, 1);

	assert_verdict(&t, STATUS_CORRUPT);
	assert_int_equal(k->loaded, 0);
	end(&t);
}

static void frames_out_of_place_end_the_connection(void **state)
{
	struct kit *kit = *state;
	struct kit_node *k = &kit->nodes[2];
	struct raft_pos pos = pos_of(k, AHEAD);
	struct buffer body = {0};
	struct talk t;

	fill_files(k, pos);
	t = GIVEN_TALK(kit);
	say_chunk(&t, 0, 0, SNAP_CHUNK_BYTES, 0, 0); /* before the offer */
	assert_closed(&t);

	t = GIVEN_OFFER(kit, pos);
	say_chunk(&t, 0, SNAP_CHUNK_BYTES, SNAP_CHUNK_BYTES, 0, 0); /* a gap */
	assert_closed(&t);

	t = GIVEN_OFFER(kit, pos);
	snap_encode_done(&body);
	/* Not all is there. */
	caller_say_frame(t.ear.fd, &t.number, SNAP_DONE, &body);
	assert_closed(&t);

	t = GIVEN_OFFER(kit, pos);
	offer(&t, k, pos, pos.term); /* twice */
	assert_closed(&t);

	assert_true(kit_await_status(k, has_counted, 4));
	assert_int_equal(k->loaded, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_snapshot_is_loaded_and_told),
		TEST(what_is_here_already_is_not_sent),
		TEST(the_leaders_second_connection_takes_over),
		TEST(a_second_one_is_not_taken_while_one_is_loaded),
		TEST(an_offer_of_an_old_term_is_refused),
		TEST(a_corrupt_chunk_ends_the_connection),
		TEST(a_file_that_is_not_what_was_read_is_refused),
		TEST(frames_out_of_place_end_the_connection),
	};

	return cmocka_run_group_tests_name("raft/node/snap_receive", tests,
					   NULL, NULL);
}
