/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - connections between nodes, and the box in their middle that knows
 * where frames begin.
 *
 *   N1  bytes of a connection arrive whole and in order, but for frames of the
 *       kinds that the protocol may lose: these the box loses, doubles or
 *       delays beyond others, and seals anew with the number that the
 *       receiver expects
 *   N2  nothing overtakes a HELLO or a FOUND
 *   N3  a cut link says nothing: what is sent over it waits; acknowledgements
 *       need the way back; who is not acknowledged for CONN_SILENT_MS gives up
 *   N4  a machine without power says nothing; one with power answers what it
 *       does not know with a reset
 *
 * An end belongs to a life of a node and to a handle of libuv, until either
 * is gone. All of it is the world's. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include <uv.h>

#include "tests/sim/inside.h"

struct loop;
struct packet;

struct packets {
	struct packet *first, **last;
};

struct end {
	struct end *next; /* of all */
	struct end *other;
	int node;
	unsigned life;
	uint64_t number;  /* of the connection */
	uv_tcp_t *handle; /* NULL: closed, or not accepted yet */
	bool is_dialler;
	bool is_open;	 /* established, and not closed here */
	bool has_answer; /* to its dialling: error */
	bool has_fin;
	int error; /* of libuv; 0: none */
	struct buffer in;
	size_t in_start;
	uint64_t in_number; /* of the next frame to arrive */
	/* Sending. */
	struct buffer out; /* less than a frame */
	uint64_t out_number;
	uint64_t sent, arrived, acknowledged; /* bytes */
	uint64_t silent_since; /* ns; unacknowledged since then */
	bool is_watched;       /* a timer looks at that */
	uint64_t fifo_due, floor_due;
	struct packets held; /* on their way to here, behind a cut */
};

struct listener {
	int node;
	unsigned life;
	uv_tcp_t *handle;
	struct end *waiting[64];
	size_t count;
};

/* stream.c asks: */

/* A connection from node to the host of that number; the answer comes to the
 * end. */
struct end *net_dial(int node, int to, uv_tcp_t *handle);
/* How many of the bytes the window takes; they are sent. */
size_t net_send(struct end *e, const void *data, size_t size);
/* Its life or its handle is over. */
void net_close(struct end *e, bool silent);
/* Forget what was read. */
void net_read(struct end *e, size_t size);

/* loop.c is asked to look at the handle. */
void loop_poke(struct loop *loop);

#endif
