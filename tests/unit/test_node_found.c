/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a cluster begins once, with all its nodes empty, and whoever
 * comes back empty or from elsewhere is told so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/node/found.h"

static const struct wire_member three[] = {
	{.name = "n1", .id = 0, .address = "a:1"},
	{.name = "n2", .id = 0, .address = "b:2"},
	{.name = "n3", .id = 0, .address = "c:3"}};
static const uint8_t cluster[WIRE_CLUSTER_BYTES] = {0xab, 0xcd};

static struct wire_hello GIVEN_HELLO(const char *from, raft_id id,
				     const char *to) {
	struct wire_hello hello = {
		.level = WIRE_LEVEL,
		.id = id,
		.boot = 1,
		.count = 3,
	};

	strcpy(hello.name, from);
	strcpy(hello.target, to);
	memcpy(hello.members, three, sizeof three);
	return hello;
}

/* Of a member of the cluster {n1 = 1, n2 = 2, n3 = 3}. */
static struct wire_hello
GIVEN_FOUNDED_HELLO(const char *from, raft_id id, const char *to) {
	struct wire_hello hello = GIVEN_HELLO(from, id, to);

	hello.founded = true;
	memcpy(hello.cluster, cluster, sizeof cluster);
	for (size_t i = 0; i < 3; i++) {
		hello.members[i].id = i + 1;
	}
	return hello;
}

static struct identity
GIVEN_EMPTY(const char *name, raft_id self) {
	struct identity id;

	identity_make(&id, name);
	id.self = self;
	return id;
}

static struct identity
GIVEN_MEMBER(const char *name, raft_id self) {
	struct identity id = GIVEN_EMPTY(name, self);
	struct wire_config f = {.level = WIRE_LEVEL, .count = 3};
	struct buffer record = {0};

	memcpy(f.cluster, cluster, sizeof cluster);
	memcpy(f.members, three, sizeof three);
	for (size_t i = 0; i < 3; i++) {
		f.members[i].id = i + 1;
	}
	wire_encode_config(&record, &f);
	identity_found(&id, buffer_bytes(&record), &f);
	buffer_deinit(&record);
	return id;
}

static int
judge(const struct identity *id, const struct wire_hello *hello,
      const char *expected, const char *line)
{
	struct found_self self = {id, three, 3};
	struct buffer problem = {0};
	int rc = found_judge(&self, hello, expected, &problem);

	if (line != NULL) {
		assert_non_null(strstr(buffer_text(&problem), line));
	}
	buffer_deinit(&problem);
	return rc;
}

static void the_first_name_founds_once_all_are_heard(void **state)
{
	struct wire_hello n2 = GIVEN_HELLO("n2", 2, "n1");
	struct wire_hello n3 = GIVEN_HELLO("n3", 3, "n1");
	struct wire_config record;
	struct found f;
	(void)state;

	found_init(&f, "n1", 1, three, 3);
	found_heard(&f, &n2);
	assert_false(found_ready(&f));
	found_heard(&f, &n3);
	assert_true(found_ready(&f));

	found_make(&f, cluster, &record);
	assert_int_equal(record.count, 3);
	assert_int_equal(record.members[0].id, 1);
	assert_int_equal(record.members[2].id, 3);
	assert_string_equal(record.members[1].address, "b:2");
}

static void nobody_but_the_first_name_founds(void **state)
{
	struct wire_hello n1 = GIVEN_HELLO("n1", 1, "n2");
	struct wire_hello n3 = GIVEN_HELLO("n3", 3, "n2");
	struct found f;
	struct buffer text = {0};
	(void)state;

	found_init(&f, "n2", 2, three, 3);
	found_heard(&f, &n1);
	found_heard(&f, &n3);

	assert_false(found_ready(&f));
	found_waiting(&f, &text);
	assert_string_equal(
		buffer_text(&text),
		"the cluster is not founded yet, waiting for n1 to begin");
	buffer_deinit(&text);
}

