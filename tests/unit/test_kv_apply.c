/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an operation is applied exactly once within its session, the same
 * on every replica whatever the batches, and never after its session ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/apply.h"
#include "kv/session.h"
#include "tests/lib/memstore.h"
#include "tests/lib/toy.h"

enum { NODE = 77, SECOND_NS = 1000000000 };

struct replica {
	struct store *store;
	struct kv_machine machine;
	struct feed feed;
	struct applier applier;
};

static void GIVEN_REPLICA_ON(struct replica *r, struct memdisk *disk)
{
	memset(r, 0, sizeof *r);
	r->store = memstore_open(disk);
	feed_init(&r->feed);
	r->machine = toy_machine(NULL);
	assert_int_equal(
		applier_init(&r->applier, r->store, &r->machine, &r->feed), 0);
}

static void GIVEN_REPLICA(struct replica *r)
{
	GIVEN_REPLICA_ON(r, NULL);
}

static void drop(struct replica *r)
{
	applier_deinit(&r->applier);
	feed_deinit(&r->feed);
	r->store->ops->close(r->store);
}

/* --- Entries -------------------------------------------------------------- */

static struct entry *operation(uint64_t session, uint64_t number, uint64_t low,
			       const char *text)
{
	struct entry *e = command_operation(bytes_of_text(text));

	command_stamp(e, session, number, low);
	return e;
}

static struct entry *opening(uint64_t boot, uint64_t count)
{
	struct session_owner owner = {NODE, boot, count};

	return command_open(&owner);
}

/* Apply the next entry, given, as a batch of its own. */
static void apply_at(struct replica *r, struct entry *e, uint64_t time_ns)
{
	e->index = r->applier.applied.index + 1;
	e->term = 1;
	e->time_ns = time_ns;
	assert_int_equal(applier_apply(&r->applier, &e, 1), 0);
	entry_unref(e);
}

static void apply(struct replica *r, struct entry *e)
{
	apply_at(r, e, SECOND_NS);
}

static uint64_t GIVEN_SESSION(struct replica *r)
{
	apply(r, opening(1, 1));
	assert_int_equal(r->applier.event_count, 1);
	assert_int_equal(r->applier.events[0].kind, APPLY_OPENED);
	return r->applier.events[0].session;
}

static void assert_log(struct replica *r, const char *expected)
{
	struct buffer text = {0};

	assert_string_equal(toy_log(&r->store->reader, &text), expected);
	buffer_deinit(&text);
}

/* The last batch answered exactly this. */
static void assert_answer(struct replica *r, uint64_t session, uint64_t number,
			  const char *result)
{
	const struct apply_event *e = &r->applier.events[0];

	assert_int_equal(r->applier.event_count, 1);
	assert_int_equal(e->kind, APPLY_DONE);
	assert_int_equal(e->session, session);
	assert_int_equal(e->number, number);
	assert_true(bytes_equal(applier_result(&r->applier, e),
				bytes_of_text(result)));
}

static bool count_one(void *context, struct bytes key, struct bytes value)
{
	(void)key;
	(void)value;
	++*(size_t *)context;
	return true;
}

static size_t count_keys(struct replica *r, const char *prefix)
{
	size_t count = 0;

	assert_int_equal(kv_scan(&r->store->reader, bytes_of_text(prefix),
				 bytes_of_text(prefix), count_one, &count),
			 0);
	return count;
}

/* --- Sessions ------------------------------------------------------------- */

static void a_retried_operation_is_answered_from_its_result(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);
	apply(&r, operation(s, 1, 1, "a"));
	apply(&r, operation(s, 2, 1, "b"));

	apply(&r, operation(s, 1, 1, "a"));

	assert_answer(&r, s, 1, "a;");
	assert_log(&r, "a;b;");
	drop(&r);
}

static void operations_need_not_come_in_the_order_of_their_numbers(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);

	apply(&r, operation(s, 3, 1, "c"));
	apply(&r, operation(s, 1, 1, "a"));
	apply(&r, operation(s, 3, 1, "c"));
	apply(&r, operation(s, 2, 1, "b"));

	assert_log(&r, "c;a;b;");
	drop(&r);
}

