/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - what the node tells kv; all of it on the node's loop thread. */
#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"
#include "kv/command.h"
#include "kv/internal.h"

/* An opening is offered again, without a change of route, after this long. */
enum { OPEN_AGAIN_MS = 2000, ALIVE_GAP_MS = 100 };

/* --- Proposals ------------------------------------------------------------ */

static bool wants_session(const struct kv *kv, uint64_t now)
{
	return !kv->closing && !kv->proposals.usable &&
	       (!kv->open_offered ||
		now - kv->open_offered_ms >= OPEN_AGAIN_MS);
}

bool kv_wanted(const struct kv *kv, uint64_t now)
{
	return kv->route_open &&
	       (kv->own_count > 0 || wants_session(kv, now) ||
		(kv->born && proposals_wanted(&kv->proposals)));
}

static struct entry *next_entry(struct kv *kv, uint64_t now, size_t bytes_max)
{
	struct session_owner owner = {
		.incarnation = kv->identity.self,
		.boot = kv->identity.boot,
		.opening = kv->opening,
	};

	if (kv->own_count > 0) {
		struct entry *first = kv->own[0];

		if (first->size > bytes_max) {
			return NULL;
		}
		kv->own_count--;
		for (size_t i = 0; i < kv->own_count; i++) {
			kv->own[i] = kv->own[i + 1];
		}
		return first;
	}
	if (wants_session(kv, now)) {
		kv->open_offered = true;
		kv->open_offered_ms = now;
		return command_open(&owner);
	}
	return kv->born ? proposals_take(&kv->proposals, bytes_max) : NULL;
}

static size_t on_take(void *context, struct entry **entries, size_t count_max,
		      size_t bytes_max)
{
	struct kv *kv = context;
	uint64_t now = kv_now_ms();
	size_t count = 0;
	size_t bytes = 0;

	pthread_mutex_lock(&kv->lock);
	while (count < count_max && (count == 0 || bytes < bytes_max)) {
		struct entry *e = next_entry(
			kv, now, count == 0 ? SIZE_MAX : bytes_max - bytes);

		if (e == NULL) {
			break;
		}
		bytes += e->size;
		entries[count++] = e;
	}
	pthread_mutex_unlock(&kv->lock);
	return count;
}

static void on_commit(void *context, struct entry **entries, size_t count)
{
	struct kv *kv = context;

	pthread_mutex_lock(&kv->lock);
	for (size_t i = 0; i < count; i++) {
		kv_queue_push(&kv->queue, entries[i]);
	}
	pthread_cond_signal(&kv->apply_wake);
	pthread_mutex_unlock(&kv->lock);
}

uint64_t kv_patience(const struct kv *kv)
{
	uint64_t since = kv->route_lost_ms;

	if (kv->route_open) {
		return UINT64_MAX;
	}
	if (kv->barriers.cut_off && kv->barriers.cut_off_ms < since) {
		since = kv->barriers.cut_off_ms;
	}
	return since + kv->timeout_ms;
}

static void on_route(void *context, bool open)
{
	struct kv *kv = context;

	pthread_mutex_lock(&kv->lock);
	if (open) {
		proposals_offer_again(&kv->proposals);
		kv->open_offered = false;
	} else if (kv->route_open) {
		kv->route_lost_ms = kv_now_ms();
	}
	kv->route_open = open;
	if (!open) {
		proposals_shorten(&kv->proposals, kv_patience(kv));
	}
	pthread_mutex_unlock(&kv->lock);
	if (open) {
		node_wake(kv->node);
		kv_ask(kv, true);
	}
}

/* --- Reads ---------------------------------------------------------------- */

void kv_ask(struct kv *kv, bool hurry)
{
	bool lease = false;
	uint64_t ticket;

	pthread_mutex_lock(&kv->lock);
	ticket = barriers_ask(&kv->barriers, kv_now_ms(), hurry, &lease);
	pthread_mutex_unlock(&kv->lock);
	if (ticket != 0) {
		node_read_index(kv->node, ticket, lease);
	}
}

static void on_read_done(void *context, uint64_t ticket, raft_index index,
			 int status)
{
	struct kv *kv = context;
	struct barrier_list answers = TAILQ_HEAD_INITIALIZER(answers);
	bool was_cut_off;

	pthread_mutex_lock(&kv->lock);
	was_cut_off = kv->barriers.cut_off;
	barriers_answered(&kv->barriers, ticket, index, status,
			  atomic_load(&kv->applied), &answers);
	pthread_mutex_unlock(&kv->lock);
	if (was_cut_off && status == 0) {
		log_info("reads are fresh again");
	}
	barriers_tell(&answers);
	kv_ask(kv, false);
}

