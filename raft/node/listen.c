/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - where this node listens.
 *
 *   --listen, whatever else is known; else the address that its cluster has of
 *   it, once it is a member (raftfsctl member address): there it is called;
 *   else, also when that is no address of this machine, its own in --peers
 *
 * Before the founding nothing but --listen and --peers is known. What is bound
 * and where the others call may differ, by a gateway between them or by
 * mistake: it says so, once, and in the status. */
#include <string.h>

#include "base/log.h"
#include "raft/node/address.h"
#include "raft/node/inside.h"
#include "raft/node/options.h"

int listen_bind(struct node *n, const char *address, struct buffer *problem)
{
	int rc;

	if (n->only_loopback && !options_is_loopback(address)) {
		buffer_printf(
			problem,
			"the cluster has this node at %s, which is open "
			"to the network and not encrypted; say --insecure "
			"if that network is trusted",
			address);
		return STATUS_DENIED;
	}
	rc = options_listen(address, &n->listen_fd, problem);
	if (rc == 0) {
		name_copy(n->listens, sizeof n->listens, address);
	}
	return rc;
}

int listen_as_known(struct node *n, struct buffer *problem)
{
	const struct wire_member *own = peers_own(n);
	const char *called = own != NULL ? own->address : "";
	const char *at = called[0] != 0 ? called : n->listen;
	size_t start = problem->size;
	int rc = 0;

	if (n->listen_fd < 0 && at[0] != 0) {
		rc = listen_bind(n, at, problem);
	}
	if (rc == STATUS_INVALID && n->listen[0] != 0 &&
	    strcmp(at, n->listen) != 0) {
		log_warn("%s", buffer_text(problem) + start);
		problem->size = start;
		rc = listen_bind(n, n->listen, problem);
	}
	return rc;
}

/* The port; a host has many names, and --listen may be any of its addresses. */
static bool is_elsewhere(const struct node *n, const char *called)
{
	struct address own, other;

	if (!n->listen_given) {
		return strcmp(n->listens, called) != 0;
	}
	return address_parse(n->listens, &own) != 0 ||
	       address_parse(called, &other) != 0 ||
	       strcmp(own.port, other.port) != 0;
}

void listen_compare(struct node *n)
{
	const struct wire_member *own = peers_own(n);
	const char *called = own != NULL ? own->address : "";

	if (n->listens[0] == 0 || called[0] == 0 || !is_elsewhere(n, called)) {
		n->elsewhere[0] = 0;
		return;
	}
	if (strcmp(n->elsewhere, called) == 0) {
		return;
	}
	name_copy(n->elsewhere, sizeof n->elsewhere, called);
	log_warn("listening on %s, but the cluster has this node at %s: start "
		 "it again to listen there, with another --listen if it has "
		 "one, or run: raftfsctl member address %s HOST:PORT",
		 n->listens, called, n->identity.name);
}
