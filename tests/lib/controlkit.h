/* SPDX-License-Identifier: Apache-2.0 */
/* controlkit.h - a control socket over a fake map, for tests (cmocka). */
#ifndef TESTS_LIB_CONTROLKIT_H
#define TESTS_LIB_CONTROLKIT_H

#include "fs/control/client.h"
#include "fs/control/control.h"
#include "tests/lib/fake_kv.h"

struct world {
	char folder[32];
	char *socket;
	struct kv *kv;
	struct control *control; /* NULL: a test has stopped it */
};

/* cmocka's; the state is a struct world. unborn: the map has no root yet. */
int controlkit_setup(void **state);
int controlkit_setup_unborn(void **state);
int controlkit_teardown(void **state);

struct client *controlkit_connect(const struct world *w);
void controlkit_send(struct client *client, const char *command,
		     const char *path, struct bytes data);
/* The whole answer: its errno, and its data appended to out (may be NULL). */
int controlkit_receive(struct client *client, struct buffer *out);

/* On a connection of its own: connect, send, receive. */
int controlkit_ask(const struct world *w, const char *command, const char *path,
		   struct bytes data, struct buffer *out);
int controlkit_do(const struct world *w, const char *command, const char *path);
int controlkit_set(const struct world *w, const char *path, const char *text);
void controlkit_assert_content(const struct world *w, const char *path,
			       const char *text);

#endif
