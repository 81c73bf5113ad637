/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the status says how the node stands, line by line and as JSON, and
 * without a quorum why. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "fs/control/status.h"

static const struct kv_status healthy = {
	.name = "n1",
	.cluster = "00112233445566778899aabbccddeeff",
	.role = "leader",
	.term = 3,
	.leader = "n1",
	.quorum = true,
	.listens = "127.0.0.1:7001",
	.commit = 20,
	.applied = 18,
	.last = 21,
	.log_bytes = 4096,
	.state_bytes = 512,
	.session = 2,
	.proposals = 1,
	.bad_frames = 4,
	.snapshots_sent = 5,
	.snapshots_failed = 6,
	.snapshots_installed = 7,
	.snapshot_bytes_sent = 8,
	.snapshot_bytes_taken = 9,
	.snapshot_bytes_kept = 10,
	.member_count = 3,
	.members = {{.name = "n1",
		     .address = "127.0.0.1:7001",
		     .standing = "voter",
		     .voter = true,
		     .self = true,
		     .leader = true,
		     .connected = true,
		     .match = 21},
		    {.name = "n2",
		     .address = "127.0.0.1:7002",
		     .standing = "voter",
		     .voter = true,
		     .connected = true,
		     .match = 19,
		     .heard_ms_ago = 12},
		    {.name = "n3",
		     .address = "127.0.0.1:7003",
		     .standing = "learner",
		     .heard_ms_ago = UINT64_MAX}},
};

static void a_healthy_leader_reads_line_by_line(void **state)
{
	struct buffer text = {0};
	(void)state;

	status_text_lines(&healthy, KV_READS_FRESH, &text);

	assert_string_equal(
		buffer_text(&text),
		"version: " RAFTFS_VERSION "\n"
		"name: n1\n"
		"cluster: 00112233445566778899aabbccddeeff\n"
		"role: leader\n"
		"term: 3\n"
		"leader: n1\n"
		"quorum: yes\n"
		"reads: fresh\n"
		"disk: ok\n"
		"listen: 127.0.0.1:7001\n"
		"repair: none\n"
		"members: 3\n"
		"member: n1 127.0.0.1:7001 voter leader self\n"
		"member: n2 127.0.0.1:7002 voter connected heard=12ms "
		"match=19\n"
		"member: n3 127.0.0.1:7003 learner disconnected heard=never\n"
		"joint: no\n"
		"transfer: none\n"
		"commit: 20\n"
		"applied: 18\n"
		"lag: 2\n"
		"last: 21\n"
		"log-bytes: 4096\n"
		"state-bytes: 512\n"
		"session: 2\n"
		"proposals: 1\n"
		"bad-frames: 4\n"
		"snapshots-sent: 5\n"
		"snapshots-failed: 6\n"
		"snapshots-installed: 7\n"
		"snapshot-bytes-sent: 8\n"
		"snapshot-bytes-taken: 9\n"
		"snapshot-bytes-kept: 10\n");
	buffer_deinit(&text);
}

static void without_a_quorum_it_says_why(void **state)
{
	struct kv_status status = {.role = "candidate",
				   .why = "no quorum: n2, n3 do not answer",
				   .cut_off = true};
	struct buffer text = {0};
	(void)state;

	status_text_lines(&status, KV_READS_FRESH, &text);

	assert_non_null(strstr(
		buffer_text(&text),
		"\nquorum: no (n2, n3 do not answer)\n"
		"reads: fresh (cut off: answered from the applied state)\n"));
	buffer_reset(&text);
	status_text_lines(&status, KV_READS_STRICT, &text);
	assert_non_null(strstr(buffer_text(&text),
			       "\nreads: strict (cut off: they fail)\n"));
	buffer_deinit(&text);
}

