/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/config.h"

#include <stdlib.h>
#include <string.h>

#include "raft/node/address.h"

/* --- Looking -------------------------------------------------------------- */

static bool votes_new(const struct wire_member *m)
{
	return m->standing == WIRE_VOTER || m->standing == WIRE_INCOMING;
}

static bool votes_old(const struct wire_member *m)
{
	return m->standing == WIRE_VOTER || m->standing == WIRE_OUTGOING;
}

static size_t count_of(const struct wire_config *c,
		       bool (*is)(const struct wire_member *m))
{
	size_t count = 0;

	for (size_t i = 0; i < c->count; i++) {
		count += is(&c->members[i]) ? 1 : 0;
	}
	return count;
}

const struct wire_member *config_of(const struct wire_config *c, raft_id id)
{
	for (size_t i = 0; id != 0 && i < c->count; i++) {
		if (c->members[i].id == id) {
			return &c->members[i];
		}
	}
	return NULL;
}

const struct wire_member *config_named(const struct wire_config *c,
				       const char *name)
{
	for (size_t i = c->count; i > 0; i--) {
		if (strcmp(c->members[i - 1].name, name) == 0) {
			return &c->members[i - 1];
		}
	}
	return NULL;
}

const struct wire_member *config_invited(const struct wire_config *c,
					 const char *name)
{
	const struct wire_member *m = config_named(c, name);

	return m != NULL && m->standing == WIRE_INVITED ? m : NULL;
}

const struct wire_member *config_successor(const struct wire_config *c,
					   const char *name)
{
	const struct wire_member *m = config_invited(c, name);
	const struct wire_member *old =
		m != NULL ? config_of(c, m->replaces) : NULL;

	return old != NULL && strcmp(old->name, name) == 0 ? m : NULL;
}

const char *config_standing_text(enum wire_standing standing)
{
	static const char *const texts[] = {
		[WIRE_VOTER] = "voter",	      [WIRE_LEARNER] = "learner",
		[WIRE_INCOMING] = "incoming", [WIRE_OUTGOING] = "outgoing",
		[WIRE_INVITED] = "invited",
	};

	return texts[standing];
}

/* --- What is valid -------------------------------------------------------- */

static bool member_valid(const struct wire_config *c, size_t i)
{
	const struct wire_member *m = &c->members[i];
	int order = i > 0 ? strcmp(c->members[i - 1].name, m->name) : -1;

	if ((m->id == 0) != (m->standing == WIRE_INVITED)) {
		return false;
	}
	if (!c->joint &&
	    (m->standing == WIRE_INCOMING || m->standing == WIRE_OUTGOING)) {
		return false;
	}
	if (m->replaces != 0 &&
	    (m->replaces == m->id || config_of(c, m->replaces) == NULL ||
	     m->standing == WIRE_VOTER)) {
		return false;
	}
	for (size_t j = 0; j < i; j++) {
		if (m->id != 0 && c->members[j].id == m->id) {
			return false;
		}
	}
	return order < 0 || (order == 0 && m->replaces != 0 &&
			     m->replaces == c->members[i - 1].id);
}

bool config_valid(const struct wire_config *c)
{
	size_t incoming = count_of(c, votes_new);
	size_t outgoing = count_of(c, votes_old);

	if (c->count > LIMIT_PEERS || incoming < 1 || incoming > LIMIT_VOTERS ||
	    (c->joint && (outgoing < 1 || outgoing > LIMIT_VOTERS))) {
		return false;
	}
	for (size_t i = 0; i < c->count; i++) {
		if (!member_valid(c, i)) {
			return false;
		}
	}
	return true;
}

static int by_id(const void *a, const void *b)
{
	raft_id x = *(const raft_id *)a, y = *(const raft_id *)b;

	return (x > y) - (x < y);
}

void config_members(const struct wire_config *c, struct raft_members *members)
{
	*members = (struct raft_members){0};
	for (size_t i = 0; i < c->count; i++) {
		const struct wire_member *m = &c->members[i];

		if (votes_new(m)) {
			members->voters[members->voter_count++] = m->id;
		}
		if (c->joint && votes_old(m)) {
			members->outgoing[members->outgoing_count++] = m->id;
		}
		if (m->standing == WIRE_LEARNER) {
			members->learners[members->learner_count++] = m->id;
		}
	}
	qsort(members->voters, members->voter_count, sizeof(raft_id), by_id);
	qsort(members->outgoing, members->outgoing_count, sizeof(raft_id),
	      by_id);
	qsort(members->learners, members->learner_count, sizeof(raft_id),
	      by_id);
}

