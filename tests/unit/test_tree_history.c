/* SPDX-License-Identifier: Apache-2.0 */
/* One history gives the same bytes and the same results on every replica,
 * whatever the batches, the restarts and the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/treegen.h"
#include "tests/lib/treekit.h"

enum { OPERATIONS = 20000 };

/* What was applied and what came back: items of size 8, bytes. */
struct history {
	struct buffer operations;
	struct buffer results;
};

static void append_item(struct buffer *to, struct bytes item)
{
	uint8_t size[8];

	put_le64(size, item.size);
	buffer_append(to, size, sizeof(size));
	buffer_append_bytes(to, item);
}

static struct bytes next_item(struct bytes *left)
{
	struct bytes item =
		bytes_of(left->data + 8, (size_t)get_le64(left->data));

	*left = bytes_of(item.data + item.size, left->size - 8 - item.size);
	return item;
}

/* One in twenty is damaged on its way. */
static void damage(struct treegen *g, struct buffer *encoded)
{
	if (encoded->size > 0 && treegen_random(g, 20) == 0) {
		size_t at = treegen_random(g, encoded->size < 64 ? encoded->size
								 : 64);

		encoded->data[at] = (uint8_t)treegen_random(g, 256);
	}
}

/* Apply at random on the store of k, and write the history down. */
static void invent(struct treekit *k, uint64_t seed, struct history *h)
{
	struct buffer encoded = {0};
	struct treegen g;

	treegen_init(&g, seed, 12 << 20);
	for (unsigned i = 0; i < OPERATIONS; i++) {
		struct fs_op op = treegen_next(&g);

		buffer_reset(&encoded);
		fs_op_encode(&op, &encoded);
		damage(&g, &encoded);
		(void)treekit_apply_bytes(k, buffer_bytes(&encoded));
		treegen_learn(&g, &op, &k->result);
		append_item(&h->operations, buffer_bytes(&encoded));
		append_item(&h->results, buffer_bytes(&k->encoded_result));
	}
	treekit_commit(k);
	buffer_deinit(&encoded);
	treegen_deinit(&g);
}

/* Apply the same on another store; restart_every 0: never. */
static void repeat(struct treekit *k, const struct history *h,
		   unsigned batch_size, unsigned restart_every)
{
	struct bytes operations = buffer_bytes(&h->operations);
	struct bytes results = buffer_bytes(&h->results);

	k->batch_size = batch_size;
	for (unsigned i = 1; operations.size > 0; i++) {
		(void)treekit_apply_bytes(k, next_item(&operations));
		assert_true(bytes_equal(buffer_bytes(&k->encoded_result),
					next_item(&results)));
		if (restart_every > 0 && i % restart_every == 0) {
			treekit_restart(k);
		}
	}
	treekit_commit(k);
}

static bool dump_key(void *context, struct bytes key, struct bytes value)
{
	append_item(context, key);
	append_item(context, value);
	return true;
}

static void dump(struct treekit *k, struct buffer *all)
{
	assert_int_equal(kv_scan(treekit_reader(k), bytes_of(NULL, 0),
				 bytes_of(NULL, 0), dump_key, all),
			 0);
}

static void assert_same(struct treekit *a, struct treekit *b)
{
	struct buffer x = {0};
	struct buffer y = {0};

	dump(a, &x);
	dump(b, &y);
	assert_true(x.size > 10000);
	assert_int_equal(x.size, y.size);
	assert_int_equal(memcmp(x.data, y.data, x.size), 0);
	buffer_deinit(&x);
	buffer_deinit(&y);
}

static void GIVEN_HISTORY(struct treekit *k, uint64_t seed, struct history *h)
{
	*h = (struct history){0};
	treekit_open(k);
	/* Small enough that full comes up. */
	treekit_limits(k, 10 << 20, 3 << 20, 60);
	invent(k, seed, h);
	assert_sound(k);
}

static void history_deinit(struct history *h)
{
	buffer_deinit(&h->operations);
	buffer_deinit(&h->results);
}

static void batches_and_restarts_make_no_difference(void **state)
{
	struct history h;
	struct treekit a;
	struct treekit b;
	(void)state;
	GIVEN_HISTORY(&a, 11, &h);

	treekit_open(&b);
	treekit_limits(&b, 10 << 20, 3 << 20, 60);
	repeat(&b, &h, 97, 1500);
	assert_same(&a, &b);
	treekit_close(&b);

	treekit_open(&b);
	treekit_limits(&b, 10 << 20, 3 << 20, 60);
	repeat(&b, &h, LIMIT_APPLY_ENTRIES, 0);
	assert_same(&a, &b);
	assert_sound(&b);

	history_deinit(&h);
	treekit_close(&a);
	treekit_close(&b);
}

static void memory_and_rocksdb_make_no_difference(void **state)
{
	char path[] = "/tmp/raftfs-test-XXXXXX";
	char *store;
	char *command;
	struct history h;
	struct treekit a;
	struct treekit b;
	(void)state;
	GIVEN_HISTORY(&a, 12, &h);
	assert_non_null(mkdtemp(path));
	store = mem_printf("%s/state", path);
	command = mem_printf("rm -rf %s", path);

	treekit_open_rocksdb(&b, store);
	treekit_limits(&b, 10 << 20, 3 << 20, 60);
	repeat(&b, &h, 61, 4000);

	assert_same(&a, &b);
	assert_sound(&b);
	history_deinit(&h);
	treekit_close(&a);
	treekit_close(&b);
	assert_int_equal(system(command), 0);
	mem_free(store);
	mem_free(command);
}

/* For n = 1, 2, ...: a read that fails is told as that, never as an outcome,
 * and is not mistaken for a missing key. */
static void a_failing_store_is_no_outcome(void **state)
{
	unsigned failures = 0;
	struct treekit k;
	struct treegen g;
	(void)state;
	treekit_open(&k);
	treegen_init(&g, 13, 12 << 20);

	for (unsigned i = 0; i < 2000; i++) {
		struct fs_op op = treegen_next(&g);
		unsigned nth = 0;
		int rc;

		do {
			rc = treekit_apply_failing(&k, &op, ++nth);
			assert_true(rc == 0 || rc == STATUS_IO);
			assert_int_equal(rc == STATUS_IO, nth <= k.reads);
			failures += rc == STATUS_IO ? 1 : 0;
		} while (rc != 0);
		(void)treekit_apply(&k, &op);
		treegen_learn(&g, &op, &k.result);
	}

	assert_true(failures > 4000);
	assert_sound(&k);
	treegen_deinit(&g);
	treekit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_and_restarts_make_no_difference),
		cmocka_unit_test(memory_and_rocksdb_make_no_difference),
		cmocka_unit_test(a_failing_store_is_no_outcome),
	};

	return cmocka_run_group_tests_name("fs/tree/history", tests, NULL,
					   NULL);
}
