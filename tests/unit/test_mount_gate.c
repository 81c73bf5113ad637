/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what this node changes after an open(O_TRUNC) takes effect after
 * its truncation, and nothing waits when none is owed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/status.h"
#include "fs/mount/gate.h"

/* --- kv and the mount, as far as the gate knows them
 * ---------------------------*/

enum { PROPOSALS_MAX = 8 };

static struct {
	kv_done done;
	void *context;
	struct fs_op op;
} proposed[PROPOSALS_MAX];
static size_t proposed_count;
static int outstanding;

uint64_t kv_now_ms(void)
{
	return 1000;
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

uint64_t kv_propose(struct kv *kv, struct bytes operation, uint64_t deadline_ms,
		    kv_done done, void *context)
{
	(void)kv;
	(void)deadline_ms;
	assert_true(proposed_count < PROPOSALS_MAX);
	assert_int_equal(fs_op_decode(operation, &proposed[proposed_count].op),
			 0);
	proposed[proposed_count].done = done;
	proposed[proposed_count].context = context;
	return ++proposed_count;
}

void mount_busy(struct mount *m)
{
	(void)m;
	outstanding++;
}

void mount_done(struct mount *m)
{
	(void)m;
	outstanding--;
}

/* The nth proposal (from 0) is applied, or refused with this status. */
static void answer(size_t nth, int status)
{
	struct fs_result result = {0};
	struct buffer encoded = {0};

	fs_result_encode(&result, &encoded);
	proposed[nth].done(proposed[nth].context, status,
			   status == 0 ? buffer_bytes(&encoded)
				       : bytes_of(NULL, 0));
	buffer_deinit(&encoded);
}

/* --- Givens
 * --------------------------------------------------------------------*/

enum { NOT_PASSED = -1 };

static void on_passed(struct request *r, int error)
{
	r->error = error;
}

static void GIVEN_MOUNT(struct mount *m)
{
	memset(m, 0, sizeof *m);
	memset(proposed, 0, sizeof proposed);
	proposed_count = 0;
	outstanding = 0;
	handles_init(&m->handles, NULL);
}

static struct handle *GIVEN_TRUNCATING(struct mount *m, uint64_t ino)
{
	struct handle *handle = handle_new(&m->handles, ino, false, 1);

	gate_open(m, handle);
	return handle;
}

static void enter(struct request *r, struct mount *m, struct handle *handle,
		  uint64_t ino, enum gate_way way)
{
	memset(r, 0, sizeof *r);
	r->mount = m;
	r->handle = handle;
	r->ino = ino;
	r->error = NOT_PASSED;
	gate_enter(r, way, on_passed);
}

/* --- Promises
 * ------------------------------------------------------------------*/

static void without_o_trunc_everything_passes(void **state)
{
	struct mount m;
	struct request r;
	struct handle *handle;
	(void)state;

	GIVEN_MOUNT(&m);
	handle = handle_new(&m.handles, 7, false, 1);

	enter(&r, &m, handle, 7, GATE_WRITE);
	assert_int_equal(r.error, 0);
	assert_false(r.carries);
	enter(&r, &m, NULL, 7, GATE_CHANGE);
	assert_int_equal(r.error, 0);
	enter(&r, &m, NULL, 99, GATE_CHANGE);
	assert_int_equal(r.error, 0);
	assert_int_equal(proposed_count, 0);
	handles_deinit(&m.handles);
}

static void the_first_write_passes_with_the_truncation(void **state)
{
	struct mount m;
	struct request r;
	struct handle *handle;
	(void)state;

	GIVEN_MOUNT(&m);
	handle = GIVEN_TRUNCATING(&m, 7);

	enter(&r, &m, handle, 7, GATE_WRITE);
	assert_int_equal(r.error, 0);
	assert_true(r.carries);
	gate_leave(&r, true);

	enter(&r, &m, handle, 7, GATE_WRITE);
	assert_int_equal(r.error, 0);
	assert_false(r.carries);
	assert_int_equal(proposed_count, 0);
	handles_deinit(&m.handles);
}

static void a_second_write_waits_for_the_first_and_keeps_its_data(void **state)
{
	struct mount m;
	struct request first;
	struct request second = {0};
	struct handle *handle;
	char data[] = "second";
	(void)state;

	GIVEN_MOUNT(&m);
	handle = GIVEN_TRUNCATING(&m, 7);
	enter(&first, &m, handle, 7, GATE_WRITE);
	second.mount = &m;
	second.handle = handle;
	second.ino = 7;
	second.error = NOT_PASSED;
	second.op.data = bytes_of(data, 6);

	gate_enter(&second, GATE_WRITE, on_passed);
	assert_int_equal(second.error, NOT_PASSED);
	memset(data, '-', 6);
	gate_leave(&first, true);

	assert_int_equal(second.error, 0);
	assert_false(second.carries);
	assert_memory_equal(second.op.data.data, "second", 6);
	buffer_deinit(&second.text);
	handles_deinit(&m.handles);
}

/* exec 3>f; echo x >>f: x must not be cut off by the descriptor's O_TRUNC. */
static void a_change_through_another_handle_comes_after_it(void **state)
{
	struct mount m;
	struct request r;
	struct handle *other;
	(void)state;

	GIVEN_MOUNT(&m);
	(void)GIVEN_TRUNCATING(&m, 7);
	other = handle_new(&m.handles, 7, false, 1);

	enter(&r, &m, other, 7, GATE_WRITE);
	assert_int_equal(r.error, NOT_PASSED);
	assert_int_equal(proposed_count, 1);
	assert_int_equal(proposed[0].op.kind, FS_OP_SETATTR);
	assert_int_equal(proposed[0].op.valid, FS_SET_SIZE);
	assert_int_equal(proposed[0].op.ino, 7);
	answer(0, 0);

	assert_int_equal(r.error, 0);
	assert_false(r.carries);
	assert_int_equal(outstanding, 0);
	handles_deinit(&m.handles);
}

static void
a_refused_truncation_of_another_handle_is_not_its_error(void **state)
{
	struct mount m;
	struct request r;
	(void)state;

	GIVEN_MOUNT(&m);
	(void)GIVEN_TRUNCATING(&m, 7);

	enter(&r, &m, NULL, 7, GATE_CHANGE);
	answer(0, STATUS_TIMED_OUT);

	assert_int_equal(r.error, 0);
	handles_deinit(&m.handles);
}

static void a_sync_sends_it_and_has_its_error(void **state)
{
	struct mount m;
	struct request r;
	struct handle *handle;
	(void)state;

	GIVEN_MOUNT(&m);
	handle = GIVEN_TRUNCATING(&m, 7);

	enter(&r, &m, handle, 7, GATE_SYNC);
	assert_int_equal(r.error, NOT_PASSED);
	answer(0, STATUS_UNKNOWN);
	assert_int_equal(r.error, ETIMEDOUT);

	enter(&r, &m, handle, 7, GATE_SYNC);
	answer(1, 0);
	assert_int_equal(r.error, 0);
	handles_deinit(&m.handles);
}

static void a_sync_does_not_wait_for_another_handle(void **state)
{
	struct mount m;
	struct request r;
	struct handle *other;
	(void)state;

	GIVEN_MOUNT(&m);
	(void)GIVEN_TRUNCATING(&m, 7);
	other = handle_new(&m.handles, 7, false, 1);

	enter(&r, &m, other, 7, GATE_SYNC);

	assert_int_equal(r.error, 0);
	assert_int_equal(proposed_count, 0);
	handles_deinit(&m.handles);
}

static void
a_close_sends_what_is_owed_and_keeps_the_inode_till_then(void **state)
{
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	gate_close(&m, GIVEN_TRUNCATING(&m, 7));
	assert_int_equal(proposed_count, 1);
	assert_non_null(handles_find(&m.handles, 7));

	answer(0, 0);

	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

static void a_close_after_a_refused_write_leaves_the_old_content(void **state)
{
	struct mount m;
	struct request r;
	struct handle *handle;
	(void)state;

	GIVEN_MOUNT(&m);
	handle = GIVEN_TRUNCATING(&m, 7);
	enter(&r, &m, handle, 7, GATE_WRITE);
	gate_leave(&r, false);

	gate_close(&m, handle);

	assert_int_equal(proposed_count, 0);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

/* Two `echo v > f` at one time: each replaces the whole content. */
static void a_write_with_a_truncation_serves_the_other_handles(void **state)
{
	struct handle *first, *second;
	struct request r, later;
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	first = GIVEN_TRUNCATING(&m, 7);
	second = GIVEN_TRUNCATING(&m, 7);

	enter(&r, &m, first, 7, GATE_WRITE);
	assert_int_equal(r.error, 0);
	assert_true(r.carries);
	enter(&later, &m, second, 7, GATE_WRITE);
	assert_int_equal(later.error, NOT_PASSED);
	gate_leave(&r, true);

	assert_int_equal(later.error, 0);
	assert_true(later.carries);
	gate_leave(&later, true);
	assert_int_equal(proposed_count, 0);
	gate_close(&m, first);
	gate_close(&m, second);
	assert_int_equal(proposed_count, 0);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

/* `exec 3> f; echo v > f; exec 3>&-` leaves v. */
static void a_served_handle_does_not_empty_the_file_at_its_close(void **state)
{
	struct handle *held, *writer;
	struct request r;
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	held = GIVEN_TRUNCATING(&m, 7);
	writer = GIVEN_TRUNCATING(&m, 7);
	enter(&r, &m, writer, 7, GATE_WRITE);
	gate_close(&m, held); /* while it is under way */
	gate_leave(&r, true);

	gate_close(&m, writer);

	assert_int_equal(proposed_count, 0);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

/* `exec 3>f` fails alone; `echo y >>f` is acknowledged; `exec 3>&-`. */
static void a_failed_truncation_never_cuts_off_what_came_after(void **state)
{
	struct handle *failed, *other;
	struct request r;
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	failed = GIVEN_TRUNCATING(&m, 7);
	other = handle_new(&m.handles, 7, false, 2);
	enter(&r, &m, other, 7, GATE_WRITE); /* sends it, and waits */
	answer(0, STATUS_TIMED_OUT);
	assert_int_equal(r.error, 0);
	gate_leave(&r, true);

	enter(&r, &m, failed, 7, GATE_WRITE);
	assert_false(r.carries);
	gate_close(&m, failed);

	assert_int_equal(proposed_count, 1);
	gate_close(&m, other);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

static void a_failed_truncation_is_not_sent_at_close(void **state)
{
	struct handle *failed;
	struct request r;
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	failed = GIVEN_TRUNCATING(&m, 7);
	enter(&r, &m, failed, 7, GATE_SYNC);
	answer(0, STATUS_TIMED_OUT);

	gate_close(&m, failed);

	assert_int_equal(proposed_count, 1);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

/* `exec 3>f; echo v >f; echo x >>f; echo y >&3` keeps x. */
static void a_served_truncation_is_not_repeated_over_an_append(void **state)
{
	struct handle *served, *writer, *appender;
	struct request r;
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	served = GIVEN_TRUNCATING(&m, 7);
	writer = GIVEN_TRUNCATING(&m, 7);
	appender = handle_new(&m.handles, 7, false, 2);
	enter(&r, &m, writer, 7, GATE_WRITE);
	gate_leave(&r, true);
	enter(&r, &m, appender, 7, GATE_WRITE);
	assert_int_equal(r.error, 0);
	gate_leave(&r, true);

	enter(&r, &m, served, 7, GATE_WRITE);

	assert_int_equal(r.error, 0);
	assert_false(r.carries);
	gate_close(&m, served);
	gate_close(&m, writer);
	gate_close(&m, appender);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

/* Another thread's SETATTR was taken for that of an open that is over. */
static void an_open_that_was_closed_meanwhile_defers_nothing(void **state)
{
	struct handle *handle;
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	handle = handle_new(&m.handles, 7, false, 5);
	assert_ptr_equal(handles_opening(&m.handles, 7, 5), handle);
	gate_close(&m, handle);

	assert_false(gate_open_late(&m, handle));

	assert_null(handles_find(&m.handles, 7));
	assert_int_equal(proposed_count, 0);
	handles_deinit(&m.handles);
}

static void what_a_refused_write_served_is_sent_alone(void **state)
{
	struct handle *closed, *writer;
	struct request r;
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	closed = GIVEN_TRUNCATING(&m, 7);
	writer = GIVEN_TRUNCATING(&m, 7);
	enter(&r, &m, writer, 7, GATE_WRITE);
	gate_close(&m, closed);
	gate_leave(&r, false);

	assert_int_equal(proposed_count, 1);
	assert_int_equal(proposed[0].op.kind, FS_OP_SETATTR);
	answer(0, 0);
	gate_close(&m, writer);
	assert_int_equal(proposed_count, 1);
	assert_int_equal(outstanding, 0);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

static void the_end_of_the_mount_sends_everything(void **state)
{
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	(void)GIVEN_TRUNCATING(&m, 7);
	(void)GIVEN_TRUNCATING(&m, 8);

	gate_flush(&m);

	assert_int_equal(proposed_count, 2);
	answer(1, 0);
	answer(0, 0);
	assert_int_equal(outstanding, 0);
	handles_deinit(&m.handles);
}

static void an_abandoned_open_sends_nothing(void **state)
{
	struct mount m;
	(void)state;

	GIVEN_MOUNT(&m);
	gate_abandon(&m, GIVEN_TRUNCATING(&m, 7));

	gate_flush(&m);

	assert_int_equal(proposed_count, 0);
	assert_null(handles_find(&m.handles, 7));
	handles_deinit(&m.handles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_o_trunc_everything_passes),
		cmocka_unit_test(the_first_write_passes_with_the_truncation),
		cmocka_unit_test(
			a_second_write_waits_for_the_first_and_keeps_its_data),
		cmocka_unit_test(
			a_change_through_another_handle_comes_after_it),
		cmocka_unit_test(
			a_refused_truncation_of_another_handle_is_not_its_error),
		cmocka_unit_test(a_sync_sends_it_and_has_its_error),
		cmocka_unit_test(a_sync_does_not_wait_for_another_handle),
		cmocka_unit_test(
			a_close_sends_what_is_owed_and_keeps_the_inode_till_then),
		cmocka_unit_test(
			a_close_after_a_refused_write_leaves_the_old_content),
		cmocka_unit_test(
			a_write_with_a_truncation_serves_the_other_handles),
		cmocka_unit_test(
			a_served_handle_does_not_empty_the_file_at_its_close),
		cmocka_unit_test(
			a_failed_truncation_never_cuts_off_what_came_after),
		cmocka_unit_test(a_failed_truncation_is_not_sent_at_close),
		cmocka_unit_test(
			a_served_truncation_is_not_repeated_over_an_append),
		cmocka_unit_test(
			an_open_that_was_closed_meanwhile_defers_nothing),
		cmocka_unit_test(what_a_refused_write_served_is_sent_alone),
		cmocka_unit_test(the_end_of_the_mount_sends_everything),
		cmocka_unit_test(an_abandoned_open_sends_nothing),
	};

	return cmocka_run_group_tests_name("mount/gate", tests, NULL, NULL);
}