static void a_lost_peer_is_waited_for_again(void **state)
{
	struct wire_hello n2 = GIVEN_HELLO("n2", 2, "n1");
	struct wire_hello n3 = GIVEN_HELLO("n3", 3, "n1");
	struct found f;
	struct buffer text = {0};
	(void)state;

	found_init(&f, "n1", 1, three, 3);
	found_heard(&f, &n3);
	found_heard(&f, &n2);

	found_lost(&f, "n2", "connection refused");

	assert_false(found_ready(&f));
	found_waiting(&f, &text);
	assert_string_equal(
		buffer_text(&text),
		"the cluster is not founded yet, waiting for n2 (b:2); "
		"n2: connection refused");
	buffer_deinit(&text);
}

static void everybody_who_is_missing_is_named(void **state)
{
	struct wire_hello n3 = GIVEN_HELLO("n3", 3, "n1");
	struct found f;
	struct buffer text = {0};
	(void)state;

	found_init(&f, "n1", 1, three, 3);
	found_waiting(&f, &text);
	assert_string_equal(buffer_text(&text),
			    "the cluster is not founded yet, waiting for n2 "
			    "(b:2), n3 (c:3)");
	found_lost(&f, "n2", "connection refused");
	found_lost(&f, "n3", "no route to host");
	buffer_reset(&text);
	found_waiting(&f, &text);
	assert_string_equal(
		buffer_text(&text),
		"the cluster is not founded yet, waiting for n2 (b:2), n3 "
		"(c:3); n2: connection refused; n3: no route to host");
	found_heard(&f, &n3);
	buffer_reset(&text);
	found_waiting(&f, &text);
	assert_null(strstr(buffer_text(&text), "n3"));
	buffer_deinit(&text);
}

static void a_peer_with_another_list_is_waited_for(void **state)
{
	struct wire_hello n2 = GIVEN_HELLO("n2", 2, "n1");
	struct found f;
	struct buffer text = {0};
	(void)state;

	found_init(&f, "n1", 1, three, 2);
	found_heard(&f, &n2);

	assert_false(found_ready(&f));
	found_waiting(&f, &text);
	assert_non_null(strstr(buffer_text(&text), "other peers: n1 n2 n3"));
	buffer_deinit(&text);
}

static void a_single_node_founds_at_once(void **state)
{
	struct found f;
	(void)state;

	found_init(&f, "n1", 1, three, 1);

	assert_true(found_ready(&f));
}

static void a_record_is_taken_only_with_this_incarnation(void **state)
{
	struct identity member = GIVEN_MEMBER("n2", 2);
	struct found f;
	(void)state;

	found_init(&f, "n2", 2, three, 3);
	assert_int_equal(found_accept(&f, &member.founding), 0);

	found_init(&f, "n2", 99, three, 3);
	assert_int_equal(found_accept(&f, &member.founding), STATUS_FOREIGN);
}

static void a_record_of_other_peers_is_not_taken(void **state)
{
	struct identity member = GIVEN_MEMBER("n2", 2);
	struct found f;
	(void)state;

	found_init(&f, "n2", 2, three, 2);

	assert_int_equal(found_accept(&f, &member.founding), STATUS_FOREIGN);
}

static void members_of_one_cluster_speak(void **state)
{
	struct identity id = GIVEN_MEMBER("n1", 1);
	struct wire_hello hello = GIVEN_FOUNDED_HELLO("n2", 2, "n1");
	(void)state;

	assert_int_equal(judge(&id, &hello, NULL, NULL), 0);
	assert_int_equal(judge(&id, &hello, "n2", NULL), 0);
}

static void an_empty_member_is_welcome_for_its_record(void **state)
{
	struct identity founded = GIVEN_MEMBER("n1", 1);
	struct identity empty = GIVEN_EMPTY("n2", 2);
	struct wire_hello from_empty = GIVEN_HELLO("n2", 2, "n1");
	struct wire_hello from_founded = GIVEN_FOUNDED_HELLO("n1", 1, "n2");
	(void)state;

	assert_int_equal(judge(&founded, &from_empty, NULL, NULL), 0);
	assert_int_equal(judge(&empty, &from_founded, NULL, NULL), 0);
}

