/* SPDX-License-Identifier: Apache-2.0 */
/* peers.c - the other nodes, all of them: who they are, and what is done for
 * each.
 *
 * Links follow the configuration in force. Whoever is in it no more, or not
 * yet, is a guest for as long as it calls: a node that lags behind is led by
 * one that it does not know yet, and votes for it (raft.md row 13). */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/address.h"
#include "raft/node/inside.h"

enum {
	SWEEPS_GUEST = 6, /* a guest may be away for so long */
	GUESTS_MAX = PEERS_MAX - LIMIT_PEERS - 1,
};

/* --- Who they are --------------------------------------------------------- */

static struct peer *add(struct node *n, const struct wire_member *member)
{
	struct peer *p = mem_zalloc(sizeof *p);

	CHECK(n->peer_count < PEERS_MAX);
	n->peers[n->peer_count++] = p;
	p->node = n;
	p->member = *member;
	return p;
}

static void drop(struct node *n, size_t i)
{
	struct peer *p = n->peers[i];

	n->peer_count--;
	memmove(n->peers + i, n->peers + i + 1,
		(n->peer_count - i) * sizeof n->peers[0]);
	peer_stop(p);
}

const struct wire_config *peers_config(const struct node *n)
{
	const struct wire_config *now = configs_now(&n->configs);

	if (now == NULL && n->identity.founded) {
		now = &n->identity.founding;
	}
	return now;
}

static const struct wire_member *own_in(const struct node *n,
					const struct wire_config *c)
{
	const struct wire_member *own = config_of(c, n->identity.self);

	return own != NULL ? own : config_invited(c, n->identity.name);
}

const struct wire_member *peers_own(const struct node *n)
{
	const struct wire_config *now = configs_now(&n->configs);
	const struct wire_member *own = now != NULL ? own_in(n, now) : NULL;

	/* A newcomer's log begins before it was a member. */
	if (own == NULL && n->identity.founded) {
		own = own_in(n, &n->identity.founding);
	}
	return own;
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

/* Does --peers tell an address that the cluster had of it at first, and has no
 * more? */
static bool is_outdated(const struct node *n, const struct wire_member *given,
			const char *address)
{
	const struct wire_member *then =
		identity_member(&n->identity.founding, given->name);

	return then != NULL && strcmp(then->address, given->address) == 0 &&
	       strcmp(address, given->address) != 0;
}

/* A founded cluster knows its members; --peers only adds addresses to try,
 * which come first: whoever gave them has a reason, unless it is that nobody
 * has changed them since the cluster was told of another. */
static void set_address(struct node *n, struct peer *p, const char *address)
{
	const struct wire_member *given = configured(n, p->member.name);
	const char *first = given != NULL && !is_outdated(n, given, address)
				    ? given->address
				    : address;
	const char *other =
		given != NULL && first == address ? given->address : address;

	if (strcmp(first, other) == 0) {
		other = "";
	}
	if (strcmp(p->member.address, first) == 0 &&
	    strcmp(p->other, other) == 0) {
		return;
	}
	name_copy(p->member.address, sizeof p->member.address, first);
	name_copy(p->other, sizeof p->other, other);
	if (other[0] != 0) {
		log_info("dialling %s at %s and at %s, the cluster has it at "
			 "%s",
			 p->member.name, first, other, address);
	}
	peer_moved(p);
}

/* Who is known by its name alone. Before the founding that is everyone: a
 * founder that lost its folder comes back as another. */
static struct peer *peer_named(struct node *n, const char *name)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		struct peer *p = n->peers[i];

		if ((p->member.id == 0 || !n->identity.founded) && !p->seed &&
		    strcmp(p->member.name, name) == 0) {
			return p;
		}
	}
	return NULL;
}

struct peer *peer_of(struct node *n, raft_id id)
{
	for (size_t i = 0; id != 0 && i < n->peer_count; i++) {
		if (n->peers[i]->member.id == id) {
			return n->peers[i];
		}
	}
	return NULL;
}

struct peer *peer_for(struct node *n, const struct wire_hello *hello)
{
	struct peer *p = peer_of(n, hello->id);

	return p != NULL ? p : peer_named(n, hello->name);
}

const char *node_name_of(struct node *n, raft_id id)
{
	struct peer *p = peer_of(n, id);

	if (id == n->identity.self) {
		return n->identity.name;
	}
	return p != NULL ? p->member.name : "none";
}

/* --- Coming and going ----------------------------------------------------- */

/* A member of the configuration has its link. */
static void follow_one(struct node *n, const struct wire_member *member)
{
	struct peer *p = peer_of(n, member->id);
	bool is_new = false;

	if (p == NULL) {
		p = peer_named(n, member->name);
	}
	if (p == NULL) {
		p = add(n, member);
		p->member.address[0] = 0;
		is_new = true;
	}
	if (p->guest || p->member.id == 0) {
		p->told = 0; /* the core learns of it only now */
	}
	p->guest = false;
	p->idle = 0;
	p->member.id = member->id;
	p->member.standing = member->standing;
	set_address(n, p, member->address);
	if (is_new) {
		peer_start(p);
	}
}

