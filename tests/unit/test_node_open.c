/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: a node that can not be opened says why in one line, and has
 * changed nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/log.h"
#include "raft/node/mark.h"
#include "tests/lib/nodetest.h"

/* Open n1 alone with the given peers, in its kit's folder. */
static int open_with(struct kit *kit, const struct node_peer *peers,
		     size_t count, const char *line)
{
	static const struct node_client client;
	struct node_config config = {
		.name = "n1",
		.data = kit->nodes[0].folder,
		.peers = peers,
		.peer_count = count,
		.client = &client,
	};
	struct buffer problem = {0};
	struct node *node;
	int rc = node_open(&config, &node, &problem);

	if (rc == 0) {
		node_close(node);
	} else if (strstr(buffer_text(&problem), line) == NULL) {
		fail_msg("%s", buffer_text(&problem));
	}
	buffer_deinit(&problem);
	return rc;
}

static void assert_no_folder(struct kit *kit)
{
	assert_int_not_equal(access(kit->nodes[0].folder, F_OK), 0);
}

/* Change the folder of n1 by a shell command that uses $D. */
static void change(struct kit *kit, const char *command)
{
	char *line = mem_printf("D=%s; %s", kit->nodes[0].folder, command);

	assert_int_equal(system(line), 0);
	mem_free(line);
}

static void a_peer_list_without_this_node_is_refused(void **state)
{
	struct node_peer peers[] = {{"n2", "127.0.0.1:7002"}};

	assert_int_equal(open_with(*state, peers, 1,
				   "node n1 is not among its own peers"),
			 STATUS_INVALID);
	assert_no_folder(*state);
}

static void a_name_given_twice_is_refused(void **state)
{
	struct node_peer peers[] = {{"n1", "127.0.0.1:7001"},
				    {"n1", "127.0.0.1:7002"}};

	assert_int_equal(open_with(*state, peers, 2, "n1 is named twice"),
			 STATUS_INVALID);
	assert_no_folder(*state);
}

static void a_bad_address_is_refused(void **state)
{
	struct node_peer peers[] = {{"n1", "127.0.0.1"}};

	assert_int_equal(open_with(*state, peers, 1,
				   "bad address of peer n1: \"127.0.0.1\""),
			 STATUS_INVALID);
	assert_no_folder(*state);
}

static void a_bad_name_is_refused(void **state)
{
	struct node_peer peers[] = {{"n/1", "127.0.0.1:1"}};

	assert_int_equal(open_with(*state, peers, 1, "bad name of a peer"),
			 STATUS_INVALID);
	assert_no_folder(*state);
}

static void too_many_peers_are_refused(void **state)
{
	struct node_peer peers[LIMIT_VOTERS + 1];
	char names[LIMIT_VOTERS + 1][8];

	for (size_t i = 0; i <= LIMIT_VOTERS; i++) {
		(void)snprintf(names[i], sizeof names[i], "n%zu", i + 1);
		peers[i] = (struct node_peer){names[i], "127.0.0.1:7001"};
	}

	assert_int_equal(open_with(*state, peers, LIMIT_VOTERS + 1,
				   "10 peers are too many, at most 9"),
			 STATUS_INVALID);
	assert_no_folder(*state);
}

static void a_port_in_use_is_refused(void **state)
{
	struct kit *kit = *state;
	struct node_peer peers[] = {{"n1", kit->nodes[1].address}};

	kit_start(&kit->nodes[1]);

	assert_int_equal(open_with(kit, peers, 1, "address already in use"),
			 STATUS_BUSY);
	assert_no_folder(kit);
}

static void a_folder_in_a_missing_one_is_refused(void **state)
{
	struct kit *kit = *state;

	(void)snprintf(kit->nodes[0].folder, sizeof kit->nodes[0].folder,
		       "%s/no/where", kit->root);

	assert_int_equal(open_with(kit, NULL, 0, "No such file or directory"),
			 STATUS_INVALID);
}

static void a_folder_with_a_log_of_unknown_origin_is_left_alone(void **state)
{
	struct kit *kit = *state;
	change(kit, "mkdir $D && touch $D/log && touch $D/mine");
	assert_int_equal(open_with(kit, NULL, 0, "identity is missing"),
			 STATUS_CORRUPT);
	change(kit, "test -e $D/mine && test ! -e $D/identity");
}

static void a_folder_in_use_is_refused(void **state)
{
	struct kit *kit = *state;

	kit_start(&kit->nodes[0]);

	assert_int_equal(open_with(kit, NULL, 0, "in use by a running node"),
			 STATUS_BUSY);
}

static void a_folder_of_another_node_is_refused(void **state)
{
	struct kit *kit = *state;

	kit_start(&kit->nodes[1]);
	kit_stop(&kit->nodes[1]);
	strcpy(kit->nodes[0].folder, kit->nodes[1].folder);

	assert_int_equal(open_with(kit, NULL, 0, "belongs to node n2, not n1"),
			 STATUS_FOREIGN);
}

