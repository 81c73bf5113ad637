/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whatever call fails, wherever the power goes and whatever single
 * bit rots, the log opens with everything that was acknowledged, and at most
 * the one save under way besides, or says which file is damaged.
 *
 * A random history of saves, truncations, cuts, resets, preparations and
 * restarts is run again and again; in run n the fault strikes in the nth call
 * that the disk counts, until a run is over before it strikes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/logkit.h"

enum { STEPS = 40, SEEDS = 12, NTH_MAX = 4000 };

enum fault { FAULT_POWER, FAULT_IO, FAULT_NO_SPACE };

struct run {
	struct logkit kit;
	struct logkit_model acked;  /* what must be there */
	struct logkit_model wanted; /* with the save under way */
	raft_index base_max;	    /* a cut under way */
	bool has_failed;
};

static raft_index draw_keep(const struct logkit_model *m, uint64_t *seed)
{
	raft_index least = m->commit > m->base ? m->commit : m->base;

	return logkit_draw(seed, 3) > 0
		       ? m->last
		       : least + logkit_draw(seed, m->last - least + 1);
}

/* A save that a correct Raft could ask for. */
static struct logkit_save draw_save(const struct logkit_model *m,
				    uint64_t *seed)
{
	struct logkit_save s = {.hard = m->hard, .keep = draw_keep(m, seed)};
	raft_term least = s.keep > 0 ? m->entries[s.keep].term : 0;

	if (m->hard.term == 0 || logkit_draw(seed, 5) == 0) {
		s.hard.term += 1 + logkit_draw(seed, 2);
		s.hard.vote = logkit_draw(seed, 4);
	} else if (s.hard.vote == 0) {
		s.hard.vote = logkit_draw(seed, 2);
	}
	s.term = least + logkit_draw(seed, s.hard.term - least + 1);
	s.count = (size_t)logkit_draw(seed, 5);
	for (size_t i = 0; i < s.count; i++) {
		s.sizes[i] = (uint32_t)logkit_draw(
			seed, logkit_draw(seed, 2) == 0 ? 60 : 2200);
	}
	s.commit =
		m->commit + logkit_draw(seed, s.keep + s.count - m->commit + 1);
	return s;
}

static int step_save(struct run *r, uint64_t *seed)
{
	struct logkit_save s = draw_save(&r->acked, seed);
	int rc;

	r->wanted = r->acked;
	logkit_apply(&r->wanted, &s);
	rc = logkit_write(&r->kit, &s, &r->wanted);
	if (rc == 0) {
		r->acked = r->wanted;
	}
	return rc;
}

static int step_cut(struct run *r, uint64_t *seed)
{
	struct log_state state;
	int rc;

	r->base_max = logkit_draw(seed, r->acked.commit + 1);
	rc = log_cut(r->kit.log, r->base_max);
	if (rc == 0) {
		log_state(r->kit.log, &state);
		assert_true(state.base.index >= r->acked.base);
		assert_true(state.base.index <= r->base_max ||
			    state.base.index == r->acked.base);
		r->acked.base = state.base.index;
		r->base_max = 0;
		r->wanted = r->acked;
	}
	return rc;
}

/* As a snapshot asks for: somewhere beyond what is committed. */
static int step_reset(struct run *r, uint64_t *seed)
{
	const struct logkit_model *m = &r->acked;
	raft_index end = m->last + logkit_draw(seed, 20);
	struct raft_pos pos = {
		.index = m->commit + logkit_draw(seed, end - m->commit + 1),
		.term = logkit_draw(seed, m->hard.term + 1),
	};
	int rc;

	r->wanted = r->acked;
	logkit_reset(&r->wanted, pos);
	rc = log_reset(r->kit.log, pos);
	if (rc == 0) {
		r->acked = r->wanted;
	}
	return rc;
}

/* Nothing is lost that was acknowledged, nothing is there that was not asked
 * for. */
static void then_the_log_holds(struct run *r)
{
	const char *acked = logkit_differs(r->kit.log, &r->acked, r->base_max);
	const char *wanted =
		logkit_differs(r->kit.log, &r->wanted, r->base_max);
	struct log_state state;

	if (acked != NULL && wanted != NULL) {
		print_message("differs from what was acknowledged: %s, and "
			      "from what was under way: %s; %s\n",
			      acked, wanted, logkit_problem(&r->kit));
	}
	assert_true(acked == NULL || wanted == NULL);
	if (acked != NULL) {
		r->acked = r->wanted;
	}
	log_state(r->kit.log, &state);
	r->acked.base = state.base.index;
	r->acked.commit = state.commit;
	r->wanted = r->acked;
	r->base_max = 0;
}

/* The process was killed and started anew, and then the power goes: what it
 * found the first time must be there the second time. */
static void restart(struct run *r)
{
	faultdisk_restart(r->kit.disk);
	assert_int_equal(logkit_open(&r->kit), 0);
	then_the_log_holds(r);
	logkit_close(&r->kit);
}

