/* SPDX-License-Identifier: Apache-2.0 */
/* stream.c - libuv's TCP handles over the ends of net.c; addresses. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/stream.h"

/* What stands behind a handle; the node's. */
struct stream {
	struct end *end;
	struct listener *listener;
	uv_connect_t *connect;
	uv_write_t *write;
	const char *rest; /* of it, not yet sent */
	size_t rest_bytes;
	bool is_reading;
	bool said_end; /* the reader knows of the end or the error */
};

static struct stream *stream_of(const void *handle)
{
	return ((const uv_handle_t *)handle)->u.reserved[0];
}

/* --- Addresses
 * ---------------------------------------------------------------- */

int uv_ip4_addr(const char *ip, int port, struct sockaddr_in *to)
{
	memset(to, 0, sizeof *to);
	to->sin_family = AF_INET;
	to->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, ip, &to->sin_addr) == 1 ? 0 : UV_EINVAL;
}

int uv_ip6_addr(const char *ip, int port, struct sockaddr_in6 *to)
{
	memset(to, 0, sizeof *to);
	to->sin6_family = AF_INET6;
	to->sin6_port = htons((uint16_t)port);
	return inet_pton(AF_INET6, ip, &to->sin6_addr) == 1 ? 0 : UV_EINVAL;
}

/* All addresses are numbers here. */
int uv_getaddrinfo(uv_loop_t *uv, uv_getaddrinfo_t *request,
		   uv_getaddrinfo_cb cb, const char *node, const char *service,
		   const struct addrinfo *hints)
{
	(void)uv;
	(void)request;
	(void)cb;
	(void)node;
	(void)service;
	(void)hints;
	return UV_EAI_NONAME;
}

void uv_freeaddrinfo(struct addrinfo *list)
{
	CHECK(list == NULL);
}

int uv_cancel(uv_req_t *request)
{
	(void)request;
	return UV_EBUSY;
}

/* 10.0.0.N is the host N - 1. */
static int host_of(const struct sockaddr *address)
{
	struct sockaddr_in in;

	memcpy(&in, address, sizeof in);
	return (int)(ntohl(in.sin_addr.s_addr) & 255) - 1;
}

const char *uv_strerror(int error)
{
	switch (error) {
	case UV_ECONNRESET:
		return "connection reset by peer";
	case UV_ECONNREFUSED:
		return "connection refused";
	case UV_ETIMEDOUT:
		return "connection timed out";
	case UV_ECANCELED:
		return "operation canceled";
	case UV_EPIPE:
		return "broken pipe";
	case UV_EAI_NONAME:
		return "unknown node or service";
	default:
		return "error";
	}
}

uv_buf_t uv_buf_init(char *base, unsigned size)
{
	return (uv_buf_t){.base = base, .len = size};
}

/* --- Handles
 * ------------------------------------------------------------------ */

int uv_tcp_init(uv_loop_t *uv, uv_tcp_t *tcp)
{
	loop_add(uv, tcp, UV_TCP);
	tcp->u.reserved[0] = mem_zalloc(sizeof(struct stream));
	return 0;
}

int uv_tcp_open(uv_tcp_t *tcp, uv_os_sock_t socket)
{
	(void)tcp;
	(void)socket;
	return 0;
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable)
{
	(void)tcp;
	(void)enable;
	return 0;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *fd)
{
	(void)handle;
	*fd = 1 << 20; /* setsockopt() of disk.c takes it */
	return 0;
}

int uv_tcp_getpeername(const uv_tcp_t *tcp, struct sockaddr *name, int *size)
{
	const struct end *e = stream_of(tcp)->end;
	struct sockaddr_in in = {.sin_family = AF_INET};

	if (e == NULL || e->error != 0) {
		return UV_ENOTCONN;
	}
	/* Who calls has a port of its own. */
	in.sin_port = htons(e->is_dialler ? 7000 : 40000);
	in.sin_addr.s_addr = htonl(0x0a000000u + (uint32_t)e->other->node + 1);
	memcpy(name, &in, sizeof in);
	*size = sizeof in;
	return 0;
}

int uv_listen(uv_stream_t *stream, int backlog, uv_connection_cb cb)
{
	struct host *h = &sim.hosts[task_current()->node];
	int was = sim_enter(SIM_WORLD);

	(void)backlog;
	h->listener = mem_zalloc(sizeof *h->listener);
	h->listener->node = task_current()->node;
	h->listener->life = h->life;
	h->listener->handle = (uv_tcp_t *)(void *)stream;
	sim_leave(was);
	stream_of(stream)->listener = h->listener;
	stream->connection_cb = cb;
	loop_active(stream, true);
	return 0;
}

int uv_accept(uv_stream_t *from, uv_stream_t *to)
{
	struct listener *l = stream_of(from)->listener;
	struct end *e;

	if (l->count == 0) {
		return UV_EAGAIN;
	}
	e = l->waiting[0];
	l->count--;
	memmove(l->waiting, l->waiting + 1, l->count * sizeof(struct end *));
	e->handle = (uv_tcp_t *)(void *)to;
	stream_of(to)->end = e;
	return 0;
}

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp,
		   const struct sockaddr *address, uv_connect_cb cb)
{
	int node = task_current()->node;
	int to = host_of(address);
	int was;

	CHECK(to >= 0 && to < (int)sim_nodes());
	request->cb = cb;
	request->handle = (uv_stream_t *)(void *)tcp;
	stream_of(tcp)->connect = request;
	was = sim_enter(SIM_WORLD);
	stream_of(tcp)->end = net_dial(node, to, tcp);
	sim_leave(was);
	loop_active(tcp, true);
	return 0;
}