static void a_number_below_low_is_ignored(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);
	apply(&r, operation(s, 3, 3, "c"));

	apply(&r, operation(s, 2, 1, "late"));

	assert_int_equal(r.applier.event_count, 0);
	assert_log(&r, "c;");
	drop(&r);
}

static void results_below_low_are_forgotten(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);
	apply(&r, operation(s, 1, 1, "a"));
	apply(&r, operation(s, 2, 1, "b"));
	apply(&r, operation(s, 3, 1, "c"));
	assert_int_equal(count_keys(&r, "sr"), 3);

	apply(&r, operation(s, 4, 3, "d"));

	assert_int_equal(count_keys(&r, "sr"), 2);
	drop(&r);
}

static void an_ended_session_changes_nothing_any_more(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);
	apply(&r, operation(s, 1, 1, "a"));

	apply(&r, command_end(s));
	assert_int_equal(r.applier.event_count, 1);
	assert_int_equal(r.applier.events[0].kind, APPLY_ENDED);
	apply(&r, operation(s, 1, 1, "a"));
	apply(&r, operation(s, 2, 1, "b"));
	apply(&r, command_end(s));

	assert_int_equal(r.applier.event_count, 0);
	assert_log(&r, "a;");
	assert_int_equal(count_keys(&r, "s"), 0);
	drop(&r);
}

static void opening_ends_the_older_session_of_the_node(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);

	apply(&r, opening(2, 1));

	assert_int_equal(r.applier.event_count, 2);
	assert_int_equal(r.applier.events[0].kind, APPLY_ENDED);
	assert_int_equal(r.applier.events[0].session, s);
	assert_int_equal(r.applier.events[1].kind, APPLY_OPENED);
	assert_int_equal(r.applier.events[1].session, s + 1);
	assert_int_equal(count_keys(&r, "sh"), 1);
	drop(&r);
}

static void a_late_copy_of_an_opening_ends_nothing(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	apply(&r, opening(1, 1));
	apply(&r, opening(1, 2));
	s = r.applier.applied.index;

	apply(&r, opening(1, 1));
	assert_int_equal(r.applier.event_count, 0);
	apply(&r, opening(1, 2));
	assert_int_equal(r.applier.event_count, 1);
	assert_int_equal(r.applier.events[0].session, s);

	apply(&r, operation(s, 1, 1, "a"));
	assert_log(&r, "a;");
	drop(&r);
}

static void a_window_of_results_is_all_a_session_keeps(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);
	for (uint64_t n = 1; n <= 3 * LIMIT_WINDOW_PROPOSALS; n++) {
		uint64_t low = n < LIMIT_WINDOW_PROPOSALS
				       ? 1
				       : n - LIMIT_WINDOW_PROPOSALS + 1;

		apply(&r, operation(s, n, low, "skip"));
	}
	assert_int_equal(count_keys(&r, "sr"), LIMIT_WINDOW_PROPOSALS);

	apply(&r, command_end(s));

	assert_int_equal(count_keys(&r, "s"), 0);
	drop(&r);
}

/* --- Everything else ------------------------------------------------------ */

static void garbage_moves_the_applied_index_only(void **state)
{
	struct replica r;
	struct applied stored;
	(void)state;

	GIVEN_REPLICA(&r);

	apply(&r, entry_new(ENTRY_COMMAND, "\xff\xff\xff", 3));
	apply(&r, entry_new(ENTRY_COMMAND, "", 0));
	apply(&r, entry_new(ENTRY_NOOP, "", 0));

	assert_int_equal(r.applier.event_count, 0);
	assert_int_equal(applied_load(&r.store->reader, &stored), 0);
	assert_int_equal(stored.index, 3);
	assert_int_equal(stored.time_ns, 0);
	assert_int_equal(count_keys(&r, ""), 1);
	drop(&r);
}

