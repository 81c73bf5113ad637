/* SPDX-License-Identifier: Apache-2.0 */
/* options_peer.h - node names, addresses and lists of peers, as text. */
#ifndef FS_OPTIONS_PEER_H
#define FS_OPTIONS_PEER_H

#include "fs/options.h"

/* 1 to LIMIT_NODE_NAME_BYTES letters, digits, '.', '_' and '-'. */
bool peer_name_is_valid(const char *name);
/* HOST:PORT or [IPv6]:PORT, port 1 to 65535. */
bool peer_address_is_valid(const char *address);
/* Can only be reached from this machine: localhost, 127.x.x.x, [::1]. */
bool peer_address_is_loopback(const char *address);
/* Add one ID=HOST:PORT, or STATUS_INVALID: names the bad item. */
MUST_USE int peer_add(struct options *o, const char *item,
		      struct buffer *problem);
/* Add every item of a comma-separated list. */
MUST_USE int peer_add_list(struct options *o, const char *list,
			   struct buffer *problem);
/* The address of the peer of that name, or NULL. Lent by o. */
const char *peer_address(const struct options *o, const char *name);

#endif