static void whoever_is_called_elsewhere_says_so(void **state)
{
	struct kv_status status = healthy;
	struct buffer text = {0};
	(void)state;

	strcpy(status.elsewhere, "127.0.0.1:8001");
	status_text_lines(&status, KV_READS_FRESH, &text);

	assert_non_null(strstr(buffer_text(&text),
			       "\nlisten: 127.0.0.1:7001 (but the cluster has "
			       "this node at 127.0.0.1:8001)\n"));
	buffer_deinit(&text);
}

static void what_an_invitation_is_for_is_told(void **state)
{
	struct kv_status status = {
		.quorum = true,
		.member_count = 2,
		.members = {{.name = "n5",
			     .address = "h:5",
			     .standing = "invited",
			     .becomes = "voter",
			     .replaces = "n2",
			     .heard_ms_ago = UINT64_MAX},
			    {.name = "n6",
			     .address = "h:6",
			     .standing = "learner",
			     .becomes = "learner",
			     .connected = true,
			     .heard_ms_ago = 7}},
	};
	struct buffer text = {0};
	json_t *members;
	json_t *root;
	(void)state;

	status_text_lines(&status, KV_READS_FRESH, &text);
	assert_non_null(
		strstr(buffer_text(&text),
		       "\nmember: n5 h:5 invited becomes=voter replaces=n2 "
		       "disconnected heard=never\n"
		       "member: n6 h:6 learner becomes=learner connected "
		       "heard=7ms\n"));
	buffer_reset(&text);
	status_json(&status, KV_READS_FRESH, &text);
	root = json_loads(buffer_text(&text), 0, NULL);
	members = json_object_get(root, "members");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(members, 0), "becomes")),
			    "voter");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(members, 0), "replaces")),
			    "n2");
	assert_true(json_is_null(
		json_object_get(json_array_get(members, 1), "replaces")));
	json_decref(root);
	buffer_deinit(&text);
}

/* Nobody is a member of what is not there yet. */
static void before_founding_members_are_founding(void **state)
{
	struct kv_status status = {
		.role = "founding",
		.why = "no quorum: not founded yet, waiting for n2 (b:2)",
		.member_count = 1,
		.members = {{.name = "n1",
			     .address = "a:1",
			     .standing = "founding",
			     .self = true}},
	};
	struct buffer text = {0};
	(void)state;

	status_text_lines(&status, KV_READS_FRESH, &text);

	assert_non_null(strstr(
		buffer_text(&text),
		"\nquorum: no (not founded yet, waiting for n2 (b:2))\n"));
	assert_non_null(
		strstr(buffer_text(&text), "\nmember: n1 a:1 founding self\n"));
	buffer_deinit(&text);
}

static void an_unknown_reason_still_names_the_quorum(void **state)
{
	struct kv_status status = {.role = "follower"};
	struct buffer text = {0};
	(void)state;

	status_text_lines(&status, KV_READS_LOCAL, &text);

	assert_non_null(strstr(buffer_text(&text), "\nquorum: no (none is"));
	buffer_deinit(&text);
}

static void a_repair_says_what_from_and_how_far(void **state)
{
	struct kv_status status = {
		.role = "follower",
		.repair = "log-1: damaged at offset 4096",
		.cut_off = true,
		.member_count = 1,
		.members = {{.name = "n2",
			     .address = "a:1",
			     .standing = "voter",
			     .repairing = true,
			     .connected = true}},
	};
	struct buffer text = {0};
	(void)state;

	status_text_lines(&status, KV_READS_FRESH, &text);
	assert_non_null(strstr(buffer_text(&text),
			       "\nrepair: does not vote, waits for a leader "
			       "(log-1: damaged at offset 4096)\n"));
	assert_non_null(strstr(buffer_text(&text),
			       "\nreads: fresh (cut off: they fail)\n"));
	assert_non_null(strstr(buffer_text(&text),
			       "\nmember: n2 a:1 voter repairing connected"));
	buffer_reset(&text);
	status.repair_until = 77;
	status_text_lines(&status, KV_READS_FRESH, &text);
	assert_non_null(strstr(buffer_text(&text),
			       "\nrepair: does not vote until it has index 77 "
			       "(log-1: damaged at offset 4096)\n"));
	buffer_reset(&text);
	status_json(&status, KV_READS_FRESH, &text);
	assert_non_null(strstr(buffer_text(&text), "\"repair\": \"log-1: "));
	assert_non_null(strstr(buffer_text(&text), "\"repairing\": true"));
	assert_non_null(strstr(buffer_text(&text), "\"repair_until\": 77"));
	buffer_deinit(&text);
}

