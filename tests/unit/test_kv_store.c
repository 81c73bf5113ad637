/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the store on RocksDB and the one in memory are the same map: what
 * one answers the other does, through batches, views, flush and reopening. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/store.h"
#include "tests/lib/memstore.h"

enum { KEYS = 300, ROUNDS = 400, OPERATIONS = 12 };

struct pair {
	char folder[64];
	char path[80];
	struct memdisk *disk;
	struct store *rocks;
	struct store *memory;
};

static void GIVEN_STORES(struct pair *p)
{
	struct buffer problem = {0};

	p->memory = memstore_open(p->disk);
	assert_int_equal(store_open_rocksdb(p->path, &p->rocks, &problem), 0);
	buffer_deinit(&problem);
}

static void close_stores(struct pair *p)
{
	p->rocks->ops->close(p->rocks);
	p->memory->ops->close(p->memory);
}

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof *p);

	strcpy(p->folder, "/tmp/test_kv_store.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof p->path, "%s/db", p->folder);
	p->disk = memdisk_new();
	GIVEN_STORES(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;
	char command[128];

	close_stores(p);
	memdisk_free(p->disk);
	snprintf(command, sizeof command, "rm -rf '%s'", p->folder);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

/* --- Comparing ------------------------------------------------------------ */

static bool print_item(void *context, struct bytes key, struct bytes value)
{
	struct buffer *out = context;

	buffer_append_bytes(out, key);
	buffer_append(out, "=", 1);
	buffer_append_bytes(out, value);
	buffer_append(out, "\n", 1);
	return true;
}

static void assert_same_scan(struct kv_reader *a, struct kv_reader *b,
			     const char *from, const char *prefix)
{
	struct buffer left = {0};
	struct buffer right = {0};

	assert_int_equal(kv_scan(a, bytes_of_text(from), bytes_of_text(prefix),
				 print_item, &left),
			 0);
	assert_int_equal(kv_scan(b, bytes_of_text(from), bytes_of_text(prefix),
				 print_item, &right),
			 0);
	assert_string_equal(buffer_text(&left), buffer_text(&right));
	buffer_deinit(&left);
	buffer_deinit(&right);
}

static void random_key(char key[16])
{
	snprintf(key, 16, "%c%03d", "abx"[rand() % 3], rand() % (KEYS / 3));
}

static void assert_same(struct kv_reader *a, struct kv_reader *b)
{
	struct buffer left = {0};
	struct buffer right = {0};
	char key[16];
	int rc;

	random_key(key);
	rc = kv_get(a, bytes_of_text(key), &left);
	assert_int_equal(kv_get(b, bytes_of_text(key), &right), rc);
	if (rc == 0) {
		assert_true(
			bytes_equal(buffer_bytes(&left), buffer_bytes(&right)));
	}
	assert_same_scan(a, b, key, "");
	assert_same_scan(a, b, key, "b");
	assert_same_scan(a, b, "", "x0");
	buffer_deinit(&left);
	buffer_deinit(&right);
}

static void change_both(struct pair *p, bool commit)
{
	struct kv_batch *a = p->rocks->ops->begin(p->rocks, NULL, NULL);
	struct kv_batch *b = p->memory->ops->begin(p->memory, NULL, NULL);
	char key[16];
	char value[64];

	for (int i = 0; i < OPERATIONS; i++) {
		random_key(key);
		snprintf(value, sizeof value, "v%d", rand());
		if (rand() % 3 == 0) {
			kv_remove(a, bytes_of_text(key));
			kv_remove(b, bytes_of_text(key));
		} else {
			kv_put(a, bytes_of_text(key), bytes_of_text(value));
			kv_put(b, bytes_of_text(key), bytes_of_text(value));
		}
	}
	assert_same(&a->reader, &b->reader);
	if (commit) {
		assert_int_equal(p->rocks->ops->commit(p->rocks, a), 0);
		assert_int_equal(p->memory->ops->commit(p->memory, b), 0);
	} else {
		p->rocks->ops->abort(p->rocks, a);
		p->memory->ops->abort(p->memory, b);
	}
}

/* --- Promises ------------------------------------------------------------- */

static void both_stores_answer_alike_through_any_history(void **state)
{
	struct pair *p = *state;

	srand(1);
	for (int round = 0; round < ROUNDS; round++) {
		change_both(p, rand() % 5 != 0);
		assert_same(&p->rocks->reader, &p->memory->reader);
		if (round % 100 == 99) {
			assert_int_equal(p->rocks->ops->flush(p->rocks), 0);
			assert_int_equal(p->memory->ops->flush(p->memory), 0);
			close_stores(p);
			GIVEN_STORES(p);
		}
	}
	assert_same_scan(&p->rocks->reader, &p->memory->reader, "", "");
}

static void a_view_stays_as_it_was(void **state)
{
	struct pair *p = *state;
	struct kv_view *left;
	struct kv_view *right;

	srand(2);
	change_both(p, true);
	left = p->rocks->ops->view(p->rocks);
	right = p->memory->ops->view(p->memory);
	for (int i = 0; i < 50; i++) {
		change_both(p, true);
		assert_same(&left->reader, &right->reader);
	}
	p->rocks->ops->view_close(p->rocks, left);
	p->memory->ops->view_close(p->memory, right);
}

static void a_batch_sees_its_own_changes_and_no_one_else_does(void **state)
{
	struct pair *p = *state;
	struct store *stores[] = {p->rocks, p->memory};
	struct bytes key = bytes_of_text("key");

	for (size_t i = 0; i < COUNT_OF(stores); i++) {
		struct store *s = stores[i];
		struct kv_batch *b = s->ops->begin(s, NULL, NULL);
		struct buffer value = {0};

		kv_put(b, key, bytes_of_text("new"));

		assert_int_equal(kv_get(&b->reader, key, &value), 0);
		assert_string_equal(buffer_text(&value), "new");
		assert_int_equal(kv_get(&s->reader, key, &value),
				 STATUS_NOT_FOUND);
		kv_remove(b, key);
		assert_int_equal(kv_get(&b->reader, key, &value),
				 STATUS_NOT_FOUND);
		s->ops->abort(s, b);
		buffer_deinit(&value);
	}
}

static void memory_forgets_what_was_not_flushed(void **state)
{
	struct pair *p = *state;
	struct store *s = p->memory;
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);
	struct buffer value = {0};

	kv_put(b, bytes_of_text("kept"), bytes_of_text("1"));
	assert_int_equal(s->ops->commit(s, b), 0);
	assert_int_equal(s->ops->flush(s), 0);
	b = s->ops->begin(s, NULL, NULL);
	kv_put(b, bytes_of_text("lost"), bytes_of_text("1"));
	assert_int_equal(s->ops->commit(s, b), 0);

	memstore_crash(s);

	assert_int_equal(kv_get(&s->reader, bytes_of_text("kept"), &value), 0);
	assert_int_equal(kv_get(&s->reader, bytes_of_text("lost"), &value),
			 STATUS_NOT_FOUND);
	buffer_deinit(&value);
}

static uint64_t hash_of(struct kv_reader *r)
{
	return memstore_hash(r, bytes_of_text("left out"));
}

static void the_hash_of_memory_tells_contents_apart(void **state)
{
	struct pair *p = *state;
	struct store *s = p->memory;
	struct store *other = memstore_open(NULL);
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);
	uint64_t one;
	uint64_t swapped;

	kv_put(b, bytes_of_text("a"), bytes_of_text("1"));
	kv_put(b, bytes_of_text("b"), bytes_of_text("2"));
	kv_put(b, bytes_of_text("left out"), bytes_of_text("3"));
	one = hash_of(&b->reader);
	kv_put(b, bytes_of_text("a"), bytes_of_text("2"));
	kv_put(b, bytes_of_text("b"), bytes_of_text("1"));
	swapped = hash_of(&b->reader);
	assert_int_equal(s->ops->commit(s, b), 0);

	b = other->ops->begin(other, NULL, NULL);
	kv_put(b, bytes_of_text("c"), bytes_of_text("4"));
	kv_put(b, bytes_of_text("b"), bytes_of_text("1"));
	kv_put(b, bytes_of_text("a"), bytes_of_text("2"));
	kv_remove(b, bytes_of_text("c"));
	kv_remove(b, bytes_of_text("none"));
	assert_int_equal(other->ops->commit(other, b), 0);

	assert_true(one != swapped);
	assert_true(hash_of(&s->reader) == swapped);
	assert_true(hash_of(&other->reader) == swapped);
	assert_true(memstore_hash(&s->reader, bytes_of_text("none")) !=
		    swapped);
	other->ops->close(other);
}