/* --- Between nodes -------------------------------------------------------- */

bool kv_leads_quorum(struct kv *kv)
{
	struct node_status *status;
	raft_index index;
	bool quorum;

	if (node_lease(kv->node, &index)) {
		return true;
	}
	status = mem_alloc(sizeof *status);
	node_status(kv->node, status);
	quorum = status->raft.role == RAFT_LEADER &&
		 status->raft.voters_heard > status->raft.voters / 2;
	mem_free(status);
	return quorum;
}

static bool is_voter(struct kv *kv, raft_id id)
{
	struct node_status *status = mem_alloc(sizeof *status);
	bool voter = false;

	node_status(kv->node, status);
	for (size_t i = 0; i < status->member_count; i++) {
		voter = voter || (status->members[i].id == id &&
				  status->members[i].voter);
	}
	mem_free(status);
	return voter;
}

static void on_alive(struct kv *kv, raft_id from, const struct alive *a)
{
	struct heard heard = {a->session, a->sent_ms, false, kv->session_ms};
	struct buffer reply = {0};
	bool voter = is_voter(kv, from);
	bool low = node_space_low(kv->node);
	struct kv_space_due due = {false, 0};
	bool heard_it;

	pthread_mutex_lock(&kv->lock);
	heard_it = kv->leading &&
		   roster_hear(&kv->roster, a, from, voter, kv_now_ms());
	if (heard_it) {
		due = kv_space_tick(kv, low);
	}
	heard.full = kv->full;
	pthread_mutex_unlock(&kv->lock);
	kv_space_do(kv, &due);
	if (heard_it && kv_leads_quorum(kv)) {
		heard_encode(&heard, &reply);
		node_send(kv->node, from, buffer_bytes(&reply));
	}
	buffer_deinit(&reply);
}

/* Lock held. Is the leader's time another one, and not said yet? */
static bool is_odd(struct kv *kv, const struct heard *h)
{
	uint32_t odd = h->session_ms != kv->session_ms ? h->session_ms : 0;
	bool is_new = odd != kv->odd_session_ms;

	if (h->session_ms == 0) {
		return false;
	}
	kv->odd_session_ms = odd;
	return is_new && odd != 0;
}

static void on_heard(struct kv *kv, const struct heard *h)
{
	bool odd;

	pthread_mutex_lock(&kv->lock);
	odd = is_odd(kv, h);
	/* The time of sending counts: the leader has counted from later. */
	if (h->session == kv->proposals.session && h->sent_ms > kv->word_ms &&
	    h->sent_ms <= kv->alive_ms) {
		kv->word_ms = h->sent_ms;
	}
	if (h->session == kv->proposals.session && !kv->leading) {
		(void)kv_space_set(kv, h->full);
	}
	pthread_mutex_unlock(&kv->lock);
	if (odd) {
		log_warn("--session-timeout differs from the leader's, and is "
			 "to be the same on every node: seconds=%g leader=%g",
			 kv->session_ms / 1000.0, h->session_ms / 1000.0);
	}
}

static void on_message(void *context, raft_id from, struct bytes message)
{
	struct kv *kv = context;
	enum peer_kind kind;
	struct alive a;
	struct heard h;

	if (peer_decode(message, &kind, &a, &h) != 0) {
		log_warn("keep-alive does not decode from=%016" PRIx64
			 " bytes=%zu",
			 from, message.size);
		return;
	}
	if (kind == PEER_ALIVE) {
		on_alive(kv, from, &a);
	} else {
		on_heard(kv, &h);
	}
}

static void on_role(void *context, const struct raft_status *status)
{
	struct kv *kv = context;
	bool leads = status->role == RAFT_LEADER;
	bool found;

	pthread_mutex_lock(&kv->lock);
	if (leads && !kv->leading) {
		roster_reset(&kv->roster);
		kv->low_leads_ms = 0;
		kv->duty_ms = 0;
	}
	found = status->leader != 0 && status->leader != kv->leader;
	kv->alive_soon = kv->alive_soon || found;
	if (found) { /* reads wait for it again; status tells of it */
		kv->barriers.cut_off = false;
	}
	kv->leading = leads;
	kv->voters = status->voters > 0 ? status->voters : 1;
	kv->leader = status->leader;
	pthread_mutex_unlock(&kv->lock);
	if (found) {
		kv_ask(kv, true);
	}
}

/* --- Time ----------------------------------------------------------------- */

