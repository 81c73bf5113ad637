/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: every step leads from one valid configuration to another, and what
 * is refused changes nothing and says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "raft/node/config.h"

/* Voters n1 = 1, n2 = 2 ... */
static struct wire_config GIVEN_VOTERS(size_t count) {
	struct wire_config c = {
		.cluster = {7}, .level = WIRE_LEVEL, .count = count};

	for (size_t i = 0; i < count; i++) {
		struct wire_member *m = &c.members[i];

		(void)snprintf(m->name, sizeof m->name, "n%zu", i + 1);
		(void)snprintf(m->address, sizeof m->address, "h:%zu", i + 1);
		m->id = i + 1;
	}
	return c;
}

static int
change(struct wire_config *c, enum wire_change_kind kind, const char *name,
       const char *old, const char *address, const char *line)
{
	struct wire_change change = {.kind = kind};
	struct wire_config before = *c;
	struct buffer problem = {0};
	int rc;

	strcpy(change.name, name);
	strcpy(change.old, old);
	strcpy(change.address, address);
	rc = config_change(c, &change, &problem);
	assert_true(config_valid(c));
	if (rc != 0) {
		assert_memory_equal(c, &before, sizeof before);
		assert_true(problem.size > 0);
	}
	if (line != NULL) {
		assert_string_equal(buffer_text(&problem), line);
	}
	buffer_deinit(&problem);
	return rc;
}

static int add(struct wire_config *c, const char *name, const char *address)
{
	return change(c, WIRE_CHANGE_ADD, name, "", address, NULL);
}

static int add_learner(struct wire_config *c, const char *name,
		       const char *address)
{
	struct wire_change change = {.kind = WIRE_CHANGE_ADD, .stay = true};
	struct buffer problem = {0};
	int rc;

	strcpy(change.name, name);
	strcpy(change.address, address);
	rc = config_change(c, &change, &problem);
	buffer_deinit(&problem);
	return rc;
}

/* "n1:voter n2:learner", with a * for joint in front. */
static void assert_is(const struct wire_config *c, const char *text)
{
	struct buffer out = {0};

	assert_true(config_valid(c));
	if (c->joint) {
		buffer_printf(&out, "*");
	}
	for (size_t i = 0; i < c->count; i++) {
		buffer_printf(&out, "%s%s:%s", i > 0 ? " " : "",
			      c->members[i].name,
			      config_standing_text(c->members[i].standing));
	}
	assert_string_equal(buffer_text(&out), text);
	buffer_deinit(&out);
}

static void a_newcomer_becomes_a_voter_step_by_step(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	struct raft_members m;
	(void)state;

	assert_int_equal(add(&c, "n2", "h:2"), 0);
	assert_is(&c, "n1:voter n2:invited");
	config_members(&c, &m);
	assert_int_equal(m.voter_count + m.learner_count, 1);

	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_is(&c, "n1:voter n2:learner");
	config_members(&c, &m);
	assert_int_equal(m.learners[0], 22);

	assert_int_equal(config_promote(&c, 22), 0);
	assert_is(&c, "*n1:voter n2:incoming");
	config_members(&c, &m);
	assert_int_equal(m.voter_count, 2);
	assert_int_equal(m.outgoing_count, 1);
	assert_int_equal(m.outgoing[0], 1);
	assert_int_equal(m.learner_count, 0);

	config_leave(&c);
	assert_is(&c, "n1:voter n2:voter");
	config_members(&c, &m);
	assert_int_equal(m.outgoing_count, 0);
}

static void several_may_become_voters_at_once(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	(void)state;

	assert_int_equal(add(&c, "n3", "h:3"), 0);
	assert_int_equal(add(&c, "n2", "h:2"), 0);
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(config_bind(&c, "n3", 33), 0);
	assert_int_equal(config_promote(&c, 22), 0);
	assert_int_equal(config_promote(&c, 33), 0);
	assert_is(&c, "*n1:voter n2:incoming n3:incoming");
	config_leave(&c);
	assert_is(&c, "n1:voter n2:voter n3:voter");
}

