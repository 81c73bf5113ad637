/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - the other end of the control socket, for raftfsctl. Blocks. */
#ifndef FS_CONTROL_CLIENT_H
#define FS_CONTROL_CLIENT_H

#include "fs/control/message.h"

struct client;

/* 0 or a negative errno: -ENAMETOOLONG, -ENOENT, -ECONNREFUSED, ... silence_s:
 * how long any later call waits for the daemon's next word. */
MUST_USE int client_open(const char *socket, unsigned silence_s,
			 struct client **client);
void client_close(struct client *client);

/* Send a request. 0 or a negative errno. */
MUST_USE int client_send(struct client *client,
			 const struct message_request *request);
/* Wait for a response; its data is lent until the next call. 0, or
 * -ECONNRESET (closed by the daemon), -ETIMEDOUT, -EPROTO (not its language),
 * another negative errno. */
MUST_USE int client_receive(struct client *client,
			    struct message_response *response);

#endif
