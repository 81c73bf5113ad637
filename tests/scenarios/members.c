/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - the commands about members, snapshots and transfers. */
#include <string.h>

#include "tests/scenarios/words.h"

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