static void a_learner_for_good_is_promoted_by_command_alone(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	(void)state;

	assert_int_equal(add_learner(&c, "n2", "h:2"), 0);
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(config_promote(&c, 22), STATUS_NOT_FOUND);

	assert_int_equal(change(&c, WIRE_CHANGE_PROMOTE, "n2", "", "", NULL),
			 0);
	assert_int_equal(config_promote(&c, 22), 0);
	config_leave(&c);
	assert_int_equal(change(&c, WIRE_CHANGE_PROMOTE, "n2", "", "",
				"n2 is a voter already"),
			 STATUS_EXISTS);
}

static void a_voter_goes_by_a_joint_configuration(void **state)
{
	struct wire_config c = GIVEN_VOTERS(3);
	struct raft_members m;
	(void)state;

	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n1", "", "", NULL), 0);
	assert_is(&c, "*n1:outgoing n2:voter n3:voter");
	config_members(&c, &m);
	assert_int_equal(m.voter_count, 2);
	assert_int_equal(m.outgoing_count, 3);
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n2", "", "",
				"another change is under way"),
			 STATUS_PENDING);

	config_leave(&c);
	assert_is(&c, "n2:voter n3:voter");
}

static void learners_and_invitations_go_at_once(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	(void)state;

	assert_int_equal(add(&c, "n2", "h:2"), 0);
	assert_int_equal(add(&c, "n3", "h:3"), 0);
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n2", "", "", NULL), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n3", "", "", NULL), 0);
	assert_is(&c, "n1:voter");
}

static void the_only_voter_stays(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	(void)state;

	assert_int_equal(add_learner(&c, "n2", "h:2"), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n1", "", "",
				"n1 is the only voter"),
			 STATUS_INVALID);
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n9", "", "",
				"there is no member n9"),
			 STATUS_NOT_FOUND);
}

static void a_wiped_voter_is_replaced_under_its_name(void **state)
{
	struct wire_config c = GIVEN_VOTERS(3);
	struct raft_members m;
	(void)state;

	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n2", "n2", "h:2", NULL), 0);
	assert_is(&c, "n1:voter n2:voter n2:invited n3:voter");
	assert_non_null(config_invited(&c, "n2"));

	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(config_promote(&c, 22), 0);
	assert_is(&c, "*n1:voter n2:outgoing n2:incoming n3:voter");
	config_members(&c, &m);
	assert_int_equal(m.voter_count, 3);
	assert_int_equal(m.outgoing_count, 3);

	config_leave(&c);
	assert_is(&c, "n1:voter n2:voter n3:voter");
	assert_int_equal(c.members[1].id, 22);
}

static void a_voter_is_replaced_by_another_name(void **state)
{
	struct wire_config c = GIVEN_VOTERS(3);
	(void)state;

	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "a9", "n2", "h:9", NULL), 0);
	assert_is(&c, "a9:invited n1:voter n2:voter n3:voter");
	assert_int_equal(config_bind(&c, "a9", 99), 0);
	assert_int_equal(config_promote(&c, 99), 0);
	assert_is(&c, "*a9:incoming n1:voter n2:outgoing n3:voter");
	config_leave(&c);
	assert_is(&c, "a9:voter n1:voter n3:voter");
}

static void a_second_replacement_takes_the_place_of_the_first(void **state)
{
	struct wire_config c = GIVEN_VOTERS(3);
	(void)state;

	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n2", "n2", "h:2", NULL), 0);
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n2", "n2", "h:7", NULL), 0);
	assert_is(&c, "n1:voter n2:voter n2:invited n3:voter");
	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n7", "n2", "h:7", NULL), 0);
	assert_is(&c, "n1:voter n2:voter n3:voter n7:invited");
	assert_int_equal(change(&c, WIRE_CHANGE_REPLACE, "n8", "n7", "h:8",
				"n7 has not joined yet: remove it instead"),
			 STATUS_INVALID);
	assert_int_equal(change(&c, WIRE_CHANGE_REPLACE, "n3", "n2", "h:3",
				"n3 is a voter already"),
			 STATUS_EXISTS);
}

