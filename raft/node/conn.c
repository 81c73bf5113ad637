/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/conn.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

enum {
	READ_BYTES = 64 << 10,
	KEEP_BYTES = 1 << 20, /* a larger buffer is given back when empty */
};

struct conn *conn_new(uv_loop_t *loop, const struct conn_ops *ops, void *owner,
		      uint32_t frame_bytes_max)
{
	struct conn *c = mem_zalloc(sizeof *c);

	c->ops = ops;
	c->owner = owner;
	c->frame_bytes_max = frame_bytes_max;
	CHECK(uv_tcp_init(loop, &c->tcp) == 0);
	c->tcp.data = c;
	return c;
}

static void shrink(struct buffer *b)
{
	if (b->capacity > KEEP_BYTES) {
		buffer_deinit(b);
	} else {
		buffer_reset(b);
	}
}

/* --- Closing -------------------------------------------------------------- */

static void on_freed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	buffer_deinit(&c->in);
	buffer_deinit(&c->filling);
	buffer_deinit(&c->writing);
	mem_free(c);
}

void conn_close(struct conn *c, int status, const char *why)
{
	if (c->closing) {
		return;
	}
	c->closing = true;
	c->ops->closed(c, status, why);
	uv_close((uv_handle_t *)&c->tcp, on_freed);
}

/* --- In ------------------------------------------------------------------- */

static void parse(struct conn *c)
{
	struct frame frame;
	struct bytes rest;
	size_t used;
	int rc = 0;

	while (!c->closing) {
		rest = bytes_of(c->in.data + c->in_start,
				c->in.size - c->in_start);
		rc = frame_parse(rest, c->in_number, &frame, &used);
		if ((rc == 0 || rc == STATUS_SHORT) &&
		    used > FRAME_HEADER_BYTES + (size_t)c->frame_bytes_max) {
			rc = STATUS_MALFORMED;
		}
		if (rc != 0) {
			break;
		}
		c->in_number++;
		c->in_start += used;
		c->ops->frame(c, &frame);
	}
	if (!c->closing && rc != STATUS_SHORT) {
		conn_close(c, rc, status_text(rc));
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct conn *c = handle->data;
	size_t rest = c->in.size - c->in_start;

	(void)suggested;
	if (rest == 0) {
		shrink(&c->in);
	} else if (c->in_start > 0) {
		memmove(c->in.data, c->in.data + c->in_start, rest);
		c->in.size = rest;
	}
	c->in_start = 0;
	*buf = uv_buf_init((char *)buffer_reserve(&c->in, READ_BYTES),
			   READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
	struct conn *c = stream->data;

	(void)buf;
	if (size == UV_EOF) {
		conn_close(c, STATUS_IO, "closed by the other side");
	} else if (size < 0) {
		conn_close(c, STATUS_IO, uv_strerror((int)size));
	} else if (size > 0 && !c->closing) {
		buffer_grow(&c->in, (size_t)size);
		parse(c);
	}
}

void conn_begin(struct conn *c)
{
	unsigned silent_ms = CONN_SILENT_MS;
	uv_os_fd_t fd;
	int rc = uv_tcp_nodelay(&c->tcp, 1);

	if (rc == 0) {
		rc = uv_fileno((uv_handle_t *)&c->tcp, &fd);
	}
	/* A cut network is silent: without this the kernel tries for hours. */
	if (rc == 0 && setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms,
				  sizeof silent_ms) != 0) {
		rc = UV_EINVAL;
	}
	if (rc == 0) {
		rc = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	}
	if (rc != 0) {
		conn_close(c, STATUS_IO, uv_strerror(rc));
	}
}

/* --- Out ------------------------------------------------------------------ */

struct buffer *conn_frame(struct conn *c, size_t *start)
{
	*start = frame_begin(&c->filling);
	return &c->filling;
}

size_t conn_queued(const struct conn *c)
{
	return c->filling.size + c->writing.size - c->written;
}

void conn_send(struct conn *c, size_t start, uint8_t kind)
{
	frame_seal(&c->filling, start, kind, c->out_number++);
	if (conn_queued(c) > CONN_OUT_BYTES_MAX) {
		conn_close(c, STATUS_FULL, "it does not keep up");
	}
}

static void on_written(uv_write_t *write, int status)
{
	struct conn *c = write->handle->data;

	c->write_pending = false;
	if (status != 0) {
		if (!c->closing) {
			conn_close(c, STATUS_IO, uv_strerror(status));
		}
		return;
	}
	shrink(&c->writing);
	c->written = 0;
	conn_flush(c);
}

/* What the kernel takes at once needs no request and no callback. */
static bool write_at_once(struct conn *c)
{
	uv_buf_t buf =
		uv_buf_init((char *)c->writing.data, (unsigned)c->writing.size);
	int sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);

	if (sent < 0 && sent != UV_EAGAIN) {
		conn_close(c, STATUS_IO, uv_strerror(sent));
		return true;
	}
	c->written = sent > 0 ? (size_t)sent : 0;
	if (c->written < c->writing.size) {
		return false;
	}
	shrink(&c->writing);
	c->written = 0;
	return true;
}

void conn_flush(struct conn *c)
{
	struct buffer swap;
	uv_buf_t buf;

	if (c->closing || c->write_pending || c->filling.size == 0) {
		return;
	}
	swap = c->writing;
	c->writing = c->filling;
	c->filling = swap;
	if (write_at_once(c)) {
		return;
	}
	buf = uv_buf_init((char *)c->writing.data + c->written,
			  (unsigned)(c->writing.size - c->written));
	c->write_pending = true;
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) !=
	    0) {
		c->write_pending = false;
		conn_close(c, STATUS_IO, "cannot write");
	}
}