static void put_one(struct store *s, const char *key, const char *value)
{
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);

	kv_put(b, bytes_of_text(key), bytes_of_text(value));
	assert_int_equal(s->ops->commit(s, b), 0);
}

static void memory_keeps_some_of_what_was_not_flushed(void **state)
{
	struct memdisk *disk = memdisk_new();
	struct buffer value = {0};
	struct store *s;

	(void)state;
	memdisk_remember(disk);
	s = memstore_open(disk);
	put_one(s, "a", "1");
	assert_int_equal(s->ops->flush(s), 0);
	put_one(s, "a", "2");
	put_one(s, "a", "3");
	put_one(s, "a", "4");
	assert_int_equal(memdisk_unflushed(disk), 3);
	s->ops->close(s);

	memdisk_crash(disk, 2);

	s = memstore_open(disk);
	assert_int_equal(memdisk_unflushed(disk), 0);
	assert_int_equal(kv_get(&s->reader, bytes_of_text("a"), &value), 0);
	assert_string_equal(buffer_text(&value), "3");
	s->ops->close(s);
	memdisk_crash(disk, 0);
	s = memstore_open(disk);
	assert_int_equal(kv_get(&s->reader, bytes_of_text("a"), &value), 0);
	assert_string_equal(buffer_text(&value), "3");
	s->ops->close(s);
	memdisk_free(disk);
	buffer_deinit(&value);
}