static void the_birth_happens_once(void **state)
{
	struct replica r;
	(void)state;

	GIVEN_REPLICA(&r);

	apply(&r, command_birth(bytes_of_text("born")));
	apply(&r, command_birth(bytes_of_text("born again")));

	assert_log(&r, "born;");
	drop(&r);
}

static void members_are_kept_as_they_came(void **state)
{
	struct replica r;
	struct buffer value = {0};
	uint64_t index = 7;
	(void)state;

	GIVEN_REPLICA(&r);
	assert_int_equal(membership_load(&r.store->reader, &index, &value), 0);
	assert_int_equal(index, 0);

	apply(&r, entry_new(ENTRY_NOOP, "", 0));
	apply(&r, entry_new(ENTRY_MEMBERS, "who", 3));
	apply(&r, entry_new(ENTRY_NOOP, "", 0));

	assert_int_equal(membership_load(&r.store->reader, &index, &value), 0);
	assert_string_equal(buffer_text(&value), "who");
	assert_int_equal(index, 2);
	buffer_deinit(&value);
	drop(&r);
}

static void time_never_falls_by_less_than_the_skew(void **state)
{
	const uint64_t s = SECOND_NS;
	(void)state;

	assert_int_equal(applier_time(20 * s, 0), 20 * s);
	assert_int_equal(applier_time(20 * s, 19 * s), 20 * s);
	assert_int_equal(applier_time(20 * s, 25 * s), 25 * s);
	assert_int_equal(applier_time(20 * s, 30 * s - 1), 30 * s - 1);
	assert_int_equal(applier_time(20 * s, 30 * s), 20 * s);
	assert_int_equal(applier_time(20 * s, 90 * s), 20 * s);
}

static void the_time_rule_outlives_a_restart(void **state)
{
	struct replica r;
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	s = GIVEN_SESSION(&r);
	apply_at(&r, operation(s, 1, 1, "a"), 50ULL * SECOND_NS);
	applier_deinit(&r.applier);
	assert_int_equal(applier_init(&r.applier, r.store, &r.machine, &r.feed),
			 0);

	apply_at(&r, operation(s, 2, 1, "b"), 45ULL * SECOND_NS);

	assert_int_equal(r.applier.applied.time_ns, 50ULL * SECOND_NS);
	drop(&r);
}

/* --- Batches -------------------------------------------------------------- */

static bool print_item(void *context, struct bytes key, struct bytes value)
{
	struct buffer *out = context;

	buffer_append_bytes(out, key);
	buffer_append(out, "=", 1);
	buffer_append_bytes(out, value);
	return true;
}

static void dump(struct replica *r, struct buffer *out)
{
	assert_int_equal(kv_scan(&r->store->reader, bytes_of("", 0),
				 bytes_of("", 0), print_item, out),
			 0);
}

enum { HISTORY = 600 };

static struct entry *random_entry(uint64_t index, uint64_t *opened)
{
	uint64_t number = index / 4 + 1;
	uint64_t low = number > 20 ? number - (uint64_t)(rand() % 20) : 1;
	struct session_owner owner = {
		.incarnation = NODE + (uint64_t)(rand() % 3),
		.boot = index - (uint64_t)(rand() % 5),
	};

	switch (rand() % 20) {
	case 0:
		opened[rand() % 4] = index;
		return command_open(&owner);
	case 1:
		return command_end(opened[rand() % 4]);
	case 2:
		return entry_new(ENTRY_COMMAND, "junk", 4);
	case 3:
		return command_birth(bytes_of_text("born"));
	default:
		return operation(opened[rand() % 4], number, low, "x");
	}
}

static void GIVEN_HISTORY(struct entry **entries)
{
	uint64_t opened[4] = {1, 1, 1, 1};

	for (uint64_t i = 1; i <= HISTORY; i++) {
		struct entry *e =
			i == 1 ? opening(1, 1) : random_entry(i, opened);

		e->index = i;
		e->term = 1;
		e->time_ns = (uint64_t)(rand() % 30) * SECOND_NS;
		entries[i - 1] = e;
	}
}

