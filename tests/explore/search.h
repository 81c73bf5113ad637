/* SPDX-License-Identifier: Apache-2.0 */
/* search.h - every state that can be reached.
 *
 * States are kept whole, not as fingerprints, in the order in which they were
 * found, each with the one it was found from: so none is missed because two
 * look alike. Those with the same nodes and ledger are a kind. Within a kind,
 * a state whose inboxes hold no more than those of another is dropped: the
 * other can do all that it can. To find that other one early, the states that
 * have got least far are expanded first; with nearest_first those that take
 * the fewest choices, which gives the shortest story. */
#ifndef TESTS_EXPLORE_SEARCH_H
#define TESTS_EXPLORE_SEARCH_H

#include "tests/explore/model.h"
#include "tests/explore/oracle.h"

enum { RANKS_MAX = 65536, STRIDE_MAX = NODES_MAX + 1 };

struct search {
	struct model *model;
	bool nearest_first;
	uint32_t stride; /* uint32_t of a state: a site each, the ledger */
	struct pool states;
	struct pool parents; /* by state: a state */
	uint32_t count;	     /* of states; the first is 0 */
	uint32_t expanded;
	uint32_t dropped;
	struct intern ledgers;

	struct intern kinds;
	struct pool heads; /* by kind: a state + 1, and 0 */
	struct pool nexts; /* by state: the next one of its kind + 1 */

	/* What is to be expanded: a queue for each rank. */
	struct pool queue; /* by state: the next one + 1 */
	struct rank {
		uint32_t head, tail;
	} ranks[RANKS_MAX];
	uint32_t rank;	 /* no lower one has any */
	uint32_t queued; /* dropped ones included */

	/* Set when something does not hold: */
	const char *broken;
	uint32_t broken_parent;
};

struct search *search_new(struct model *m, bool nearest_first);
void search_free(struct search *s);

/* Expand up to so many states. False: there are none left, or something
 * broken was found. */
bool search_go(struct search *s, uint32_t states);

/* Print how the broken state comes about, from the beginning (story.c). */
void search_story(struct search *s, FILE *out);

/* For the story. */
const uint32_t *search_state(const struct search *s, uint32_t state);
/* Nodes are equal: of all orders of a state, the least stands for all. */
void search_canonical(const struct search *s, const uint32_t *state,
		      uint32_t *least);
/* Where the edge of node `slot` leads: false if beyond the bounds, or nowhere
 * else. s->broken is set if that is broken. */
bool search_follow(struct search *s, const uint32_t *from, uint32_t slot,
		   const struct edge *edge, uint32_t *to);

#endif