static void a_database_open_elsewhere_is_busy(void **state)
{
	struct pair *p = *state;
	struct store *second;
	struct buffer problem = {0};

	assert_int_equal(store_open_rocksdb(p->path, &second, &problem),
			 STATUS_BUSY);

	assert_non_null(strstr(buffer_text(&problem), p->path));
	buffer_deinit(&problem);
}

static void what_comes_to_stand_at_its_path_is_left_alone(void **state)
{
	struct pair *p = *state;
	char moved[128];
	struct kv_batch *b;

	snprintf(moved, sizeof moved, "%s/moved", p->folder);
	assert_int_equal(rename(p->path, moved), 0);
	assert_int_equal(mkdir(p->path, 0700), 0);

	b = p->rocks->ops->begin(p->rocks, NULL, NULL);
	kv_put(b, bytes_of_text("key"), bytes_of_text("value"));
	assert_int_equal(p->rocks->ops->commit(p->rocks, b), 0);
	assert_int_equal(p->rocks->ops->flush(p->rocks), 0);
	close_stores(p);

	assert_int_equal(rmdir(p->path), 0); /* still empty */
	assert_int_equal(rename(moved, p->path), 0);
	GIVEN_STORES(p);
}

static void a_damaged_database_is_named(void **state)
{
	struct pair *p = *state;
	struct buffer problem = {0};
	char path[128];
	struct store *again;

	close_stores(p);
	snprintf(path, sizeof path, "%s/CURRENT", p->path);
	assert_int_equal(truncate(path, 0), 0);

	assert_int_equal(store_open_rocksdb(p->path, &again, &problem),
			 STATUS_CORRUPT);

	assert_non_null(strstr(buffer_text(&problem), p->path));
	buffer_deinit(&problem);
	snprintf(p->path, sizeof p->path, "%s/other", p->folder);
	GIVEN_STORES(p);
}

/* --- Checkpoints ---------------------------------------------------------- */

static void put(struct store *s, const char *key, const char *value)
{
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);

	kv_put(b, bytes_of_text(key), bytes_of_text(value));
	assert_int_equal(s->ops->commit(s, b), 0);
}

