/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads around a log.
 *
 * The saver takes the whole queue at once. Saves that stand together become
 * one batch, merged as if each had been written after the other: a later one
 * may discard entries of an earlier one, which then never reach the disk. A
 * batch ends at a cut or a reset, or before the save that would make its record
 * larger than a record may be. A save that waits for room lets the cuts behind
 * it pass: they make some.
 *
 * The preparer keeps one segment ready. It is woken when the last one was
 * taken, and after a failure tries again every PREPARE_RETRY_MS; it says so
 * once. It never ends the process: the save that needs the segment makes it
 * itself, and its failure does.
 *
 * A record whose term or vote is another than that of the promise takes a
 * second sync, of that: elections are rare.
 *
 * Saver and preparer share nothing but the log, which protects itself. */
#include "raft/node/saver.h"

#include <pthread.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { PREPARE_RETRY_MS = 10000, PREPARER_NICE = 10 };

enum work_kind { WORK_SAVE, WORK_CUT, WORK_RESET, WORK_OTHERS };

struct work {
	STAILQ_ENTRY(work) link;
	enum work_kind kind;
	struct raft_pos pos; /* of a cut (its index) or a reset */
	saver_reset_done reset_done;
	bool others;
	raft_seq seq;
	uint64_t payload_bytes;
	struct log_record record; /* its array is this block's tail */
	struct entry *entries[];
};
STAILQ_HEAD(work_list, work);

/* Saves merged so far; the saver's thread only. */
struct batch {
	struct log_record record;
	size_t capacity;
	size_t bytes;		/* as log_record_bytes_max counts */
	uint64_t payload_bytes; /* of all its saves, discarded ones too */
	raft_seq seq;		/* of the last one; 0: empty */
};

struct saver {
	struct log *log;
	struct promise *promise;
	bool others; /* to stand in it; the saver's thread only */
	saver_done done;
	saver_cut_done cut_done;
	saver_full full;
	void *context;
	pthread_t saver;
	pthread_t preparer;
	struct batch batch;
	struct work_list taken; /* off the queue, not carried out yet */
	bool is_dropping;	/* stopping, without room for what is queued */
	atomic_uint_fast64_t queued_bytes;

	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t work_came;
	pthread_cond_t spare_taken;
	struct work_list queue;
	bool is_stopping;
	bool wants_spare;
};

enum { ENTRY_OVERHEAD_BYTES = 64 };

static size_t entry_cost(const struct entry *e)
{
	return e->size + (size_t)ENTRY_OVERHEAD_BYTES;
}

/* --- Merging ---------------------------------------------------------------
 */

static void batch_keep(struct batch *b, raft_index keep)
{
	struct log_record *r = &b->record;
	size_t count = keep > r->keep ? (size_t)(keep - r->keep) : 0;

	CHECK(count <= r->count); /* no gap */
	while (r->count > count) {
		struct entry *e = r->entries[--r->count];

		b->bytes -= entry_cost(e);
		entry_unref(e);
	}
	if (keep < r->keep) {
		r->keep = keep;
	}
}

static void batch_append(struct batch *b, struct entry *e)
{
	struct log_record *r = &b->record;

	CHECK(e->index == r->keep + r->count + 1);
	if (r->count == b->capacity) {
		b->capacity = b->capacity * 2 + 16;
		r->entries = mem_realloc(r->entries, b->capacity * sizeof(e));
	}
	r->entries[r->count++] = e;
	b->bytes += entry_cost(e);
}

/* The entries' references pass to the batch. */
static void batch_add(struct batch *b, const struct work *w)
{
	if (b->seq == 0) {
		b->record.keep = w->record.keep;
	}
	CHECK(w->seq > b->seq);
	batch_keep(b, w->record.keep);
	for (size_t i = 0; i < w->record.count; i++) {
		batch_append(b, w->record.entries[i]);
	}
	b->record.hard = w->record.hard;
	if (w->record.commit > b->record.commit) {
		b->record.commit = w->record.commit;
	}
	b->payload_bytes += w->payload_bytes;
	b->seq = w->seq;
}