static void a_learner_is_replaced_when_its_successor_comes(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	(void)state;

	assert_int_equal(add_learner(&c, "n2", "h:2"), 0);
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n2", "n2", "h:2", NULL), 0);
	assert_is(&c, "n1:voter n2:learner n2:invited");
	assert_int_equal(config_bind(&c, "n2", 23), 0);
	assert_is(&c, "n1:voter n2:learner");
	assert_true(c.members[1].stay);
	assert_int_equal(c.members[1].replaces, 0);
}

static void removing_a_name_removes_who_replaces_it_under_it(void **state)
{
	struct wire_config c = GIVEN_VOTERS(3);
	(void)state;

	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n2", "n2", "h:2", NULL), 0);
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n2", "", "", NULL), 0);
	assert_is(&c, "*n1:voter n2:outgoing n3:voter");
}

static void who_is_invited_in_its_own_place_is_uninvited_first(void **state)
{
	struct wire_config c = GIVEN_VOTERS(3);
	struct wire_change ask = {.kind = WIRE_CHANGE_UNINVITE, .name = "n2"};
	(void)state;

	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n2", "n2", "h:9", NULL), 0);
	assert_int_equal(config_successor(&c, "n2")->replaces, 2);
	assert_null(config_successor(&c, "n1"));
	assert_false(config_shows(&c, &ask));
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n2", "", "",
				"n2 was just invited in its own place: ask "
				"again to take that back first"),
			 STATUS_INVALID);

	assert_int_equal(change(&c, WIRE_CHANGE_UNINVITE, "n2", "", "", NULL),
			 0);
	assert_is(&c, "n1:voter n2:voter n3:voter");
	assert_string_equal(c.members[1].address, "h:2");
	assert_true(config_shows(&c, &ask));
	assert_int_equal(change(&c, WIRE_CHANGE_UNINVITE, "n2", "", "",
				"n2 is not invited any more"),
			 STATUS_NOT_FOUND); /* and stays */

	assert_int_equal(add(&c, "n4", "h:4"), 0); /* in nobody's place */
	assert_null(config_successor(&c, "n4"));
	assert_int_equal(change(&c, WIRE_CHANGE_UNINVITE, "n4", "", "", NULL),
			 STATUS_NOT_FOUND);
	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n5", "n1", "h:5", NULL), 0);
	assert_null(config_successor(&c, "n5"));
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n5", "", "", NULL), 0);
	assert_is(&c, "n1:voter n2:voter n3:voter n4:invited");
}

static void a_replaced_one_that_goes_first_leaves_a_plain_newcomer(void **state)
{
	struct wire_config c = GIVEN_VOTERS(3);
	(void)state;

	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n9", "n2", "h:9", NULL), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_REMOVE, "n2", "", "", NULL), 0);
	config_leave(&c);
	assert_is(&c, "n1:voter n3:voter n9:invited");
	assert_int_equal(c.members[2].replaces, 0);
}

static void an_address_belongs_to_one(void **state)
{
	struct wire_config c = GIVEN_VOTERS(2);
	(void)state;

	assert_int_equal(change(&c, WIRE_CHANGE_ADD, "n3", "", "h:2",
				"h:2 is the address of n2"),
			 STATUS_EXISTS);
	assert_int_equal(change(&c, WIRE_CHANGE_ADDRESS, "n1", "", "h:2", NULL),
			 STATUS_EXISTS);
	assert_int_equal(change(&c, WIRE_CHANGE_ADDRESS, "n1", "", "h:9", NULL),
			 0);
	assert_string_equal(c.members[0].address, "h:9");
	assert_int_equal(change(&c, WIRE_CHANGE_ADDRESS, "n7", "", "h:7", NULL),
			 STATUS_NOT_FOUND);
}

