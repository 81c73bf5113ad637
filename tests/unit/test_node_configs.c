/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: the newest configuration is in force, the one before it comes back
 * when that is truncated, and the log knows where they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raft/node/configs.h"
#include "raft/node/log.h"
#include "tests/lib/faultdisk.h"

static struct configs c;

/* One whose only voter has that id. */
static const struct wire_config *GIVEN(raft_id id)
{
	static struct wire_config config;

	config = (struct wire_config){.count = 1, .members = {{.name = "n1"}}};
	config.members[0].id = id;
	return &config;
}

static raft_id in_force(void)
{
	const struct wire_config *now = configs_now(&c);

	return now != NULL ? now->members[0].id : 0;
}

static void none_is_in_force_at_first(void **state)
{
	(void)state;

	configs_reset(&c, 0, NULL);

	assert_int_equal(in_force(), 0);
	configs_append(&c, 1, GIVEN(11));
	assert_int_equal(in_force(), 11);
}

static void the_one_before_comes_back_when_the_newest_is_truncated(void **state)
{
	(void)state;

	configs_reset(&c, 4, GIVEN(44));
	configs_append(&c, 9, GIVEN(99));
	configs_truncate(&c, 9);
	assert_int_equal(in_force(), 99);

	configs_truncate(&c, 8);

	assert_int_equal(in_force(), 44);
	assert_int_equal(c.index, 4);
	configs_append(&c, 9, GIVEN(98));
	assert_int_equal(in_force(), 98);
	assert_int_equal(c.before.members[0].id, 44);
}

static void the_first_one_may_be_truncated_too(void **state)
{
	(void)state;

	configs_reset(&c, 0, NULL);
	configs_append(&c, 3, GIVEN(33));

	configs_truncate(&c, 2);

	assert_int_equal(in_force(), 0);
}

static void a_snapshot_leaves_nothing_before_its_own(void **state)
{
	(void)state;

	configs_reset(&c, 4, GIVEN(44));
	configs_append(&c, 9, GIVEN(99));

	configs_reset(&c, 7, GIVEN(77));

	assert_int_equal(in_force(), 77);
	assert_int_equal(c.before_index, 0);
}

/* --- In the log ------------------------------------------------------------
 */

static void save(struct log *log, raft_index keep, const char *kinds)
{
	struct entry *entries[8];
	struct log_record record = {
		.hard = {.term = 1},
		.keep = keep,
		.entries = entries,
		.count = strlen(kinds),
	};

	for (size_t i = 0; i < record.count; i++) {
		entries[i] = entry_new(kinds[i] == 'm' ? ENTRY_MEMBERS
						       : ENTRY_COMMAND,
				       "x", 1);
		entries[i]->index = keep + 1 + i;
		entries[i]->term = 1;
	}
	assert_int_equal(log_save(log, &record), 0);
	for (size_t i = 0; i < record.count; i++) {
		entry_unref(entries[i]);
	}
}

static raft_index newest(struct log *log)
{
	return log_find(log, ENTRY_MEMBERS, UINT64_MAX);
}

static void the_log_knows_where_its_configurations_are(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct log_config config = {.disk = faultdisk_disk(f),
				    .segment_bytes = 65536};
	struct buffer problem = {0};
	struct log *log;
	(void)state;

	assert_int_equal(log_open(&config, &log, &problem), 0);
	assert_int_equal(newest(log), 0);
	save(log, 0, "mccm");
	save(log, 4, "cm");
	assert_int_equal(newest(log), 6);
	assert_int_equal(log_find(log, ENTRY_MEMBERS, 6), 4);
	assert_int_equal(log_find(log, ENTRY_MEMBERS, 4), 1);
	assert_int_equal(log_find(log, ENTRY_MEMBERS, 1), 0);
	save(log, 5, "c");
	assert_int_equal(newest(log), 4);

	log_close(log);
	assert_int_equal(log_open(&config, &log, &problem), 0);
	assert_int_equal(newest(log), 4);
	log_close(log);
	faultdisk_free(f);
	buffer_deinit(&problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_is_in_force_at_first),
		cmocka_unit_test(
			the_one_before_comes_back_when_the_newest_is_truncated),
		cmocka_unit_test(the_first_one_may_be_truncated_too),
		cmocka_unit_test(a_snapshot_leaves_nothing_before_its_own),
		cmocka_unit_test(the_log_knows_where_its_configurations_are),
	};

	return cmocka_run_group_tests_name("raft/node/configs", tests, NULL,
					   NULL);
}
