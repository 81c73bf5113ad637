/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a store is replaced under its readers: who has begun goes on with
 * the old one, who begins has the new one, and nothing is closed too early or
 * left behind. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/folder.h"
#include "base/mem.h"
#include "kv/swap.h"
#include "tests/lib/memstore.h"

enum { REPLACEMENTS = 200, READERS = 3 };

struct place {
	char home[64];
	unsigned count; /* folders made */
	unsigned damaged;
	struct store *front;
};

static void on_damage(void *context, const char *path)
{
	struct place *p = context;

	assert_non_null(strstr(path, "/state-"));
	p->damaged++;
}

static char *path_of(const struct place *p, unsigned n)
{
	return mem_printf("%s/state-%u", p->home, n);
}

static bool there(const struct place *p, unsigned n)
{
	char *path = path_of(p, n);
	bool is_there = access(path, F_OK) == 0;

	mem_free(path);
	return is_there;
}

/* A store with the keys "a" and "b", both of this value, and its folder. */
static struct store *new_store(struct place *p, const char *value)
{
	struct store *s = memstore_open(NULL);
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);
	char *path = path_of(p, ++p->count);

	kv_put(b, bytes_of_text("a"), bytes_of_text(value));
	kv_put(b, bytes_of_text("b"), bytes_of_text(value));
	assert_int_equal(s->ops->commit(s, b), 0);
	assert_int_equal(folder_make(path), 0);
	mem_free(path);
	return s;
}

static void replace(struct place *p, const char *value)
{
	struct store *next = new_store(p, value);
	char *path = path_of(p, p->count);

	swap_replace(p->front, next, path);
	mem_free(path);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	struct store *first;
	char *path;

	strcpy(p->home, "/tmp/test_kv_swap.XXXXXX");
	assert_non_null(mkdtemp(p->home));
	first = new_store(p, "one");
	path = path_of(p, 1);
	p->front = swap_new(first, path, on_damage, p);
	mem_free(path);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	if (p->front != NULL) {
		p->front->ops->close(p->front);
	}
	assert_int_equal(folder_remove(p->home), 0);
	free(p);
	return 0;
}

static void assert_value(struct kv_reader *r, const char *key,
			 const char *expected)
{
	struct buffer value = {0};

	assert_int_equal(kv_get(r, bytes_of_text(key), &value), 0);
	assert_string_equal(buffer_text(&value), expected);
	buffer_deinit(&value);
}

/* --- One thread ----------------------------------------------------------- */

static int rotten_get(struct kv_reader *r, struct bytes key,
		      struct buffer *value)
{
	(void)r;
	(void)key;
	(void)value;
	return STATUS_CORRUPT;
}

static int rotten_scan(struct kv_reader *r, struct bytes from,
		       struct bytes prefix, kv_visit visit, void *context)
{
	(void)r;
	(void)from;
	(void)prefix;
	(void)visit;
	(void)context;
	return STATUS_CORRUPT;
}

static void damage_of_what_is_read_is_told(void **state)
{
	static const struct kv_reader_ops rotten = {rotten_get, rotten_scan};
	struct place *p = *state;
	struct store *first = new_store(p, "rot");
	char *path = path_of(p, p->count);
	struct buffer value = {0};

	first->reader.ops = &rotten;
	swap_replace(p->front, first, path);
	assert_int_equal(kv_get(&p->front->reader, bytes_of_text("a"), &value),
			 STATUS_CORRUPT);
	assert_int_equal(p->damaged, 1);
	replace(p, "two");
	assert_value(&p->front->reader, "a", "two");
	assert_int_equal(p->damaged, 1);
	buffer_deinit(&value);
	mem_free(path);
}

static void it_is_the_store_behind_it(void **state)
{
	struct place *p = *state;
	struct store *s = p->front;
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);
	struct kv_view *view = s->ops->view(s);
	char *copy = path_of(p, 99);

	kv_put(b, bytes_of_text("a"), bytes_of_text("changed"));
	assert_value(&b->reader, "a", "changed");
	assert_int_equal(s->ops->commit(s, b), 0);
	assert_value(&s->reader, "a", "changed");
	assert_value(&view->reader, "a", "one");
	s->ops->view_close(s, view);
	b = s->ops->begin(s, NULL, NULL);
	kv_remove(b, bytes_of_text("b"));
	s->ops->abort(s, b);
	assert_value(&s->reader, "b", "one");
	assert_int_equal(s->ops->flush(s), 0);
	assert_true(s->ops->bytes(s) > 0);
	assert_int_equal(s->ops->checkpoint(s, copy), 0);
	assert_int_equal(access(copy, F_OK), 0);
	mem_free(copy);
}

static void who_comes_after_sees_the_new_one(void **state)
{
	struct place *p = *state;

	replace(p, "two");
	assert_value(&p->front->reader, "a", "two");
	replace(p, "three");
	assert_value(&p->front->reader, "b", "three");
}