static void the_folder_is_for_its_owner_only(void **state)
{
	struct kit *kit = *state;
	struct stat st;

	assert_int_equal(open_with(kit, NULL, 0, ""), 0);

	assert_int_equal(stat(kit->nodes[0].folder, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_damaged_identity_is_named(void **state)
{
	struct kit *kit = *state;

	assert_int_equal(open_with(kit, NULL, 0, ""), 0);
	change(kit, "printf x | dd of=$D/identity bs=1 seek=20 conv=notrunc "
		    "2>/dev/null");

	assert_int_equal(open_with(kit, NULL, 0,
				   "the file identity is damaged in"),
			 STATUS_CORRUPT);
}

static void a_log_without_an_identity_is_refused(void **state)
{
	struct kit *kit = *state;

	assert_int_equal(open_with(kit, NULL, 0, ""), 0);
	change(kit, "rm $D/identity");

	assert_int_equal(open_with(kit, NULL, 0, "identity is missing"),
			 STATUS_CORRUPT);
	change(kit, "test ! -e $D/identity");
}

static void a_lost_log_is_never_begun_again(void **state)
{
	struct kit *kit = *state;

	assert_int_equal(open_with(kit, NULL, 0, ""), 0);
	change(kit, "rm -r $D/log");

	assert_int_equal(open_with(kit, NULL, 0, "the log of a member is gone"),
			 STATUS_CORRUPT);
}

static void a_state_from_beyond_the_log_is_refused(void **state)
{
	struct kit *kit = *state;
	struct node_state beyond = {.applied = 5};
	struct buffer problem = {0};

	assert_int_equal(kit_open(&kit->nodes[0], &problem), 0);

	assert_int_equal(node_start(kit->nodes[0].node, &beyond),
			 STATUS_CORRUPT);
	node_close(kit->nodes[0].node);
	kit->nodes[0].node = NULL;
	buffer_deinit(&problem);
}

/* Entries 2 and 3 are in the log of n1, only entry 1 saved as committed. */
static void GIVEN_UNSAVED_COMMIT(struct kit *kit, raft_index marked)
{
	struct log_config config = {.segment_bytes = LIMIT_SEGMENT_BYTES};
	struct entry *entries[2];
	struct log_record record = {
		.hard = {.term = 1},
		.commit = 1,
		.keep = 1,
		.entries = entries,
		.count = 2,
	};
	char *path = mem_printf("%s/log", kit->nodes[0].folder);
	struct buffer problem = {0};
	struct disk *folder;
	struct mark mark;
	struct log *log;

	for (raft_index i = 0; i < 2; i++) {
		entries[i] = entry_new(ENTRY_NOOP, NULL, 0);
		entries[i]->index = i + 2;
		entries[i]->term = 1;
	}
	assert_int_equal(disk_system(path, &config.disk), 0);
	assert_int_equal(log_open(&config, &log, &problem), 0);
	assert_int_equal(log_save(log, &record), 0);
	log_close(log);
	config.disk->ops->free(config.disk);
	assert_int_equal(disk_system(kit->nodes[0].folder, &folder), 0);
	assert_int_equal(mark_open(&mark, folder), 0);
	mark_set(&mark, marked);
	mark_close(&mark);
	folder->ops->free(folder);
	entry_unref(entries[0]);
	entry_unref(entries[1]);
	buffer_deinit(&problem);
	mem_free(path);
}

static raft_index commit_of(struct kit *kit)
{
	static const struct node_client client;
	struct node_config config = {
		.name = "n1",
		.data = kit->nodes[0].folder,
		.client = &client,
	};
	struct buffer problem = {0};
	struct node *node;
	raft_index base, commit, last;

	assert_int_equal(node_open(&config, &node, &problem), 0);
	node_log(node, &base, &commit, &last);
	node_close(node);
	buffer_deinit(&problem);
	return commit;
}

/* It was killed after it had shown entry 3: it never shows less again. */
static void what_was_shown_before_a_kill_is_committed(void **state)
{
	struct kit *kit = *state;

	assert_int_equal(open_with(kit, NULL, 0, ""), 0);
	GIVEN_UNSAVED_COMMIT(kit, 3);

	assert_int_equal(commit_of(kit), 3);
}

static void a_mark_beyond_the_log_is_not_believed(void **state)
{
	struct kit *kit = *state;

	assert_int_equal(open_with(kit, NULL, 0, ""), 0);
	GIVEN_UNSAVED_COMMIT(kit, 4);

	assert_int_equal(commit_of(kit), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_TWO, a_peer_list_without_this_node_is_refused),
		KIT_TEST(GIVEN_TWO, a_name_given_twice_is_refused),
		KIT_TEST(GIVEN_TWO, a_bad_address_is_refused),
		KIT_TEST(GIVEN_TWO, a_bad_name_is_refused),
		KIT_TEST(GIVEN_TWO, too_many_peers_are_refused),
		KIT_TEST(GIVEN_TWO, a_port_in_use_is_refused),
		KIT_TEST(GIVEN_TWO, a_folder_in_a_missing_one_is_refused),
		KIT_TEST(GIVEN_TWO,
			 a_folder_with_a_log_of_unknown_origin_is_left_alone),
		KIT_TEST(GIVEN_TWO, a_folder_in_use_is_refused),
		KIT_TEST(GIVEN_TWO, a_folder_of_another_node_is_refused),
		KIT_TEST(GIVEN_TWO, the_folder_is_for_its_owner_only),
		KIT_TEST(GIVEN_TWO, a_damaged_identity_is_named),
		KIT_TEST(GIVEN_TWO, a_log_without_an_identity_is_refused),
		KIT_TEST(GIVEN_TWO, a_lost_log_is_never_begun_again),
		KIT_TEST(GIVEN_TWO, a_state_from_beyond_the_log_is_refused),
		KIT_TEST(GIVEN_TWO, what_was_shown_before_a_kill_is_committed),
		KIT_TEST(GIVEN_TWO, a_mark_beyond_the_log_is_not_believed),
	};

	return cmocka_run_group_tests_name("raft/node/open", tests, NULL, NULL);
}