/* --- Reading
 * ------------------------------------------------------------------ */

int uv_read_start(uv_stream_t *stream, uv_alloc_cb alloc_cb, uv_read_cb read_cb)
{
	stream->alloc_cb = alloc_cb;
	stream->read_cb = read_cb;
	stream_of(stream)->is_reading = true;
	loop_active(stream, true);
	return 0;
}

int uv_read_stop(uv_stream_t *stream)
{
	stream_of(stream)->is_reading = false;
	return 0;
}

static size_t readable(const struct end *e)
{
	return e->in.size - e->in_start;
}

static void read_some(uv_tcp_t *tcp, struct stream *s)
{
	struct end *e = s->end;
	size_t size = readable(e);
	uv_buf_t buf;
	int was;

	tcp->alloc_cb((uv_handle_t *)tcp, 65536, &buf);
	size = size < buf.len ? size : buf.len;
	if (size > 1 && sim_chance(&sim.net, sim.rates.short_read)) {
		size = 1 + (size_t)sim_below(&sim.net, size);
	}
	if (size > 0) {
		memcpy(buf.base, e->in.data + e->in_start, size);
		was = sim_enter(SIM_WORLD);
		net_read(e, size);
		sim_leave(was);
		tcp->read_cb((uv_stream_t *)tcp, (ssize_t)size, &buf);
		return;
	}
	s->said_end = true;
	tcp->read_cb((uv_stream_t *)tcp, e->error != 0 ? e->error : UV_EOF,
		     &buf);
}

/* --- Writing
 * ------------------------------------------------------------------ */

static size_t send_bytes(struct end *e, const char *data, size_t size)
{
	int was = sim_enter(SIM_WORLD);
	size_t sent = net_send(e, data, size);

	sim_leave(was);
	return sent;
}

int uv_try_write(uv_stream_t *stream, const uv_buf_t *bufs, unsigned count)
{
	struct stream *s = stream_of(stream);
	size_t sent;

	CHECK(count == 1);
	task_point();
	if (s->end == NULL || s->end->error != 0 || !s->end->is_open) {
		return s->end != NULL && s->end->error != 0 ? s->end->error
							    : UV_EPIPE;
	}
	if (s->write != NULL) {
		return UV_EAGAIN;
	}
	sent = send_bytes(s->end, bufs[0].base, bufs[0].len);
	return sent > 0 ? (int)sent : UV_EAGAIN;
}

int uv_write(uv_write_t *request, uv_stream_t *stream, const uv_buf_t *bufs,
	     unsigned count, uv_write_cb cb)
{
	struct stream *s = stream_of(stream);

	CHECK(count == 1 && s->write == NULL);
	request->cb = cb;
	request->handle = stream;
	s->write = request;
	s->rest = bufs[0].base;
	s->rest_bytes = bufs[0].len;
	return 0;
}

static bool has_room(const struct end *e)
{
	return e->sent - e->acknowledged < sim.rates.window_bytes;
}

static void write_more(struct stream *s)
{
	uv_write_t *request = s->write;
	size_t sent = 0;

	if (s->end->error == 0) {
		sent = send_bytes(s->end, s->rest, s->rest_bytes);
		s->rest += sent;
		s->rest_bytes -= sent;
	}
	if (s->rest_bytes == 0 || s->end->error != 0) {
		s->write = NULL;
		request->cb(request, s->end->error);
	}
}

/* --- What happens
 * ------------------------------------------------------------- */

static bool can_read(const struct stream *s)
{
	return s->is_reading && !s->said_end &&
	       (readable(s->end) > 0 || s->end->has_fin || s->end->error != 0);
}

static bool can_write(const struct stream *s)
{
	return s->write != NULL && (s->end->error != 0 || has_room(s->end));
}

bool stream_has_work(const uv_tcp_t *tcp)
{
	const struct stream *s = stream_of(tcp);

	if (s->listener != NULL) {
		return s->listener->count > 0;
	}
	if (s->end == NULL) {
		return false;
	}
	if (s->connect != NULL) {
		return s->end->has_answer;
	}
	return can_read(s) || can_write(s);
}

static void connected(struct stream *s)
{
	uv_connect_t *request = s->connect;

	s->connect = NULL;
	request->cb(request, s->end->error);
}

void stream_work(uv_tcp_t *tcp)
{
	struct stream *s = stream_of(tcp);

	if (s->listener != NULL) {
		tcp->connection_cb((uv_stream_t *)tcp, 0);
		return;
	}
	if (s->connect != NULL) {
		connected(s);
		return;
	}
	if (can_read(s)) {
		read_some(tcp, s);
	}
	if (!uv_is_closing((uv_handle_t *)tcp) && can_write(s)) {
		write_more(s);
	}
}

void stream_close(uv_tcp_t *tcp)
{
	struct stream *s = stream_of(tcp);
	int was = sim_enter(SIM_WORLD);

	if (s->end != NULL) {
		net_close(s->end, false);
	}
	if (s->listener != NULL) {
		for (size_t i = 0; i < s->listener->count; i++) {
			net_close(s->listener->waiting[i], false);
		}
		s->listener->count = 0;
		s->listener->handle = NULL;
	}
	sim_leave(was);
}

void stream_closed(uv_tcp_t *tcp)
{
	struct stream *s = stream_of(tcp);

	if (s->connect != NULL) {
		s->connect->cb(s->connect, UV_ECANCELED);
	}
	if (s->write != NULL) {
		s->write->cb(s->write, UV_ECANCELED);
	}
	mem_free(s);
}