static size_t work_cost(const struct work *w)
{
	return (size_t)w->payload_bytes +
	       w->record.count * ENTRY_OVERHEAD_BYTES;
}

static void batch_reset(struct batch *b)
{
	for (size_t i = 0; i < b->record.count; i++) {
		entry_unref(b->record.entries[i]);
	}
	*b = (struct batch){.record.entries = b->record.entries,
			    .capacity = b->capacity};
}

/* --- The saver -------------------------------------------------------------
 */

static void prepare_if_wanted(struct saver *s)
{
	if (log_wants_spare(s->log)) {
		pthread_mutex_lock(&s->mutex);
		s->wants_spare = true;
		pthread_cond_signal(&s->spare_taken);
		pthread_mutex_unlock(&s->mutex);
	}
}

static struct timespec time_in(unsigned ms)
{
	struct timespec when;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &when) == 0);
	when.tv_sec += ms / 1000;
	when.tv_nsec += (long)(ms % 1000) * 1000000;
	if (when.tv_nsec >= 1000000000) {
		when.tv_sec++;
		when.tv_nsec -= 1000000000;
	}
	return when;
}

/* Wait before the next try. False: the saver is to stop. */
static bool pause_full(struct saver *s)
{
	struct timespec when = time_in(SAVER_RETRY_MS);
	bool stopping;

	pthread_mutex_lock(&s->mutex);
	while (!s->is_stopping &&
	       pthread_cond_timedwait(&s->work_came, &s->mutex, &when) == 0) {
	}
	stopping = s->is_stopping;
	pthread_mutex_unlock(&s->mutex);
	return !stopping;
}

static void cut(struct saver *s, raft_index index)
{
	struct log_state state;

	if (log_cut(s->log, index) != 0) {
		log_fatal("cannot cut the log: %s", log_problem(s->log));
	}
	log_state(s->log, &state);
	s->cut_done(s->context, state.base);
}

/* Take the first cut off the list, unless there is a reset before it: then it
 * is one of the log that begins there. NULL: there is none. */
static struct work *take_cut(struct work_list *list)
{
	struct work *w;

	STAILQ_FOREACH (w, list, link) {
		if (w->kind == WORK_RESET) {
			return NULL;
		}
		if (w->kind == WORK_CUT) {
			STAILQ_REMOVE(list, w, work, link);
			return w;
		}
	}
	return NULL;
}

/* A cut drops what is saved, applied and flushed, so it may pass what waits.
 * Return whether one did. */
static bool cut_ahead(struct saver *s)
{
	struct work *w;
	bool has_cut = false;

	pthread_mutex_lock(&s->mutex);
	STAILQ_CONCAT(&s->taken, &s->queue);
	pthread_mutex_unlock(&s->mutex);
	while ((w = take_cut(&s->taken)) != NULL) {
		cut(s, w->pos.index);
		mem_free(w);
		has_cut = true;
	}
	return has_cut;
}

static int save_batch(struct saver *s, struct raft_pos unused)
{
	(void)unused;
	return log_save(s->log, &s->batch.record);
}

static int reset_to(struct saver *s, struct raft_pos pos)
{
	return log_reset(s->log, pos);
}

/* Do it, however long the disk is full. False: it was dropped. what: in "cannot
 * what the log". */
static bool insist(struct saver *s, const char *what,
		   int (*act)(struct saver *s, struct raft_pos pos),
		   struct raft_pos pos)
{
	bool waited = false;
	int rc;

	while (!s->is_dropping) {
		rc = act(s, pos);
		if (rc == 0) {
			if (waited) {
				log_info("the log goes on: there is room");
			}
			return true;
		}
		CHECK(rc != STATUS_INVALID);
		if (rc != STATUS_NO_SPACE) {
			log_fatal("cannot %s the log: %s", what,
				  log_problem(s->log));
		}
		if (!waited) {
			log_warn("the log waits for room on the disk: %s",
				 log_problem(s->log));
		}
		waited = true;
		s->full(s->context);
		/* What follows a reset is of the log that begins there. */
		if (act != save_batch || !cut_ahead(s)) {
			s->is_dropping = !pause_full(s);
		}
	}
	return false;
}

