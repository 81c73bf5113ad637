/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "raft/node/address.h"

/* --- Options -------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct wire_member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int take_peer(struct wire_member *to, const struct node_peer *peer,
		     struct buffer *problem)
{
	struct address address;

	if (!name_valid(peer->name)) {
		buffer_printf(problem, "bad name of a peer: \"%s\"",
			      peer->name);
		return STATUS_INVALID;
	}
	if (address_parse(peer->address, &address) != 0) {
		buffer_printf(problem,
			      "bad address of peer %s: \"%s\", not HOST:PORT",
			      peer->name, peer->address);
		return STATUS_INVALID;
	}
	*to = (struct wire_member){0};
	name_copy(to->name, sizeof to->name, peer->name);
	name_copy(to->address, sizeof to->address, peer->address);
	return 0;
}

static int take_peers(struct node *n, const struct node_config *config,
		      struct buffer *problem)
{
	struct wire_member *members = n->configured;
	int rc;

	if (config->peer_count > LIMIT_VOTERS) {
		buffer_printf(problem, "%zu peers are too many, at most %d",
			      config->peer_count, LIMIT_VOTERS);
		return STATUS_INVALID;
	}
	for (size_t i = 0; i < config->peer_count; i++) {
		rc = take_peer(&members[i], &config->peers[i], problem);
		if (rc != 0) {
			return rc;
		}
	}
	n->configured_count = config->peer_count;
	qsort(members, n->configured_count, sizeof *members, by_name);
	for (size_t i = 1; i < n->configured_count; i++) {
		if (strcmp(members[i - 1].name, members[i].name) == 0) {
			buffer_printf(problem, "peer %s is named twice",
				      members[i].name);
			return STATUS_INVALID;
		}
	}
	return 0;
}

/* Where this node listens, and under which name it is found: its own entry
 * among the peers. A single node needs none. */
static int take_own(struct node *n, const struct node_config *config,
		    struct buffer *problem)
{
	const struct wire_member *own = NULL;
	struct address address;

	for (size_t i = 0; i < n->configured_count; i++) {
		if (strcmp(n->configured[i].name, config->name) == 0) {
			own = &n->configured[i];
		}
	}
	if (n->configured_count > 0 && own == NULL) {
		buffer_printf(problem, "node %s is not among its own peers",
			      config->name);
		return STATUS_INVALID;
	}
	if (config->listen != NULL) {
		if (address_parse(config->listen, &address) != 0) {
			buffer_printf(problem,
				      "bad address to listen on: \"%s\", not "
				      "HOST:PORT",
				      config->listen);
			return STATUS_INVALID;
		}
		name_copy(n->listen, sizeof n->listen, config->listen);
		n->listen_given = true;
	} else if (own != NULL) {
		name_copy(n->listen, sizeof n->listen, own->address);
	}
	if (own == NULL && config->join == NULL) {
		/* Alone, and found nowhere but here. */
		name_copy(n->configured[0].name, sizeof n->configured[0].name,
			  config->name);
		name_copy(n->configured[0].address,
			  sizeof n->configured[0].address, n->listen);
		n->configured_count = 1;
	}
	return 0;
}

static int take_join(struct node *n, const struct node_config *config,
		     struct buffer *problem)
{
	struct address address;

	if (config->join == NULL) {
		return 0;
	}
	if (config->peer_count > 0) {
		buffer_printf(problem, "a node founds a cluster with its "
				       "peers or joins one, not both");
		return STATUS_INVALID;
	}
	if (address_parse(config->join, &address) != 0) {
		buffer_printf(problem,
			      "bad address to join at: \"%s\", not HOST:PORT",
			      config->join);
		return STATUS_INVALID;
	}
	name_copy(n->join, sizeof n->join, config->join);
	return 0;
}

int options_take(struct node *n, const struct node_config *config,
		 struct buffer *problem)
{
	int rc;

