/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/mem.h"
#include "base/status.h"

enum { READ_BYTES = 65536 };

struct client {
	int fd;
	struct buffer in; /* the frame before ends at `used` */
	size_t used;
	uint64_t sent; /* frames */
	uint64_t received;
};

int client_open(const char *socket_path, unsigned silence_s,
		struct client **client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval silence = {.tv_sec = (time_t)silence_s};
	int fd;
	int rc;

	if (strlen(socket_path) >= sizeof address.sun_path) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	/* The send timeout bounds connect() too: a stopped daemon whose
	 * backlog is full. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence) !=
		    0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) !=
		    0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(fd);
		return rc;
	}
	*client = mem_zalloc(sizeof **client);
	(*client)->fd = fd;
	return 0;
}

void client_close(struct client *client)
{
	close(client->fd);
	buffer_deinit(&client->in);
	mem_free(client);
}

/* A daemon that cuts us off may have done so while we send. */
static int errno_of_peer(int error)
{
	if (error == EAGAIN || error == EWOULDBLOCK) {
		return -ETIMEDOUT;
	}
	return error == EPIPE ? -ECONNRESET : -error;
}

int client_send(struct client *client, const struct message_request *request)
{
	struct buffer out = {0};
	size_t at = 0;
	int rc = 0;

	message_encode_request(request, client->sent++, &out);
	while (at < out.size) {
		ssize_t sent = send(client->fd, out.data + at, out.size - at,
				    MSG_NOSIGNAL);

		if (sent >= 0) {
			at += (size_t)sent;
		} else if (errno != EINTR) {
			rc = errno_of_peer(errno);
			break;
		}
	}
	buffer_deinit(&out);
	return rc;
}

/* Append what comes next. */
static int read_more(struct client *client)
{
	uint8_t *place = buffer_reserve(&client->in, READ_BYTES);
	ssize_t size;

	do {
		size = recv(client->fd, place, READ_BYTES, 0);
	} while (size < 0 && errno == EINTR);
	if (size < 0) {
		return errno_of_peer(errno);
	}
	buffer_grow(&client->in, (size_t)size);
	return size > 0 ? 0 : -ECONNRESET;
}

int client_receive(struct client *client, struct message_response *response)
{
	struct frame frame;
	size_t used;
	int rc;

	if (client->used > 0) {
		client->in.size -= client->used;
		memmove(client->in.data, client->in.data + client->used,
			client->in.size);
		client->used = 0;
	}
	for (;;) {
		rc = frame_parse(buffer_bytes(&client->in), client->received,
				 &frame, &used);
		if (rc != STATUS_SHORT ||
		    used > FRAME_HEADER_BYTES + MESSAGE_RESPONSE_BYTES) {
			break;
		}
		rc = read_more(client);
		if (rc != 0) {
			return rc;
		}
	}
	if (rc != 0 || frame.kind != MESSAGE_RESPONSE ||
	    message_decode_response(frame.body, response) != 0) {
		return -EPROTO;
	}
	client->received++;
	client->used = used;
	return 0;
}