static void a_member_of_another_cluster_is_foreign(void **state)
{
	struct identity id = GIVEN_MEMBER("n1", 1);
	struct wire_hello hello = GIVEN_FOUNDED_HELLO("n2", 2, "n1");
	(void)state;

	hello.cluster[0] = 0xff;

	assert_int_equal(judge(&id, &hello, NULL, "another cluster"),
			 STATUS_FOREIGN);
}

static void a_hello_for_someone_else_is_not_answered(void **state)
{
	struct identity id = GIVEN_MEMBER("n1", 1);
	struct wire_hello hello = GIVEN_FOUNDED_HELLO("n2", 2, "n3");
	(void)state;

	assert_int_equal(judge(&id, &hello, NULL, "another node"),
			 STATUS_INVALID);
	strcpy(hello.target, "n1");
	hello.target_id = 99; /* an incarnation that was */
	assert_int_equal(judge(&id, &hello, NULL, "that is gone"),
			 STATUS_NOT_FOUND);
}

static void unexpected_names_are_refused(void **state)
{
	struct identity id = GIVEN_MEMBER("n1", 1);
	struct identity empty = GIVEN_EMPTY("n1", 7);
	struct wire_hello own = GIVEN_FOUNDED_HELLO("n1", 1, "n1");
	struct wire_hello other = GIVEN_HELLO("n9", 9, "n1");
	struct wire_hello n2 = GIVEN_FOUNDED_HELLO("n2", 2, "n1");
	(void)state;

	assert_int_equal(judge(&id, &own, NULL, NULL), STATUS_NOT_FOUND);
	assert_int_equal(judge(&empty, &own, NULL, NULL), STATUS_INVALID);
	assert_int_equal(judge(&empty, &other, NULL, NULL), STATUS_FOREIGN);
	assert_int_equal(judge(&id, &n2, "n3", NULL), STATUS_INVALID);
}

/* Its name may be anyone's, even this node's: that is for admit_judge(). */
static void who_joins_speaks_to_any_node_of_a_cluster(void **state)
{
	struct identity member = GIVEN_MEMBER("n1", 1);
	struct identity empty = GIVEN_EMPTY("n1", 7);
	struct wire_hello hello = GIVEN_HELLO("n1", 9, "");
	(void)state;

	hello.joining = true;

	assert_int_equal(judge(&member, &hello, NULL, NULL), 0);
	assert_int_equal(judge(&empty, &hello, NULL, NULL), STATUS_INVALID);
}

static void another_feature_level_is_a_version(void **state)
{
	struct identity id = GIVEN_MEMBER("n1", 1);
	struct wire_hello hello = GIVEN_FOUNDED_HELLO("n2", 2, "n1");
	(void)state;

	hello.level = WIRE_LEVEL + 1;

	assert_int_equal(judge(&id, &hello, NULL, NULL), STATUS_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_name_founds_once_all_are_heard),
		cmocka_unit_test(nobody_but_the_first_name_founds),
		cmocka_unit_test(a_lost_peer_is_waited_for_again),
		cmocka_unit_test(everybody_who_is_missing_is_named),
		cmocka_unit_test(a_peer_with_another_list_is_waited_for),
		cmocka_unit_test(a_single_node_founds_at_once),
		cmocka_unit_test(a_record_is_taken_only_with_this_incarnation),
		cmocka_unit_test(a_record_of_other_peers_is_not_taken),
		cmocka_unit_test(members_of_one_cluster_speak),
		cmocka_unit_test(an_empty_member_is_welcome_for_its_record),
		cmocka_unit_test(a_member_of_another_cluster_is_foreign),
		cmocka_unit_test(a_hello_for_someone_else_is_not_answered),
		cmocka_unit_test(unexpected_names_are_refused),
		cmocka_unit_test(who_joins_speaks_to_any_node_of_a_cluster),
		cmocka_unit_test(another_feature_level_is_a_version),
	};

	return cmocka_run_group_tests_name("raft/node/found", tests, NULL,
					   NULL);
}
