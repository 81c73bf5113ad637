/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what node_open() is given, checked and taken over; and the two
 * things of the system it needs: the folder and the port. */
#ifndef RAFT_NODE_OPTIONS_H
#define RAFT_NODE_OPTIONS_H

#include "raft/node/inside.h"

/* Check config and copy it into n. STATUS_INVALID with a line. */
MUST_USE int options_take(struct node *n, const struct node_config *config,
			  struct buffer *problem);

/* Listen on HOST:PORT; *fd is returned. STATUS_BUSY, STATUS_DENIED,
 * STATUS_INVALID, STATUS_IO with a line. */
MUST_USE int options_listen(const char *address, int *fd,
			    struct buffer *problem);

/* Does HOST:PORT, in all its addresses, name this machine to itself alone?
 * Blocks while a name is resolved. */
bool options_is_loopback(const char *address);

/* Make the folder, 0700, if it is missing: then *made is set. Its name is
 * durable on return. */
MUST_USE int options_folder(const char *path, bool *made,
			    struct buffer *problem);

#endif