/* --- Members come and go ---------------------------------------------------
 */

static struct wire_member *at(struct wire_config *c,
			      const struct wire_member *m)
{
	return m == NULL ? NULL : &c->members[m - c->members];
}

/* Behind whoever has its name already. */
static void insert(struct wire_config *c, const struct wire_member *m)
{
	size_t i = c->count++;

	CHECK(i < LIMIT_PEERS);
	while (i > 0 && strcmp(c->members[i - 1].name, m->name) > 0) {
		c->members[i] = c->members[i - 1];
		i--;
	}
	c->members[i] = *m;
}

static void erase(struct wire_config *c, struct wire_member *m)
{
	size_t i = (size_t)(m - c->members);
	raft_id id = m->id;

	c->count--;
	memmove(m, m + 1, (c->count - i) * sizeof *m);
	c->members[c->count] = (struct wire_member){0};
	for (i = 0; id != 0 && i < c->count; i++) {
		if (c->members[i].replaces == id) {
			c->members[i].replaces = 0;
		}
	}
}

/* It will vote, without taking the place of one that does. */
static bool adds_a_vote(const struct wire_config *c,
			const struct wire_member *m)
{
	const struct wire_member *old = config_of(c, m->replaces);

	return !m->stay && !(old != NULL && votes_new(old));
}

/* How many voters there will be once all is done that is under way. */
static size_t votes_to_come(const struct wire_config *c)
{
	size_t count = count_of(c, votes_new);

	for (size_t i = 0; i < c->count; i++) {
		const struct wire_member *m = &c->members[i];

		if (m->standing == WIRE_LEARNER ||
		    m->standing == WIRE_INVITED) {
			count += adds_a_vote(c, m) ? 1 : 0;
		}
	}
	return count;
}

/* --- Commands ------------------------------------------------------------- */

/* Others have to be called where they are, and no two at one place. */
static int check_addresses(const struct wire_config *c,
			   const struct wire_change *change,
			   struct buffer *problem)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct wire_member *m = &c->members[i];

		if (strcmp(m->name, change->name) == 0 ||
		    strcmp(m->name, change->old) == 0) {
			continue;
		}
		if (strcmp(m->address, change->address) == 0) {
			buffer_printf(problem, "%s is the address of %s",
				      change->address, m->name);
			return STATUS_EXISTS;
		}
		if (m->address[0] == 0 && change->kind != WIRE_CHANGE_ADDRESS) {
			buffer_printf(problem,
				      "%s has no address: restart it with "
				      "--listen HOST:PORT and run raftfsctl "
				      "member address %s HOST:PORT",
				      m->name, m->name);
			return STATUS_INVALID;
		}
	}
	return 0;
}

static int invite(struct wire_config *c, const struct wire_change *change,
		  const struct wire_member *old, struct buffer *problem)
{
	struct wire_member m = {
		.standing = WIRE_INVITED,
		.replaces = old != NULL ? old->id : 0,
		.stay = old != NULL && old->standing == WIRE_LEARNER
				? old->stay
				: change->stay,
	};
	int rc = check_addresses(c, change, problem);

	if (rc != 0) {
		return rc;
	}
	if (c->count == LIMIT_PEERS) {
		buffer_printf(problem, "%d members are the most", LIMIT_PEERS);
		return STATUS_FULL;
	}
	if (adds_a_vote(c, &m) && votes_to_come(c) >= LIMIT_VOTERS) {
		buffer_printf(problem,
			      "%d voters are the most: add it with --learner",
			      LIMIT_VOTERS);
		return STATUS_FULL;
	}
	name_copy(m.name, sizeof m.name, change->name);
	name_copy(m.address, sizeof m.address, change->address);
	insert(c, &m);
	return 0;
}

const char *config_becomes(const struct wire_member *m)
{
	if (m->standing != WIRE_INVITED && m->standing != WIRE_LEARNER) {
		return "";
	}
	return m->stay ? "learner" : "voter";
}

static void say_there(const struct wire_config *c, const struct wire_member *m,
		      struct buffer *problem)
{
	const struct wire_member *old = config_of(c, m->replaces);

