/* SPDX-License-Identifier: Apache-2.0 */
/* What lost its last name stays usable until a purge, counts for nothing at
 * once, and goes in bounded slices. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fs/tree/block.h"
#include "fs/tree/orphan.h"
#include "tests/lib/treekit.h"

#define MIB (1ULL << 20)
#define SECOND 1000000000ULL

/* What tidy proposed, and what it is told. */
struct leader {
	struct kv_tidy tidy;
	uint64_t held_ino;
	size_t proposals;
	size_t numbers;
	size_t most;		  /* numbers of one proposal */
	struct buffer operations; /* each: size 8, bytes */
};

static bool held(const struct kv_tidy *t, uint64_t id)
{
	const struct leader *l =
		(const struct leader *)((const char *)t -
					offsetof(struct leader, tidy));

	return id == l->held_ino;
}

static void propose(const struct kv_tidy *t, struct bytes operation)
{
	struct leader *l =
		(struct leader *)(void *)((uintptr_t)t -
					  offsetof(struct leader, tidy));
	struct fs_op op;
	uint8_t size[8];

	assert_int_equal(fs_op_decode(operation, &op), 0);
	assert_int_equal(op.kind, FS_OP_PURGE);
	l->proposals++;
	l->numbers += op.ino_count;
	l->most = op.ino_count > l->most ? op.ino_count : l->most;
	put_le64(size, operation.size);
	buffer_append(&l->operations, size, sizeof(size));
	buffer_append_bytes(&l->operations, operation);
}

/* Let the machine tidy as the leader at that moment, then apply. */
static size_t tidy(struct treekit *k, struct leader *l, uint64_t now_ns,
		   uint64_t everywhere)
{
	struct bytes left;

	treekit_commit(k);
	l->tidy = (struct kv_tidy){.reader = treekit_reader(k),
				   .now_ns = now_ns,
				   .applied_everywhere = everywhere,
				   .held = held,
				   .propose = propose};
	l->proposals = 0;
	l->numbers = 0;
	l->most = 0;
	buffer_reset(&l->operations);
	k->machine.tidy(k->machine.context, &l->tidy);
	left = buffer_bytes(&l->operations);
	while (left.size > 0) {
		size_t size = (size_t)get_le64(left.data);

		assert_int_equal(
			treekit_apply_bytes(k, bytes_of(left.data + 8, size)),
			0);
		assert_true(k->puts <= LIMIT_PURGE_BLOCKS + 512);
		left = bytes_of(left.data + 8 + size, left.size - 8 - size);
	}
	treekit_commit(k);
	return l->numbers;
}

static void an_orphan_can_be_used_until_it_is_purged(void **state)
{
	struct treekit k;
	struct fs_attr attr;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_TEXT(&k, FS_ROOT, "f", "text");
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);

	assert_content(&k, ino, "text");
	assert_int_equal(kit_write(&k, ino, 0, " more", FS_APPEND), 0);
	assert_content(&k, ino, "text more");
	assert_int_equal(kit_truncate(&k, ino, 2), 0);
	assert_content(&k, ino, "te");
	assert_sound(&k);

	assert_int_equal(kit_purge(&k, ino), 0);
	assert_int_equal(fs_getattr(treekit_reader(&k), ino, &attr), -ESTALE);
	assert_int_equal(kit_write(&k, ino, 0, "x", 0), ESTALE);
	assert_int_equal(kit_keys(&k, 'o'), 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void the_last_name_gives_the_space_back(void **state)
{
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	assert_int_equal(kit_fill(&k, ino, 0, 50000, 'a', 0), 0);
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);
	assert_int_equal(kit_usage(&k).bytes_used, 0);
	assert_int_equal(kit_usage(&k).inodes_used, 1);

	/* What it grows by then is counted, and first to be given back. */
	assert_int_equal(kit_fill(&k, ino, 50000, 10000, 'b', 0), 0);
	assert_int_equal(kit_usage(&k).bytes_used, 10000);
	assert_sound(&k);
	assert_int_equal(kit_truncate(&k, ino, 55000), 0);
	assert_int_equal(kit_usage(&k).bytes_used, 5000);
	assert_int_equal(kit_purge(&k, ino), 0);

	assert_int_equal(kit_usage(&k).bytes_used, 0);
	assert_int_equal(kit_keys(&k, 'b'), 0);
	assert_sound(&k);
	treekit_close(&k);
}

static void purge_ignores_what_is_no_orphan(void **state)
{
	struct treekit k;
	struct fs_op op = {.kind = FS_OP_PURGE, .ino_count = 5};
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	op.inos[0] = GIVEN_TEXT(&k, FS_ROOT, "f", "text");
	op.inos[1] = FS_ROOT;
	op.inos[2] = 999;
	ino = GIVEN_TEXT(&k, FS_ROOT, "g", "text");
	assert_int_equal(kit_unlink(&k, FS_ROOT, "g"), 0);
	op.inos[3] = ino;
	op.inos[4] = ino;

	assert_int_equal(treekit_apply(&k, &op), 0);
	assert_content(&k, op.inos[0], "text");
	assert_int_equal(kit_keys(&k, 'i'), 2);
	assert_sound(&k);
	assert_int_equal(treekit_apply(&k, &op), 0);

	assert_int_equal(k.puts, 0);
	treekit_close(&k);
}

