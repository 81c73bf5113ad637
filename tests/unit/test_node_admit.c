/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: members and those who may know better are heard, newcomers come in
 * by invitation, and nobody is denied by who may be behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/node/admit.h"

static struct configs configs;
static struct wire_config founding;

/* {n1 = 1, n2 = 2, n3 = 3} at entry 5 of a leader that has a lease. */
static struct admit_self GIVEN_LEADER(void) {
	struct wire_config c = {
		.cluster = {7},
		.count = 3,
		.members = {{.name = "n1", .id = 1, .address = "h:1"},
			    {.name = "n2", .id = 2, .address = "h:2"},
			    {.name = "n3", .id = 3, .address = "h:3"}},
	};

	configs_reset(&configs, 5, &c);
	founding = c;
	return (struct admit_self){
		.configs = &configs,
		.committed = true,
		.decides = true,
		.founding = &founding,
	};
}

static struct wire_hello
GIVEN_HELLO(const char *name, raft_id id, bool founded) {
	struct wire_hello hello = {.id = id, .boot = 1, .founded = founded};

	strcpy(hello.name, name);
	return hello;
}

static void
assert_admits(const struct admit_self *self, const struct wire_hello *hello,
	      enum admit verdict)
{
	enum wire_denial denial = WIRE_DENIED_LATER;

	assert_int_equal(admit_judge(self, hello, &denial), verdict);
}

static void assert_denies(const struct admit_self *self,
			  const struct wire_hello *hello,
			  enum wire_denial reason)
{
	enum wire_denial denial = 0;

	assert_int_equal(admit_judge(self, hello, &denial), ADMIT_DENIED);
	assert_int_equal(denial, reason);
}

static void members_are_heard(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n2 = GIVEN_HELLO("n2", 2, true);
	(void)state;

	assert_admits(&self, &n2, ADMIT_MEMBER);
	self.decides = false;
	assert_admits(&self, &n2, ADMIT_MEMBER);
}

static void an_empty_founder_gets_its_founding(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n2 = GIVEN_HELLO("n2", 2, false);
	(void)state;

	assert_admits(&self, &n2, ADMIT_MEMBER);
	self.founding = NULL; /* this node joined later: others have it */
	assert_admits(&self, &n2, ADMIT_JOIN);
}

static void a_bound_newcomer_may_ask_again(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n4 = GIVEN_HELLO("n4", 4, false);
	(void)state;

	strcpy(configs.now.members[3].name, "n4");
	configs.now.members[3].id = 4;
	configs.now.members[3].standing = WIRE_LEARNER;
	configs.now.count = 4;
	n4.joining = true;
	assert_admits(&self, &n4, ADMIT_JOIN);
}

static void an_invited_name_joins_and_calls_as_a_guest(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello empty = GIVEN_HELLO("n4", 4, false);
	struct wire_hello joined = GIVEN_HELLO("n4", 4, true);
	(void)state;

	strcpy(configs.now.members[3].name, "n4");
	configs.now.members[3].standing = WIRE_INVITED;
	configs.now.count = 4;
	assert_admits(&self, &empty, ADMIT_JOIN);
	assert_admits(&self, &joined, ADMIT_GUEST);
}

/* Row 31. */
static void a_wiped_member_is_told_to_be_replaced(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello wiped = GIVEN_HELLO("n2", 99, false);
	(void)state;

	assert_denies(&self, &wiped, WIRE_DENIED_REPLACED);
	self.decides = false;
	assert_denies(&self, &wiped, WIRE_DENIED_LATER);
}

static void an_unknown_name_is_told_by_the_leader(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n9 = GIVEN_HELLO("n9", 9, false);
	(void)state;

	assert_denies(&self, &n9, WIRE_DENIED_UNKNOWN);
	self.decides = false;
	assert_denies(&self, &n9, WIRE_DENIED_LATER);
}

