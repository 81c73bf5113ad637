/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - one table of commands and status texts.
 *
 * Served by the daemon's unix socket to raftfsctl, which needs no mount, and
 * as files in `.raftfs/` by the mount. The socket speaks control.proto in
 * frames (base/frame.h), one request a connection's turn. It runs on a thread
 * of its own (libuv) and never waits: changes go through kv_propose. */
#ifndef FS_CONTROL_CONTROL_H
#define FS_CONTROL_CONTROL_H

#include "base/bytes.h"
#include "base/check.h"
#include "kv/kv.h"

/* A status text: `.raftfs/<name>`, always answered at once. */
struct control_file {
	const char *name;
	void (*text)(struct kv *kv, enum kv_reads reads, struct buffer *out);
};
/* "status": key: value lines; "leader": the name and a newline, or empty. */
const struct control_file *control_files(size_t *count);

struct control_config {
	struct kv *kv;	    /* lent until control_stop() */
	const char *socket; /* path; made 0600, a stale one is replaced */
	enum kv_reads reads;
	uint32_t timeout_ms;
};

struct control;

/* STATUS_IO, STATUS_DENIED, STATUS_INVALID (path too long for a socket);
 * problem: one line. */
MUST_USE int control_start(const struct control_config *config,
			   struct control **control, struct buffer *problem);
void control_stop(struct control *control); /* removes the socket; blocks */

#endif
