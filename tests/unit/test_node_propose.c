/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: whatever may have lost a proposal or the refusal of one is a
 * change of the way, and a refusal is not lost for want of a way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/wire.h"
#include "tests/lib/caller.h"
#include "tests/lib/nodetest.h"

/* The leader answers over a new connection before the end of the old one was
 * noticed: a refusal may have been on that. */
static void a_replaced_link_is_another_way(void **state)
{
	struct kit *kit = *state;
	struct kit_node *leader = GIVEN_CLUSTER(kit);
	struct kit_node *follower = &kit->nodes[leader == &kit->nodes[0]];
	struct buffer hello = {0};
	size_t ways;
	int fd;

	pthread_mutex_lock(&follower->mutex);
	ways = follower->ways;
	pthread_mutex_unlock(&follower->mutex);

	caller_hello(leader, follower, &hello);
	fd = caller_dial(follower);
	caller_say(fd, buffer_bytes(&hello));

	assert_true(kit_await_ways(follower, ways + 1));
	buffer_deinit(&hello);
	assert_true(caller_is_closed(fd)); /* the leader dials again */
	kit_propose(follower, 0, 50, 8);
	assert_true(kit_await(follower, 50));
}

/* A PROPOSE as frame number 1, and what is no frame: once the connection is
 * ended for that, the PROPOSE has been answered. */
static void GIVEN_PROPOSE_AND_NOISE(struct buffer *out)
{
	struct entry *e = entry_new(ENTRY_COMMAND, "12345678", 8);
	uint8_t noise[FRAME_HEADER_BYTES];
	size_t start = frame_begin(out);

	wire_encode_propose(out, 2, &e, 1);
	frame_seal(out, start, WIRE_PROPOSE, 1);
	entry_unref(e);
	for (size_t i = 0; i < sizeof noise; i++) {
		noise[i] = 0xff;
	}
	buffer_append(out, noise, sizeof noise);
}

static void a_refusal_waits_for_a_way(void **state)
{
	struct kit *kit = *state;
	struct kit_node *alone = &kit->nodes[0], *gone = &kit->nodes[1];
	struct buffer calls = {0}, answer = {0};
	struct caller_ear ear = {0};
	struct wire_message *message = mem_alloc(sizeof *message);
	struct bytes body;
	int fd;

	(void)GIVEN_CLUSTER(kit);
	kit_stop(gone);
	assert_true(kit_await_waiting(alone, "no quorum: 1 of 2"));
	caller_hello(gone, alone, &calls);
	GIVEN_PROPOSE_AND_NOISE(&calls);
	fd = caller_dial(alone);
	caller_say(fd, buffer_bytes(&calls));
	assert_true(caller_is_closed(fd));

	ear.fd = caller_called(gone);
	caller_hello(gone, alone, &answer);
	caller_say(ear.fd, buffer_bytes(&answer));

	assert_true(caller_hears(&ear, WIRE_REFUSED, &body));
	assert_int_equal(wire_decode(body, WIRE_REFUSED, message), 0);
	assert_int_equal(message->refused.reason, STATUS_NOT_LEADER);
	close(ear.fd);
	mem_free(message);
	buffer_deinit(&ear.in);
	buffer_deinit(&calls);
	buffer_deinit(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_THREE, a_replaced_link_is_another_way),
		KIT_TEST(GIVEN_TWO, a_refusal_waits_for_a_way),
	};

	return cmocka_run_group_tests_name("raft/node/propose", tests, NULL,
					   NULL);
}
