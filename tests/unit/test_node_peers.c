/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: the core hears of each link when it is up, and when it is not,
 * once. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "tests/lib/nodetest.h"

/* What the nodes of a kit say while it lasts; their traces are among it. */
struct ear {
	char path[64];
	int stderr_was;
};

static void GIVEN_TRACES(struct kit *kit, struct ear *ear)
{
	int fd;

	(void)snprintf(ear->path, sizeof ear->path, "%s/said", kit->root);
	fd = open(ear->path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	ear->stderr_was = dup(STDERR_FILENO);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	log_setup("kit", LOG_LEVEL_DEBUG);
	assert_int_equal(setenv("RAFTFS_TRACE", "1", 1), 0);
}

static void stop_listening(struct ear *ear)
{
	unsetenv("RAFTFS_TRACE");
	log_setup("kit", LOG_LEVEL_INFO);
	dup2(ear->stderr_was, STDERR_FILENO);
	close(ear->stderr_was);
}

/* How often an event of a link that is up, or down, stands there. */
static unsigned count(const struct ear *ear, const char *state)
{
	FILE *f = fopen(ear->path, "r");
	char line[4096];
	unsigned found = 0;

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		const char *at = strstr(line, " link ");

		found += strstr(line, " debug ") != NULL && at != NULL &&
			 strstr(at, state) != NULL;
	}
	fclose(f);
	return found;
}

/* Three nodes have six halves of links. */
static void the_core_is_told_of_each_link_once(void **state)
{
	struct kit *kit = *state;
	struct ear ear;
	unsigned up, down;

	GIVEN_TRACES(kit, &ear);
	(void)GIVEN_CLUSTER(kit);
	kit_propose(&kit->nodes[0], 0, 10, 8);
	assert_all_have(kit, 10);
	for (size_t i = 0; i < kit->count; i++) {
		assert_true(kit_await_status(&kit->nodes[i], has_links, 3));
	}
	up = count(&ear, "up");
	down = count(&ear, "down");
	for (size_t i = 0; i < kit->count; i++) {
		kit_stop(&kit->nodes[i]); /* they read what is set back */
	}
	stop_listening(&ear);

	assert_int_equal(down, 0);
	assert_int_equal(up, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT_TEST(GIVEN_THREE, the_core_is_told_of_each_link_once),
	};

	return cmocka_run_group_tests_name("raft/node/peers", tests, NULL,
					   NULL);
}
