/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/cut.h"

static raft_index least(raft_index a, raft_index b)
{
	return a < b ? a : b;
}

static raft_index most(raft_index a, raft_index b)
{
	return a > b ? a : b;
}

static raft_index less(raft_index index, raft_index count)
{
	return index > count ? index - count : 0;
}

unsigned cut_pin(struct cut *c, raft_index index, raft_ms now)
{
	for (size_t i = 0; i < CUT_PINS; i++) {
		if (c->pins[i].number == 0) {
			c->last_pin += c->last_pin == UINT32_MAX ? 2 : 1;
			c->pins[i].index = index;
			c->pins[i].since = now;
			c->pins[i].number = c->last_pin;
			return c->last_pin;
		}
	}
	return 0;
}

bool cut_pinned(const struct cut *c, unsigned pin)
{
	for (size_t i = 0; i < CUT_PINS; i++) {
		if (pin != 0 && c->pins[i].number == pin) {
			return true;
		}
	}
	return false;
}

void cut_unpin(struct cut *c, unsigned pin)
{
	for (size_t i = 0; i < CUT_PINS; i++) {
		if (pin != 0 && c->pins[i].number == pin) {
			c->pins[i].number = 0;
		}
	}
}

bool cut_due(const struct cut *c, raft_index applied, raft_ms now)
{
	return applied >= c->looked_at + CUT_LOOK_ENTRIES ||
	       now >= c->looked_ms + CUT_LOOK_MS;
}

/* C4. */
static raft_index below_pins(struct cut *c, const struct cut_view *v,
			     raft_index to)
{
	for (size_t i = 0; i < CUT_PINS; i++) {
		if (c->pins[i].number == 0) {
			continue;
		}
		if (v->now >= c->pins[i].since + CUT_PIN_MS ||
		    c->pins[i].index < v->excess.pinned) {
			c->pins[i].number = 0;
			continue;
		}
		to = least(to, c->pins[i].index);
	}
	return to;
}

raft_index cut_look(struct cut *c, const struct cut_view *v)
{
	raft_index safe = least(v->flushed, v->applied); /* C1 */
	raft_index tail = most(less(safe, v->tail), v->excess.tail);
	raft_index settled = least(v->settled, tail); /* C2 */
	raft_index limit = most(v->excess.limit,
				less(v->last, LIMIT_LOG_ENTRIES)); /* C3 */

	c->looked_at = v->applied;
	c->looked_ms = v->now;
	return below_pins(c, v, least(most(settled, limit), safe));
}
