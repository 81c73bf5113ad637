/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: events and acts read as one line each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raft/node/trace.h"

static void assert_event(const struct raft_event *ev, const char *text)
{
	struct buffer out = {0};

	trace_event(&out, ev);
	assert_string_equal(buffer_text(&out), text);
	buffer_deinit(&out);
}

static void assert_act(const struct raft_act *act, const char *text)
{
	struct buffer out = {0};

	trace_act(&out, act);
	assert_string_equal(buffer_text(&out), text);
	buffer_deinit(&out);
}

static void events_read_as_lines(void **state)
{
	struct raft_event clock = {.kind = RAFT_EV_CLOCK, .now = 7};
	struct raft_event propose = {
		.kind = RAFT_EV_PROPOSE, .now = 7, .propose.count = 3};
	struct raft_event read = {
		.kind = RAFT_EV_READ, .now = 7, .read = {9, true}};
	struct raft_event saved = {
		.kind = RAFT_EV_SAVED, .now = 7, .saved.seq = 4};
	struct raft_event applied = {
		.kind = RAFT_EV_APPLIED, .now = 7, .applied.index = 4};
	struct raft_event link = {
		.kind = RAFT_EV_LINK, .now = 7, .link = {0x12345, true}};
	struct raft_event compacted = {
		.kind = RAFT_EV_COMPACTED, .now = 7, .compacted = {5, 2}};
	(void)state;

	assert_event(&clock, "7 clock");
	assert_event(&propose, "7 propose count=3");
	assert_event(&read, "7 read ticket=9 lease");
	assert_event(&saved, "7 saved seq=4");
	assert_event(&applied, "7 applied index=4");
	assert_event(&link, "7 link 2345 up");
	assert_event(&compacted, "7 compacted index=5 term=2");
}

static void a_message_shows_all_its_fields(void **state)
{
	struct raft_event ev = {
		.kind = RAFT_EV_RECV,
		.now = 7,
		.recv.msg = {.kind = RAFT_APPEND,
			     .from = 0xa1,
			     .to = 0xb2,
			     .term = 3,
			     .pos = {2, 5},
			     .last = 6,
			     .commit = 4,
			     .settled = 1,
			     .round = 8,
			     .reject = true},
	};
	(void)state;

	assert_event(&ev, "7 recv append 00a1->00b2 term=3 pos=5/2 last=6 "
			  "commit=4 settled=1 round=8 reject");
}

static void acts_read_as_lines(void **state)
{
	struct raft_act save = {
		.kind = RAFT_DO_SAVE,
		.save = {.seq = 3, .hard = {2, 0xa1}, .keep = 4, .last = 6},
	};
	struct raft_act apply = {
		.kind = RAFT_DO_APPLY, .after = 3, .apply = {5, 6}};
	struct raft_act read = {.kind = RAFT_DO_READ, .read = {9, 6, 0}};
	struct raft_act role = {
		.kind = RAFT_DO_ROLE,
		.role = {RAFT_LEADER, 2, 0xa1, RAFT_BECAUSE_VOTE_WON},
	};
	(void)state;

	assert_act(&save, "save seq=3 term=2 vote=00a1 keep=4 last=6 commit=0");
	assert_act(&apply, "after 3: apply 5..6");
	assert_act(&read, "read ticket=9 index=6 status=0");
	assert_act(&role, "role leader term=2 leader=00a1 reason=vote won");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_read_as_lines),
		cmocka_unit_test(a_message_shows_all_its_fields),
		cmocka_unit_test(acts_read_as_lines),
	};

	return cmocka_run_group_tests_name("raft/node/trace", tests, NULL,
					   NULL);
}
