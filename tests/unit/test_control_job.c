/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: through the socket one reads and changes the tree without a
 * mount, and errors carry the errno a mount would give. */
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

static void GIVEN_DIRECTORY(struct world *w, const char *name)
{
	struct fs_op op = {.kind = FS_OP_MKDIR,
			   .dir = FS_ROOT,
			   .name = bytes_of_text(name),
			   .mode = 0755};

	assert_int_equal(fake_kv_apply(w->kv, &op), 0);
}

static void GIVEN_LINK(struct world *w, const char *name, const char *target)
{
	struct fs_op op = {.kind = FS_OP_SYMLINK,
			   .dir = FS_ROOT,
			   .name = bytes_of_text(name),
			   .data = bytes_of_text(target)};

	assert_int_equal(fake_kv_apply(w->kv, &op), 0);
}

/* --- What commands do ------------------------------------------------------
 */

static void what_is_set_is_read_back(void **state)
{
	struct world *w = *state;

	assert_int_equal(controlkit_set(w, "/key", "one\n"), 0);
	controlkit_assert_content(w, "/key", "one\n");
	assert_int_equal(controlkit_set(w, "/key", ""), 0);
	controlkit_assert_content(w, "/key", "");
}

static void a_new_file_is_0644_and_the_callers(void **state)
{
	struct world *w = *state;
	struct fs_attr attr;

	assert_int_equal(controlkit_set(w, "/key", "v"), 0);

	assert_int_equal(fs_resolve(kv_newest(w->kv), "/key", &attr), 0);
	assert_int_equal(attr.mode, S_IFREG | 0644);
	assert_int_equal(attr.uid, getuid());
	assert_int_equal(attr.gid, getgid());
}

static void content_of_many_chunks_is_whole(void **state)
{
	struct world *w = *state;
	struct buffer in = {0};
	struct buffer out = {0};

	for (unsigned i = 0; in.size < LIMIT_WRITE_BYTES - 16; i++) {
		buffer_printf(&in, "%u,", i);
	}
	assert_int_equal(
		controlkit_ask(w, "set", "/big", buffer_bytes(&in), NULL), 0);

	assert_int_equal(
		controlkit_ask(w, "get", "/big", bytes_of(NULL, 0), &out), 0);
	assert_true(bytes_equal(buffer_bytes(&in), buffer_bytes(&out)));
	buffer_deinit(&in);
	buffer_deinit(&out);
}

/* The next request of a connection is taken when all of the last is done. */
static void a_read_keeps_no_view_open(void **state)
{
	struct world *w = *state;
	struct client *client = controlkit_connect(w);

	assert_int_equal(controlkit_set(w, "/key", "v"), 0);
	controlkit_send(client, "get", "/key", bytes_of(NULL, 0));
	assert_int_equal(controlkit_receive(client, NULL), 0);
	controlkit_send(client, "status", "", bytes_of(NULL, 0));
	assert_int_equal(controlkit_receive(client, NULL), 0);

	assert_int_equal(fake_kv_views(w->kv), 0);
	client_close(client);
}

static void ls_names_what_is_there(void **state)
{
	struct world *w = *state;
	struct buffer out = {0};

	GIVEN_DIRECTORY(w, "dir");
	assert_int_equal(controlkit_set(w, "/dir/b", ""), 0);
	assert_int_equal(controlkit_set(w, "/dir/a", ""), 0);

	assert_int_equal(
		controlkit_ask(w, "ls", "/dir", bytes_of(NULL, 0), &out), 0);
	assert_true(bytes_equal(buffer_bytes(&out), bytes_of("b\0a", 4)));
	buffer_reset(&out);
	assert_int_equal(
		controlkit_ask(w, "ls", "/dir/a", bytes_of(NULL, 0), &out), 0);
	assert_string_equal(buffer_text(&out), "/dir/a");
	buffer_deinit(&out);
}

/* 2,500 names of 200 bytes are two chunks. */
static void a_listing_of_many_chunks_is_whole(void **state)
{
	struct world *w = *state;
	struct buffer out = {0};
	char path[256];
	size_t names = 0;

	for (int i = 0; i < 2500; i++) {
		snprintf(path, sizeof path, "%0200d", i);
		assert_int_equal(
			fake_kv_apply(
				w->kv,
				&(struct fs_op){.kind = FS_OP_CREATE,
						.dir = FS_ROOT,
						.name = bytes_of_text(path)}),
			0);
	}

	assert_int_equal(controlkit_ask(w, "ls", "/", bytes_of(NULL, 0), &out),
			 0);
	for (size_t at = 0; at < out.size; at += 201) {
		assert_int_equal(atoi((char *)out.data + at + 190), names);
		names++;
	}
	assert_int_equal(names, 2500);
	buffer_deinit(&out);
}

