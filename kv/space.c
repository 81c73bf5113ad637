/* SPDX-License-Identifier: Apache-2.0 */
/* space.c - what adds to the state is refused before the disks are full.
 *
 * Every node watches its own disk (raft/node/reserve.h) and tells the leader
 * with its keep-alives, at once when that changes. A leader whose own disk is
 * low hands over to a voter that has room, has applied most and is not far
 * behind; so it moves only as long as someone has room, and at most once a
 * second.
 *
 * Full is the cluster when so many voters' disks are low that no majority has
 * room, or the leader's is and nobody takes over in time; the leader says so in
 * its answers. Then proposals that add are refused where they begin, and those
 * that free space go on, into what the reserve gave back.
 *
 * A minority without room is not waited for: its disks stall (saver.h), it
 * falls behind, and catches up once it has room. Meanwhile such a node is
 * read-only to its own users, who would wait for what it can not apply.
 *
 * Nor does a node that starts wait for room: what it can not replay is applied
 * when there is some (kv.c), and until then nothing older is shown (read.h). */
#include "base/log.h"
#include "kv/command.h"
#include "kv/internal.h"

enum {
	HAND_OVER_GAP_MS = 1000, /* between two tries */
	HAND_OVER_MS = 5000,	 /* of trying, before what adds is refused */
	HEAR_MS = 1000,		 /* for a new leader to hear who has room */
};

bool kv_is_full(const struct kv *kv, struct bytes operation)
{
	return atomic_load(&kv->refusing) && kv->machine.adds != NULL &&
	       kv->machine.adds(kv->machine.context, operation);
}

bool kv_space_set(struct kv *kv, bool full)
{
	bool changed = full != kv->full;

	kv->full = full;
	atomic_store(&kv->refusing, kv->full || kv->low);
	if (changed && full) {
		log_warn("the data disks are nearly full: what adds to the "
			 "tree is refused");
	} else if (changed) {
		log_info("the data disks have room: writes are taken again");
	}
	return changed;
}

/* Lock held. Since when has this node led with a low disk? */
static uint64_t low_leads_for(struct kv *kv, bool low, uint64_t now)
{
	if (!kv->leading || !low) {
		kv->low_leads_ms = 0;
		return 0;
	}
	if (kv->low_leads_ms == 0) {
		kv->low_leads_ms = now;
	}
	return kv_elapsed(kv->low_leads_ms, now);
}

struct kv_space_due kv_space_tick(struct kv *kv, bool low)
{
	size_t spare = (kv->voters - 1) / 2; /* voters that are not needed */
	size_t lows = roster_lows(&kv->roster) + (low ? 1 : 0);
	uint64_t now = kv_now_ms();
	uint64_t patience = low_leads_for(kv, low, now);
	uint64_t since = now - kv->session_ms / 2;
	struct kv_space_due due = {false, 0};
	raft_id to = 0;
	bool full = kv->full;

	if (low != kv->low) {
		kv->low = low;
		kv->alive_soon = true;
	}
	if (kv->leading) {
		to = low && lows <= spare ? roster_roomy(&kv->roster, since)
					  : 0;
		full = lows > spare ||
		       (low && patience >= (to != 0 ? HAND_OVER_MS : HEAR_MS));
	}
	if (to != 0 && now - kv->hand_over_ms >= HAND_OVER_GAP_MS) {
		kv->hand_over_ms = now;
		due.to = to;
	}
	due.tell = kv_space_set(kv, full) && kv->leading;
	return due;
}

static void tell(struct kv *kv)
{
	struct heard heard[ROSTER_SESSIONS];
	raft_id to[ROSTER_SESSIONS];
	const struct roster_entry *at;
	struct buffer message = {0};
	size_t count = 0;

	pthread_mutex_lock(&kv->lock);
	for (at = kv->roster.sessions; at != NULL; at = at->hh.next) {
		if (at->node != 0) {
			to[count] = at->node;
			heard[count++] =
				(struct heard){at->session, at->sent_ms,
					       kv->full, kv->session_ms};
		}
	}
	pthread_mutex_unlock(&kv->lock);
	for (size_t i = 0; i < count; i++) {
		buffer_reset(&message);
		heard_encode(&heard[i], &message);
		node_send(kv->node, to[i], buffer_bytes(&message));
	}
	buffer_deinit(&message);
}

void kv_space_do(struct kv *kv, const struct kv_space_due *due)
{
	if (due->tell) {
		tell(kv);
	}
	if (due->to != 0) {
		log_info("this leader's data disk is nearly full: one that has "
			 "room is to lead");
		node_hand_over(kv->node, due->to);
	}
}

/* --- Room for the state -----------------------------------------------------
 */

/* About what the entries make of it: keys and accounts. */
static uint64_t batch_bytes(struct entry **entries, size_t count)
{
	uint64_t bytes = count * KV_ENTRY_BYTES;

	for (size_t i = 0; i < count; i++) {
		bytes += 2 * (uint64_t)entries[i]->size;
	}
	return bytes;
}

/* What fits into memory needs no room now: so a removal is done on a disk that
 * is full to the last byte. Beyond, the batch may begin a flush, and the room
 * for that has to be there before: a store that has met the full disk goes on
 * seconds later only, reserve or not. Another program takes it at any time. */
static bool has_room(struct kv *kv, struct entry **entries, size_t count)
{
	const struct store_ops *ops = kv->store->ops;

	if (kv->unlooked >= node_space_pace(kv->node) ||
	    node_space_low(kv->node)) {
		kv->unlooked = 0;
		node_space_look(kv->node);
	}
	return batch_bytes(entries, count) <= ops->slack(kv->store) ||
	       node_space_has(kv->node, ops->need(kv->store));
}

int kv_try_apply(struct kv *kv, struct entry **entries, size_t count)
{
	return has_room(kv, entries, count)
		       ? applier_apply(&kv->applier, entries, count)
		       : STATUS_NO_SPACE;
}
