/* SPDX-License-Identifier: Apache-2.0 */
/* story.c - how a broken state comes about (search.h).
 *
 * States are kept in the order of nodes that stands for all; the story is told
 * of nodes that keep their names. So it is found anew: from each state that
 * choice is taken whose result stands for the next one on the way. */
#include "tests/explore/search.h"

#include <string.h>

#include "base/mem.h"
#include "tests/explore/node.h"
#include "tests/explore/step.h"

/* The states from the first one to `state`; their count. */
static uint32_t way_to(const struct search *s, uint32_t state, uint32_t **way)
{
	const uint32_t *parents = (const void *)s->parents.base;
	uint32_t count = 1, at, i;

	for (at = state; at != 0; at = parents[at])
		count++;
	*way = mem_alloc(count * sizeof(**way));
	for (at = state, i = count; i > 0; at = parents[at])
		(*way)[--i] = at;
	return count;
}

static void tell_site(struct search *s, uint32_t site, uint32_t choice,
		      FILE *out)
{
	s->model->say = out;
	step_say(s->model, site_at(s->model, site)->node, choice);
	s->model->say = NULL;
}

/* Take from *actual the choice that leads to `next` (NULL: to what is broken);
 * say it. */
static void take(struct search *s, uint32_t *actual, const uint32_t *next,
		 FILE *out)
{
	struct model *m = s->model;
	uint32_t to[STRIDE_MAX], least[STRIDE_MAX], slot, i;

	for (slot = 0; slot < m->bounds.nodes; slot++) {
		const struct site *site = site_open(m, actual[slot]);

		for (i = 0; i < site->edge_count; i++) {
			const struct edge *edge = &site->edges[i];

			s->broken = NULL;
			if (!search_follow(s, actual, slot, edge, to))
				continue;
			if (next == NULL && s->broken == NULL)
				continue;
			if (next != NULL) {
				if (s->broken != NULL)
					continue;
				search_canonical(s, to, least);
				if (memcmp(least, next,
					   s->stride * sizeof(least[0])) != 0)
					continue;
			}
			tell_site(s, actual[slot], edge->choice, out);
			memcpy(actual, to, s->stride * sizeof(to[0]));
			return;
		}
	}
	CHECK(!"the way is lost");
}

void search_story(struct search *s, FILE *out)
{
	struct model *m = s->model;
	uint32_t actual[STRIDE_MAX] = {0};
	const char *broken = s->broken;
	uint32_t *way;
	uint32_t count = way_to(s, s->broken_parent, &way), i;

	memcpy(actual, m->start, m->bounds.nodes * sizeof(actual[0]));
	actual[m->bounds.nodes] = 1;
	for (i = 1; i <= count; i++) {
		fprintf(out, "%u. ", i);
		take(s, actual, i < count ? search_state(s, way[i]) : NULL,
		     out);
	}
	fprintf(out, "broken: %s\n", broken);
	mem_free(way);
}