static void a_removed_member_is_told_by_the_leader(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n9 = GIVEN_HELLO("n9", 9, true);
	(void)state;

	n9.config = 4;
	assert_denies(&self, &n9, WIRE_DENIED_REMOVED);
	self.decides = false;
	assert_denies(&self, &n9, WIRE_DENIED_LATER);
}

static void who_may_know_better_is_a_guest(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n9 = GIVEN_HELLO("n9", 9, true);
	(void)state;

	n9.config = 6; /* this node has 5 */
	self.decides = false;
	assert_admits(&self, &n9, ADMIT_GUEST);
	configs_reset(&configs, 0, NULL); /* it has joined just now */
	n9.config = 0;
	assert_admits(&self, &n9, ADMIT_GUEST);
}

/* What others have beyond it is not committed, and never will be. */
static void nobody_knows_better_than_a_leader_that_decides(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n9 = GIVEN_HELLO("n9", 9, true);
	(void)state;

	n9.config = 6; /* this node has 5 */
	assert_denies(&self, &n9, WIRE_DENIED_REMOVED);
}

/* Its vote may be needed: the removal may be truncated yet. */
static void a_member_until_just_now_is_a_guest(void **state)
{
	struct admit_self self = GIVEN_LEADER();
	struct wire_hello n3 = GIVEN_HELLO("n3", 3, true);
	struct wire_config without = configs.now;
	(void)state;

	without.count = 2;
	n3.config = 5;
	configs_append(&configs, 6, &without);
	self.committed = self.decides = false;
	assert_admits(&self, &n3, ADMIT_GUEST);
	self.committed = self.decides = true;
	assert_denies(&self, &n3, WIRE_DENIED_REMOVED);
}

static void assert_line(enum wire_denial reason, bool founded, const char *line)
{
	struct wire_denied denied = {
		.reason = reason,
		.cluster = {0xab},
		.name = "n4",
		.address = "h:4",
	};
	struct buffer out = {0};

	admit_line(&denied, founded, "h:1", &out);
	assert_string_equal(buffer_text(&out), line);
	buffer_deinit(&out);
}

static void each_line_has_the_command_to_run(void **state)
{
	(void)state;

	assert_line(WIRE_DENIED_UNKNOWN, true,
		    "h:1 belongs to cluster ab000000000000000000000000000000, "
		    "which does not know n4; run on a member, then start this "
		    "node again: raftfsctl member add n4 h:4");
	assert_line(WIRE_DENIED_UNKNOWN, false,
		    "h:1 belongs to cluster ab000000000000000000000000000000, "
		    "which does not know n4; run on a member, then start this "
		    "node with --join: raftfsctl member add n4 h:4");
	assert_line(WIRE_DENIED_REPLACED, true,
		    "this name was a member: node n4 of cluster "
		    "ab000000000000000000000000000000 has lost its data, or is "
		    "another one; run on a member, then start this node again: "
		    "raftfsctl member replace n4 n4 h:4");
	assert_line(WIRE_DENIED_REMOVED, true,
		    "node n4 was removed from cluster "
		    "ab000000000000000000000000000000; to have it back, run on "
		    "a member: raftfsctl member add n4 h:4");
	assert_line(WIRE_DENIED_LATER, true,
		    "it does not know this node; the leader is at h:4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_heard),
		cmocka_unit_test(an_empty_founder_gets_its_founding),
		cmocka_unit_test(a_bound_newcomer_may_ask_again),
		cmocka_unit_test(an_invited_name_joins_and_calls_as_a_guest),
		cmocka_unit_test(a_wiped_member_is_told_to_be_replaced),
		cmocka_unit_test(an_unknown_name_is_told_by_the_leader),
		cmocka_unit_test(a_removed_member_is_told_by_the_leader),
		cmocka_unit_test(who_may_know_better_is_a_guest),
		cmocka_unit_test(
			nobody_knows_better_than_a_leader_that_decides),
		cmocka_unit_test(a_member_until_just_now_is_a_guest),
		cmocka_unit_test(each_line_has_the_command_to_run),
	};

	return cmocka_run_group_tests_name("raft/node/admit", tests, NULL,
					   NULL);
}