/* Commit may be known later than what is applied after a restart. */
static void lag_is_never_below_zero(void **state)
{
	struct kv_status status = {.commit = 5, .applied = 7};
	(void)state;

	assert_int_equal(status_lag(&status), 0);
}

static void json_holds_numbers_as_numbers(void **state)
{
	struct buffer text = {0};
	json_t *root;
	json_t *member;
	(void)state;

	status_json(&healthy, KV_READS_STRICT, &text);
	root = json_loads(buffer_text(&text), 0, NULL);

	assert_non_null(root);
	assert_int_equal(json_integer_value(json_object_get(root, "lag")), 2);
	assert_true(json_is_true(json_object_get(root, "quorum")));
	assert_string_equal(json_string_value(json_object_get(root, "reads")),
			    "strict");
	member = json_array_get(json_object_get(root, "members"), 2);
	assert_string_equal(json_string_value(json_object_get(member, "name")),
			    "n3");
	assert_string_equal(
		json_string_value(json_object_get(member, "standing")),
		"learner");
	assert_true(json_is_null(json_object_get(member, "heard_ms")));
	json_decref(root);
	buffer_deinit(&text);
}

static void changes_under_way_are_told(void **state)
{
	struct kv_status status = {.joint = true, .transfer = "n2"};
	struct buffer text = {0};
	json_t *root;
	(void)state;

	status_text_lines(&status, KV_READS_FRESH, &text);
	assert_non_null(
		strstr(buffer_text(&text), "\njoint: yes\ntransfer: n2\n"));

	buffer_reset(&text);
	status_json(&status, KV_READS_FRESH, &text);
	root = json_loads(buffer_text(&text), 0, NULL);
	assert_true(json_is_true(json_object_get(root, "joint")));
	assert_string_equal(
		json_string_value(json_object_get(root, "transfer")), "n2");
	json_decref(root);
	buffer_deinit(&text);
}

static void json_survives_a_name_that_is_no_text(void **state)
{
	struct kv_status status = {.name = "\xff\xfe", .why = "no quorum"};
	struct buffer text = {0};
	json_t *root;
	(void)state;

	status_json(&status, KV_READS_FRESH, &text);
	root = json_loads(buffer_text(&text), 0, NULL);

	assert_non_null(root);
	assert_true(json_is_null(json_object_get(root, "name")));
	assert_string_equal(json_string_value(json_object_get(root, "why")),
			    "no quorum");
	json_decref(root);
	buffer_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_leader_reads_line_by_line),
		cmocka_unit_test(without_a_quorum_it_says_why),
		cmocka_unit_test(whoever_is_called_elsewhere_says_so),
		cmocka_unit_test(what_an_invitation_is_for_is_told),
		cmocka_unit_test(before_founding_members_are_founding),
		cmocka_unit_test(an_unknown_reason_still_names_the_quorum),
		cmocka_unit_test(a_repair_says_what_from_and_how_far),
		cmocka_unit_test(lag_is_never_below_zero),
		cmocka_unit_test(json_holds_numbers_as_numbers),
		cmocka_unit_test(changes_under_way_are_told),
		cmocka_unit_test(json_survives_a_name_that_is_no_text),
	};
	return cmocka_run_group_tests_name("control/status", tests, NULL, NULL);
}
