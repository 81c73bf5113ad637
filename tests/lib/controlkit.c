/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/controlkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

enum { SILENCE_S = 10 };

static void open_world(struct world *w, struct kv *kv)
{
	struct buffer problem = {0};

	*w = (struct world){.folder = "/tmp/control-XXXXXX", .kv = kv};
	assert_non_null(mkdtemp(w->folder));
	w->socket = mem_printf("%s/control", w->folder);
	assert_int_equal(
		control_start(&(struct control_config){.kv = kv,
						       .socket = w->socket,
						       .timeout_ms = 5000},
			      &w->control, &problem),
		0);
	buffer_deinit(&problem);
}

int controlkit_setup(void **state)
{
	struct world *w = mem_alloc(sizeof *w);

	open_world(w, fake_kv_new());
	*state = w;
	return 0;
}

int controlkit_setup_unborn(void **state)
{
	struct world *w = mem_alloc(sizeof *w);

	open_world(w, fake_kv_new_unborn());
	*state = w;
	return 0;
}

int controlkit_teardown(void **state)
{
	struct world *w = *state;

	if (w->control) {
		control_stop(w->control);
	}
	fake_kv_free(w->kv);
	rmdir(w->folder); /* proves that the socket is gone */
	assert_int_not_equal(access(w->folder, F_OK), 0);
	mem_free(w->socket);
	mem_free(w);
	return 0;
}

struct client *controlkit_connect(const struct world *w)
{
	struct client *client = NULL;

	assert_int_equal(client_open(w->socket, SILENCE_S, &client), 0);
	return client;
}

void controlkit_send(struct client *client, const char *command,
		     const char *path, struct bytes data)
{
	struct message_request r = {.data = data};

	snprintf(r.command, sizeof r.command, "%s", command);
	snprintf(r.path, sizeof r.path, "%s", path);
	assert_int_equal(client_send(client, &r), 0);
}

/* The whole answer: its errno, and its data in out (may be NULL). */
int controlkit_receive(struct client *client, struct buffer *out)
{
	struct message_response response;

	do {
		assert_int_equal(client_receive(client, &response), 0);
		if (out) {
			buffer_append_bytes(out, response.data);
		}
	} while (response.more);
	return response.error;
}

int controlkit_ask(const struct world *w, const char *command, const char *path,
		   struct bytes data, struct buffer *out)
{
	struct client *client = controlkit_connect(w);
	int error;

	controlkit_send(client, command, path, data);
	error = controlkit_receive(client, out);
	client_close(client);
	return error;
}

int controlkit_do(const struct world *w, const char *command, const char *path)
{
	return controlkit_ask(w, command, path, bytes_of(NULL, 0), NULL);
}

int controlkit_set(const struct world *w, const char *path, const char *text)
{
	return controlkit_ask(w, "set", path, bytes_of_text(text), NULL);
}

void controlkit_assert_content(const struct world *w, const char *path,
			       const char *text)
{
	struct buffer out = {0};

	assert_int_equal(
		controlkit_ask(w, "get", path, bytes_of(NULL, 0), &out), 0);
	assert_string_equal(buffer_text(&out), text);
	buffer_deinit(&out);
}