/* Open, while the power may go again, and again. */
static void reopen(struct run *r, uint64_t *seed)
{
	unsigned times = 0;

	logkit_close(&r->kit);
	if (logkit_draw(seed, 3) == 0) {
		restart(r);
	}
	while (times++ < 4) {
		faultdisk_crash(r->kit.disk, logkit_draw(seed, UINT64_MAX));
		faultdisk_cut_power(
			r->kit.disk,
			times < 4 ? 1 + (unsigned)logkit_draw(seed, 5) : 0);
		if (logkit_open(&r->kit) == 0) {
			break;
		}
		assert_true(faultdisk_is_dark(r->kit.disk));
	}
	assert_non_null(r->kit.log);
	faultdisk_cut_power(r->kit.disk, 0);
	then_the_log_holds(r);
}

static int step(struct run *r, uint64_t *seed)
{
	int rc;

	switch (logkit_draw(seed, 11)) {
	case 0:
		return step_cut(r, seed);
	case 1:
		rc = log_prepare(r->kit.log);
		/* It harms nothing that this fails, while there is power. */
		return faultdisk_is_dark(r->kit.disk) ? rc : 0;
	case 2:
		logkit_close(&r->kit);
		return logkit_open(&r->kit);
	case 3:
		return step_reset(r, seed);
	default:
		return step_save(r, seed);
	}
}

/* Return whether the fault struck. */
static bool run_with_fault(uint64_t seed, enum fault fault, unsigned nth)
{
	struct run *r = mem_zalloc(sizeof *r);
	unsigned before;
	bool struck;
	int rc;

	logkit_init(&r->kit);
	if (fault == FAULT_POWER) {
		faultdisk_cut_power(r->kit.disk, nth);
	} else {
		faultdisk_fail(r->kit.disk, nth,
			       fault == FAULT_IO ? STATUS_IO : STATUS_NO_SPACE);
	}
	rc = logkit_open(&r->kit);
	for (int i = 0; rc == 0 && i < STEPS; i++) {
		rc = step(r, &seed);
	}
	before = faultdisk_calls(r->kit.disk);
	struck = before >= nth;
	if (!struck) {
		assert_int_equal(rc, 0);
	}

	reopen(r, &seed);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(step(r, &seed), 0);
	}
	reopen(r, &seed);
	logkit_deinit(&r->kit);
	mem_free(r);
	return struck;
}

static void run_all(enum fault fault)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		unsigned nth = 1;

		while (run_with_fault(seed * 1000003, fault, nth)) {
			nth++;
			assert_true(nth < NTH_MAX);
		}
		assert_true(nth > 50); /* the history is worth its name */
	}
}

static void nothing_acknowledged_is_lost_wherever_the_power_goes(void **state)
{
	(void)state;
	run_all(FAULT_POWER);
}

static void nothing_acknowledged_is_lost_whichever_call_fails(void **state)
{
	(void)state;
	run_all(FAULT_IO);
}

static void nothing_acknowledged_is_lost_when_space_runs_out(void **state)
{
	(void)state;
	run_all(FAULT_NO_SPACE);
}

/* --- Rot -------------------------------------------------------------------
 */

/* Several segments, truncations, a cut, and all of it acknowledged. */
static void GIVEN_HISTORY(struct run *r)
{
	uint64_t seed = 77;

	logkit_init(&r->kit);
	assert_int_equal(logkit_open(&r->kit), 0);
	for (int i = 0; i < 24; i++) {
		assert_int_equal(step_save(r, &seed), 0);
	}
	logkit_close(&r->kit);
}

/* Open a rotten copy: it names the file, or holds everything. */
static bool is_harmless_or_named(struct run *r, struct logkit *k,
				 const char *name, uint64_t at)
{
	int rc = logkit_open(k);
	bool is_fine =
		rc == 0 ? logkit_differs(k->log, &r->acked, 0) == NULL
			: rc == STATUS_CORRUPT &&
				  strstr(logkit_problem(k), name) != NULL;

	if (!is_fine) {
		print_message("%s at %llu: %d %s\n", name,
			      (unsigned long long)at, rc, logkit_problem(k));
	}
	logkit_deinit(k);
	return is_fine;
}

static bool flip_is_harmless_or_named(struct run *r, const char *name,
				      uint64_t at, uint8_t mask)
{
	struct logkit k = {.disk = faultdisk_copy(r->kit.disk)};

	faultdisk_flip(k.disk, name, at, mask);
	return is_harmless_or_named(r, &k, name, at);
}

/* Up to 600 bytes of garbage; none of it is zero, which is what a power cut
 * leaves. */