static void rm_removes_files_and_empty_directories(void **state)
{
	struct world *w = *state;

	GIVEN_DIRECTORY(w, "dir");
	assert_int_equal(controlkit_set(w, "/dir/a", ""), 0);

	assert_int_equal(controlkit_do(w, "rm", "/dir"), ENOTEMPTY);
	assert_int_equal(controlkit_do(w, "rm", "/dir/a"), 0);
	assert_int_equal(controlkit_do(w, "get", "/dir/a"), ENOENT);
	assert_int_equal(controlkit_do(w, "rm", "/dir/"), 0);
	assert_int_equal(controlkit_do(w, "ls", "/dir"), ENOENT);
}

static void paths_that_do_not_lead_there_are_told(void **state)
{
	struct world *w = *state;
	char name[LIMIT_NAME_BYTES + 3] = "/";

	GIVEN_DIRECTORY(w, "dir");
	GIVEN_LINK(w, "link", "/key");
	assert_int_equal(controlkit_set(w, "/key", "v"), 0);
	memset(name + 1, 'n', LIMIT_NAME_BYTES + 1);

	assert_int_equal(controlkit_do(w, "get", "/none"), ENOENT);
	assert_int_equal(controlkit_do(w, "get", "/dir"), EISDIR);
	assert_int_equal(controlkit_do(w, "get", "/link"), ELOOP);
	assert_int_equal(controlkit_do(w, "get", "/key/x"), ENOTDIR);
	assert_int_equal(controlkit_do(w, "get", "key"), EINVAL);
	assert_int_equal(controlkit_do(w, "get", ""), EINVAL);
	assert_int_equal(controlkit_set(w, "/none/x", "v"), ENOENT);
	assert_int_equal(controlkit_set(w, "/dir", "v"), EISDIR);
	assert_int_equal(controlkit_set(w, "/dir/", "v"), EISDIR);
	assert_int_equal(controlkit_set(w, "/", "v"), EISDIR);
	assert_int_equal(controlkit_set(w, "/.raftfs", "v"), EPERM);
	assert_int_equal(controlkit_set(w, name, "v"), ENAMETOOLONG);
	assert_int_equal(controlkit_do(w, "rm", "/"), EBUSY);
	assert_int_equal(controlkit_do(w, "rm", "/none"), ENOENT);
	assert_int_equal(controlkit_do(w, "frob", "/key"), EINVAL);
}

/* Nothing is known of any path: not that it is absent either. */
static void before_founding_no_path_is_said_to_be_absent(void **state)
{
	static const char why[] = "no quorum: not founded yet, waiting for n2";
	struct world *w = *state;
	struct message_response response;
	struct client *client = controlkit_connect(w);

	assert_int_equal(controlkit_do(w, "ls", "/"), EAGAIN);
	assert_int_equal(controlkit_do(w, "ls", "/dir"), EAGAIN);
	assert_int_equal(controlkit_do(w, "rm", "/key"), EAGAIN);
	assert_int_equal(controlkit_set(w, "/dir/key", "v"), EAGAIN);
	fake_kv_set_why(w->kv, why);
	controlkit_send(client, "get", "/key", bytes_of(NULL, 0));

	assert_int_equal(client_receive(client, &response), 0);
	assert_int_equal(response.error, EAGAIN);
	assert_string_equal(response.reason, why);
	client_close(client);
}

static void refusals_carry_the_mounts_errno_and_the_reason(void **state)
{
	struct world *w = *state;
	struct client *client = controlkit_connect(w);
	struct message_response response;

	fake_kv_set_why(w->kv, "no quorum: n2 does not answer");
	fake_kv_refuse_proposals(w->kv, STATUS_TIMED_OUT);
	controlkit_send(client, "set", "/key", bytes_of_text("v"));
	assert_int_equal(client_receive(client, &response), 0);
	assert_int_equal(response.error, EROFS);
	assert_string_equal(response.reason, "no quorum: n2 does not answer");

	fake_kv_refuse_proposals(w->kv, STATUS_UNKNOWN);
	controlkit_send(client, "set", "/key", bytes_of_text("v"));
	assert_int_equal(client_receive(client, &response), 0);
	assert_int_equal(response.error, ETIMEDOUT);
	assert_string_equal(response.reason, "it may still take effect");

	fake_kv_refuse_barriers(w->kv, STATUS_NO_QUORUM);
	controlkit_send(client, "get", "/key", bytes_of(NULL, 0));
	assert_int_equal(client_receive(client, &response), 0);
	assert_int_equal(response.error, ETIMEDOUT);
	client_close(client);
}

static void ask_members(const struct world *w, struct message_request *request,
			struct message_response *response, struct buffer *out)
{
	struct client *client = controlkit_connect(w);

	strcpy(request->command, "member");
	assert_int_equal(client_send(client, request), 0);
	assert_int_equal(client_receive(client, response), 0);
	buffer_reset(out);
	buffer_append_bytes(out, response->data);
	client_close(client);
}