static size_t guests(const struct node *n)
{
	size_t count = 0;

	for (size_t i = 0; i < n->peer_count; i++) {
		count += n->peers[i]->guest ? 1 : 0;
	}
	return count;
}

/* Guests must not keep members out. */
static void make_room(struct node *n)
{
	size_t count = guests(n);

	for (size_t i = n->peer_count; i > 0 && count > GUESTS_MAX; i--) {
		if (n->peers[i - 1]->guest) {
			drop(n, i - 1);
			count--;
		}
	}
}

void peers_follow(struct node *n)
{
	const struct wire_config *c = peers_config(n);

	n->follow = false;
	if (n->stopped) {
		return;
	}
	for (size_t i = 0; i < n->peer_count; i++) {
		struct peer *p = n->peers[i];

		if (config_of(c, p->member.id) == NULL && p->member.id != 0) {
			p->stale = p->stale || !p->guest;
			p->guest = true;
			p->told = 0;
		}
	}
	make_room(n);
	for (size_t i = 0; i < c->count; i++) {
		const struct wire_member *member = &c->members[i];

		if (member->id != 0 && member->id != n->identity.self) {
			follow_one(n, member);
		}
	}
	for (size_t i = n->peer_count; i > 0; i--) {
		if (n->peers[i - 1]->member.id == 0 && !n->peers[i - 1]->seed) {
			drop(n, i - 1); /* of --peers, and no member */
		}
	}
	listen_compare(n);
	n->dirty = true;
}

struct peer *peer_guest(struct node *n, const struct wire_hello *hello)
{
	struct wire_member member = {.id = hello->id};
	struct peer *p;

	if (guests(n) >= GUESTS_MAX) {
		return NULL;
	}
	name_copy(member.name, sizeof member.name, hello->name);
	name_copy(member.address, sizeof member.address, hello->address);
	p = add(n, &member);
	p->guest = true;
	peer_start(p);
	return p;
}

void peers_sweep(struct node *n)
{
	for (size_t i = n->peer_count; i > 0; i--) {
		struct peer *p = n->peers[i - 1];

		if (p->seed && n->seeded) {
			drop(n, i - 1);
			continue;
		}
		peer_sweep(p);
		p->idle = p->guest && p->in == NULL ? p->idle + 1 : 0;
		if (p->idle > SWEEPS_GUEST) {
			drop(n, i - 1);
		}
	}
}

/* Nodes that --peers has and the cluster has not. */
static void say_strangers(const struct node *n)
{
	for (size_t i = 0; i < n->configured_count; i++) {
		if (config_named(peers_config(n), n->configured[i].name) ==
		    NULL) {
			log_warn("peer %s is not a member of this cluster",
				 n->configured[i].name);
		}
	}
}

static void add_seed(struct node *n)
{
	struct wire_member at = {0};
	struct peer *p;

	if (n->join[0] != 0) {
		name_copy(at.address, sizeof at.address, n->join);
		p = add(n, &at);
		p->seed = true;
		peer_start(p);
	}
}

void peers_init(struct node *n)
{
	add_seed(n);
	if (n->identity.founded) {
		peers_follow(n);
		say_strangers(n);
		return;
	}
	for (size_t i = 0; i < n->configured_count; i++) {
		if (strcmp(n->configured[i].name, n->identity.name) != 0) {
			struct peer *p = add(n, &n->configured[i]);

			p->member.id = 0;
			peer_start(p);
		}
	}
}

/* --- For each ------------------------------------------------------------- */

static void tell_link(struct peer *p, bool up)
{
	struct raft_event ev = {
		.kind = RAFT_EV_LINK,
		.link = {.peer = p->member.id, .up = up},
	};

	(void)drive_step(p->node, &ev);
}

/* A step may bring another configuration, and with it other peers. */
void peers_settle(struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		struct peer *p = n->peers[i];
		uint64_t link = peer_link(p);
		uint64_t told = p->told;

		if (link == told || p->guest) {
			continue;
		}
		p->told = link;
		if (told != 0) {
			tell_link(p, false);
		}
		if (link != 0) {
			tell_link(p, true);
		}
	}
}

void peers_flush(struct node *n)
{
	for (size_t i = 0; i < n->peer_count; i++) {
		if (n->peers[i]->state == PEER_UP) {
			conn_flush(n->peers[i]->out);
		}
	}
}

void peers_ping(struct node *n)
{
	static const uint8_t here = 1;
	size_t start;

	for (size_t i = 0; i < n->peer_count; i++) {
		struct peer *p = n->peers[i];

		if (p->state == PEER_UP) {
			buffer_append(conn_frame(p->out, &start), &here,
				      sizeof here);
			conn_send(p->out, start, WIRE_PING);
		}
	}
}

void peers_stop(struct node *n)
{
	while (n->peer_count > 0) {
		drop(n, n->peer_count - 1);
	}
}