static bool garbage_is_harmless_or_named(struct run *r, const char *name,
					 uint64_t seed)
{
	struct logkit k = {.disk = faultdisk_copy(r->kit.disk)};
	struct disk *d = faultdisk_disk(k.disk);
	uint8_t garbage[600];
	size_t size = 2 + (size_t)logkit_draw(&seed, sizeof garbage - 1);
	uint64_t at = logkit_draw(&seed, LOGKIT_SEGMENT_BYTES - size);
	struct disk_file *file;

	for (size_t i = 0; i < size; i++) {
		garbage[i] = (uint8_t)(1 + logkit_draw(&seed, 255));
	}
	assert_int_equal(d->ops->open(d, name, false, &file), 0);
	assert_int_equal(d->ops->write(file, at, garbage, size), 0);
	assert_int_equal(d->ops->sync(file), 0);
	d->ops->close(file);
	return is_harmless_or_named(r, &k, name, at);
}

static void any_flipped_bit_is_harmless_or_named(void **state)
{
	struct run *r = mem_zalloc(sizeof *r);
	char name[32];
	unsigned segments = 0;
	(void)state;

	GIVEN_HISTORY(r);

	for (unsigned number = 1; number < 16; number++) {
		(void)snprintf(name, sizeof name, "log-%016x", number);
		if (!faultdisk_has(r->kit.disk, name)) {
			continue;
		}
		segments++;
		for (unsigned at = 0; at < LOGKIT_SEGMENT_BYTES; at += 5) {
			assert_true(flip_is_harmless_or_named(
				r, name, at, (uint8_t)(1u << at % 8)));
		}
	}

	assert_true(segments >= 3);
	logkit_deinit(&r->kit);
	mem_free(r);
}

static void garbage_anywhere_is_harmless_or_named(void **state)
{
	struct run *r = mem_zalloc(sizeof *r);
	char name[32];
	(void)state;

	GIVEN_HISTORY(r);

	for (unsigned number = 1; number < 16; number++) {
		(void)snprintf(name, sizeof name, "log-%016x", number);
		if (!faultdisk_has(r->kit.disk, name)) {
			continue;
		}
		for (unsigned seed = 0; seed < 1000; seed++) {
			assert_true(garbage_is_harmless_or_named(
				r, name, seed * 31 + number));
		}
	}

	logkit_deinit(&r->kit);
	mem_free(r);
}

/* The log is open when it rots: a read must not believe it. */
static void an_entry_that_rots_is_named_when_read(void **state)
{
	struct logkit_model *m = mem_zalloc(sizeof *m);
	struct logkit k;
	struct entry *e;
	(void)state;

	logkit_init(&k);
	assert_int_equal(logkit_open(&k), 0);
	logkit_append(&k, m, 1, 0, 2, 100);
	faultdisk_flip(k.disk, "log-0000000000000001", 4096 + 200, 1);

	assert_int_equal(log_read(k.log, 1, &e), STATUS_CORRUPT);
	assert_int_equal(log_read(k.log, 2, &e), 0);
	entry_unref(e);
	logkit_deinit(&k);
	mem_free(m);
}

/* What faultdisk does, but no file reads beyond its first block. */
static int read_first_block(struct disk_file *file, uint64_t at, void *data,
			    size_t size)
{
	(void)file;
	(void)data;
	errno = EIO;
	return at + size > 4096 ? STATUS_IO : STATUS_SHORT;
}

/* A disk that no longer gives what it had is damage as any: not an error that
 * may pass. */
static void a_sector_that_does_not_read_is_named(void **state)
{
	struct logkit_model *m = mem_zalloc(sizeof *m);
	struct disk broken;
	struct disk_ops ops;
	struct log_config config;
	struct buffer problem = {0};
	struct logkit k;
	struct log *log;
	(void)state;

	logkit_init(&k);
	assert_int_equal(logkit_open(&k), 0);
	logkit_append(&k, m, 1, 0, 2, 100);
	log_close(k.log);
	k.log = NULL;
	ops = *faultdisk_disk(k.disk)->ops;
	ops.read = read_first_block;
	broken = *faultdisk_disk(k.disk);
	faultdisk_disk(k.disk)->ops = &ops;
	config = (struct log_config){
		.disk = faultdisk_disk(k.disk),
		.segment_bytes = LOGKIT_SEGMENT_BYTES,
	};

	assert_int_equal(log_open(&config, &log, &problem), STATUS_CORRUPT);
	assert_string_equal(buffer_text(&problem),
			    "log-0000000000000001: damaged at offset 0: "
			    "Input/output error");
	faultdisk_disk(k.disk)->ops = broken.ops;
	buffer_deinit(&problem);
	logkit_deinit(&k);
	mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			nothing_acknowledged_is_lost_wherever_the_power_goes),
		cmocka_unit_test(
			nothing_acknowledged_is_lost_whichever_call_fails),
		cmocka_unit_test(
			nothing_acknowledged_is_lost_when_space_runs_out),
		cmocka_unit_test(any_flipped_bit_is_harmless_or_named),
		cmocka_unit_test(garbage_anywhere_is_harmless_or_named),
		cmocka_unit_test(an_entry_that_rots_is_named_when_read),
		cmocka_unit_test(a_sector_that_does_not_read_is_named),
	};

	return cmocka_run_group_tests_name("raft/node/log under faults", tests,
					   NULL, NULL);
}