	if (config->name == NULL || !name_valid(config->name)) {
		buffer_printf(problem, "bad name of this node: \"%s\"",
			      config->name != NULL ? config->name : "");
		return STATUS_INVALID;
	}
	rc = take_peers(n, config, problem);
	if (rc == 0) {
		rc = take_join(n, config, problem);
	}
	if (rc == 0) {
		rc = take_own(n, config, problem);
	}
	n->config = (struct raft_config){
		.heartbeat_ms = config->heartbeat_ms,
		.election_ms = config->election_ms,
		.disk_stall_ms = config->disk_stall_ms,
	};
	n->only_loopback = config->only_loopback;
	n->snapshot_rate = config->snapshot_rate != 0 ? config->snapshot_rate
						      : LIMIT_SNAPSHOT_RATE;
	if (n->config.heartbeat_ms == 0) {
		n->config.heartbeat_ms = LIMIT_HEARTBEAT_MS;
	}
	if (n->config.election_ms == 0) {
		n->config.election_ms = LIMIT_ELECTION_MS;
	}
	if (n->config.disk_stall_ms == 0) {
		n->config.disk_stall_ms = LIMIT_DISK_STALL_MS;
	}
	n->config.message_bytes = config->message_bytes != 0
					  ? config->message_bytes
					  : LIMIT_MESSAGE_BYTES;
	n->segment_bytes = config->segment_bytes != 0 ? config->segment_bytes
						      : LIMIT_SEGMENT_BYTES;
	n->log_bytes =
		config->log_bytes != 0 ? config->log_bytes : LIMIT_LOG_BYTES;
	n->cut_tail = config->cut_tail_entries != 0 ? config->cut_tail_entries
						    : CUT_TAIL_ENTRIES;
	if (rc == 0 && n->config.election_ms < 2 * n->config.heartbeat_ms) {
		buffer_printf(problem, "the election timeout must be at least "
				       "twice the heartbeat");
		rc = STATUS_INVALID;
	}
	n->client = config->client;
	n->context = config->context;
	return rc;
}

/* --- The port ------------------------------------------------------------- */

static int bind_one(const struct addrinfo *at)
{
	int on = 1;
	int fd = socket(at->ai_family,
			at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
			at->ai_protocol);

	if (fd < 0) {
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 &&
	    listen(fd, SOMAXCONN) == 0) {
		return fd;
	}
	on = errno;
	close(fd);
	errno = on;
	return -1;
}

static bool is_loopback(const struct addrinfo *at)
{
	const struct sockaddr_in6 *six = (const void *)at->ai_addr;
	const struct sockaddr_in *four = (const void *)at->ai_addr;

	return at->ai_family == AF_INET
		       ? ntohl(four->sin_addr.s_addr) >> 24 == 127
		       : IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

bool options_is_loopback(const char *text)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	struct address address;
	bool is = true;

	CHECK(address_parse(text, &address) == 0);
	if (getaddrinfo(address.host, address.port, &hints, &list) != 0) {
		return false;
	}
	for (struct addrinfo *at = list; at != NULL; at = at->ai_next) {
		is = is && is_loopback(at);
	}
	freeaddrinfo(list);
	return is;
}

int options_listen(const char *text, int *fd, struct buffer *problem)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	};
	struct addrinfo *list;
	struct address address;
	int rc;

	CHECK(address_parse(text, &address) == 0);
	rc = getaddrinfo(address.host, address.port, &hints, &list);
	if (rc != 0) {
		buffer_printf(problem, "cannot listen on %s: %s", text,
			      gai_strerror(rc));
		return STATUS_INVALID;
	}
	*fd = -1;
	for (struct addrinfo *at = list; at != NULL && *fd < 0;
	     at = at->ai_next) {
		*fd = bind_one(at);
	}
	rc = 0;
	if (*fd < 0) {
		rc = status_of_errno(errno);
		buffer_printf(problem, "cannot listen on %s: %s", text,
			      errno == EADDRINUSE ? "address already in use"
						  : strerror(errno));
	}
	freeaddrinfo(list);
	return rc;
}

/* --- The folder ----------------------------------------------------------- */

static int make_folder(const char *path, bool *made)
{
	struct stat st;

	*made = mkdir(path, 0700) == 0;
	if (*made) {
		return 0;
	}
	if (errno == EEXIST && stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode)) {
			return 0;
		}
		errno = ENOTDIR;
	}
	return -1;
}

/* Its name is durable once the folder it is in is synced. That one may not be
 * ours to read: then its whole file system is. */
static int sync_name(const char *path)
{
	char *parent = mem_printf("%s/..", path);
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc, error;

	if (fd >= 0) {
		rc = fsync(fd);
	} else {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = fd >= 0 ? syncfs(fd) : -1;
	}
	error = errno;
	if (fd >= 0) {
		close(fd);
	}
	mem_free(parent);
	errno = error;
	return rc;
}

int options_folder(const char *path, bool *made, struct buffer *problem)
{
	int rc;

	/* Also when it was there: who made it may have come no further. */
	if (make_folder(path, made) == 0 && sync_name(path) == 0) {
		return 0;
	}
	rc = status_failed(problem, "make the folder", path);
	/* What the path leads through is no folder. */
	return errno == ENOENT || errno == ENOTDIR ? STATUS_INVALID : rc;
}
