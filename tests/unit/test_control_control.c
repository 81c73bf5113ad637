/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: neither garbage, nor peers that go away, nor a stop while
 * requests are under way does any harm; the socket is its owner's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fs/tree/tree.h"
#include "tests/lib/controlkit.h"

/* --- What peers do -----------------------------------------------------------
 */

static void one_connection_serves_many_requests(void **state)
{
	struct world *w = *state;
	struct client *client = controlkit_connect(w);
	struct buffer out = {0};

	/* All sent before the first answer is read. */
	controlkit_send(client, "set", "/a", bytes_of_text("1"));
	controlkit_send(client, "set", "/a", bytes_of_text("2"));
	controlkit_send(client, "get", "/a", bytes_of(NULL, 0));

	assert_int_equal(controlkit_receive(client, NULL), 0);
	assert_int_equal(controlkit_receive(client, NULL), 0);
	assert_int_equal(controlkit_receive(client, &out), 0);
	assert_string_equal(buffer_text(&out), "2");
	buffer_deinit(&out);
	client_close(client);
}

static int raw_connection(const struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", w->socket);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* The daemon closes it without a word. */
static void assert_cut_off(const struct world *w, const void *bytes,
			   size_t size)
{
	int fd = raw_connection(w);
	char byte;

	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}

static void garbage_closes_the_connection_only(void **state)
{
	/* Header: size 1 Gi, protocol version 1, kind request. */
	static const uint8_t huge[16] = {0, 0, 0, 0x40, 1, 1};
	struct world *w = *state;
	struct message_request r = {.command = "status"};
	struct buffer replayed = {0};

	/* A frame that is the second on no connection. */
	message_encode_request(&r, 1, &replayed);

	assert_cut_off(w, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_cut_off(w, huge, sizeof huge);
	assert_cut_off(w, replayed.data, replayed.size);
	assert_int_equal(controlkit_do(w, "status", ""), 0);
	buffer_deinit(&replayed);
}

/* The bound of a request is known from the header: nothing is awaited. */
static void a_frame_larger_than_any_request_is_cut_off_at_once(void **state)
{
	uint8_t header[16] = {0};
	struct world *w = *state;

	put_le32(header, MESSAGE_REQUEST_BYTES + 1);
	header[4] = 1;
	header[5] = MESSAGE_REQUEST;

	assert_cut_off(w, header, sizeof header);
}

static void a_peer_may_leave_at_any_moment(void **state)
{
	struct world *w = *state;
	struct buffer request = {0};
	struct message_request r = {.command = "get", .path = "/big"};
	struct buffer big = {0};

	memset(buffer_reserve(&big, LIMIT_WRITE_BYTES), 'b', LIMIT_WRITE_BYTES);
	buffer_grow(&big, LIMIT_WRITE_BYTES);
	assert_int_equal(
		controlkit_ask(w, "set", "/big", buffer_bytes(&big), NULL), 0);
	message_encode_request(&r, 0, &request);

	for (size_t size = 0; size <= request.size; size++) {
		int fd = raw_connection(w);

		assert_int_equal(send(fd, request.data, size, MSG_NOSIGNAL),
				 size);
		close(fd);
	}

	assert_int_equal(controlkit_do(w, "get", "/big"), 0);
	buffer_deinit(&big);
	buffer_deinit(&request);
}

static void a_change_goes_on_when_its_peer_has_left(void **state)
{
	struct world *w = *state;
	struct client *client = controlkit_connect(w);

	fake_kv_hold_proposals(w->kv);
	controlkit_send(client, "set", "/key", bytes_of_text("v"));
	assert_true(fake_kv_wait_held(w->kv, 1));
	client_close(client);
	fake_kv_let_go(w->kv);

	controlkit_assert_content(w, "/key", "v");
}

static void a_slow_change_holds_up_nobody_else(void **state)
{
	struct world *w = *state;
	struct client *client = controlkit_connect(w);

	assert_int_equal(controlkit_set(w, "/other", "o"), 0);
	fake_kv_hold_proposals(w->kv);
	controlkit_send(client, "set", "/key", bytes_of_text("v"));
	assert_true(fake_kv_wait_held(w->kv, 1));

	controlkit_assert_content(w, "/other", "o");
	fake_kv_let_go(w->kv);
	assert_int_equal(controlkit_receive(client, NULL), 0);
	client_close(client);
}

static void a_stop_answers_or_drops_what_is_under_way(void **state)
{
	struct world *w = *state;
	struct client *waiting = controlkit_connect(w);
	struct client *idle = controlkit_connect(w);
	struct message_response response;

	fake_kv_hold_proposals(w->kv);
	controlkit_send(waiting, "set", "/key", bytes_of_text("v"));
	assert_true(fake_kv_wait_held(w->kv, 1));

	control_stop(w->control);
	w->control = NULL;

	assert_true(fake_kv_wait_held(w->kv, 0));
	assert_int_equal(client_receive(waiting, &response), -ECONNRESET);
	assert_int_equal(client_receive(idle, &response), -ECONNRESET);
	client_close(waiting);
	client_close(idle);
}

static void connections_are_bounded(void **state)
{
	struct world *w = *state;
	struct client *clients[64];
	struct client *surplus;
	struct message_response response;

	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		clients[i] = controlkit_connect(w);
		controlkit_send(clients[i], "status", "", bytes_of(NULL, 0));
		assert_int_equal(controlkit_receive(clients[i], NULL), 0);
	}

	surplus = controlkit_connect(w);
	assert_int_equal(client_receive(surplus, &response), -ECONNRESET);
	client_close(surplus);
	for (size_t i = 0; i < COUNT_OF(clients); i++) {
		client_close(clients[i]);
	}
}

/* --- The socket itself -------------------------------------------------------
 */

static void the_socket_is_for_its_owner_only(void **state)
{
	struct world *w = *state;
	struct stat st;

	assert_int_equal(lstat(w->socket, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
}

static void a_stale_socket_is_replaced(void **state)
{
	struct world *w = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct buffer problem = {0};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	control_stop(w->control);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", w->socket);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	close(fd);

	assert_int_equal(
		control_start(&(struct control_config){.kv = w->kv,
						       .socket = w->socket},
			      &w->control, &problem),
		0);
	assert_int_equal(controlkit_do(w, "status", ""), 0);
	buffer_deinit(&problem);
}

/* Another daemon may have begun at the same path, in a folder of its own. */
static void the_end_removes_the_own_socket_alone(void **state)
{
	struct world *w = *state;
	char *moved = mem_printf("%s.moved", w->folder);
	char *own = mem_printf("%s/%s", moved, strrchr(w->socket, '/') + 1);
	struct buffer problem = {0};

	assert_int_equal(rename(w->folder, moved), 0);
	assert_int_equal(mkdir(w->folder, 0700), 0);
	fclose(fopen(w->socket, "w")); /* of the other one */

	control_stop(w->control);

	assert_int_equal(access(own, F_OK), -1);
	assert_int_equal(unlink(w->socket), 0);
	assert_int_equal(rmdir(moved), 0);
	assert_int_equal(
		control_start(&(struct control_config){.kv = w->kv,
						       .socket = w->socket},
			      &w->control, &problem),
		0);
	buffer_deinit(&problem);
	mem_free(own);
	mem_free(moved);
}

static void what_is_no_socket_is_left_alone(void **state)
{
	struct world *w = *state;
	struct buffer problem = {0};
	char *path = mem_printf("%s/file", w->folder);
	struct control *control;

	fclose(fopen(path, "w"));

	assert_int_equal(control_start(&(struct control_config){.kv = w->kv,
								.socket = path},
				       &control, &problem),
			 STATUS_IO);
	assert_non_null(strstr(buffer_text(&problem), path));
	assert_int_equal(unlink(path), 0);
	buffer_deinit(&problem);
	mem_free(path);
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	struct world *w = *state;
	struct buffer problem = {0};
	struct control *control;
	char path[128] = "/tmp/";

	memset(path + 5, 'p', sizeof path - 6);

	assert_int_equal(control_start(&(struct control_config){.kv = w->kv,
								.socket = path},
				       &control, &problem),
			 STATUS_INVALID);
	assert_non_null(strstr(buffer_text(&problem), "longer than"));
	buffer_deinit(&problem);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, controlkit_setup,                \
					controlkit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_connection_serves_many_requests),
		TEST(garbage_closes_the_connection_only),
		TEST(a_frame_larger_than_any_request_is_cut_off_at_once),
		TEST(a_peer_may_leave_at_any_moment),
		TEST(a_change_goes_on_when_its_peer_has_left),
		TEST(a_slow_change_holds_up_nobody_else),
		TEST(a_stop_answers_or_drops_what_is_under_way),
		TEST(connections_are_bounded),
		TEST(the_socket_is_for_its_owner_only),
		TEST(a_stale_socket_is_replaced),
		TEST(the_end_removes_the_own_socket_alone),
		TEST(what_is_no_socket_is_left_alone),
		TEST(a_path_too_long_for_a_socket_is_refused),
	};
	return cmocka_run_group_tests_name("control/control", tests, NULL,
					   NULL);
}
