/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/options_peer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

bool peer_name_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t size = strlen(name);

	return size >= 1 && size <= LIMIT_NODE_NAME_BYTES &&
	       strspn(name, allowed) == size;
}

/* The port's text, or NULL when there is none. host receives a copy of what
 * stands before, without brackets. */
static const char *split(const char *address, char *host, size_t host_bytes)
{
	const char *colon = strrchr(address, ':');
	const char *from = address;
	size_t size;

	if (colon == NULL) {
		return NULL;
	}
	size = (size_t)(colon - address);
	if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
		from++;
		size -= 2;
	} else if (memchr(address, ':', size) != NULL) {
		return NULL; /* an IPv6 address without brackets */
	}
	if (size == 0 || size >= host_bytes) {
		return NULL;
	}
	memcpy(host, from, size);
	host[size] = '\0';
	return colon + 1;
}

bool peer_address_is_valid(const char *address)
{
	char host[LIMIT_ADDRESS_BYTES + 1];
	const char *port;
	size_t size;

	if (strlen(address) > LIMIT_ADDRESS_BYTES) {
		return false;
	}
	port = split(address, host, sizeof host);
	if (port == NULL || strpbrk(host, " \t\n/=,@[]") != NULL) {
		return false;
	}
	size = strlen(port);
	return size >= 1 && size <= 5 && strspn(port, "0123456789") == size &&
	       atoi(port) >= 1 && atoi(port) <= 65535;
}

bool peer_address_is_loopback(const char *address)
{
	char host[LIMIT_ADDRESS_BYTES + 1];
	struct in_addr four;
	struct in6_addr six;

	if (split(address, host, sizeof host) == NULL) {
		return false;
	}
	if (strcmp(host, "localhost") == 0) {
		return true;
	}
	if (inet_pton(AF_INET, host, &four) == 1) {
		return ntohl(four.s_addr) >> 24 == 127;
	}
	return inet_pton(AF_INET6, host, &six) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&six);
}

const char *peer_address(const struct options *o, const char *name)
{
	size_t i;

	for (i = 0; i < o->peer_count; i++) {
		if (strcmp(o->peers[i].name, name) == 0) {
			return o->peers[i].address;
		}
	}
	return NULL;
}

static int refuse_repeats(const struct options *o, const char *name,
			  const char *address, struct buffer *problem)
{
	size_t i;

	for (i = 0; i < o->peer_count; i++) {
		if (strcmp(o->peers[i].name, name) == 0) {
			buffer_printf(problem, "peer '%s' is given twice",
				      name);
			return STATUS_INVALID;
		}
		if (strcmp(o->peers[i].address, address) == 0) {
			buffer_printf(problem,
				      "peers '%s' and '%s' have one address, "
				      "%s",
				      o->peers[i].name, name, address);
			return STATUS_INVALID;
		}
	}
	return 0;
}

int peer_add(struct options *o, const char *item, struct buffer *problem)
{
	const char *equals = strchr(item, '=');
	char *name = NULL;
	int rc = STATUS_INVALID;

	if (equals == NULL) {
		buffer_printf(problem, "bad peer '%s': want ID=HOST:PORT",
			      item);
		return rc;
	}
	name = mem_strdup(item);
	name[equals - item] = '\0';
	if (!peer_name_is_valid(name)) {
		buffer_printf(problem,
			      "bad peer '%s': an ID has 1 to %d letters, "
			      "digits, '.', '_' or '-'",
			      item, LIMIT_NODE_NAME_BYTES);
		goto out;
	}
	if (!peer_address_is_valid(equals + 1)) {
		buffer_printf(problem,
			      "bad peer '%s': want HOST:PORT or [IPv6]:PORT "
			      "after '='",
			      item);
		goto out;
	}
	rc = refuse_repeats(o, name, equals + 1, problem);
	if (rc != 0) {
		goto out;
	}
	if (o->peer_count == LIMIT_VOTERS) {
		buffer_printf(problem,
			      "too many peers: at most %d found a "
			      "cluster",
			      LIMIT_VOTERS);
		rc = STATUS_INVALID;
		goto out;
	}
	o->peers[o->peer_count].name = name;
	o->peers[o->peer_count].address = mem_strdup(equals + 1);
	o->peer_count++;
	return 0;
out:
	mem_free(name);
	return rc;
}

int peer_add_list(struct options *o, const char *list, struct buffer *problem)
{
	char *copy = mem_strdup(list);
	char *rest = copy;
	char *item;
	int rc = 0;

	while (rc == 0 && (item = strsep(&rest, ",")) != NULL) {
		if (*item == '\0') {
			buffer_printf(problem,
				      "bad peer list '%s': an item is empty",
				      list);
			rc = STATUS_INVALID;
		} else {
			rc = peer_add(o, item, problem);
		}
	}
	mem_free(copy);
	return rc;
}
