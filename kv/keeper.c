/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.c - the keeper thread: flushes, and the duties of a leader.
 *
 * Flush: apply never waits for it. The applied index is read before the flush
 * begins, so the marker never promises more than is durable.
 *
 * Duties, only while this node leads a majority and its state is the newest:
 * the birth of the state, the end of sessions it has not heard for too long
 * (counted from its election: no clock in the state), and the machine's tidy,
 * once every live session has been heard. */
#include <inttypes.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "kv/command.h"
#include "kv/internal.h"
#include "kv/swap.h"

enum { AGAIN_MS = 5000 }; /* a duty's entry may be lost: propose it anew */

void kv_own_push(struct kv *kv, struct entry *e)
{
	if (kv->own_count == KV_OWN_ENTRIES) {
		entry_unref(e); /* a later round proposes it again */
		return;
	}
	kv->own[kv->own_count++] = e;
}

/* --- Flush ---------------------------------------------------------------- */

/* marker_lock held. */
static int flush(struct kv *kv, struct buffer *problem)
{
	struct marker next = kv->marker;
	int rc;

	pthread_mutex_lock(&kv->lock);
	next.index = kv->dirty.index;
	next.term = kv->dirty.term;
	kv->dirty_bytes = 0;
	kv->dirty_entries = 0;
	kv->dirty_removed = 0;
	pthread_mutex_unlock(&kv->lock);
	if (next.index <= kv->marker.index) {
		return 0;
	}
	/* Something was applied on top of it: its log was begun. */
	next.installed = false;
	rc = kv->store->ops->flush(kv->store);
	if (rc != 0) {
		buffer_printf(problem,
			      "the state database can not be made "
			      "durable: %s",
			      status_text(rc));
		return rc;
	}
	rc = marker_save(kv->folder, kv->data, &next, problem);
	if (rc == 0) {
		kv->marker = next;
	}
	return rc;
}

int kv_flush(struct kv *kv, struct buffer *problem)
{
	raft_index flushed;
	int rc;

	pthread_mutex_lock(&kv->marker_lock);
	rc = flush(kv, problem);
	flushed = kv->marker.index;
	pthread_mutex_unlock(&kv->marker_lock);
	if (rc == 0) {
		node_flushed(kv->node, flushed);
	}
	return rc;
}

/* On a full disk it is tried again with the reserve, about once a second: until
 * then the log is not cut, and nothing is lost. */
static void flush_or_die(struct kv *kv)
{
	struct buffer problem = {0};
	int rc = STATUS_NO_SPACE;

	if (node_space_has(kv->node, kv->store->ops->need(kv->store))) {
		rc = kv_flush(kv, &problem);
	} else {
		buffer_printf(&problem, "the state waits for room on the disk "
					"to be made durable");
	}
	if (rc == STATUS_NO_SPACE) {
		if (!kv->flush_failed) {
			log_warn("%s", buffer_text(&problem));
		}
	} else if (rc != 0) {
		kv_damaged(kv, rc, buffer_text(&problem));
		log_fatal("%s", buffer_text(&problem));
	}
	kv->flush_failed = rc != 0;
	buffer_deinit(&problem);
	if (rc == 0 && node_space_low(kv->node)) {
		kv->store->ops->shrink(kv->store);
	}
}

/* The disk runs full: what a later flush would need is needed now, while there
 * is a reserve. */
static void look_at_space(struct kv *kv)
{
	bool was_low = node_space_low(kv->node);

	node_space_look(kv->node);
	if (!was_low && node_space_low(kv->node)) {
		flush_or_die(kv);
	}
}

/* A store whose threads have failed for want of room may hold on to that: it
 * compacts no more, gives no space back, and at last takes nothing in. While
 * it goes on failing although there is room, the reserve if need be, it is
 * opened anew; more and more seldom, for it may be right. */