static void a_removed_directory_lives_on_as_an_orphan(void **state)
{
	struct treekit k;
	uint64_t dir;
	(void)state;
	treekit_open(&k);
	dir = GIVEN_DIR(&k, FS_ROOT, "d");
	assert_int_equal(kit_rmdir(&k, FS_ROOT, "d"), 0);

	assert_int_equal(kit_attr(&k, dir).nlink, 0);
	assert_int_equal(kit_create(&k, dir, "x", 0), ENOENT);
	assert_int_equal(kit_purge(&k, dir), 0);

	assert_int_equal(kit_create(&k, dir, "x", 0), ESTALE);
	assert_int_equal(kit_keys(&k, 'i'), 1);
	assert_sound(&k);
	treekit_close(&k);
}

static void a_large_orphan_goes_in_slices(void **state)
{
	struct leader l = {0};
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	for (uint64_t at = 0; at < 100 * MIB; at += MIB) {
		assert_int_equal(kit_fill(&k, ino, at, MIB, 'a', 0), 0);
	}
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);
	assert_true(k.puts < 16);

	assert_int_equal(kit_purge(&k, ino), 0);
	assert_true(k.puts < 64);
	assert_int_equal(kit_keys(&k, 'i'), 1);
	assert_sound(&k);
	assert_int_equal(tidy(&k, &l, k.time_ns, k.index), 13);

	assert_true(l.most <= LIMIT_PURGE_BLOCKS / CHUNK_BLOCKS);
	assert_int_equal(kit_keys(&k, 'b'), 0);
	assert_int_equal(kit_keys(&k, 'g'), 0);
	assert_int_equal(kit_keys(&k, 'e'), 0);
	assert_sound(&k);
	buffer_deinit(&l.operations);
	treekit_close(&k);
}

static void chunks_cut_off_are_tidied_without_grace(void **state)
{
	struct leader l = {0};
	struct treekit k;
	uint64_t ino;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	for (uint64_t at = 0; at < 4 * MIB; at += MIB) {
		assert_int_equal(kit_fill(&k, ino, at, MIB, 'a', 0), 0);
	}
	assert_int_equal(kit_truncate(&k, ino, 0), 0);
	assert_int_equal(kit_fill(&k, ino, 0, MIB, 'b', 0), 0);

	assert_int_equal(tidy(&k, &l, 0, 0), 1);

	assert_filled(&k, ino, 0, MIB, 'b');
	assert_int_equal(kit_keys(&k, 'b'), 32);
	assert_int_equal(tidy(&k, &l, 0, 0), 0);
	assert_sound(&k);
	buffer_deinit(&l.operations);
	treekit_close(&k);
}

static void tidy_spares_the_young_the_unseen_and_the_held(void **state)
{
	struct leader l = {0};
	struct treekit k;
	uint64_t ino;
	uint64_t gone;
	(void)state;
	treekit_open(&k);
	ino = GIVEN_FILE(&k, FS_ROOT, "f");
	gone = k.time_ns;
	assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);

	assert_int_equal(tidy(&k, &l, gone + 10 * SECOND - 1, k.index), 0);
	assert_int_equal(tidy(&k, &l, gone - 1, k.index), 0);
	assert_int_equal(tidy(&k, &l, gone + 10 * SECOND, k.index - 1), 0);
	l.held_ino = ino;
	assert_int_equal(tidy(&k, &l, gone + 60 * SECOND, k.index), 0);
	assert_int_equal(kit_keys(&k, 'o'), 1);
	l.held_ino = 0;

	assert_int_equal(tidy(&k, &l, gone + 10 * SECOND, k.index), 1);
	assert_int_equal(kit_keys(&k, 'o'), 0);
	buffer_deinit(&l.operations);
	treekit_close(&k);
}

static void tidy_proposes_in_groups(void **state)
{
	struct leader l = {0};
	struct treekit k;
	(void)state;
	treekit_open(&k);
	k.batch_size = 512;
	for (int i = 0; i < 200; i++) {
		GIVEN_FILE(&k, FS_ROOT, "f");
		assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);
	}

	assert_int_equal(tidy(&k, &l, k.time_ns + 10 * SECOND, k.index), 200);

	assert_int_equal(l.proposals, 4);
	assert_int_equal(l.most, FS_PURGE_MAX);
	assert_int_equal(kit_keys(&k, 'i'), 1);
	assert_sound(&k);
	buffer_deinit(&l.operations);
	treekit_close(&k);
}

static void tidy_is_bounded(void **state)
{
	struct leader l = {0};
	struct treekit k;
	(void)state;
	treekit_open(&k);
	k.batch_size = 4096;
	for (int i = 0; i < ORPHANS_A_TIDY + 10; i++) {
		GIVEN_FILE(&k, FS_ROOT, "f");
		assert_int_equal(kit_unlink(&k, FS_ROOT, "f"), 0);
	}

	assert_int_equal(tidy(&k, &l, k.time_ns + 10 * SECOND, k.index),
			 ORPHANS_A_TIDY);
	assert_int_equal(tidy(&k, &l, k.time_ns + 10 * SECOND, k.index), 10);
	buffer_deinit(&l.operations);
	treekit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_orphan_can_be_used_until_it_is_purged),
		cmocka_unit_test(the_last_name_gives_the_space_back),
		cmocka_unit_test(purge_ignores_what_is_no_orphan),
		cmocka_unit_test(a_removed_directory_lives_on_as_an_orphan),
		cmocka_unit_test(a_large_orphan_goes_in_slices),
		cmocka_unit_test(chunks_cut_off_are_tidied_without_grace),
		cmocka_unit_test(tidy_spares_the_young_the_unseen_and_the_held),
		cmocka_unit_test(tidy_proposes_in_groups),
		cmocka_unit_test(tidy_is_bounded),
	};

	return cmocka_run_group_tests_name("fs/tree/orphan", tests, NULL, NULL);
}