/* Lock held. Encode a keep-alive to the leader if one is due. */
static raft_id alive_due(struct kv *kv, uint64_t now, struct buffer *message)
{
	struct alive a = {
		.session = kv->proposals.session,
		.sent_ms = now,
		/* Before the holds are read: what a note of an entry up to
		 * here made this node hold is among them. */
		.applied = atomic_load(&kv->applied),
		.low = kv->low,
	};
	uint64_t gap = kv->alive_soon ? ALIVE_GAP_MS : kv->session_ms / 5;

	if (!kv->proposals.usable || kv->leader == 0 || kv->leading ||
	    now - kv->alive_ms < gap) {
		return 0;
	}
	a.held = holds_told(&kv->holds, &a.many);
	alive_encode(&a, message);
	kv->alive_ms = now;
	kv->alive_soon = false;
	return kv->leader;
}

/* Lock held. A node without word does not rely on its session any more. */
static bool silence(struct kv *kv, uint64_t now, bool quorum)
{
	if (quorum) {
		kv->word_ms = now;
	}
	if (!kv->proposals.usable ||
	    kv_elapsed(kv->word_ms, now) <
		    kv->session_ms - kv->session_ms / 5) {
		return false;
	}
	proposals_suspend(&kv->proposals);
	kv->opening++;
	kv->open_offered = false;
	return true;
}

/* Lock held. Are the leader's duties due? Often until the birth is seen. */
static void duties(struct kv *kv, uint64_t now)
{
	uint64_t gap = kv->born ? KV_DUTY_MS : 0;

	if (kv->leading && now - kv->duty_ms >= gap) {
		kv->duty = true;
		kv->duty_ms = now;
		pthread_cond_signal(&kv->keeper_wake);
	}
}

static raft_ms on_tick(void *context, raft_ms now)
{
	struct kv *kv = context;
	struct proposal_list answers = TAILQ_HEAD_INITIALIZER(answers);
	struct barrier_list barriers = TAILQ_HEAD_INITIALIZER(barriers);
	struct buffer message = {0};
	bool quorum = kv->leading && kv_leads_quorum(kv);
	bool low = node_space_low(kv->node);
	struct kv_space_due space;
	bool was_cut_off;
	bool is_cut_off;
	bool silent;
	bool wake;
	raft_id leader;
	raft_ms due;

	pthread_mutex_lock(&kv->lock);
	proposals_expire(&kv->proposals, now, &answers);
	was_cut_off = kv->barriers.cut_off;
	if (kv->tick_due_ms != 0 &&
	    kv_elapsed(kv->tick_due_ms, now) >= KV_STOPPED_MS) {
		barriers_renew(&kv->barriers, now);
	}
	barriers_expire(&kv->barriers, now, &barriers);
	is_cut_off = kv->barriers.cut_off;
	if (is_cut_off && !was_cut_off) {
		proposals_shorten(&kv->proposals, kv_patience(kv));
	}
	space = kv_space_tick(kv, low);
	silent = silence(kv, now, quorum);
	leader = alive_due(kv, now, &message);
	duties(kv, now);
	wake = kv_wanted(kv, now);
	due = now + (TAILQ_EMPTY(&kv->barriers.asking) ? KV_TICK_MS
						       : KV_TICK_BUSY_MS);
	due = kv->proposals.due_ms < due ? kv->proposals.due_ms : due;
	kv->tick_due_ms = due;
	pthread_mutex_unlock(&kv->lock);

	if (silent) {
		log_warn("no word from a leader with a quorum: the session "
			 "counts as ended");
	}
	if (is_cut_off && !was_cut_off) {
		log_warn("no leader with a quorum answers: reads fall back to "
			 "the applied state, strict ones fail");
	}
	proposals_tell(&answers);
	barriers_tell(&barriers);
	kv_space_do(kv, &space);
	if (leader != 0) {
		node_send(kv->node, leader, buffer_bytes(&message));
	}
	buffer_deinit(&message);
	if (wake) {
		node_wake(kv->node);
	}
	kv_ask(kv, false);
	return due;
}

static void on_failed(void *context, const char *line)
{
	struct kv *kv = context;

	kv->failed(kv->context, line);
}

const struct node_client kv_client = {
	.take = on_take,
	.commit = on_commit,
	.route = on_route,
	.read_done = on_read_done,
	.message = on_message,
	.role = on_role,
	.tick = on_tick,
	.failed = on_failed,
	.changed = kv_on_changed,
	.snapshot = kv_on_snapshot,
	.load = kv_on_load,
};
