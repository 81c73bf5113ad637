/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/caller.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "raft/node/wire.h"

enum {
	CALLER_PATIENCE_MS = 5000,
	CALLED_PATIENCE_MS = 20000, /* it may have given up for a while */
};

static struct sockaddr_in address_of(const struct kit_node *k)
{
	const char *port = strchr(k->address, ':');
	char host[sizeof k->address] = "";
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port + 1)),
	};

	memcpy(host, k->address, (size_t)(port - k->address));
	CHECK(inet_pton(AF_INET, host, &at.sin_addr) == 1);
	return at;
}

int caller_dial(const struct kit_node *k)
{
	struct sockaddr_in to = address_of(k);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	return fd;
}

void caller_say(int fd, struct bytes bytes)
{
	ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);

	CHECK(sent == (ssize_t)bytes.size);
}

void caller_say_frame(int fd, uint64_t *number, uint8_t kind,
		      struct buffer *body)
{
	struct buffer out = {0};
	size_t start = frame_begin(&out);

	buffer_append_bytes(&out, buffer_bytes(body));
	frame_seal(&out, start, kind, (*number)++);
	caller_say(fd, buffer_bytes(&out));
	buffer_deinit(&out);
	buffer_deinit(body);
}

static bool comes_in(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static bool comes(int fd)
{
	return comes_in(fd, CALLER_PATIENCE_MS);
}

bool caller_is_closed(int fd)
{
	char answer[4096];
	ssize_t size = 1;

	while (size > 0 && comes(fd)) {
		size = read(fd, answer, sizeof answer);
	}
	close(fd);
	return size <= 0;
}

static void add_hello(const struct kit_node *from, const struct kit_node *to,
		      struct wire_hello *hello, struct buffer *out)
{
	size_t start = frame_begin(out);

	strcpy(hello->name, from->name);
	strcpy(hello->target, to->name);
	wire_encode_hello(out, hello);
	frame_seal(out, start, WIRE_HELLO, 0);
}

static struct wire_hello hello_of(const struct kit_node *from)
{
	const struct kit *kit = from->kit;
	struct wire_hello hello = {
		.level = WIRE_LEVEL,
		.id = from->id,
		.boot = 1,
		.count = kit->count,
	};

	for (size_t i = 0; i < kit->count; i++) {
		strcpy(hello.members[i].name, kit->nodes[i].name);
		strcpy(hello.members[i].address, kit->nodes[i].address);
		hello.members[i].id = kit->nodes[i].id;
	}
	return hello;
}

static void hello_for(const struct kit_node *from, const struct kit_node *to,
		      struct wire_hello *hello, struct buffer *out)
{
	struct node_identity identity;

	node_identity(to->node, &identity);
	memcpy(hello->cluster, identity.cluster, sizeof hello->cluster);
	hello->founded = true;
	hello->target_id = to->id;
	add_hello(from, to, hello, out);
}

void caller_hello(const struct kit_node *from, const struct kit_node *to,
		  struct buffer *out)
{
	caller_hello_of(from, to, 1, 0, out);
}

int caller_links(const struct kit_node *from, const struct kit_node *to)
{
	struct buffer hello = {0};
	int fd = caller_dial(to);

	caller_hello(from, to, &hello);
	caller_say(fd, buffer_bytes(&hello));
	buffer_deinit(&hello);
	return fd;
}

void caller_hello_of(const struct kit_node *from, const struct kit_node *to,
		     uint64_t boot, raft_index config, struct buffer *out)
{
	struct wire_hello hello = hello_of(from);

	hello.purpose = WIRE_FOR_LINK;
	hello.boot = boot;
	hello.config = config;
	hello_for(from, to, &hello, out);
}

void caller_hello_empty(const struct kit_node *from, const struct kit_node *to,
			struct buffer *out)
{
	struct wire_hello hello = hello_of(from);

	hello.id ^= 1;
	hello.purpose = WIRE_FOR_LINK;
	add_hello(from, to, &hello, out);
}

void caller_hello_snapshot(const struct kit_node *from,
			   const struct kit_node *to, struct buffer *out)
{
	struct wire_hello hello = hello_of(from);

	hello.purpose = WIRE_FOR_SNAPSHOT;
	hello_for(from, to, &hello, out);
}

int caller_called(const struct kit_node *k)
{
	struct sockaddr_in at = address_of(k);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1, fd;

	CHECK(listener >= 0);
	CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ==
	      0);
	CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0);
	CHECK(listen(listener, 1) == 0);
	CHECK(comes_in(listener, CALLED_PATIENCE_MS));
	fd = accept(listener, NULL, NULL);
	CHECK(fd >= 0);
	close(listener);
	return fd;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Append what is there to what is not parsed yet; false: nothing came. */
static bool listen_until(struct caller_ear *ear, int64_t until)
{
	uint8_t piece[4096];
	int64_t left = until - now_ms();
	ssize_t size = 0;

	if (left > 0 && comes_in(ear->fd, (int)left)) {
		size = read(ear->fd, piece, sizeof piece);
	}

	if (size > 0) {
		buffer_append(&ear->in, piece, (size_t)size);
	}
	return size > 0;
}

bool caller_hears(struct caller_ear *ear, uint8_t kind, struct bytes *body)
{
	int64_t until = now_ms() + CALLER_PATIENCE_MS;
	struct frame frame = {0};
	size_t used;
	int rc;

	do {
		rc = frame_parse(bytes_of(ear->in.data + ear->at,
					  ear->in.size - ear->at),
				 ear->number, &frame, &used);
		if (rc == 0) {
			ear->number++;
			ear->at += used;
		} else if (rc != STATUS_SHORT || !listen_until(ear, until)) {
			return false;
		}
	} while (rc != 0 || frame.kind != kind);
	*body = frame.body;
	return true;
}

struct caller_ear caller_called_by(const struct kit_node *k,
				   const struct kit_node *by,
				   struct bytes answer)
{
	struct wire_message *m = mem_alloc(sizeof *m);
	struct caller_ear ear;
	struct bytes body;
	bool theirs;

	do {
		ear = (struct caller_ear){.fd = caller_called(k)};
		CHECK(caller_hears(&ear, WIRE_HELLO, &body));
		CHECK(wire_decode(body, WIRE_HELLO, m) == 0);
		theirs = strcmp(m->hello.name, by->name) == 0;
		if (!theirs) {
			caller_ends(&ear);
		}
	} while (!theirs);
	caller_say(ear.fd, answer);
	mem_free(m);
	return ear;
}

void caller_ends(struct caller_ear *ear)
{
	buffer_deinit(&ear->in);
	close(ear->fd);
}
