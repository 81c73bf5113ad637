/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/status.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool name_valid(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > LIMIT_NODE_NAME_BYTES || name[0] == '-' ||
	    name[0] == '.') {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		if (!is_word(name[i])) {
			return false;
		}
	}
	return true;
}

void name_copy(char *to, size_t to_size, const char *from)
{
	size_t size = strlen(from) + 1;

	CHECK(size <= to_size);
	memcpy(to, from, size);
}

/* Words, or, within brackets, what an IPv6 address and its zone need. */
static bool host_valid(const char *host, size_t size, bool bracketed)
{
	for (size_t i = 0; i < size; i++) {
		if (!is_word(host[i]) &&
		    !(bracketed && (host[i] == ':' || host[i] == '%'))) {
			return false;
		}
	}
	return size > 0;
}

static bool port_valid(const char *port)
{
	unsigned value = 0;
	size_t size = strlen(port);

	if (size == 0 || size > 5) {
		return false;
	}
	for (size_t i = 0; i < size; i++) {
		if (port[i] < '0' || port[i] > '9') {
			return false;
		}
		value = value * 10 + (unsigned)(port[i] - '0');
	}
	return value > 0 && value <= 65535;
}

int address_parse(const char *text, struct address *address)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;
	size_t size;
	bool bracketed;

	if (strlen(text) > LIMIT_ADDRESS_BYTES || colon == NULL) {
		return STATUS_INVALID;
	}
	size = (size_t)(colon - text);
	bracketed = size >= 2 && text[0] == '[' && colon[-1] == ']';
	if (bracketed) {
		host++;
		size -= 2;
	}
	if (!host_valid(host, size, bracketed) || !port_valid(colon + 1)) {
		return STATUS_INVALID;
	}
	memcpy(address->host, host, size);
	address->host[size] = 0;
	name_copy(address->port, sizeof address->port, colon + 1);
	return 0;
}

bool address_is_loopback(const char *text)
{
	struct address address;
	struct in_addr four;
	struct in6_addr six;

	if (address_parse(text, &address) != 0) {
		return false;
	}
	if (inet_pton(AF_INET, address.host, &four) == 1) {
		return ntohl(four.s_addr) >> 24 == 127;
	}
	return strcmp(address.host, "localhost") == 0 ||
	       (inet_pton(AF_INET6, address.host, &six) == 1 &&
		IN6_IS_ADDR_LOOPBACK(&six));
}