static void the_state_does_not_depend_on_batches_or_restarts(void **state)
{
	struct entry *entries[HISTORY];
	struct replica one;
	struct replica other;
	struct buffer left = {0};
	struct buffer right = {0};
	(void)state;

	srand(3);
	GIVEN_REPLICA(&one);
	GIVEN_REPLICA(&other);
	GIVEN_HISTORY(entries);

	for (size_t i = 0; i < HISTORY; i++) {
		assert_int_equal(applier_apply(&one.applier, &entries[i], 1),
				 0);
	}
	for (size_t i = 0; i < HISTORY;) {
		size_t part = (size_t)(rand() % 40) + 1;

		part = part < HISTORY - i ? part : HISTORY - i;
		assert_int_equal(
			applier_apply(&other.applier, &entries[i], part), 0);
		i += part;
		applier_deinit(&other.applier);
		assert_int_equal(applier_init(&other.applier, other.store,
					      &other.machine, &other.feed),
				 0);
	}

	dump(&one, &left);
	dump(&other, &right);
	assert_true(left.size > 500);
	assert_true(bytes_equal(buffer_bytes(&left), buffer_bytes(&right)));
	for (size_t i = 0; i < HISTORY; i++) {
		entry_unref(entries[i]);
	}
	buffer_deinit(&left);
	buffer_deinit(&right);
	drop(&one);
	drop(&other);
}

static void apply_each(struct replica *r, struct entry **entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(applier_apply(&r->applier, &entries[i], 1), 0);
	}
}

/* Apply them, and lose all but the first `kept` commits. Return how many there
 * were. */
static size_t crash_after(struct entry **entries, size_t count, size_t kept,
			  struct memdisk *disk)
{
	struct replica r;
	size_t commits;

	memdisk_remember(disk);
	GIVEN_REPLICA_ON(&r, disk);
	apply_each(&r, entries, count);
	commits = memdisk_unflushed(disk);
	drop(&r);
	memdisk_crash(disk, kept < commits ? kept : commits);
	return commits;
}

/* Whatever a crash keeps: the state is that of the applied index it tells. */
static void row_41_an_index_is_kept_only_with_what_it_covers(void **state)
{
	enum { ENTRIES = 60 };
	struct entry *entries[HISTORY];
	struct buffer left = {0};
	struct buffer right = {0};
	size_t commits = ENTRIES;
	(void)state;

	srand(41);
	GIVEN_HISTORY(entries);
	for (size_t kept = 0; kept <= commits; kept++) {
		struct memdisk *disk = memdisk_new();
		struct replica crashed;
		struct replica other;

		commits = crash_after(entries, ENTRIES, kept, disk);
		GIVEN_REPLICA_ON(&crashed, disk);
		GIVEN_REPLICA(&other);
		apply_each(&other, entries, crashed.applier.applied.index);

		buffer_reset(&left);
		buffer_reset(&right);
		dump(&crashed, &left);
		dump(&other, &right);
		assert_true(
			bytes_equal(buffer_bytes(&left), buffer_bytes(&right)));
		drop(&crashed);
		drop(&other);
		memdisk_free(disk);
	}
	assert_true(commits >= ENTRIES && left.size > 100);

	for (size_t i = 0; i < HISTORY; i++) {
		entry_unref(entries[i]);
	}
	buffer_deinit(&left);
	buffer_deinit(&right);
}

static void a_batch_that_fails_leaves_the_state_as_it_was(void **state)
{
	struct replica r;
	struct entry *e;
	struct applied stored;
	(void)state;

	GIVEN_REPLICA(&r);
	apply(&r, command_birth(bytes_of_text("born")));
	memstore_fail(r.store, 1);
	e = command_birth(bytes_of_text("more"));
	e->index = 2;
	e->term = 1;

	assert_int_equal(applier_apply(&r.applier, &e, 1), STATUS_IO);

	assert_int_equal(applied_load(&r.store->reader, &stored), 0);
	assert_int_equal(stored.index, 1);
	entry_unref(e);
	drop(&r);
}

