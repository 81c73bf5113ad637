/* SPDX-License-Identifier: Apache-2.0 */
/* Promised: whatever happens while it is replaced, the identity is the old
 * one or the new one, and a damaged one is named. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "raft/node/identity.h"
#include "tests/lib/faultdisk.h"

static void GIVEN_FOUNDED(struct identity *id)
{
	struct wire_config f = {
		.level = WIRE_LEVEL,
		.count = 2,
		.members = {{.name = "n1", .id = 0, .address = "a:1"},
			    {.name = "n2", .id = 77, .address = "b:2"}},
	};
	struct buffer record = {0};

	memset(f.cluster, 5, sizeof f.cluster);
	f.members[0].id = id->self;
	wire_encode_config(&record, &f);
	identity_found(id, buffer_bytes(&record), &f);
	buffer_deinit(&record);
}

static void identity_comes_back_as_it_was_saved(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct buffer problem = {0};
	struct identity id, back;
	(void)state;

	identity_make(&id, "n1");
	id.boot = 9;
	GIVEN_FOUNDED(&id);
	id.log_begun = true;
	assert_int_equal(identity_save(faultdisk_disk(f), &id, &problem), 0);

	assert_int_equal(identity_load(faultdisk_disk(f), &back, &problem), 0);

	assert_string_equal(back.name, "n1");
	assert_int_equal(back.self, id.self);
	assert_int_equal(back.boot, 9);
	assert_true(back.log_begun && back.founded);
	assert_int_equal(back.record_size, id.record_size);
	assert_memory_equal(back.record, id.record, id.record_size);
	faultdisk_free(f);
	buffer_deinit(&problem);
}

static void who_joined_keeps_the_configuration_of_that_day(void **state)
{
	static struct wire_config config;
	struct faultdisk *f = faultdisk_new();
	struct buffer problem = {0}, record = {0};
	struct identity id, back;
	(void)state;

	config =
		(struct wire_config){.level = WIRE_LEVEL, .count = LIMIT_PEERS};
	memset(config.cluster, 5, sizeof config.cluster);
	for (size_t i = 0; i < config.count; i++) {
		struct wire_member *m = &config.members[i];

		memset(m->name, 'x', sizeof m->name - 1);
		m->name[0] = (char)('A' + i / 8);
		m->name[1] = (char)('A' + i % 8);
		memset(m->address, 'h', sizeof m->address - 3);
		memcpy(m->address + sizeof m->address - 3, ":1", 2);
		m->id = i;
		m->standing = i == 0   ? WIRE_INVITED
			      : i == 1 ? WIRE_VOTER
				       : WIRE_LEARNER;
	}
	identity_make(&id, "n1");
	id.boot = 1;
	wire_encode_config(&record, &config);
	identity_join(&id, buffer_bytes(&record), &config);
	assert_int_equal(identity_save(faultdisk_disk(f), &id, &problem), 0);

	assert_int_equal(identity_load(faultdisk_disk(f), &back, &problem), 0);

	assert_true(back.founded && back.joined && back.log_begun);
	assert_memory_equal(&back.founding, &config, sizeof config);
	faultdisk_free(f);
	buffer_deinit(&record);
	buffer_deinit(&problem);
}

static void an_empty_folder_has_none(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct buffer problem = {0};
	struct identity id;
	(void)state;

	assert_int_equal(identity_load(faultdisk_disk(f), &id, &problem),
			 STATUS_NOT_FOUND);
	assert_int_equal(problem.size, 0);
	faultdisk_free(f);
}

static void incarnations_differ(void **state)
{
	struct identity a, b;
	(void)state;

	identity_make(&a, "n1");
	identity_make(&b, "n1");

	assert_true(a.self != 0 && b.self != 0 && a.self != b.self);
}

/* One crash: the power goes in the nth call of a save of boot 2 over boot 1.
 * Return whether it went at all. */
static bool crash_in(unsigned nth, uint64_t seed)
{
	struct faultdisk *f = faultdisk_new();
	struct disk *disk = faultdisk_disk(f);
	struct buffer problem = {0};
	struct identity id, back;
	bool dark;

	identity_make(&id, "n1");
	id.boot = 1;
	assert_int_equal(identity_save(disk, &id, &problem), 0);
	id.boot = 2;
	faultdisk_cut_power(f, nth);
	dark = identity_save(disk, &id, &problem) != 0;
	faultdisk_crash(f, seed);

	assert_int_equal(identity_load(disk, &back, &problem), 0);
	assert_int_equal(back.self, id.self);
	assert_true(back.boot == 2 || (dark && back.boot == 1));

	/* And it can be saved again over whatever was left behind. */
	back.boot = 3;
	assert_int_equal(identity_save(disk, &back, &problem), 0);
	faultdisk_free(f);
	buffer_deinit(&problem);
	return dark;
}