static void a_view_stays_with_the_old_one(void **state)
{
	struct place *p = *state;
	struct kv_view *view = p->front->ops->view(p->front);
	struct kv_view *later;

	replace(p, "two");
	later = p->front->ops->view(p->front);
	assert_value(&view->reader, "a", "one");
	assert_value(&later->reader, "a", "two");
	assert_int_equal(swap_sweep(p->front), 1);
	assert_true(there(p, 1));
	assert_value(&view->reader, "b", "one");

	p->front->ops->view_close(p->front, view);
	p->front->ops->view_close(p->front, later);
	assert_int_equal(swap_sweep(p->front), 0);
	assert_false(there(p, 1));
	assert_true(there(p, 2));
}

struct scan {
	struct place *p;
	char values[64];
};

static bool replace_within(void *context, struct bytes key, struct bytes value)
{
	struct scan *s = context;

	(void)key;
	strncat(s->values, (const char *)value.data, value.size);
	if (s->p->count == 1) {
		replace(s->p, "two");
		assert_int_equal(swap_sweep(s->p->front), 1);
	}
	return true;
}

static void a_scan_stays_with_the_old_one(void **state)
{
	struct scan s = {.p = *state};

	assert_int_equal(kv_scan(&s.p->front->reader, bytes_of("", 0),
				 bytes_of("", 0), replace_within, &s),
			 0);
	assert_string_equal(s.values, "oneone");
	assert_int_equal(swap_sweep(s.p->front), 0);
	assert_false(there(s.p, 1));
}

/* W4 */
static void it_is_opened_anew_when_nobody_uses_it(void **state)
{
	struct place *p = *state;
	struct store *f = p->front;
	struct kv_view *v = f->ops->view(f);
	struct kv_batch *b;

	assert_int_equal(f->ops->reopen(f), STATUS_BUSY);
	f->ops->view_close(f, v);
	b = f->ops->begin(f, NULL, NULL);
	assert_int_equal(f->ops->reopen(f), STATUS_BUSY);
	assert_int_equal(f->ops->commit(f, b), 0);
	b = f->ops->begin(f, NULL, NULL);
	f->ops->abort(f, b);
	assert_int_equal(f->ops->reopen(f), 0);
}

static void what_was_replaced_goes_at_close(void **state)
{
	struct place *p = *state;

	replace(p, "two");
	replace(p, "three");
	p->front->ops->close(p->front);
	p->front = NULL;
	assert_false(there(p, 1));
	assert_false(there(p, 2));
	assert_true(there(p, 3));
}

/* --- Many ----------------------------------------------------------------- */

struct readers {
	struct store *front;
	atomic_bool stop;
	atomic_uint newest; /* what was replaced so far */
};

static unsigned number_of(struct kv_reader *r, const char *key)
{
	struct buffer value = {0};
	unsigned number;

	assert_int_equal(kv_get(r, bytes_of_text(key), &value), 0);
	number = (unsigned)atoi(buffer_text(&value));
	buffer_deinit(&value);
	return number;
}

static void *read_on(void *context)
{
	struct readers *r = context;

	while (!atomic_load(&r->stop)) {
		unsigned least = atomic_load(&r->newest);
		struct kv_view *view = r->front->ops->view(r->front);
		unsigned a = number_of(&view->reader, "a");
		unsigned newest = number_of(&r->front->reader, "a");

		assert_true(a >= least);
		assert_true(newest >= a);
		assert_int_equal(number_of(&view->reader, "b"), a);
		r->front->ops->view_close(r->front, view);
	}
	return NULL;
}

static void *sweep_on(void *context)
{
	struct readers *r = context;

	while (!atomic_load(&r->stop)) {
		(void)swap_sweep(r->front);
	}
	return NULL;
}

static void readers_live_through_many_replacements(void **state)
{
	struct place *p = *state;
	struct readers r = {.front = p->front};
	pthread_t threads[READERS + 1];
	char value[16];

	replace(p, "0");
	for (int i = 0; i <= READERS; i++) {
		assert_int_equal(
			pthread_create(&threads[i], NULL,
				       i < READERS ? read_on : sweep_on, &r),
			0);
	}
	for (unsigned i = 1; i <= REPLACEMENTS; i++) {
		snprintf(value, sizeof value, "%u", i);
		replace(p, value);
		atomic_store(&r.newest, i);
	}
	atomic_store(&r.stop, true);
	for (int i = 0; i <= READERS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(swap_sweep(p->front), 0);
	assert_false(there(p, p->count - 1));
	assert_true(there(p, p->count));
}

#define SWAP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SWAP_TEST(it_is_the_store_behind_it),
		SWAP_TEST(damage_of_what_is_read_is_told),
		SWAP_TEST(who_comes_after_sees_the_new_one),
		SWAP_TEST(a_view_stays_with_the_old_one),
		SWAP_TEST(a_scan_stays_with_the_old_one),
		SWAP_TEST(it_is_opened_anew_when_nobody_uses_it),
		SWAP_TEST(what_was_replaced_goes_at_close),
		SWAP_TEST(readers_live_through_many_replacements),
	};

	return cmocka_run_group_tests_name("kv/swap", tests, NULL, NULL);
}
