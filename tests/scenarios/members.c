/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - the commands about members, snapshots and transfers. */
#include <string.h>

#include "tests/scenarios/words.h"

/* "ABC" */
static uint32_t list_of(struct stage *s, const char *letters, raft_id *list)
{
	uint32_t count = 0;

	for (; letters != NULL && *letters != '\0'; letters++)
		list[count++] = node_of(s, letters);
	return count;
}

void cmd_change(struct stage *s, const struct words *words)
{
	struct raft_members m = {0};

	m.voter_count = list_of(s, option(words, "voters"), m.voters);
	m.outgoing_count = list_of(s, option(words, "outgoing"), m.outgoing);
	m.learner_count = list_of(s, option(words, "learners"), m.learners);
	tell_refusal(s, world_change(s->w, node_of(s, words->word[1]), &m));
}

void cmd_leave(struct stage *s, const struct words *words)
{
	raft_id id = node_of(s, words->word[1]);
	struct raft_members m = *raft_members(s->w->node[id].core);

	m.outgoing_count = 0;
	memset(m.outgoing, 0, sizeof(m.outgoing));
	tell_refusal(s, world_change(s->w, id, &m));
}

void cmd_transfer(struct stage *s, const struct words *words)
{
	raft_id target = words->count > 2 ? node_of(s, words->word[2]) : 0;

	tell_refusal(s,
		     world_transfer(s->w, node_of(s, words->word[1]), target));
}

void cmd_members(struct stage *s, const struct words *words)
{
	struct raft_status st;
	raft_id id;

	for (id = 1; id <= s->w->node_count; id++) {
		if (!s->w->node[id].up ||
		    (words->count > 1 && node_of(s, words->word[1]) != id))
			continue;
		raft_status(s->w->node[id].core, &st);
		fprintf(s->out, "%c members of %llu:", letter(id),
			(ull)st.members_index);
		tell_members(s->out, raft_members(s->w->node[id].core));
	}
}

void cmd_snap(struct stage *s, const struct words *words)
{
	struct world_snapshot **at = &s->w->snapshots;
	const char *how = words->count > 2 ? words->word[2] : "";
	raft_id from, to;

	if (!link_of(s, words->word[1], &from, &to)) {
		s->error = "not a link";
		return;
	}
	while (*at != NULL && ((*at)->from != from || (*at)->to != to))
		at = &(*at)->next;
	if (*at == NULL)
		s->error = "no such snapshot";
	else if (strcmp(how, "copy") == 0)
		world_snap_copy(s->w, *at);
	else if (strcmp(how, "drop") == 0)
		world_snap_drop(s->w, at);
	else
		world_snap_deliver(s->w, at);
}

void cmd_load(struct stage *s, const struct words *words)
{
	raft_id id = node_of(s, words->word[1]);

	if (s->w->node[id].load_due)
		world_load(s->w, id, words->count > 2);
	else
		s->error = "nothing to load";
}