static void members_are_changed_and_refusals_say_why(void **state)
{
	struct world *w = *state;
	struct message_response response;
	struct buffer out = {0};
	struct message_request add = {.word_count = 3,
				      .words = {"add", "n4", "h:4"}};
	struct message_request removal = {.word_count = 2,
					  .words = {"remove", "n1"}};
	struct message_request nonsense = {.word_count = 2,
					   .words = {"add", "n4"}};
	struct message_request list = {.word_count = 1, .words = {"list"}};

	ask_members(w, &add, &response, &out);
	assert_int_equal(response.error, 0);
	assert_string_equal(buffer_text(&out), "n4\n");
	ask_members(w, &removal, &response, &out);
	assert_int_equal(response.error, EINVAL);
	assert_string_equal(response.reason, "n1 is the only voter");
	ask_members(w, &nonsense, &response, &out);
	assert_int_equal(response.error, EINVAL);
	assert_string_equal(response.reason,
			    "member add ID HOST:PORT [--learner]");
	ask_members(w, &list, &response, &out);
	assert_int_equal(response.error, 0);
	buffer_deinit(&out);
}

static void a_backup_is_made_where_it_is_asked_for(void **state)
{
	struct world *w = *state;
	struct buffer out = {0};

	assert_int_equal(controlkit_ask(w, "snapshot", "/b/backup",
					bytes_of(NULL, 0), &out),
			 0);
	assert_string_equal(buffer_text(&out), "/b/backup\n");
	assert_int_equal(controlkit_ask(w, "snapshot", "/x/full",
					bytes_of(NULL, 0), NULL),
			 ENOSPC);
	assert_int_equal(controlkit_ask(w, "snapshot", "relative",
					bytes_of(NULL, 0), NULL),
			 EINVAL);
	buffer_deinit(&out);
}

/* Done, and yet there is something to be said. */
static void a_backup_of_a_node_that_is_cut_off_says_so(void **state)
{
	struct world *w = *state;
	struct client *client = controlkit_connect(w);
	struct message_response response;

	controlkit_send(client, "snapshot", "/b/backup", bytes_of(NULL, 0));
	assert_int_equal(client_receive(client, &response), 0);
	assert_string_equal(response.reason, "");

	fake_kv_cut_off(w->kv);
	fake_kv_set_why(w->kv, "no quorum: n2 does not answer");
	controlkit_send(client, "snapshot", "/b/backup", bytes_of(NULL, 0));
	assert_int_equal(client_receive(client, &response), 0);
	assert_int_equal(response.error, 0);
	assert_true(bytes_equal(response.data, bytes_of_text("/b/backup\n")));
	assert_non_null(
		strstr(response.reason,
		       "warning: this node is cut off from its cluster "
		       "(no quorum: n2 does not answer): what is saved "
		       "may be older than the cluster's state; a leader "
		       "was last heard at 20"));
	controlkit_send(client, "snapshot", "/x/full", bytes_of(NULL, 0));
	assert_int_equal(client_receive(client, &response), 0);
	assert_int_equal(response.error, ENOSPC);
	assert_null(strstr(response.reason, "warning"));
	client_close(client);
}

static void status_needs_no_quorum(void **state)
{
	struct world *w = *state;
	struct buffer out = {0};

	fake_kv_set_why(w->kv, "no quorum");
	fake_kv_refuse_barriers(w->kv, STATUS_NO_QUORUM);

	assert_int_equal(
		controlkit_ask(w, "status", "", bytes_of(NULL, 0), &out), 0);
	assert_non_null(
		strstr(buffer_text(&out), "\nquorum: no (no quorum)\n"));
	buffer_deinit(&out);
}

static void files_of_the_mount_name_the_socket_and_the_leader(void **state)
{
	struct world *w = *state;
	size_t count = 0;
	const struct control_file *files = control_files(&count);
	struct buffer all = {0};
	struct buffer wanted = {0};

	for (size_t i = 0; i < count; i++) {
		if (strcmp(files[i].name, "socket") == 0 ||
		    strcmp(files[i].name, "leader") == 0) {
			files[i].text(w->kv, KV_READS_FRESH, &all);
		}
	}

	buffer_printf(&wanted, "n1\n%s\n", w->socket);
	assert_string_equal(buffer_text(&all), buffer_text(&wanted));
	buffer_deinit(&all);
	buffer_deinit(&wanted);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, controlkit_setup,                \
					controlkit_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_set_is_read_back),
		TEST(a_new_file_is_0644_and_the_callers),
		TEST(content_of_many_chunks_is_whole),
		TEST(a_read_keeps_no_view_open),
		TEST(ls_names_what_is_there),
		TEST(a_listing_of_many_chunks_is_whole),
		TEST(rm_removes_files_and_empty_directories),
		TEST(paths_that_do_not_lead_there_are_told),
		cmocka_unit_test_setup_teardown(
			before_founding_no_path_is_said_to_be_absent,
			controlkit_setup_unborn, controlkit_teardown),
		TEST(refusals_carry_the_mounts_errno_and_the_reason),
		TEST(members_are_changed_and_refusals_say_why),
		TEST(a_backup_is_made_where_it_is_asked_for),
		TEST(a_backup_of_a_node_that_is_cut_off_says_so),
		TEST(status_needs_no_quorum),
		TEST(files_of_the_mount_name_the_socket_and_the_leader),
	};
	return cmocka_run_group_tests_name("control/job", tests, NULL, NULL);
}
