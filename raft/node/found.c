/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/found.h"
#include "raft/node/address.h"

#include <stdio.h>
#include <string.h>

static struct found_peer *find(struct found *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->peers[i].member.name, name) == 0) {
			return &f->peers[i];
		}
	}
	return NULL;
}

void found_cluster_text(const uint8_t *cluster, char text[33])
{
	for (size_t i = 0; i < WIRE_CLUSTER_BYTES; i++) {
		(void)snprintf(text + 2 * i, 3, "%02x", cluster[i]);
	}
}

/* --- Beginning ------------------------------------------------------------ */

void found_init(struct found *f, const char *name, raft_id self,
		const struct wire_member *members, size_t count)
{
	struct found_peer *own;

	CHECK(count > 0 && count <= LIMIT_VOTERS);
	*f = (struct found){.count = count};
	name_copy(f->name, sizeof f->name, name);
	for (size_t i = 0; i < count; i++) {
		CHECK(i == 0 ||
		      strcmp(members[i - 1].name, members[i].name) < 0);
		f->peers[i].member = members[i];
		f->peers[i].member.id = 0;
	}
	own = find(f, name);
	CHECK(own != NULL);
	own->member.id = self;
	own->heard = own->agrees = true;
}

static bool names_equal(const struct found *f, const struct wire_hello *hello)
{
	if (hello->count != f->count) {
		return false;
	}
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->peers[i].member.name, hello->members[i].name) !=
		    0) {
			return false;
		}
	}
	return true;
}

void found_heard(struct found *f, const struct wire_hello *hello)
{
	struct found_peer *peer = find(f, hello->name);
	struct buffer text = {0};

	if (peer == NULL || hello->founded ||
	    strcmp(f->name, hello->name) == 0) {
		return;
	}
	peer->member.id = hello->id;
	peer->heard = true;
	peer->agrees = names_equal(f, hello);
	peer->problem[0] = 0;
	if (!peer->agrees) {
		buffer_printf(&text, "it was given other peers:");
		for (size_t i = 0; i < hello->count; i++) {
			buffer_printf(&text, " %s", hello->members[i].name);
		}
		(void)snprintf(peer->problem, sizeof peer->problem, "%s",
			       buffer_text(&text));
		buffer_deinit(&text);
	}
}

void found_lost(struct found *f, const char *name, const char *why)
{
	struct found_peer *peer = find(f, name);

	if (peer == NULL || strcmp(f->name, name) == 0) {
		return;
	}
	peer->heard = false;
	peer->agrees = false;
	peer->member.id = 0;
	(void)snprintf(peer->problem, sizeof peer->problem, "%s", why);
}

static bool is_missing(const struct found_peer *peer)
{
	return !peer->heard || !peer->agrees;
}

static bool any_missing(const struct found *f)
{
	for (size_t i = 0; i < f->count; i++) {
		if (is_missing(&f->peers[i])) {
			return true;
		}
	}
	return false;
}

bool found_ready(const struct found *f)
{
	return !any_missing(f) && strcmp(f->name, f->peers[0].member.name) == 0;
}

void found_make(const struct found *f, const uint8_t *cluster,
		struct wire_config *out)
{
	CHECK(found_ready(f));
	*out = (struct wire_config){
		.level = WIRE_LEVEL,
		.count = f->count,
	};
	memcpy(out->cluster, cluster, WIRE_CLUSTER_BYTES);
	for (size_t i = 0; i < f->count; i++) {
		out->members[i] = f->peers[i].member;
	}
}

int found_accept(const struct found *f, const struct wire_config *founding)
{
	const struct wire_member *own = identity_member(founding, f->name);
	bool same =
		founding->count == f->count && founding->level == WIRE_LEVEL;

	for (size_t i = 0; same && i < f->count; i++) {
		const struct wire_member *member = &f->peers[i].member;

		same = strcmp(member->name, founding->members[i].name) == 0 &&
		       (strcmp(member->name, f->name) != 0 ||
			member->id == own->id);
	}
	return same ? 0 : STATUS_FOREIGN;
}

/* All of them first: what a reader has no room for is cut off. */
void found_waiting(const struct found *f, struct buffer *out)
{
	const char *before = "";

	CHECK(f->count > 0);
	buffer_printf(out, "the cluster is not founded yet, waiting for ");
	if (!any_missing(f)) {
		buffer_printf(out, "%s to begin", f->peers[0].member.name);
		return;
	}
	for (size_t i = 0; i < f->count; i++) {
		const struct found_peer *peer = &f->peers[i];

		if (is_missing(peer)) {
			buffer_printf(out, "%s%s (%s)", before,
				      peer->member.name, peer->member.address);
			before = ", ";
		}
	}
	for (size_t i = 0; i < f->count; i++) {
		const struct found_peer *peer = &f->peers[i];

		if (is_missing(peer) && peer->problem[0] != 0) {
			buffer_printf(out, "; %s: %s", peer->member.name,
				      peer->problem);
		}
	}
}

/* --- Judging -------------------------------------------------------------- */

static const struct wire_member *listed(const struct wire_member *members,
					size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(members[i].name, name) == 0) {
			return &members[i];
		}
	}
	return NULL;
}

bool found_is_foreign(const struct identity *self,
		      const struct wire_hello *hello)
{
	return self->founded && hello->founded &&
	       memcmp(hello->cluster, self->founding.cluster,
		      WIRE_CLUSTER_BYTES) != 0;
}

int found_judge(const struct found_self *self, const struct wire_hello *hello,
		const char *expected, struct buffer *problem)
{
	const struct identity *id = self->identity;
	char cluster[33];

	if (strcmp(hello->target, id->name) == 0 &&
	    found_is_foreign(id, hello)) {
		found_cluster_text(hello->cluster, cluster);
		buffer_printf(problem, "%s belongs to another cluster, %s",
			      hello->name, cluster);
		return STATUS_FOREIGN;
	}
	if (hello->joining ? !id->founded
			   : strcmp(hello->target, id->name) != 0) {
		buffer_printf(problem, "%s wants to speak to another node, %s",
			      hello->name, hello->target);
		return STATUS_INVALID;
	}
	if (expected != NULL && strcmp(hello->name, expected) != 0) {
		buffer_printf(problem, "this is %s", hello->name);
		return STATUS_INVALID;
	}
	if (hello->id == id->self) {
		/* It took the name and the place of another one. */
		buffer_printf(problem, "that is this node itself");
		return STATUS_NOT_FOUND;
	}
	if (!id->founded && strcmp(hello->name, id->name) == 0) {
		buffer_printf(problem, "it has the name of this node");
		return STATUS_INVALID;
	}
	if (hello->level != WIRE_LEVEL) {
		buffer_printf(problem, "%s has feature level %u, not %d",
			      hello->name, (unsigned)hello->level, WIRE_LEVEL);
		return STATUS_VERSION;
	}
	/* What follows tells an empty one that it is not wanted any more. */
	if (id->founded && hello->target_id != 0 &&
	    hello->target_id != id->self) {
		buffer_printf(problem,
			      "%s wants to speak to an incarnation "
			      "of this node that is gone",
			      hello->name);
		return STATUS_NOT_FOUND;
	}
	if (!id->founded &&
	    listed(self->members, self->count, hello->name) == NULL) {
		buffer_printf(problem, "%s is not among the peers",
			      hello->name);
		return STATUS_FOREIGN;
	}
	return 0;
}