/* The folder's names, sizes and contents. */
static void fingerprint(const char *folder, char text[33])
{
	char command[256];
	FILE *out;

	snprintf(command, sizeof command,
		 "cd '%s' && { ls -l; cat *; } | md5sum", folder);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(text, 33, out));
	assert_int_equal(pclose(out), 0);
}

static void a_checkpoint_is_a_store_of_its_own(void **state)
{
	struct pair *p = *state;
	struct buffer problem = {0};
	struct memdisk *disk;
	struct store *copies[2];
	struct store *stores[2] = {p->rocks, p->memory};
	char folders[2][96];
	char before[33];
	char after[33];

	for (int i = 0; i < 2; i++) {
		snprintf(folders[i], sizeof folders[i], "%s/copy-%d", p->folder,
			 i);
		put(stores[i], "a001", "old");
		put(stores[i], "b001", "kept");
		assert_int_equal(
			stores[i]->ops->checkpoint(stores[i], folders[i]), 0);
		put(stores[i], "a001", "new");
		assert_int_equal(stores[i]->ops->checkpoint(stores[i],
							    folders[i]),
				 STATUS_EXISTS);
	}
	fingerprint(folders[0], before);
	assert_int_equal(store_peek_rocksdb(folders[0], &copies[0], &problem),
			 0);
	assert_int_equal(memdisk_load(folders[1], &disk), 0);
	copies[1] = memstore_open(disk);

	for (int i = 0; i < 2; i++) {
		struct kv_view *view = copies[i]->ops->view(copies[i]);
		struct buffer value = {0};

		assert_int_equal(kv_get(&view->reader, bytes_of_text("a001"),
					&value),
				 0);
		assert_string_equal(buffer_text(&value), "old");
		assert_same_scan(&view->reader, &copies[!i]->reader, "", "");
		copies[i]->ops->view_close(copies[i], view);
		buffer_deinit(&value);
	}
	for (int i = 0; i < 2; i++) {
		copies[i]->ops->close(copies[i]);
	}
	fingerprint(folders[0], after);
	assert_string_equal(before, after); /* to be read only */
	memdisk_free(disk);
	buffer_deinit(&problem);
}

static void what_is_no_checkpoint_is_not_opened(void **state)
{
	struct pair *p = *state;
	struct buffer problem = {0};
	struct memdisk *disk;
	struct store *copy;
	char folder[96];

	snprintf(folder, sizeof folder, "%s/none", p->folder);
	assert_int_equal(store_peek_rocksdb(folder, &copy, &problem),
			 STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), folder));
	assert_int_equal(access(folder, F_OK), -1);
	assert_int_equal(memdisk_load(folder, &disk), STATUS_NOT_FOUND);
	assert_int_equal(memdisk_load(p->folder, &disk), STATUS_NOT_FOUND);
	buffer_deinit(&problem);
}

struct writer {
	struct store *store;
	atomic_uint written;
	atomic_bool stop;
};

/* Each batch: one more key, and how many there are. */
static void *write_on(void *context)
{
	struct writer *w = context;

	for (unsigned n = 1; !atomic_load(&w->stop); n++) {
		struct kv_batch *b = w->store->ops->begin(w->store, NULL, NULL);
		char key[16];
		char count[16];

		snprintf(key, sizeof key, "k%08u", n);
		snprintf(count, sizeof count, "%u", n);
		kv_put(b, bytes_of_text(key), bytes_of_text(count));
		kv_put(b, bytes_of_text("count"), bytes_of_text(count));
		assert_int_equal(w->store->ops->commit(w->store, b), 0);
		atomic_store(&w->written, n);
	}
	return NULL;
}

static bool count_one(void *context, struct bytes key, struct bytes value)
{
	(void)key;
	(void)value;
	++*(unsigned *)context;
	return true;
}

/* One moment of the store: all of each batch up to some index, at least what
 * was committed before it was asked for. */
