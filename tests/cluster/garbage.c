/* SPDX-License-Identifier: Apache-2.0 */
/* garbage.c - say wrong things to a daemon's port.
 *
 *   garbage ADDRESS PORT
 *
 * Each case opens a connection, sends its bytes and expects the daemon to
 * close it within CLOSE_MS. Exit code 1 when one is left open. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/frame.h"
#include "base/limits.h"

enum { CLOSE_MS = 10000, RANDOM_ROUNDS = 200 };

static struct sockaddr_in address;

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

/* Send it all, then read to the end, which must come. A daemon that closes
 * early is right too. */
static int closes(const char *what, const void *data, size_t size, bool end)
{
	struct pollfd p = {.fd = dial(), .events = POLLIN};
	const char *at = data;
	char buf[4096];
	ssize_t n;

	while (size > 0 && (n = send(p.fd, at, size, MSG_NOSIGNAL)) > 0) {
		at += n;
		size -= (size_t)n;
	}
	if (end)
		shutdown(p.fd, SHUT_WR);
	for (;;) {
		if (poll(&p, 1, CLOSE_MS) == 0) {
			printf("%s: the connection stays open\n", what);
			close(p.fd);
			return 1;
		}
		n = read(p.fd, buf, sizeof buf);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
	}
	close(p.fd);
	return 0;
}

static int framed(const char *what, uint8_t kind, const void *body, size_t size,
		  unsigned copies, bool renumber)
{
	struct buffer b = {0};
	int rc;

	for (unsigned i = 0; i < copies; i++) {
		size_t start = frame_begin(&b);

		buffer_append(&b, body, size);
		frame_seal(&b, start, kind, renumber ? i : 0);
	}
	rc = closes(what, b.data, b.size, false);
	buffer_deinit(&b);
	return rc;
}

static int oversized(uint32_t size)
{
	unsigned char head[FRAME_HEADER_BYTES + 1024] = {0};

	for (unsigned i = 0; i < 4; i++)
		head[i] = (unsigned char)(size >> (8 * i));
	head[4] = FRAME_VERSION;
	return closes("an oversized frame", head, sizeof head, false);
}

static int random_bytes(void)
{
	static unsigned char data[65536];
	unsigned seed = 1;
	int rc = 0;

	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		for (size_t i = 0; i < sizeof data; i++)
			data[i] = (unsigned char)(rand_r(&seed) >> 8);
		rc |= closes("random bytes", data,
			     1 + (size_t)rand_r(&seed) % sizeof data, true);
	}
	return rc;
}

static int random_bodies(void)
{
	static unsigned char data[2048];
	unsigned seed = 2;
	int rc = 0;

	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		for (size_t i = 0; i < sizeof data; i++)
			data[i] = (unsigned char)(rand_r(&seed) >> 8);
		rc |= framed("a frame of random bytes", (uint8_t)(round % 32),
			     data, 1 + (size_t)rand_r(&seed) % sizeof data, 1,
			     true);
	}
	return rc;
}

int main(int argc, char **argv)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: raft\r\n\r\n";
	int rc = 0;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
		fputs("usage: garbage ADDRESS PORT\n", stderr);
		return 2;
	}
	address.sin_family = AF_INET;
	address.sin_port = htons((uint16_t)atoi(argv[2]));
	rc |= closes("nothing", "", 0, true);
	rc |= closes("another protocol", http, sizeof http - 1, false);
	rc |= closes("half a header", http, 7, true);
	rc |= oversized(UINT32_MAX);
	rc |= oversized(LIMIT_FRAME_BYTES + 1);
	rc |= oversized(0);
	rc |= framed("an unknown kind", 250, "hello", 5, 1, true);
	rc |= framed("a replayed frame", 1, "\x08\x01", 2, 3, false);
	rc |= framed("a message before the handshake", 2, "\x08\x01", 2, 3,
		     true);
	rc |= random_bytes();
	rc |= random_bodies();
	return rc;
}
