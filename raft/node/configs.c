/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/configs.h"

void configs_reset(struct configs *c, raft_index index,
		   const struct wire_config *config)
{
	*c = (struct configs){.index = index};
	if (index > 0) {
		c->now = *config;
	}
}

void configs_append(struct configs *c, raft_index index,
		    const struct wire_config *config)
{
	CHECK(index > c->index);
	c->before_index = c->index;
	c->before = c->now;
	c->index = index;
	c->now = *config;
}

void configs_truncate(struct configs *c, raft_index keep)
{
	if (c->index <= keep) {
		return;
	}
	CHECK(c->before_index <= keep); /* it is committed */
	c->index = c->before_index;
	c->now = c->before;
	c->before_index = 0;
	c->before = (struct wire_config){0};
}

const struct wire_config *configs_now(const struct configs *c)
{
	return c->index > 0 ? &c->now : NULL;
}