static void look_at_store(struct kv *kv)
{
	const struct store_ops *ops = kv->store->ops;
	uint64_t failures = ops->failures(kv->store);
	struct kv_mending *m = &kv->mending;
	uint64_t now = kv_now_ms();
	int rc;

	if (failures != m->failures) {
		m->since_ms = m->since_ms == 0 ? now : m->since_ms;
		m->last_ms = now;
		m->failures = failures;
	} else if (kv_elapsed(m->last_ms, now) >= KV_MEND_GAP_MS) {
		m->since_ms = 0;
		if (kv_elapsed(m->last_ms, now) >= KV_MEND_QUIET_MS) {
			m->count = 0;
		}
	}
	if (m->since_ms == 0 ||
	    kv_elapsed(m->since_ms, now) < ((uint64_t)KV_MEND_MS << m->count) ||
	    !node_space_has(kv->node, ops->need(kv->store) + KV_MEND_BYTES)) {
		return;
	}
	rc = ops->reopen(kv->store);
	if (rc == STATUS_BUSY || rc == STATUS_NO_SPACE) {
		return; /* soon again */
	}
	if (rc != 0) {
		log_fatal("the state database can not be opened anew: %s",
			  status_text(rc));
	}
	log_info("the state database failed for want of room: opened anew");
	m->failures = ops->failures(kv->store);
	m->since_ms = 0;
	m->last_ms = now;
	m->count += m->count < KV_MEND_COUNT ? 1 : 0;
}

/* Lock held. How long what is applied may wait for its flush. On a disk that
 * runs full the log is cut by it; and the space of what was removed is given
 * back some time after it. */
static uint64_t flush_patience(const struct kv *kv)
{
	uint64_t patience = kv->flush_ms;

	if (kv->dirty_removed >= KV_FLUSH_REMOVED &&
	    patience > KV_FLUSH_REMOVED_MS) {
		patience = KV_FLUSH_REMOVED_MS;
	}
	if (kv->low && patience > KV_FLUSH_LOW_MS) {
		patience = KV_FLUSH_LOW_MS;
	}
	return patience;
}

/* Lock held. */
static bool flush_due(const struct kv *kv)
{
	return kv->flush_failed || kv->flush_wanted ||
	       kv->dirty_bytes >= KV_FLUSH_BYTES ||
	       kv->dirty_entries >= kv->flush_entries ||
	       (kv->dirty_entries > 0 &&
		kv_now_ms() - kv->dirty_ms >= flush_patience(kv));
}

/* --- The leader's duties -------------------------------------------------- */

struct live {
	uint64_t ids[ROSTER_SESSIONS];
	size_t count;
	bool too_many;
};

static bool add_live(void *context, const struct session *s)
{
	struct live *live = context;

	if (live->count == ROSTER_SESSIONS) {
		live->too_many = true;
		return false;
	}
	live->ids[live->count++] = s->id;
	return true;
}

/* Return whether it is done. */
static bool propose_birth(struct kv *kv, uint64_t now)
{
	struct buffer operation = {0};
	bool born;
	bool due;

	pthread_mutex_lock(&kv->lock);
	born = kv->born;
	due = !born && (kv->birth_ms == 0 || now - kv->birth_ms >= AGAIN_MS);
	kv->birth_ms = due ? now : kv->birth_ms;
	pthread_mutex_unlock(&kv->lock);
	if (due) {
		kv->machine.birth(kv->machine.context, &operation);
		pthread_mutex_lock(&kv->lock);
		kv_own_push(kv, command_birth(buffer_bytes(&operation)));
		pthread_mutex_unlock(&kv->lock);
		node_wake(kv->node);
	}
	buffer_deinit(&operation);
	return born;
}

/* Lock held. Propose the end of what was not heard. Return whether every live
 * session was heard, and the lowest index applied by all their nodes. */
static bool call_roll(struct kv *kv, const struct live *live, uint64_t now,
		      uint64_t *applied, bool *wake)
{
	bool all = true;

	*applied = atomic_load(&kv->applied);
	roster_keep(&kv->roster, live->ids, live->count);
	for (size_t i = 0; i < live->count; i++) {
		struct roster_entry *e =
			roster_find(&kv->roster, live->ids[i], now);
		uint64_t last;

		if (live->ids[i] == kv->proposals.session) {
			continue; /* this node's own counts as heard */
		}
		CHECK(e != NULL); /* at most ROSTER_SESSIONS live */
		last = e->heard_ms > e->since_ms ? e->heard_ms : e->since_ms;
		all = all && e->heard_ms > 0;
		*applied = e->applied < *applied ? e->applied : *applied;
		if (kv_elapsed(last, now) >= kv->session_ms &&
		    (e->ended_ms == 0 || now - e->ended_ms >= AGAIN_MS)) {
			e->ended_ms = now;
			kv_own_push(kv, command_end(e->session));
			*wake = true;
			log_info("a session was not heard: ending it "
				 "session=%" PRIu64,
				 e->session);
		}
	}
	return all;
}

