/* SPDX-License-Identifier: Apache-2.0 */
/* floor.c - what durability costs on this machine without any software.
 *
 *   floor sync FOLDER SECONDS     fdatasync of 512 bytes in a file that was
 *                                 written before, one after another
 *   floor commit FOLDER SECONDS   a bare commit of three replicas: the leader
 *                                 sends the bytes to both followers, writes
 *                                 and syncs them; a follower writes, syncs,
 *                                 replies. Committed: leader and one more.
 *
 * The followers are processes of their own, over TCP on loopback, each with
 * its file in FOLDER. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/measure.h"

enum {
	RECORD_BYTES = 512,
	FILE_BYTES = 16 << 20,
	FOLLOWERS = 2,
	SAMPLES_MAX = 1 << 20,
};

struct log {
	int fd;
	off_t at;
	char path[4096];
};

static void log_make(struct log *l, const char *folder, int number)
{
	static char zero[1 << 20];

	snprintf(l->path, sizeof l->path, "%s/floor.%d", folder, number);
	l->fd = open(l->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (l->fd < 0)
		die(l->path);
	for (off_t at = 0; at < FILE_BYTES; at += (off_t)sizeof zero)
		if (pwrite(l->fd, zero, sizeof zero, at) != sizeof zero)
			die(l->path);
	if (fsync(l->fd) != 0)
		die(l->path);
	l->at = 0;
}

static void log_append(struct log *l, const char *record)
{
	if (pwrite(l->fd, record, RECORD_BYTES, l->at) != RECORD_BYTES ||
	    fdatasync(l->fd) != 0)
		die(l->path);
	l->at = (l->at + RECORD_BYTES) % FILE_BYTES;
}

static void log_drop(struct log *l)
{
	close(l->fd);
	unlink(l->path);
}

static void bare_sync(const char *folder, double seconds)
{
	char record[RECORD_BYTES];
	struct samples s;
	struct log l;
	int64_t start, now, before;

	memset(record, 'x', sizeof record);
	log_make(&l, folder, 0);
	samples_init(&s, SAMPLES_MAX);
	start = now = clock_ns();
	while ((double)(now - start) < seconds * 1e9) {
		before = now;
		log_append(&l, record);
		now = clock_ns();
		samples_add(&s, now - before);
	}
	samples_print("fdatasync", &s, 1, now - start);
	samples_deinit(&s);
	log_drop(&l);
}

static void transfer(int fd, char *data, size_t size, bool out)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = out ? write(fd, data + done, size - done)
				: read(fd, data + done, size - done);

		if (n <= 0 && out)
			die("send");
		if (n <= 0)
			exit(0); /* the leader is done */
		done += (size_t)n;
	}
}

/* Both ends of a TCP connection over loopback. */
static void connect_pair(int ends[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (bind(listener, (struct sockaddr *)&a, size) != 0 ||
	    listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &size) != 0)
		die("listen");
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(ends[0], (struct sockaddr *)&a, size) != 0)
		die("connect");
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void follow(int fd, const char *folder, int number)
{
	char record[RECORD_BYTES], reply = 'y';
	struct log l;

	log_make(&l, folder, number);
	unlink(l.path);
	transfer(fd, &reply, 1, true); /* ready */
	for (;;) {
		transfer(fd, record, sizeof record, false);
		log_append(&l, record);
		transfer(fd, &reply, 1, true);
	}
}

/* Wait until some follower has replied to record number `wanted`. */
static void await_one(const int *fds, uint64_t *replied, uint64_t wanted)
{
	struct pollfd p[FOLLOWERS];
	char replies[64];
	ssize_t n;

	while (replied[0] < wanted && replied[1] < wanted) {
		for (int i = 0; i < FOLLOWERS; i++)
			p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
		if (poll(p, FOLLOWERS, 10000) <= 0)
			die("a follower is silent");
		for (int i = 0; i < FOLLOWERS; i++) {
			if (p[i].revents == 0)
				continue;
			n = read(fds[i], replies, sizeof replies);
			if (n <= 0)
				die("a follower ended");
			replied[i] += (uint64_t)n;
		}
	}
}

static void lead(const int *fds, const char *folder, double seconds)
{
	uint64_t replied[FOLLOWERS] = {0}, number = 0;
	char record[RECORD_BYTES], ready;
	int64_t start, now, before;
	struct samples s;
	struct log l;

	memset(record, 'x', sizeof record);
	log_make(&l, folder, 0);
	samples_init(&s, SAMPLES_MAX);
	for (int i = 0; i < FOLLOWERS; i++)
		transfer(fds[i], &ready, 1, false);
	start = now = clock_ns();
	while ((double)(now - start) < seconds * 1e9) {
		before = now;
		for (int i = 0; i < FOLLOWERS; i++)
			transfer(fds[i], record, sizeof record, true);
		log_append(&l, record);
		await_one(fds, replied, ++number);
		now = clock_ns();
		samples_add(&s, now - before);
	}
	samples_print("commit", &s, 1, now - start);
	samples_deinit(&s);
	log_drop(&l);
}

static void bare_commit(const char *folder, double seconds)
{
	pid_t followers[FOLLOWERS];
	int fds[FOLLOWERS];

	for (int i = 0; i < FOLLOWERS; i++) {
		int ends[2];

		connect_pair(ends);
		followers[i] = fork();
		if (followers[i] < 0)
			die("fork");
		if (followers[i] == 0) {
			close(ends[0]);
			for (int k = 0; k < i; k++)
				close(fds[k]);
			follow(ends[1], folder, i + 1);
		}
		close(ends[1]);
		fds[i] = ends[0];
	}
	lead(fds, folder, seconds);
	for (int i = 0; i < FOLLOWERS; i++) {
		shutdown(fds[i], SHUT_RDWR);
		close(fds[i]);
		waitpid(followers[i], NULL, 0);
	}
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && strcmp(argv[1], "sync") == 0) {
		bare_sync(argv[2], atof(argv[3]));
	} else if (argc == 4 && strcmp(argv[1], "commit") == 0) {
		bare_commit(argv[2], atof(argv[3]));
	} else {
		fputs("usage: floor sync|commit FOLDER SECONDS\n", stderr);
		return 2;
	}
	return 0;
}