static void a_batch_is_bounded_in_entries_and_bytes(void **state)
{
	struct entry *small = entry_new(ENTRY_NOOP, "", 0);
	struct entry *big = entry_new(ENTRY_COMMAND, NULL, LIMIT_ENTRY_BYTES);
	struct entry *many[LIMIT_APPLY_ENTRIES + 1];
	struct entry *bulk[] = {big, big, big, big, big};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(many); i++) {
		many[i] = small;
	}

	assert_int_equal(applier_batch(many, COUNT_OF(many)),
			 LIMIT_APPLY_ENTRIES);
	assert_int_equal(applier_batch(bulk, COUNT_OF(bulk)), 3);
	assert_int_equal(applier_batch(bulk, 1), 1);
	entry_unref(small);
	entry_unref(big);
}

/* --- Notes ---------------------------------------------------------------- */

static void write_note(void *context, uint64_t index, struct bytes note)
{
	buffer_printf(context, "%u:%.*s ", (unsigned)index, (int)note.size,
		      (const char *)note.data);
}

static void notes_are_told_in_order_with_their_index(void **state)
{
	struct replica r;
	struct buffer told = {0};
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	feed_watch(&r.feed, write_note, &told);
	s = GIVEN_SESSION(&r);
	apply(&r, operation(s, 1, 1, "a"));
	apply(&r, operation(s, 1, 1, "a"));
	apply(&r, operation(s, 2, 1, "b"));
	assert_int_equal(told.size, 0);

	feed_tell(&r.feed);

	assert_string_equal(buffer_text(&told), "2:a 4:b ");
	buffer_deinit(&told);
	drop(&r);
}

static void who_watches_no_longer_is_not_told(void **state)
{
	struct replica r;
	struct buffer told = {0};
	struct buffer others = {0};
	uint64_t s;
	(void)state;

	GIVEN_REPLICA(&r);
	feed_watch(&r.feed, write_note, &told);
	feed_watch(&r.feed, write_note, &others);
	s = GIVEN_SESSION(&r);
	apply(&r, operation(s, 1, 1, "a"));
	feed_tell(&r.feed);
	feed_unwatch(&r.feed, write_note, &told);
	apply(&r, operation(s, 2, 1, "b"));
	feed_tell(&r.feed);
	feed_gap(&r.feed, 9);

	assert_string_equal(buffer_text(&told), "2:a ");
	assert_string_equal(buffer_text(&others), "2:a 3:b 9: ");
	buffer_deinit(&told);
	buffer_deinit(&others);
	drop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_retried_operation_is_answered_from_its_result),
		cmocka_unit_test(
			operations_need_not_come_in_the_order_of_their_numbers),
		cmocka_unit_test(a_number_below_low_is_ignored),
		cmocka_unit_test(results_below_low_are_forgotten),
		cmocka_unit_test(an_ended_session_changes_nothing_any_more),
		cmocka_unit_test(opening_ends_the_older_session_of_the_node),
		cmocka_unit_test(a_late_copy_of_an_opening_ends_nothing),
		cmocka_unit_test(a_window_of_results_is_all_a_session_keeps),
		cmocka_unit_test(garbage_moves_the_applied_index_only),
		cmocka_unit_test(the_birth_happens_once),
		cmocka_unit_test(members_are_kept_as_they_came),
		cmocka_unit_test(time_never_falls_by_less_than_the_skew),
		cmocka_unit_test(the_time_rule_outlives_a_restart),
		cmocka_unit_test(
			the_state_does_not_depend_on_batches_or_restarts),
		cmocka_unit_test(
			row_41_an_index_is_kept_only_with_what_it_covers),
		cmocka_unit_test(a_batch_that_fails_leaves_the_state_as_it_was),
		cmocka_unit_test(a_batch_is_bounded_in_entries_and_bytes),
		cmocka_unit_test(who_watches_no_longer_is_not_told),
		cmocka_unit_test(notes_are_told_in_order_with_their_index),
	};

	return cmocka_run_group_tests_name("kv/apply", tests, NULL, NULL);
}