static void a_checkpoint_beside_a_writer_is_one_moment(void **state)
{
	struct pair *p = *state;
	struct writer w = {.store = p->rocks};
	struct buffer problem = {0};
	struct buffer value = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
	for (int i = 0; i < 10; i++) {
		char folder[96];
		struct store *copy;
		unsigned least = atomic_load(&w.written);
		unsigned count = 0;

		snprintf(folder, sizeof folder, "%s/copy-%d", p->folder, i);
		assert_int_equal(p->rocks->ops->checkpoint(p->rocks, folder),
				 0);
		assert_int_equal(store_peek_rocksdb(folder, &copy, &problem),
				 0);
		assert_int_equal(kv_scan(&copy->reader, bytes_of_text("k"),
					 bytes_of_text("k"), count_one, &count),
				 0);
		if (count > 0) {
			assert_int_equal(kv_get(&copy->reader,
						bytes_of_text("count"), &value),
					 0);
			assert_int_equal(atoi(buffer_text(&value)), count);
		}
		assert_true(count >= least);
		copy->ops->close(copy);
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&w.written) > 0);
	buffer_deinit(&problem);
	buffer_deinit(&value);
}

/* Noise in `count` keys of 4 KiB; or their removal. */
static void change_many(struct store *s, unsigned count, bool remove)
{
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);
	uint8_t noise[4096];

	for (unsigned n = 0; n < count; n++) {
		char key[16];

		snprintf(key, sizeof key, "k%08u", n);
		for (size_t i = 0; i < sizeof noise; i++) {
			noise[i] = (uint8_t)rand();
		}
		if (remove) {
			kv_remove(b, bytes_of_text(key));
		} else {
			kv_put(b, bytes_of_text(key),
			       bytes_of(noise, sizeof noise));
		}
	}
	assert_int_equal(s->ops->commit(s, b), 0);
	assert_int_equal(s->ops->flush(s), 0);
}

/* Two tables set off no compaction of themselves, nor do so few keys. */
static void what_was_removed_gives_its_space_back(void **state)
{
	struct pair *p = *state;
	struct store *s = p->rocks;
	uint64_t before;

	put(s, "kept", "1");
	change_many(s, 400, false);
	change_many(s, 400, true);
	before = s->ops->bytes(s);
	s->ops->shrink(s);
	assert_true(before > 1600000);
	assert_true(s->ops->bytes(s) < before / 20);
	p->memory->ops->shrink(p->memory);
	put(p->memory, "kept", "1");
	assert_same_scan(&s->reader, &p->memory->reader, "", "");
}

/* As a large file's blocks are, when it is purged. */
static void many_keys_removed_give_their_space_back_unasked(void **state)
{
	struct pair *p = *state;
	struct store *s = p->rocks;
	int looks = 1000;

	put(s, "kept", "1");
	change_many(s, 4000, false);
	assert_true(s->ops->bytes(s) > 16000000);
	change_many(s, 4000, true);
	while (s->ops->bytes(s) > 1000000 && --looks > 0) {
		(void)poll(NULL, 0, 10);
	}
	assert_true(looks > 0);
	put(p->memory, "kept", "1");
	assert_same_scan(&s->reader, &p->memory->reader, "", "");
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(both_stores_answer_alike_through_any_history),
		STORE_TEST(a_view_stays_as_it_was),
		STORE_TEST(a_batch_sees_its_own_changes_and_no_one_else_does),
		STORE_TEST(memory_forgets_what_was_not_flushed),
		STORE_TEST(memory_keeps_some_of_what_was_not_flushed),
		STORE_TEST(the_hash_of_memory_tells_contents_apart),
		STORE_TEST(a_database_open_elsewhere_is_busy),
		STORE_TEST(what_comes_to_stand_at_its_path_is_left_alone),
		STORE_TEST(a_damaged_database_is_named),
		STORE_TEST(what_was_removed_gives_its_space_back),
		STORE_TEST(many_keys_removed_give_their_space_back_unasked),
		STORE_TEST(a_checkpoint_is_a_store_of_its_own),
		STORE_TEST(what_is_no_checkpoint_is_not_opened),
		STORE_TEST(a_checkpoint_beside_a_writer_is_one_moment),
	};

	return cmocka_run_group_tests_name("kv/store", tests, NULL, NULL);
}
