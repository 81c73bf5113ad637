/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a leader sends a snapshot no faster than its receiver takes it,
 * leaves out what is there, and goes on after any answer, sensible or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/mem.h"
#include "raft/node/snap.h"
#include "tests/lib/caller.h"
#include "tests/lib/nodetest.h"

enum {
	MIB = 1 << 20,
	BALLAST = 8, /* MiB: files 000000.sst ... */
	LONG = LIMIT_LOG_BYTES / MIB + 24,
	OFFER_SECONDS = 30,
};

/* In the place of a member that is away. */
struct stand_in {
	struct kit_node *leader, *away;
	int in;			/* its link to the leader */
	uint64_t in_number;	/* of its next frame */
	struct caller_ear link; /* the leader's link to it */
	pthread_t thread;	/* answers on it */
	struct caller_ear snap; /* the connection of the snapshot */
	uint64_t snap_number;
};

static struct stand_in stand_in;
static struct snap_message message;		/* of the last frame */
static struct wire_message greeting, core_said; /* large */

static bool has_counted(const struct node_status *status, uint64_t bad_frames)
{
	return status->bad_frames >= bad_frames;
}

static bool has_kept(const struct node_status *status, uint64_t bytes)
{
	return status->snapshots.bytes_kept == bytes;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int setup(void **state)
{
	struct stand_in *s = &stand_in;
	struct kit *kit;

	(void)GIVEN_THREE(state);
	kit = *state;
	for (size_t i = 0; i < kit->count; i++) {
		kit->nodes[i].ballast = BALLAST;
	}
	/* So much is written that a shared disk keeps a node waiting. */
	kit->election_ms = KIT_STEADY_MS;
	kit_start_all(kit);
	memset(s, 0, sizeof *s);
	s->leader = kit_leader(kit);
	s->away = s->leader == &kit->nodes[2] ? &kit->nodes[1] : &kit->nodes[2];
	kit_stop(s->away);
	kit_propose(s->leader, 0, LONG, MIB);
	assert_true(kit_await(s->leader, LONG));
	s->leader = kit_leader(kit); /* of those two, after all of that */
	assert_true(kit_await(s->leader, LONG));
	/* On a slow disk some were offered twice. */
	assert_true(kit_await_status(s->leader, has_applied_all, 0));
	node_flushed(s->leader->node, kit_index(s->leader));
	assert_true(kit_await_status(s->leader, begins_after, 2));
	return 0;
}

static void close_ear(struct caller_ear *ear)
{
	if (ear->fd > 0) {
		close(ear->fd);
	}
	buffer_deinit(&ear->in);
	*ear = (struct caller_ear){0};
}

static int teardown(void **state)
{
	struct stand_in *s = &stand_in;

	shutdown(s->link.fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close_ear(&s->link);
	close_ear(&s->snap);
	close(s->in);
	return kit_teardown(state);
}

/* --- Standing in -----------------------------------------------------------
 */

/* The leader dials for this: answer its HELLO. Others are not answered. */
static struct caller_ear answer(struct stand_in *s, enum wire_purpose purpose)
{
	struct caller_ear ear = {0};
	struct buffer hello = {0};
	struct bytes body;
	double began = seconds();

	do {
		assert_true(seconds() - began < OFFER_SECONDS);
		close_ear(&ear);
		ear.fd = caller_called(s->away);
		assert_true(caller_hears(&ear, WIRE_HELLO, &body));
		assert_int_equal(wire_decode(body, WIRE_HELLO, &greeting), 0);
	} while (strcmp(greeting.hello.name, s->leader->name) != 0 ||
		 greeting.hello.purpose != purpose);
	caller_hello(s->away, s->leader, &hello);
	caller_say(ear.fd, buffer_bytes(&hello));
	buffer_deinit(&hello);
	return ear;
}

/* What is asked for is not there: nothing is. */
static void reject(struct stand_in *s, const struct raft_msg *append)
{
	struct raft_msg msg = {
		.kind = RAFT_APPEND_REPLY,
		.from = s->away->id,
		.to = s->leader->id,
		.term = append->term,
		.last = append->pos.index,
		.round = append->round,
		.reject = true,
	};
	struct buffer out = {0};

	wire_encode_core(&out, &msg, NULL, 0);
	caller_say_frame(s->in, &s->in_number, WIRE_CORE, &out);
}

/* Until the link ends. */
static void *stand_there(void *context)
{
	struct stand_in *s = context;
	struct bytes body;

	while (caller_hears(&s->link, WIRE_CORE, &body)) {
		if (wire_decode(body, WIRE_CORE, &core_said) == 0 &&
		    core_said.core.kind == RAFT_APPEND) {
			reject(s, &core_said.core);
		}
	}
	return NULL;
}

/* Link up, and the leader knows how far behind this one is. */
static struct stand_in *GIVEN_STAND_IN(void)
{
	struct stand_in *s = &stand_in;

	s->in = caller_links(s->away, s->leader);
	s->in_number = 1;
	s->link = answer(s, WIRE_FOR_LINK);
	assert_int_equal(pthread_create(&s->thread, NULL, stand_there, s), 0);
	return s;
}

static bool hears(struct stand_in *s, enum snap_kind kind)
{
	struct bytes body;

	return caller_hears(&s->snap, (uint8_t)kind, &body) &&
	       snap_decode(body, (uint8_t)kind, &message) == 0;
}

/* The leader calls and offers. */
static void GIVEN_OFFER(struct stand_in *s)
{
	s->snap = answer(s, WIRE_FOR_SNAPSHOT);
	s->snap_number = 1;
	assert_true(hears(s, SNAP_OFFER));
}

static void say_have(struct stand_in *s, const struct snap_piece *pieces,
		     size_t count)
{
	struct buffer body = {0};

	snap_encode_have(&body, pieces, count);
	caller_say_frame(s->snap.fd, &s->snap_number, SNAP_HAVE, &body);
}

static void say_ack(struct stand_in *s, uint64_t bytes)
{
	struct buffer body = {0};

	snap_encode_ack(&body, bytes);
	caller_say_frame(s->snap.fd, &s->snap_number, SNAP_ACK, &body);
}

static void say_verdict(struct stand_in *s, int status, raft_index index)
{
	struct snap_verdict verdict = {status, index};
	struct buffer body = {0};

	snap_encode_verdict(&body, &verdict);
	caller_say_frame(s->snap.fd, &s->snap_number, SNAP_VERDICT, &body);
}

/* --- The way it goes -------------------------------------------------------
 */

static void an_offer_tells_what_it_is(void **state)
{
	struct stand_in *s = GIVEN_STAND_IN();
	(void)state;

	GIVEN_OFFER(s);

	assert_int_equal(message.offer.pos.index, kit_index(s->leader));
	assert_int_equal(message.offer.count, BALLAST + 1);
	assert_string_equal(message.files[0].name, "000000.sst");
	assert_int_equal(message.files[0].size, MIB);
	assert_string_equal(message.files[BALLAST].name, "state");
	assert_true(bytes_equal(message.offer.members,
				buffer_bytes(&s->leader->members)));
}

static bool has_a_change_under_way(const struct node_status *status,
				   uint64_t argument)
{
	(void)argument;
	return !status->raft.members_committed;
}

/* Who installs it could not take back what is not committed. */
static void row_34_an_offer_has_the_committed_members(void **state)
{
	struct kit *kit = *state;
	struct stand_in *s = GIVEN_STAND_IN();

	GIVEN_OFFER(s);
	for (size_t i = 0; i < kit->count; i++) {
		struct kit_node *k = &kit->nodes[i];

		if (k != s->leader && k != s->away) {
			kit_stop(k); /* nothing is committed from here on */
		}
	}
	kit_change_begin(s->leader, NODE_ADD, "n9", NULL, "127.0.0.1:9", false);
	assert_true(kit_await_status(s->leader, has_a_change_under_way, 0));
	say_verdict(s, STATUS_NO_SPACE, 0);
	close_ear(&s->snap);

	GIVEN_OFFER(s);

	assert_true(bytes_equal(message.offer.members,
				buffer_bytes(&s->leader->members)));
	assert_true(message.offer.members_index <= message.offer.pos.index);
	assert_int_equal(message.offer.members_index, s->leader->members_index);
	assert_true(kit_await_status(s->leader, has_a_change_under_way, 0));
}

static void chunks_wait_for_who_takes_them(void **state)
{
	struct stand_in *s = GIVEN_STAND_IN();
	uint64_t came = 0, number;
	struct bytes body;
	(void)state;

	GIVEN_OFFER(s);
	say_have(s, NULL, 0);
	while (came < SNAP_WINDOW_BYTES) {
		assert_true(hears(s, SNAP_CHUNK));
		came += message.chunk.data.size;
	}
	/* Nothing but its pings comes now, for two sweeps. */
	number = s->snap.number;
	assert_true(caller_hears(&s->snap, WIRE_PING, &body));
	assert_true(caller_hears(&s->snap, WIRE_PING, &body));
	assert_int_equal(s->snap.number, number + 2);

	say_ack(s, SNAP_CHUNK_BYTES);
	assert_true(hears(s, SNAP_CHUNK));
	assert_int_equal(came, SNAP_WINDOW_BYTES);
}

static void what_is_there_is_left_out(void **state)
{
	struct stand_in *s = GIVEN_STAND_IN();
	struct snap_piece first = {0};
	uint64_t came = 0, total;
	XXH3_state_t *hash = XXH3_createState();
	(void)state;

	/* The first file is taken, then the connection breaks. */
	GIVEN_OFFER(s);
	say_have(s, NULL, 0);
	XXH3_64bits_reset(hash);
	while (came < MIB) {
		assert_true(hears(s, SNAP_CHUNK));
		XXH3_64bits_update(hash, message.chunk.data.data,
				   message.chunk.data.size);
		came += message.chunk.data.size;
	}
	assert_int_equal(message.chunk.hash, XXH3_64bits_digest(hash));
	first = (struct snap_piece){0, MIB, XXH3_64bits_digest(hash)};
	(void)XXH3_freeState(hash);
	close_ear(&s->snap);
	assert_true(kit_await_status(s->leader, has_failed, 1));

	GIVEN_OFFER(s);
	total = message.offer.bytes;
	say_have(s, &first, 1);
	assert_true(hears(s, SNAP_CHUNK));
	assert_int_equal(message.chunk.file, 1);
	for (came = message.chunk.data.size; came < total - MIB;) {
		say_ack(s, came);
		assert_true(hears(s, SNAP_CHUNK));
		came += message.chunk.data.size;
	}
	assert_true(hears(s, SNAP_DONE));
	assert_true(kit_await_status(s->leader, has_kept, MIB));
}

/* --- What goes wrong -------------------------------------------------------
 */

static void who_refuses_is_asked_again_later(void **state)
{
	struct stand_in *s = GIVEN_STAND_IN();
	double began;
	(void)state;

	GIVEN_OFFER(s);
	say_verdict(s, STATUS_NO_SPACE, 0);
	began = seconds();
	assert_true(kit_await_status(s->leader, has_failed, 1));
	close_ear(&s->snap);

	GIVEN_OFFER(s);
	assert_true(seconds() - began > SNAP_AGAIN_MS / 1000.0 - 0.1);
}

static void nonsense_ends_the_transfer(void **state)
{
	struct stand_in *s = GIVEN_STAND_IN();
	struct buffer noise = {0};
	(void)state;

	GIVEN_OFFER(s);
	say_have(s, NULL, 0);
	say_ack(s, 1ULL << 40); /* more than was sent */
	assert_true(kit_await_status(s->leader, has_failed, 1));
	close_ear(&s->snap);

	GIVEN_OFFER(s);
	buffer_append(&noise, "noise", 5);
	caller_say_frame(s->snap.fd, &s->snap_number, SNAP_HAVE, &noise);
	assert_true(kit_await_status(s->leader, has_failed, 2));
	assert_true(kit_await_status(s->leader, has_counted, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_offer_tells_what_it_is),
		TEST(row_34_an_offer_has_the_committed_members),
		TEST(chunks_wait_for_who_takes_them),
		TEST(what_is_there_is_left_out),
		TEST(who_refuses_is_asked_again_later),
		TEST(nonsense_ends_the_transfer),
	};

	return cmocka_run_group_tests_name("raft/node/snap_send", tests, NULL,
					   NULL);
}