/* In place, so it needs no room that is not there; but who knows. */
static bool follow(struct saver *s, struct raft_hard hard)
{
	int rc;

	while (s->promise != NULL && !s->is_dropping) {
		rc = promise_save(s->promise, hard, s->others);
		if (rc == 0) {
			break;
		}
		if (rc != STATUS_NO_SPACE) {
			log_fatal("cannot save the file promise: %s",
				  disk_status_text(rc));
		}
		s->full(s->context);
		s->is_dropping = !pause_full(s);
	}
	return !s->is_dropping;
}

static void flush(struct saver *s)
{
	struct batch *b = &s->batch;
	bool saved;

	if (b->seq == 0) {
		return;
	}
	saved = insist(s, "save", save_batch, (struct raft_pos){0}) &&
		follow(s, b->record.hard);
	atomic_fetch_sub(&s->queued_bytes, b->payload_bytes);
	if (saved) {
		s->done(s->context, b->seq);
	}
	batch_reset(b);
	prepare_if_wanted(s);
}

static void reset(struct saver *s, const struct work *w)
{
	if (insist(s, "reset", reset_to, w->pos)) {
		w->reset_done(s->context, w->pos);
	}
}

static void process_save(struct saver *s, const struct work *w)
{
	if (s->batch.bytes + work_cost(w) > log_record_bytes_max(s->log)) {
		flush(s);
	}
	batch_add(&s->batch, w);
}

static void process_other(struct saver *s, const struct work *w)
{
	if (s->is_dropping) {
		return;
	}
	if (w->kind == WORK_CUT) {
		cut(s, w->pos.index);
	} else if (w->kind == WORK_RESET) {
		reset(s, w);
	} else {
		s->others = w->others;
		(void)follow(s, s->promise->hard);
	}
}

/* All that was taken, and what a flush takes meanwhile. */
static void process(struct saver *s)
{
	struct work *w;

	while ((w = STAILQ_FIRST(&s->taken)) != NULL || s->batch.seq != 0) {
		if (w == NULL || (w->kind != WORK_SAVE && s->batch.seq != 0)) {
			flush(s); /* and cuts may have passed it */
			continue;
		}
		STAILQ_REMOVE_HEAD(&s->taken, link);
		if (w->kind == WORK_SAVE) {
			process_save(s, w);
		} else {
			process_other(s, w);
		}
		mem_free(w);
	}
}

