/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/admit.h"

#include <string.h>

#include "raft/node/found.h"

static bool is_founder(const struct admit_self *self,
		       const struct wire_hello *hello)
{
	return self->founding != NULL && !hello->joining &&
	       config_of(self->founding, hello->id) != NULL;
}

/* It is in the configuration in force. */
static enum admit judge_member(const struct admit_self *self,
			       const struct wire_hello *hello)
{
	return hello->founded || is_founder(self, hello) ? ADMIT_MEMBER
							 : ADMIT_JOIN;
}

/* Of this cluster, and not in the configuration in force. */
static bool is_guest(const struct admit_self *self,
		     const struct wire_hello *hello)
{
	const struct configs *c = self->configs;

	return config_invited(&c->now, hello->name) != NULL ||
	       (!self->decides && hello->config > c->index) || /* A2 */
	       (!self->committed && c->before_index > 0 &&
		config_of(&c->before, hello->id) != NULL); /* A1 */
}

enum admit admit_judge(const struct admit_self *self,
		       const struct wire_hello *hello, enum wire_denial *denial)
{
	const struct configs *c = self->configs;

	if (c->index > 0 && config_of(&c->now, hello->id) != NULL) {
		return judge_member(self, hello);
	}
	if (hello->founded && (c->index == 0 || is_guest(self, hello))) {
		return ADMIT_GUEST;
	}
	if (!hello->founded && c->index > 0 &&
	    config_invited(&c->now, hello->name) != NULL) {
		return ADMIT_JOIN;
	}
	if (!self->decides) {
		*denial = WIRE_DENIED_LATER; /* A3 */
	} else if (hello->founded) {
		*denial = WIRE_DENIED_REMOVED;
	} else if (config_named(&c->now, hello->name) != NULL) {
		*denial = WIRE_DENIED_REPLACED; /* A4 */
	} else {
		*denial = WIRE_DENIED_UNKNOWN;
	}
	return ADMIT_DENIED;
}

void admit_line(const struct wire_denied *denied, bool founded,
		const char *name, struct buffer *out)
{
	const char *own = denied->name;
	const char *at =
		denied->address[0] != 0 ? denied->address : "HOST:PORT";
	char cluster[33];

	found_cluster_text(denied->cluster, cluster);
	switch (denied->reason) {
	case WIRE_DENIED_LATER:
		buffer_printf(out, "it does not know this node%s%s",
			      denied->address[0] != 0 ? "; the leader is at "
						      : " and no leader",
			      denied->address);
		return;
	case WIRE_DENIED_REMOVED:
		buffer_printf(out,
			      "node %s was removed from cluster %s; to have it "
			      "back, run on a member: raftfsctl member add %s "
			      "%s",
			      own, cluster, own, at);
		return;
	case WIRE_DENIED_REPLACED:
		buffer_printf(out,
			      "this name was a member: node %s of cluster %s "
			      "has lost its data, or is another one; run on a "
			      "member, then start this node again: raftfsctl "
			      "member replace %s %s %s",
			      own, cluster, own, own, at);
		return;
	case WIRE_DENIED_UNKNOWN:
		buffer_printf(out,
			      "%s belongs to cluster %s, which does not know "
			      "%s; run on a member, then start this node%s: "
			      "raftfsctl member add %s %s",
			      name, cluster, own,
			      founded ? " again" : " with --join", own, at);
		return;
	}
}
