/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - names of nodes and HOST:PORT texts. Pure. */
#ifndef RAFT_NODE_ADDRESS_H
#define RAFT_NODE_ADDRESS_H

#include "base/check.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>

struct address {
	char host[LIMIT_ADDRESS_BYTES + 1]; /* no brackets */
	char port[6];			    /* decimal, 1 ... 65535 */
};

/* Letters, digits, '-', '_' and '.', not beginning with '-' or '.', 1 ...
 * LIMIT_NODE_NAME_BYTES of them: fit for log lines, files and options. */
bool name_valid(const char *name);

/* Copy a text that is known to fit: into its own kind of field. */
void name_copy(char *to, size_t to_size, const char *from);

/* Split HOST:PORT or [IPv6]:PORT. STATUS_INVALID: anything else. */
MUST_USE int address_parse(const char *text, struct address *address);

/* Does HOST:PORT say by itself that it is this machine's alone: 127.0.0.0/8,
 * ::1, localhost? Nobody is asked what another name means. */
bool address_is_loopback(const char *text);

#endif