static void who_has_no_address_can_not_be_joined(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	(void)state;

	c.members[0].address[0] = 0;
	assert_int_equal(add(&c, "n2", "h:2"), STATUS_INVALID);
	assert_int_equal(change(&c, WIRE_CHANGE_ADDRESS, "n1", "", "h:1", NULL),
			 0);
	assert_int_equal(add(&c, "n2", "h:2"), 0);
}

static void names_are_added_once(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	(void)state;

	assert_int_equal(change(&c, WIRE_CHANGE_ADD, "n1", "", "h:5",
				"n1 is a voter already"),
			 STATUS_EXISTS);
	assert_int_equal(add(&c, "n2", "h:2"), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_ADD, "n2", "", "h:2",
				"n2 is invited already at h:2, to be a voter"),
			 STATUS_EXISTS);
	assert_int_equal(config_bind(&c, "n3", 33), STATUS_NOT_FOUND);
	assert_int_equal(config_bind(&c, "n2", 1), STATUS_EXISTS);
	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "n5", "n1", "h:5", NULL), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_ADD, "n5", "", "h:5",
				"n5 is invited already at h:5, to be a voter "
				"in the place of n1"),
			 STATUS_EXISTS);
	assert_int_equal(config_bind(&c, "n5", 55), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_ADD, "n5", "", "h:5",
				"n5 is a learner already, to be a voter in the "
				"place of n1"),
			 STATUS_EXISTS);
}

static void what_one_becomes_is_known_from_the_start(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	struct wire_change stays = {.kind = WIRE_CHANGE_ADD,
				    .name = "n3",
				    .address = "h:3",
				    .stay = true};
	struct buffer problem = {0};
	(void)state;

	assert_int_equal(add(&c, "n2", "h:2"), 0);
	assert_int_equal(config_change(&c, &stays, &problem), 0);
	assert_string_equal(config_becomes(config_named(&c, "n1")), "");
	assert_string_equal(config_becomes(config_named(&c, "n2")), "voter");
	assert_string_equal(config_becomes(config_named(&c, "n3")), "learner");
	assert_int_equal(
		change(&c, WIRE_CHANGE_ADD, "n3", "", "h:3",
		       "n3 is invited already at h:3, to be a learner"),
		STATUS_EXISTS);
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_int_equal(config_bind(&c, "n3", 33), 0);
	assert_string_equal(config_becomes(config_named(&c, "n2")), "voter");
	assert_string_equal(config_becomes(config_named(&c, "n3")), "learner");
	assert_int_equal(config_promote(&c, 22), 0);
	assert_string_equal(config_becomes(config_named(&c, "n2")), "");
}

static void voters_and_members_are_bounded(void **state)
{
	struct wire_config c = GIVEN_VOTERS(LIMIT_VOTERS);
	char name[8], address[8];
	(void)state;

	assert_int_equal(add(&c, "n99", "h:99"), STATUS_FULL);
	assert_int_equal(
		change(&c, WIRE_CHANGE_REPLACE, "r1", "n1", "h:91", NULL), 0);
	assert_int_equal(config_bind(&c, "r1", 91), 0);
	assert_int_equal(config_promote(&c, 91), 0);
	config_leave(&c);
	for (unsigned i = LIMIT_VOTERS + 1; i <= LIMIT_PEERS; i++) {
		(void)snprintf(name, sizeof name, "n%u", i);
		(void)snprintf(address, sizeof address, "h:%u", i);
		assert_int_equal(add_learner(&c, name, address), 0);
	}
	assert_int_equal(add_learner(&c, "n99", "h:99"), STATUS_FULL);
	assert_int_equal(config_bind(&c, "n10", 10), 0);
	assert_int_equal(change(&c, WIRE_CHANGE_PROMOTE, "n10", "", "", NULL),
			 STATUS_FULL);
	assert_true(config_valid(&c));
}