	buffer_printf(problem, "%s is %s already", m->name,
		      m->standing == WIRE_INVITED    ? "invited"
		      : m->standing == WIRE_LEARNER  ? "a learner"
		      : m->standing == WIRE_OUTGOING ? "a member"
						     : "a voter");
	if (m->standing == WIRE_INVITED) {
		buffer_printf(problem, " at %s", m->address);
	}
	if (m->standing == WIRE_INVITED || old != NULL) {
		buffer_printf(problem, ", to be a %s",
			      m->stay ? "learner" : "voter");
	}
	if (old != NULL) {
		buffer_printf(problem, " in the place of %s", old->name);
	}
}

static int add(struct wire_config *c, const struct wire_change *change,
	       struct buffer *problem)
{
	const struct wire_member *m = config_named(c, change->name);

	if (m == NULL) {
		return invite(c, change, NULL, problem);
	}
	say_there(c, m, problem);
	return STATUS_EXISTS;
}

static struct wire_member *find(struct wire_config *c, const char *name,
				struct buffer *problem)
{
	struct wire_member *m = at(c, config_named(c, name));

	if (m == NULL) {
		buffer_printf(problem, "there is no member %s", name);
	}
	return m;
}

/* Whoever was to replace it before is not wanted any more. */
static int replace(struct wire_config *c, const struct wire_change *change,
		   struct buffer *problem)
{
	struct wire_config draft = *c;
	struct wire_member *old = find(&draft, change->old, problem);
	struct wire_member *other;
	int rc;

	if (old == NULL) {
		return STATUS_NOT_FOUND;
	}
	if (old->replaces != 0 && strcmp(old->name, change->old) == 0 &&
	    old > draft.members && strcmp(old[-1].name, old->name) == 0) {
		raft_id id = old->replaces;

		erase(&draft, old);
		old = at(&draft, config_of(&draft, id));
	}
	if (old->standing == WIRE_INVITED) {
		buffer_printf(problem,
			      "%s has not joined yet: remove it instead",
			      old->name);
		return STATUS_INVALID;
	}
	for (size_t i = draft.count; i > 0; i--) {
		if (draft.members[i - 1].replaces == old->id) {
			raft_id id = old->id;

			erase(&draft, &draft.members[i - 1]);
			old = at(&draft, config_of(&draft, id));
		}
	}
	other = at(&draft, config_named(&draft, change->name));
	if (other != NULL && other != old) {
		say_there(&draft, other, problem);
		return STATUS_EXISTS;
	}
	rc = invite(&draft, change, old, problem);
	if (rc == 0) {
		*c = draft;
	}
	return rc;
}

static int promote(struct wire_config *c, const struct wire_change *change,
		   struct buffer *problem)
{
	struct wire_member *m = find(c, change->name, problem);

	if (m == NULL) {
		return STATUS_NOT_FOUND;
	}
	if (votes_new(m)) {
		buffer_printf(problem, "%s is a voter already", m->name);
		return STATUS_EXISTS;
	}
	if (m->stay && votes_to_come(c) >= LIMIT_VOTERS) {
		buffer_printf(problem, "%d voters are the most", LIMIT_VOTERS);
		return STATUS_FULL;
	}
	m->stay = false;
	return 0;
}

/* All of that name: with a member goes who has come to replace it under its
 * name. */
static int take_away(struct wire_config *c, const struct wire_change *change,
		     struct buffer *problem)
{
	struct wire_config draft = *c;
	struct wire_member *m = find(&draft, change->name, problem);

	if (m == NULL) {
		return STATUS_NOT_FOUND;
	}
	if (config_successor(&draft, change->name) != NULL) {
		buffer_printf(problem,
			      "%s was just invited in its own place: ask again "
			      "to take that back first",
			      m->name);
		return STATUS_INVALID;
	}
	while (m != NULL && m->standing != WIRE_OUTGOING) {
		if (m->standing == WIRE_VOTER) {
			m->standing = WIRE_OUTGOING;
			draft.joint = true;
		} else {
			erase(&draft, m);
		}
		m = at(&draft, config_named(&draft, change->name));
	}
	if (count_of(&draft, votes_new) == 0) {
		buffer_printf(problem, "%s is the only voter", change->name);
		return STATUS_INVALID;
	}
	*c = draft;
	return 0;
}

static int uninvite(struct wire_config *c, const struct wire_change *change,
		    struct buffer *problem)
{
	struct wire_member *m = at(c, config_successor(c, change->name));