static void a_power_cut_at_any_step_leaves_the_old_or_the_new(void **state)
{
	unsigned nth = 1;
	(void)state;

	while (crash_in(nth, 0)) {
		for (uint64_t seed = 1; seed < 40; seed++) {
			(void)crash_in(nth, seed);
		}
		nth++;
	}
	assert_true(nth > 5); /* create, write, sync, rename, sync the folder */
}

/* One save of boot 2 over boot 1 whose nth call fails; whether it did. */
static bool fail_in(unsigned nth)
{
	struct faultdisk *f = faultdisk_new();
	struct disk *disk = faultdisk_disk(f);
	struct buffer problem = {0};
	struct identity id, back;
	int rc;

	identity_make(&id, "n1");
	id.boot = 1;
	assert_int_equal(identity_save(disk, &id, &problem), 0);
	id.boot = 2;
	faultdisk_fail(f, nth, STATUS_NO_SPACE);
	rc = identity_save(disk, &id, &problem);
	faultdisk_fail(f, 0, 0);

	assert_true(rc == 0 || rc == STATUS_NO_SPACE);
	assert_int_equal(rc != 0, problem.size > 0);
	assert_int_equal(identity_load(disk, &back, &problem), 0);
	assert_true(back.boot == 2 || (rc != 0 && back.boot == 1));
	assert_int_equal(identity_save(disk, &id, &problem), 0);
	faultdisk_free(f);
	buffer_deinit(&problem);
	return rc != 0;
}

static void
a_failed_step_is_reported_and_leaves_the_old_or_the_new(void **state)
{
	unsigned failed = 0;
	(void)state;

	for (unsigned nth = 1; nth <= 10; nth++) {
		failed += fail_in(nth);
	}
	/* create, write, sync, rename, sync of the folder */
	assert_int_equal(failed, 5);
}

static void a_flipped_bit_anywhere_is_named_damage(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct disk *disk = faultdisk_disk(f);
	struct buffer problem = {0};
	struct identity id;
	(void)state;

	identity_make(&id, "n1");
	id.boot = 1;
	assert_int_equal(identity_save(disk, &id, &problem), 0);

	for (uint64_t at = 0; at < 31; at++) {
		int rc;

		faultdisk_flip(f, "identity", at, 0x10);
		buffer_reset(&problem);
		rc = identity_load(disk, &id, &problem);
		assert_true(rc == STATUS_CORRUPT ||
			    (at == 4 && rc == STATUS_VERSION));
		assert_non_null(strstr(buffer_text(&problem), "identity"));
		faultdisk_flip(f, "identity", at, 0x10);
	}
	assert_int_equal(identity_load(disk, &id, &problem), 0);
	faultdisk_free(f);
	buffer_deinit(&problem);
}

static void a_shortened_file_is_damage(void **state)
{
	struct faultdisk *f = faultdisk_new();
	struct buffer problem = {0};
	struct identity id;
	(void)state;

	identity_make(&id, "n1");
	id.boot = 1;
	assert_int_equal(identity_save(faultdisk_disk(f), &id, &problem), 0);

	faultdisk_resize(f, "identity", 17);

	assert_int_equal(identity_load(faultdisk_disk(f), &id, &problem),
			 STATUS_CORRUPT);
	faultdisk_free(f);
	buffer_deinit(&problem);
}

static void a_folder_is_locked_once(void **state)
{
	char folder[] = "/tmp/raftfs-lock-XXXXXX";
	struct buffer problem = {0};
	char *path;
	int first, second;
	(void)state;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(identity_lock(folder, &first, &problem), 0);
	assert_int_equal(identity_lock(folder, &second, &problem), STATUS_BUSY);
	close(first);
	assert_int_equal(identity_lock(folder, &second, &problem), 0);
	close(second);
	path = mem_printf("%s/lock", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	mem_free(path);
	buffer_deinit(&problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_comes_back_as_it_was_saved),
		cmocka_unit_test(
			who_joined_keeps_the_configuration_of_that_day),
		cmocka_unit_test(an_empty_folder_has_none),
		cmocka_unit_test(incarnations_differ),
		cmocka_unit_test(
			a_power_cut_at_any_step_leaves_the_old_or_the_new),
		cmocka_unit_test(
			a_failed_step_is_reported_and_leaves_the_old_or_the_new),
		cmocka_unit_test(a_flipped_bit_anywhere_is_named_damage),
		cmocka_unit_test(a_shortened_file_is_damage),
		cmocka_unit_test(a_folder_is_locked_once),
	};

	return cmocka_run_group_tests_name("raft/node/identity", tests, NULL,
					   NULL);
}
