/* SPDX-License-Identifier: Apache-2.0 */
/* fs_check names every kind of breach; each is planted in a sound tree. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fs/tree/chunk.h"
#include "fs/tree/counters.h"
#include "fs/tree/dentry.h"
#include "fs/tree/inode.h"
#include "fs/tree/key.h"
#include "fs/tree/orphan.h"
#include "tests/lib/treekit.h"

/* /d (a directory), /d/f (in blocks), /g (inline), an orphan. */
struct planted {
	struct treekit k;
	uint64_t dir;
	uint64_t file;
	uint64_t small;
	uint64_t orphan;
	struct kv_batch *b;
	struct inode inode;
};

static void ignore(void *context, struct bytes note)
{
	(void)context;
	(void)note;
}

static void GIVEN_TREE(struct planted *p)
{
	*p = (struct planted){0};
	treekit_open(&p->k);
	p->dir = GIVEN_DIR(&p->k, FS_ROOT, "d");
	p->file = GIVEN_FILE(&p->k, p->dir, "f");
	assert_int_equal(kit_fill(&p->k, p->file, 0, 100000, 'a', 0), 0);
	p->small = GIVEN_TEXT(&p->k, FS_ROOT, "g", "text");
	p->orphan = GIVEN_FILE(&p->k, FS_ROOT, "o");
	assert_int_equal(kit_unlink(&p->k, FS_ROOT, "o"), 0);
	assert_sound(&p->k);
	p->b = p->k.store->ops->begin(p->k.store, ignore, NULL);
}

static struct inode *GIVEN_INODE(struct planted *p, uint64_t ino)
{
	assert_int_equal(inode_get(&p->b->reader, ino, &p->inode), 0);
	return &p->inode;
}

/* The breach that fs_check tells begins with this. */
static void assert_breach(struct planted *p, const char *breach)
{
	struct buffer problem = {0};

	assert_int_equal(fs_check(&p->b->reader, &problem), -EUCLEAN);
	assert_memory_equal(buffer_text(&problem), breach, strlen(breach));
	buffer_deinit(&problem);
	inode_deinit(&p->inode);
	p->k.store->ops->abort(p->k.store, p->b);
	treekit_close(&p->k);
}

static void wrong_link_counts_are_found(void **state)
{
	struct planted p;
	(void)state;

	GIVEN_TREE(&p);
	GIVEN_INODE(&p, p.file)->attr.nlink = 2;
	inode_put(p.b, &p.inode);
	assert_breach(&p, "T1: ");

	GIVEN_TREE(&p);
	GIVEN_INODE(&p, FS_ROOT)->attr.nlink = 2;
	inode_put(p.b, &p.inode);
	assert_breach(&p, "T1: ");
}

static void wrong_sums_are_found(void **state)
{
	struct counters counters;
	struct planted p;
	(void)state;

	GIVEN_TREE(&p);
	GIVEN_INODE(&p, p.small)->stored = 3;
	inode_put(p.b, &p.inode);
	assert_breach(&p, "T2: ");

	GIVEN_TREE(&p);
	GIVEN_INODE(&p, p.small)->charged = 3;
	inode_put(p.b, &p.inode);
	assert_breach(&p, "T3: ");

	GIVEN_TREE(&p);
	GIVEN_INODE(&p, p.file)->chunk_stored = 99999;
	p.inode.stored = 99999;
	inode_put(p.b, &p.inode);
	assert_breach(&p, "T6: ");

	GIVEN_TREE(&p);
	assert_int_equal(counters_get(&p.b->reader, &counters), 0);
	counters.usage.bytes_used++;
	counters_put(p.b, &counters);
	assert_breach(&p, "T12: ");
}

static void blocks_out_of_place_are_found(void **state)
{
	struct planted p;
	struct key key;
	(void)state;

	GIVEN_TREE(&p);
	GIVEN_INODE(&p, p.file);
	kv_put(p.b, key_pair(&key, KEY_BLOCK, p.inode.chunk, 4),
	       bytes_of_text("behind the end"));
	assert_breach(&p, "T5: ");

	GIVEN_TREE(&p);
	kv_put(p.b, key_pair(&key, KEY_BLOCK, 999, 0), bytes_of_text("lost"));
	assert_breach(&p, "T11: ");

	GIVEN_TREE(&p);
	GIVEN_INODE(&p, p.file);
	kv_put(p.b, key_number(&key, KEY_DETACHED, p.inode.chunk),
	       bytes_of("\1", 1));
	assert_breach(&p, "T6: ");
}

