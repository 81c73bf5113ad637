/* SPDX-License-Identifier: Apache-2.0 */
/* socket.h - the control socket as a file: made, 0600, in place of a stale
 * one. */
#ifndef FS_CONTROL_SOCKET_H
#define FS_CONTROL_SOCKET_H

#include "base/bytes.h"
#include "base/check.h"

/* Make the socket file and bind it; who has it may listen. fd is returned, and
 * folder, the open folder it is in, for socket_remove().
 * STATUS_INVALID: longer than a socket's path can be; STATUS_DENIED;
 * STATUS_IO, also when something stands there that is no socket. */
MUST_USE int socket_bind(const char *path, int *fd, int *folder,
			 struct buffer *problem);
/* Remove the file, and nothing that stands at its path since in another folder.
 * folder is given. */
void socket_remove(const char *path, int folder);

/* Put errno into words, in one line; the status for it. */
MUST_USE int socket_complain(struct buffer *problem, const char *path,
			     const char *what);

#endif
