/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - the configurations of the log: told to the core, and followed.
 *
 *   entries -> members_receive() -> the core -> members_saved() -> configs
 *                                        '-> DO_MEMBERS -> links come and go
 *
 *   M1  what the core has in force and n->configs.now are one, after each step
 *   M2  at the start they are the two newest of the log, or the state's */
#include "base/log.h"
#include "raft/node/inside.h"

/* The core's view of the payload of an ENTRY_MEMBERS; false: it is none. */
static bool parse(struct node *n, struct bytes data,
		  struct raft_members *members)
{
	if (wire_decode_config(data, &n->parsed) != 0) {
		return false;
	}
	config_members(&n->parsed, members);
	return true;
}

/* --- The start ------------------------------------------------------------ */

static int append_of_log(struct node *n, raft_index index,
			 struct buffer *problem)
{
	struct entry *e = NULL;
	int rc = log_read(n->log, index, &e);

	if (rc == 0) {
		rc = wire_decode_config(entry_bytes(e), &n->parsed);
		rc = rc != 0 ? STATUS_CORRUPT : 0;
	}
	if (rc == 0) {
		configs_append(&n->configs, index, &n->parsed);
	} else {
		buffer_printf(problem,
			      "the log's configuration at index %llu does not "
			      "read: %s",
			      (unsigned long long)index, status_text(rc));
	}
	entry_unref(e);
	return rc;
}

int members_open(struct node *n, struct buffer *problem)
{
	raft_index now = log_find(n->log, ENTRY_MEMBERS, UINT64_MAX);
	raft_index before = now > 0 ? log_find(n->log, ENTRY_MEMBERS, now) : 0;
	int rc = 0;

	configs_reset(&n->configs, 0, NULL);
	if (before > 0) {
		rc = append_of_log(n, before, problem);
	}
	if (rc == 0 && now > 0) {
		rc = append_of_log(n, now, problem);
	}
	return rc;
}

int members_start(struct node *n, const struct node_state *state)
{
	struct configs *c = &n->configs;
	bool wanted = c->index == 0 ||
		      (c->before_index == 0 && state->members_index < c->index);

	if (state->members_index == 0 || !wanted) {
		return 0;
	}
	if (wire_decode_config(state->members, &n->parsed) != 0) {
		return STATUS_CORRUPT;
	}
	if (c->index == 0) {
		configs_reset(c, state->members_index, &n->parsed);
	} else {
		c->before_index = state->members_index;
		c->before = n->parsed;
	}
	return 0;
}

bool node_is_alone(const struct node *n, const struct node_state *state)
{
	const struct wire_config *c = peers_config(n);
	struct wire_config of_state;
	struct raft_members members;

	if (n->configs.index < state->members_index) {
		if (wire_decode_config(state->members, &of_state) != 0) {
			return false;
		}
		c = &of_state;
	}
	if (c == NULL) {
		return false;
	}
	config_members(c, &members);
	return members.voter_count == 1 && members.outgoing_count == 0 &&
	       members.voters[0] == n->identity.self;
}

void members_boot(const struct node *n, struct raft_boot *boot)
{
	const struct configs *c = &n->configs;

	boot->members_index = c->index;
	boot->before.index = c->before_index;
	if (c->index > 0) {
		config_members(&c->now, &boot->members);
	}
	if (c->before_index > 0) {
		config_members(&c->before, &boot->before.members);
	}
}

/* --- Entries -------------------------------------------------------------- */

/* What does not fit here is left to a later message: it is cut off. */
bool members_receive(struct node *n, struct raft_event *ev)
{
	struct wire_message *m = &n->message;
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++) {
		struct raft_change *change = &n->changes[count];

		if (m->entries[i].kind != ENTRY_MEMBERS) {
			continue;
		}
		if (count == CHANGES_MAX) {
			m->count = i;
			m->core.last = m->core.pos.index + i;
			ev->recv.msg.last = m->core.last;
			break;
		}
		if (!parse(n, m->entries[i].data, &change->members)) {
			return false;
		}
		change->index = m->core.pos.index + 1 + i;
		count++;
	}
	ev->recv.changes = n->changes;
	ev->recv.change_count = count;
	return true;
}

/* Queued before the save that brings them: whoever can be asked for help is
 * known when that counts. */
static void note_others(struct node *n)
{
	bool others = atomic_load(&n->others);

	members_count(n);
	if (others != atomic_load(&n->others)) {
		saver_others(n->saver, !others);
	}
}

void members_saved(struct node *n, raft_index keep,
		   struct entry *const *entries, size_t count)
{
	configs_truncate(&n->configs, keep);
	for (size_t i = 0; i < count; i++) {
		if (entries[i]->kind == ENTRY_MEMBERS) {
			/* The receiver has tried it, or made it. */
			CHECK(wire_decode_config(entry_bytes(entries[i]),
						 &n->parsed) == 0);
			configs_append(&n->configs, entries[i]->index,
				       &n->parsed);
		}
	}
	note_others(n);
}

void members_loaded(struct node *n, raft_index index, struct bytes record)
{
	/* The receiver has tried it. */
	CHECK(wire_decode_config(record, &n->parsed) == 0);
	configs_reset(&n->configs, index, &n->parsed);
}

void members_enforced(struct node *n, raft_index index)
{
	CHECK(index == n->configs.index); /* M1 */
	n->follow = true;
	note_others(n); /* of a loaded snapshot */
}

void members_count(struct node *n)
{
	const struct configs *c = &n->configs;
	bool others = false;

	for (size_t i = 0; i < c->now.count; i++) {
		const struct wire_member *m = &c->now.members[i];

		others = others || (m->id != n->identity.self &&
				    (m->standing == WIRE_VOTER ||
				     m->standing == WIRE_INCOMING ||
				     m->standing == WIRE_OUTGOING));
	}
	if (c->index > 0) { /* else of one that joins, or is repaired */
		atomic_store(&n->others, others);
	}
}