static void *run_saver(void *context)
{
	struct saver *s = context;

	pthread_mutex_lock(&s->mutex);
	for (;;) {
		while (STAILQ_EMPTY(&s->queue) && !s->is_stopping) {
			pthread_cond_wait(&s->work_came, &s->mutex);
		}
		if (STAILQ_EMPTY(&s->queue)) {
			break;
		}
		STAILQ_CONCAT(&s->taken, &s->queue);
		pthread_mutex_unlock(&s->mutex);
		process(s);
		pthread_mutex_lock(&s->mutex);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* --- The preparer ----------------------------------------------------------
 */

/* Say a failure once, until it went well again. */
static bool prepare(struct saver *s, bool failed_before)
{
	int rc = log_prepare(s->log);

	if (rc != 0 && !failed_before) {
		log_warn("cannot prepare the next log segment: %s",
			 disk_status_text(rc));
	}
	return rc != 0;
}

static void *run_preparer(void *context)
{
	struct saver *s = context;
	bool failed = false;

	/* A hint to the scheduler: without it, all works as well. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), PREPARER_NICE);
	pthread_mutex_lock(&s->mutex);
	while (!s->is_stopping) {
		if (!s->wants_spare) {
			pthread_cond_wait(&s->spare_taken, &s->mutex);
			continue;
		}
		s->wants_spare = false;
		pthread_mutex_unlock(&s->mutex);
		failed = prepare(s, failed);
		pthread_mutex_lock(&s->mutex);
		if (failed && !s->is_stopping) {
			struct timespec when = time_in(PREPARE_RETRY_MS);

			while (!s->is_stopping &&
			       pthread_cond_timedwait(&s->spare_taken,
						      &s->mutex, &when) == 0) {
			}
			s->wants_spare = true;
		}
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* --- Life ------------------------------------------------------------------
 */

static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	CHECK(pthread_condattr_init(&attributes) == 0);
	CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(condition, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
}

struct saver *saver_start(struct log *log, struct promise *promise,
			  saver_done done, saver_cut_done cut_done,
			  saver_full full, void *context)
{
	struct saver *s = mem_zalloc(sizeof *s);

	s->log = log;
	s->promise = promise;
	s->others = promise != NULL && promise->others;
	s->done = done;
	s->cut_done = cut_done;
	s->full = full;
	s->context = context;
	s->wants_spare = true;
	atomic_init(&s->queued_bytes, 0);
	STAILQ_INIT(&s->queue);
	STAILQ_INIT(&s->taken);
	CHECK(pthread_mutex_init(&s->mutex, NULL) == 0);
	init_condition(&s->work_came);
	init_condition(&s->spare_taken);
	if (pthread_create(&s->saver, NULL, run_saver, s) != 0 ||
	    pthread_create(&s->preparer, NULL, run_preparer, s) != 0) {
		log_fatal("cannot start the log's threads");
	}
	return s;
}

void saver_stop(struct saver *s)
{
	pthread_mutex_lock(&s->mutex);
	s->is_stopping = true;
	pthread_cond_signal(&s->work_came);
	pthread_cond_signal(&s->spare_taken);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->saver, NULL);
	pthread_join(s->preparer, NULL);

	CHECK(STAILQ_EMPTY(&s->queue) && s->batch.seq == 0);
	pthread_mutex_destroy(&s->mutex);
	pthread_cond_destroy(&s->work_came);
	pthread_cond_destroy(&s->spare_taken);
	mem_free(s->batch.record.entries);
	mem_free(s);
}

static void enqueue(struct saver *s, struct work *w)
{
	pthread_mutex_lock(&s->mutex);
	CHECK(!s->is_stopping);
	STAILQ_INSERT_TAIL(&s->queue, w, link);
	pthread_cond_signal(&s->work_came);
	pthread_mutex_unlock(&s->mutex);
}

void saver_save(struct saver *s, raft_seq seq, const struct log_record *record)
{
	size_t array = record->count * sizeof(record->entries[0]);
	struct work *w = mem_alloc(sizeof *w + array);

	*w = (struct work){.seq = seq, .record = *record};
	w->record.entries = w->entries;
	for (size_t i = 0; i < record->count; i++) {
		w->entries[i] = record->entries[i];
		w->payload_bytes += record->entries[i]->size;
	}
	atomic_fetch_add(&s->queued_bytes, w->payload_bytes);
	enqueue(s, w);
}

void saver_cut(struct saver *s, raft_index index)
{
	struct work *w = mem_alloc(sizeof *w);

	*w = (struct work){.kind = WORK_CUT, .pos.index = index};
	enqueue(s, w);
}

void saver_reset(struct saver *s, struct raft_pos pos, saver_reset_done done)
{
	struct work *w = mem_alloc(sizeof *w);

	*w = (struct work){.kind = WORK_RESET, .pos = pos, .reset_done = done};
	enqueue(s, w);
}

void saver_others(struct saver *s, bool others)
{
	struct work *w = mem_alloc(sizeof *w);

	CHECK(s->promise != NULL);
	*w = (struct work){.kind = WORK_OTHERS, .others = others};
	enqueue(s, w);
}

uint64_t saver_queued_bytes(const struct saver *s)
{
	return atomic_load(&s->queued_bytes);
}