	if (m == NULL) {
		buffer_printf(problem, "%s is not invited any more",
			      change->name);
		return STATUS_NOT_FOUND;
	}
	erase(c, m);
	return 0;
}

static int readdress(struct wire_config *c, const struct wire_change *change,
		     struct buffer *problem)
{
	int rc;

	if (find(c, change->name, problem) == NULL) {
		return STATUS_NOT_FOUND;
	}
	rc = check_addresses(c, change, problem);
	for (size_t i = 0; rc == 0 && i < c->count; i++) {
		struct wire_member *m = &c->members[i];

		if (strcmp(m->name, change->name) == 0) {
			name_copy(m->address, sizeof m->address,
				  change->address);
		}
	}
	return rc;
}

int config_change(struct wire_config *c, const struct wire_change *change,
		  struct buffer *problem)
{
	if (c->joint) {
		buffer_printf(problem, "another change is under way");
		return STATUS_PENDING;
	}
	switch (change->kind) {
	case WIRE_CHANGE_ADD:
		return add(c, change, problem);
	case WIRE_CHANGE_PROMOTE:
		return promote(c, change, problem);
	case WIRE_CHANGE_REMOVE:
		return take_away(c, change, problem);
	case WIRE_CHANGE_REPLACE:
		return replace(c, change, problem);
	case WIRE_CHANGE_ADDRESS:
		return readdress(c, change, problem);
	case WIRE_CHANGE_UNINVITE:
		return uninvite(c, change, problem);
	case WIRE_CHANGE_TRANSFER:
		break;
	}
	CHECK(change->kind != WIRE_CHANGE_TRANSFER); /* not of members */
	return STATUS_INVALID;
}

bool config_shows(const struct wire_config *c, const struct wire_change *change)
{
	const struct wire_member *m = config_named(c, change->name);

	switch (change->kind) {
	case WIRE_CHANGE_ADD:
	case WIRE_CHANGE_ADDRESS:
		return m != NULL && strcmp(m->address, change->address) == 0;
	case WIRE_CHANGE_PROMOTE:
		return m != NULL && m->standing == WIRE_VOTER && !c->joint;
	case WIRE_CHANGE_REMOVE:
		return m == NULL;
	case WIRE_CHANGE_REPLACE:
		return m != NULL && strcmp(m->address, change->address) == 0 &&
		       (m->replaces != 0 ||
			(strcmp(change->old, change->name) != 0 &&
			 config_named(c, change->old) == NULL));
	case WIRE_CHANGE_UNINVITE:
		return config_successor(c, change->name) == NULL;
	case WIRE_CHANGE_TRANSFER:
		break;
	}
	return false;
}

/* --- Steps of the leader's own ---------------------------------------------
 */

int config_bind(struct wire_config *c, const char *name, raft_id id)
{
	struct wire_member *m = at(c, config_invited(c, name));
	const struct wire_member *old;

	if (m == NULL) {
		return STATUS_NOT_FOUND;
	}
	if (config_of(c, id) != NULL) {
		return STATUS_EXISTS;
	}
	m->id = id;
	m->standing = WIRE_LEARNER;
	old = config_of(c, m->replaces);
	if (old != NULL && old->standing == WIRE_LEARNER) {
		erase(c, at(c, old));
	}
	return 0;
}

int config_promote(struct wire_config *c, raft_id id)
{
	struct wire_config draft = *c;
	struct wire_member *m = at(&draft, config_of(&draft, id));
	struct wire_member *old;

	if (m == NULL || m->standing != WIRE_LEARNER || m->stay) {
		return STATUS_NOT_FOUND;
	}
	draft.joint = true;
	m->standing = WIRE_INCOMING;
	old = at(&draft, config_of(&draft, m->replaces));
	if (old != NULL) {
		old->standing = WIRE_OUTGOING;
	}
	if (count_of(&draft, votes_new) > LIMIT_VOTERS) {
		return STATUS_FULL;
	}
	*c = draft;
	return 0;
}

void config_leave(struct wire_config *c)
{
	CHECK(c->joint);
	c->joint = false;
	for (size_t i = c->count; i > 0; i--) {
		struct wire_member *m = &c->members[i - 1];

		if (m->standing == WIRE_INCOMING) {
			m->standing = WIRE_VOTER;
			m->replaces = 0;
		} else if (m->standing == WIRE_OUTGOING) {
			erase(c, m);
		}
	}
}
