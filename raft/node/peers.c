/* SPDX-License-Identifier: Apache-2.0 */
/* peers.c - the other members, all of them: who they are, and what is done
 * for each. */
#include <string.h>

#include "base/log.h"
#include "raft/node/address.h"
#include "raft/node/inside.h"

static void add(struct node *n, const struct wire_member *member)
{
	struct peer *p = &n->peers[n->peer_count++];

	*p = (struct peer){.node = n, .member = *member};
	peer_start(p);
}

static const struct wire_member *configured(const struct node *n,
					    const char *name)
{
	for (size_t i = 0; i < n->configured_count; i++) {
		if (strcmp(n->configured[i].name, name) == 0) {
			return &n->configured[i];
		}
	}
	return NULL;
}

/* A founded cluster knows its members; --peers only adds addresses to try,
 * which come first: whoever gave them has a reason. */
static void add_founded(struct node *n)
{
	const struct wire_config *f = &n->identity.founding;

	for (size_t i = 0; i < f->count; i++) {
		const struct wire_member *other =
			configured(n, f->members[i].name);
		struct peer *p;

		if (f->members[i].id == n->identity.self) {
			continue;
		}
		add(n, &f->members[i]);
		p = &n->peers[n->peer_count - 1];
		if (other != NULL &&
		    strcmp(other->address, f->members[i].address) != 0) {
			name_copy(p->other, sizeof p->other, p->member.address);
			name_copy(p->member.address, sizeof p->member.address,
				  other->address);
			log_info("dialling %s at %s, founded at %s",
				 p->member.name, p->member.address, p->other);
		}
	}
	for (size_t i = 0; i < n->configured_count; i++) {
		if (identity_member(f, n->configured[i].name) == NULL) {
			log_warn("peer %s is not a member of this cluster",
				 n->configured[i].name);
		}
	}
}

void peers_init(struct node *n)
{
	if (n->identity.founded) {
		add_founded(n);
		return;
	}
	for (size_t i = 0; i < n->configured_count; i++) {
		if (strcmp(n->configured[i].name, n->identity.name) != 0) {
			add(n, &n->configured[i]);
			n->peers[n->peer_count - 1].member.id = 0;
		}
	}
}

void peers_founded(struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		struct peer *p = &n->peers[i];

		p->member.id =
			identity_member(&n->identity.founding, p->member.name)
				->id;
		if (p->state == PEER_UP) {
			peer_hand_on(p);
		}
	}
}

struct peer *peer_named(struct node *n, const char *name)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		if (strcmp(n->peers[i].member.name, name) == 0) {
			return &n->peers[i];
		}
	}
	return NULL;
}

struct peer *peer_of(struct node *n, raft_id id)
{
	for (size_t i = 0; id != 0 && i < n->peer_count; i++) {
		if (n->peers[i].member.id == id) {
			return &n->peers[i];
		}
	}
	return NULL;
}

const char *node_name_of(struct node *n, raft_id id)
{
	struct peer *p = peer_of(n, id);

	if (id == n->identity.self) {
		return n->identity.name;
	}
	return p != NULL ? p->member.name : "none";
}

static void tell_link(struct peer *p, bool up)
{
	struct raft_event ev = {
		.kind = RAFT_EV_LINK,
		.link = {.peer = p->member.id, .up = up},
	};

	(void)drive_step(p->node, &ev);
}

void peers_settle(struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		struct peer *p = &n->peers[i];
		uint64_t link = peer_link(p);

		if (link == p->told) {
			continue;
		}
		if (p->told != 0) {
			tell_link(p, false);
		}
		if (link != 0) {
			tell_link(p, true);
		}
		p->told = link;
	}
}

void peers_flush(struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		if (n->peers[i].state == PEER_UP) {
			conn_flush(n->peers[i].out);
		}
	}
}

void peers_ping(struct node *n)
{
	static const uint8_t here = 1;
	size_t start;

	for (size_t i = 0; i < n->peer_count; i++) {
		struct peer *p = &n->peers[i];

		if (p->state == PEER_UP) {
			buffer_append(conn_frame(p->out, &start), &here,
				      sizeof here);
			conn_send(p->out, start, WIRE_PING);
		}
	}
}

void peers_stop(struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		peer_stop(&n->peers[i]);
	}
}
