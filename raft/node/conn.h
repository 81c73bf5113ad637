/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - one TCP connection that carries frames.
 *
 *   C1  at most CONN_OUT_BYTES_MAX wait to be sent; one frame more and the
 *       connection is closed: the core probes again over the next one
 *   C2  nothing larger than frame_bytes_max is ever awaited, and the receive
 *       buffer grows only as bytes arrive
 *   C3  closed() is called exactly once, and nothing is called after it
 *
 * Frames go out at conn_flush(), many in one write. The owner is told of
 * events through the table; the struct frees itself after closed(). Loop
 * thread only. */
#ifndef RAFT_NODE_CONN_H
#define RAFT_NODE_CONN_H

#include <uv.h>

#include "base/frame.h"
#include "raft/raft.h"

enum {
	CONN_OUT_BYTES_MAX = 32 << 20,
	CONN_SILENT_MS = 3000, /* unacknowledged for so long: broken */
};

struct conn;

struct conn_ops {
	/* In order; frame is borrowed. May call conn_close(). */
	void (*frame)(struct conn *c, const struct frame *frame);
	/* status: STATUS_IO for a broken or ended connection, else what was
	 * wrong with a frame, or given to conn_close(). */
	void (*closed)(struct conn *c, int status, const char *why);
};

struct conn {
	uv_tcp_t tcp;
	uv_connect_t connect; /* the owner's, for a dialled one */
	uv_write_t write;
	const struct conn_ops *ops;
	void *owner; /* the owner's business, as are the next three */
	void *peer;
	unsigned purpose; /* of the HELLO that it sends */
	unsigned silent;  /* sweeps since its last frame */
	struct buffer in;
	size_t in_start;		/* of what is not parsed yet */
	struct buffer filling;		/* sealed frames, next to be written */
	struct buffer writing;		/* lent to the kernel */
	size_t written;			/* of writing, already sent */
	uint64_t in_number, out_number; /* of the next frame */
	uint32_t frame_bytes_max;
	bool write_pending;
	bool closing;
};

/* A connection of this loop, not open yet; conn_close() ends it. */
struct conn *conn_new(uv_loop_t *loop, const struct conn_ops *ops, void *owner,
		      uint32_t frame_bytes_max);
/* It is connected now: set its options and read. Closes it on failure. */
void conn_begin(struct conn *c);

/* Begin a frame and return the buffer to append its body to; *start is for
 * conn_send(). On a closing connection it goes nowhere. */
struct buffer *conn_frame(struct conn *c, size_t *start);
void conn_send(struct conn *c, size_t start, uint8_t kind);
void conn_flush(struct conn *c);
/* Bytes sealed and not yet taken by the kernel. */
size_t conn_queued(const struct conn *c);

/* closed() is called before this returns. Again: nothing. */
void conn_close(struct conn *c, int status, const char *why);

#endif
