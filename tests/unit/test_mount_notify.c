/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: who waits for a drop goes on after it, requests for one inode share
 * one, and when the state was replaced the pages of every open file go. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fs/mount/adapter.h"
#include "fs/mount/request.h"

/* What the kernel was told, in any order; calls may be held. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t inos[16];
	size_t count;
	bool hold;
	unsigned went_on;
} kernel = {
	PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0, false, 0};

int fuse_lowlevel_notify_inval_inode(struct fuse_session *session,
				     fuse_ino_t ino, off_t off, off_t len)
{
	(void)session;
	(void)off;
	(void)len;
	pthread_mutex_lock(&kernel.lock);
	kernel.inos[kernel.count++] = ino;
	pthread_cond_broadcast(&kernel.changed);
	while (kernel.hold) {
		pthread_cond_wait(&kernel.changed, &kernel.lock);
	}
	pthread_mutex_unlock(&kernel.lock);
	return 0;
}

void request_dropped(struct request *r)
{
	(void)r;
	pthread_mutex_lock(&kernel.lock);
	kernel.went_on++;
	pthread_mutex_unlock(&kernel.lock);
}

void kv_hold(struct kv *kv, uint64_t id)
{
	(void)kv;
	(void)id;
}

void kv_release(struct kv *kv, uint64_t id)
{
	(void)kv;
	(void)id;
}

static int setup(void **state)
{
	struct mount *m = mem_zalloc(sizeof *m);

	kernel.count = 0;
	kernel.went_on = 0;
	handles_init(&m->handles, NULL);
	notify_start(&m->notify, m);
	*state = m;
	return 0;
}

static void stop(struct mount *m)
{
	notify_stop(&m->notify);
}

static int teardown(void **state)
{
	struct mount *m = *state;

	notify_deinit(&m->notify);
	handles_deinit(&m->handles);
	mem_free(m);
	return 0;
}

static bool was_told(uint64_t ino)
{
	bool told = false;

	for (size_t i = 0; i < kernel.count; i++) {
		told = told || kernel.inos[i] == ino;
	}
	return told;
}

static void a_request_goes_on_after_its_drop(void **state)
{
	struct mount *m = *state;
	struct request *r = mem_zalloc(sizeof *r);

	assert_non_null(handle_new(&m->handles, 7, false, 1));
	assert_false(handles_must_drop(&m->handles, 7, 10));
	assert_true(handles_must_drop(&m->handles, 7, 11));
	notify_drop(&m->notify, 7, 11, r);
	stop(m);

	assert_int_equal(kernel.count, 1);
	assert_int_equal(kernel.went_on, 1);
	assert_false(handles_must_drop(&m->handles, 7, 11));
	mem_free(r);
}

static void hold(bool on)
{
	pthread_mutex_lock(&kernel.lock);
	kernel.hold = on;
	pthread_cond_broadcast(&kernel.changed);
	pthread_mutex_unlock(&kernel.lock);
}

static void await_calls(size_t count)
{
	pthread_mutex_lock(&kernel.lock);
	while (kernel.count < count) {
		pthread_cond_wait(&kernel.changed, &kernel.lock);
	}
	pthread_mutex_unlock(&kernel.lock);
}

/* Both notifiers are in the kernel, so that two drops wait behind them. */
static void requests_share_a_drop_that_has_not_begun(void **state)
{
	struct mount *m = *state;
	struct request *r = mem_zalloc(5 * sizeof *r);

	hold(true);
	notify_drop(&m->notify, 1, 1, &r[0]);
	await_calls(1);
	notify_drop(&m->notify, 2, 1, &r[1]);
	await_calls(2);
	notify_drop(&m->notify, 7, 1, &r[2]);
	notify_drop(&m->notify, 7, 3, &r[3]);
	notify_drop(&m->notify, 7, 2, &r[4]);
	hold(false);
	stop(m);

	assert_int_equal(kernel.count, 3);
	assert_int_equal(kernel.went_on, 5);
	mem_free(r);
}

static void a_replaced_state_drops_every_open_file(void **state)
{
	struct mount *m = *state;

	assert_non_null(handle_new(&m->handles, 7, false, 1));
	assert_non_null(handle_new(&m->handles, 7, false, 1));
	assert_non_null(handle_new(&m->handles, 8, false, 1));
	assert_non_null(handle_new(&m->handles, 9, true, 1));
	notify_noted(m, 5, bytes_of("note", 4));
	assert_int_equal(kernel.count, 0);
	notify_noted(m, 5, bytes_of("", 0));
	stop(m);

	assert_int_equal(kernel.count, 2);
	assert_true(was_told(7));
	assert_true(was_told(8));
	notify_noted(m, 6, bytes_of("", 0)); /* too late: the mount goes */
	assert_int_equal(kernel.count, 2);
}

/* The version told is not known to be that of the new state: a request that
 * finds a newer one still drops. */
static void that_drop_tells_no_version(void **state)
{
	struct mount *m = *state;

	assert_non_null(handle_new(&m->handles, 7, false, 1));
	assert_false(handles_must_drop(&m->handles, 7, 10));
	notify_drop_all(&m->notify);
	stop(m);

	assert_true(handles_must_drop(&m->handles, 7, 11));
}

#define NOTIFY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NOTIFY_TEST(a_request_goes_on_after_its_drop),
		NOTIFY_TEST(requests_share_a_drop_that_has_not_begun),
		NOTIFY_TEST(a_replaced_state_drops_every_open_file),
		NOTIFY_TEST(that_drop_tells_no_version),
	};

	return cmocka_run_group_tests_name("fs/mount/notify", tests, NULL,
					   NULL);
}