static void names_of_nothing_are_found(void **state)
{
	struct dentry entry = {.ino = 999, .type = S_IFREG, .cookie = 3};
	struct planted p;
	struct key key;
	(void)state;

	GIVEN_TREE(&p);
	dentry_put(p.b, p.dir, bytes_of_text("f"), &entry);
	assert_breach(&p, "T7: ");

	GIVEN_TREE(&p);
	kv_remove(p.b, key_pair(&key, KEY_COOKIE, p.dir, 3));
	assert_breach(&p, "T7: ");

	GIVEN_TREE(&p);
	kv_remove(p.b, key_entry(&key, p.dir, bytes_of_text("f")));
	assert_breach(&p, "T7: ");

	GIVEN_TREE(&p);
	kv_remove(p.b, key_number(&key, KEY_INODE, p.small));
	assert_breach(&p, "T7: ");
}

static void a_cycle_is_found(void **state)
{
	struct planted p;
	struct dentry entry;
	(void)state;
	GIVEN_TREE(&p);

	/* /d moves into itself, counts and all. */
	assert_int_equal(dentry_get(&p.b->reader, FS_ROOT, bytes_of_text("d"),
				    &entry),
			 0);
	dentry_remove(p.b, FS_ROOT, bytes_of_text("d"), &entry);
	entry.cookie = 4;
	dentry_put(p.b, p.dir, bytes_of_text("d"), &entry);
	GIVEN_INODE(&p, p.dir)->parent = p.dir;
	p.inode.attr.nlink = 3;
	p.inode.attr.size = 2;
	p.inode.cookie = 4;
	inode_put(p.b, &p.inode);
	GIVEN_INODE(&p, FS_ROOT)->attr.nlink = 2;
	p.inode.attr.size = 1;
	inode_put(p.b, &p.inode);

	assert_breach(&p, "T8: no way");
}

static void a_wrong_parent_is_found(void **state)
{
	struct planted p;
	(void)state;
	GIVEN_TREE(&p);

	GIVEN_INODE(&p, p.dir)->parent = p.dir;
	inode_put(p.b, &p.inode);

	assert_breach(&p, "T8: ");
}

static void orphans_without_a_record_are_found(void **state)
{
	struct kv_at at = {.index = 1};
	struct planted p;
	struct key key;
	(void)state;

	GIVEN_TREE(&p);
	kv_remove(p.b, key_number(&key, KEY_ORPHAN, p.orphan));
	assert_breach(&p, "T9: ");

	GIVEN_TREE(&p);
	orphan_put(p.b, p.small, &at);
	assert_breach(&p, "T9: ");
}

static void numbers_out_of_range_are_found(void **state)
{
	struct counters counters;
	struct planted p;
	(void)state;
	GIVEN_TREE(&p);

	assert_int_equal(counters_get(&p.b->reader, &counters), 0);
	counters.next = p.orphan;
	counters_put(p.b, &counters);

	assert_breach(&p, "T10: ");
}

static void keys_of_nobody_are_found(void **state)
{
	struct planted p;
	(void)state;
	GIVEN_TREE(&p);

	kv_put(p.b, bytes_of_text("z"), bytes_of_text("?"));

	assert_breach(&p, "T12: ");
}

static void a_damaged_record_is_no_outcome(void **state)
{
	struct kv_at at = {.index = 99, .time_ns = 1};
	struct fs_op op = {.kind = FS_OP_WRITE, .data = bytes_of_text("x")};
	struct buffer encoded = {0};
	struct buffer result = {0};
	struct fs_attr attr;
	struct planted p;
	struct key key;
	(void)state;
	GIVEN_TREE(&p);

	kv_put(p.b, key_number(&key, KEY_INODE, p.small), bytes_of_text("?"));
	op.ino = p.small;
	fs_op_encode(&op, &encoded);

	assert_int_equal(fs_getattr(&p.b->reader, p.small, &attr), -EUCLEAN);
	assert_int_equal(p.k.machine.apply(p.k.machine.context, p.b, &at,
					   buffer_bytes(&encoded), &result),
			 STATUS_CORRUPT);
	buffer_deinit(&encoded);
	buffer_deinit(&result);
	assert_breach(&p, "inode ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_link_counts_are_found),
		cmocka_unit_test(wrong_sums_are_found),
		cmocka_unit_test(blocks_out_of_place_are_found),
		cmocka_unit_test(names_of_nothing_are_found),
		cmocka_unit_test(a_cycle_is_found),
		cmocka_unit_test(a_wrong_parent_is_found),
		cmocka_unit_test(orphans_without_a_record_are_found),
		cmocka_unit_test(numbers_out_of_range_are_found),
		cmocka_unit_test(keys_of_nobody_are_found),
		cmocka_unit_test(a_damaged_record_is_no_outcome),
	};

	return cmocka_run_group_tests_name("fs/tree/check", tests, NULL, NULL);
}