static void what_is_asked_for_shows_when_it_is_there(void **state)
{
	struct wire_config c = GIVEN_VOTERS(1);
	struct wire_change ask = {
		.kind = WIRE_CHANGE_ADD, .name = "n2", .address = "h:2"};
	struct buffer problem = {0};
	(void)state;

	assert_false(config_shows(&c, &ask));
	assert_int_equal(config_change(&c, &ask, &problem), 0);
	assert_true(config_shows(&c, &ask));

	ask.kind = WIRE_CHANGE_PROMOTE;
	assert_int_equal(config_bind(&c, "n2", 22), 0);
	assert_false(config_shows(&c, &ask));
	assert_int_equal(config_promote(&c, 22), 0);
	assert_false(config_shows(&c, &ask));
	config_leave(&c);
	assert_true(config_shows(&c, &ask));

	ask.kind = WIRE_CHANGE_REMOVE;
	assert_false(config_shows(&c, &ask));
	assert_int_equal(config_change(&c, &ask, &problem), 0);
	assert_false(config_shows(&c, &ask));
	config_leave(&c);
	assert_true(config_shows(&c, &ask));
}

static void what_no_step_leads_to_is_not_valid(void **state)
{
	struct wire_config c = GIVEN_VOTERS(2);
	(void)state;

	c.members[1].id = 1; /* twice */
	assert_false(config_valid(&c));
	c = GIVEN_VOTERS(2);
	c.members[1].id = 0; /* a voter of no incarnation */
	assert_false(config_valid(&c));
	c = GIVEN_VOTERS(2);
	c.members[1].standing = WIRE_INCOMING; /* and not joint */
	assert_false(config_valid(&c));
	c = GIVEN_VOTERS(2);
	strcpy(c.members[1].name, "n1"); /* that replaces nobody */
	assert_false(config_valid(&c));
	c = GIVEN_VOTERS(2);
	c.members[1].standing = WIRE_LEARNER;
	c.members[1].replaces = 9; /* whom nobody knows */
	assert_false(config_valid(&c));
	c = GIVEN_VOTERS(1);
	c.members[0].standing = WIRE_LEARNER; /* no voter */
	assert_false(config_valid(&c));
	c = GIVEN_VOTERS(1);
	c.joint = true;
	c.members[0].standing = WIRE_INCOMING; /* none in C_old */
	assert_false(config_valid(&c));
	c = GIVEN_VOTERS(LIMIT_VOTERS + 1);
	assert_false(config_valid(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_newcomer_becomes_a_voter_step_by_step),
		cmocka_unit_test(several_may_become_voters_at_once),
		cmocka_unit_test(
			a_learner_for_good_is_promoted_by_command_alone),
		cmocka_unit_test(a_voter_goes_by_a_joint_configuration),
		cmocka_unit_test(learners_and_invitations_go_at_once),
		cmocka_unit_test(the_only_voter_stays),
		cmocka_unit_test(a_wiped_voter_is_replaced_under_its_name),
		cmocka_unit_test(a_voter_is_replaced_by_another_name),
		cmocka_unit_test(
			a_second_replacement_takes_the_place_of_the_first),
		cmocka_unit_test(
			a_learner_is_replaced_when_its_successor_comes),
		cmocka_unit_test(
			removing_a_name_removes_who_replaces_it_under_it),
		cmocka_unit_test(
			who_is_invited_in_its_own_place_is_uninvited_first),
		cmocka_unit_test(
			a_replaced_one_that_goes_first_leaves_a_plain_newcomer),
		cmocka_unit_test(an_address_belongs_to_one),
		cmocka_unit_test(who_has_no_address_can_not_be_joined),
		cmocka_unit_test(names_are_added_once),
		cmocka_unit_test(what_one_becomes_is_known_from_the_start),
		cmocka_unit_test(voters_and_members_are_bounded),
		cmocka_unit_test(what_is_asked_for_shows_when_it_is_there),
		cmocka_unit_test(what_no_step_leads_to_is_not_valid),
	};

	return cmocka_run_group_tests_name("raft/node/config", tests, NULL,
					   NULL);
}