struct duty {
	struct kv_tidy tidy;
	struct kv *kv;
};

static bool on_held(const struct kv_tidy *t, uint64_t id)
{
	struct kv *kv = CONTAINER_OF(t, const struct duty, tidy)->kv;
	bool held;

	pthread_mutex_lock(&kv->lock);
	held = holds_has(&kv->holds, id) || roster_holds(&kv->roster, id);
	pthread_mutex_unlock(&kv->lock);
	return held;
}

static void nobody_waits(void *context, int status, struct bytes result)
{
	(void)context;
	(void)status;
	(void)result;
}

static void on_propose(const struct kv_tidy *t, struct bytes operation)
{
	struct kv *kv = CONTAINER_OF(t, const struct duty, tidy)->kv;

	(void)kv_propose(kv, operation, kv_now_ms() + kv->timeout_ms,
			 nobody_waits, NULL);
}

/* A leader that a majority follows, and whose state is the newest. A lease
 * would say so, but one that asked another to stand has none any more for its
 * term, even if that came to nothing. Whatever is done goes through the log:
 * one that leads no longer does nothing by it. */
static bool leads_newest(struct kv *kv)
{
	struct node_status *status;
	bool newest;

	if (!kv_leads_quorum(kv)) {
		return false;
	}
	status = mem_alloc(sizeof *status);
	node_status(kv->node, status);
	newest = atomic_load(&kv->applied) >= status->raft.commit;
	mem_free(status);
	return newest;
}

void kv_duties(struct kv *kv)
{
	struct live live = {.count = 0};
	uint64_t now = kv_now_ms();
	struct duty duty = {
		.tidy = {.reader = &kv->store->reader,
			 .now_ns = kv_realtime_ns(),
			 .held = on_held,
			 .propose = on_propose},
		.kv = kv,
	};
	bool wake = false;
	bool all;
	int rc;

	if (!leads_newest(kv)) {
		return;
	}
	if (!propose_birth(kv, now)) {
		return;
	}
	rc = session_each(&kv->store->reader, add_live, &live);
	if (rc != 0) {
		log_error("the sessions can not be read: %s", status_text(rc));
		return;
	}
	pthread_mutex_lock(&kv->lock);
	all = kv->leading && kv->proposals.usable &&
	      call_roll(kv, &live, now, &duty.tidy.applied_everywhere, &wake) &&
	      !live.too_many;
	pthread_mutex_unlock(&kv->lock);
	if (wake) {
		node_wake(kv->node);
	}
	if (all) {
		kv->machine.tidy(kv->machine.context, &duty.tidy);
	}
}

/* --- The thread ----------------------------------------------------------- */

/* Lock held: wait for work, a second at most. */
static void wait_a_second(struct kv *kv)
{
	struct timespec until;
	int rc = clock_gettime(CLOCK_MONOTONIC, &until);

	CHECK(rc == 0);
	until.tv_sec++;
	(void)pthread_cond_timedwait(&kv->keeper_wake, &kv->lock, &until);
}

void *kv_keeper_main(void *context)
{
	struct kv *kv = context;
	bool stopping;

	do {
		bool due;
		bool duty;

		pthread_mutex_lock(&kv->lock);
		if (!kv->stopping && !kv->duty &&
		    (kv->flush_failed || !flush_due(kv))) {
			wait_a_second(kv);
		}
		stopping = kv->stopping;
		due = flush_due(kv) && !stopping;
		kv->flush_wanted = false;
		duty = kv->duty && !stopping;
		kv->duty = false;
		pthread_mutex_unlock(&kv->lock);
		if (!stopping) {
			look_at_space(kv);
			look_at_store(kv);
		}
		if (duty) {
			kv_duties(kv);
		}
		if (due) {
			flush_or_die(kv);
		}
		(void)swap_sweep(kv->store);
	} while (!stopping);
	return NULL;
}
