/* SPDX-License-Identifier: Apache-2.0 */
/* space.c - what adds to the state is refused before the disks are full.
 *
 * Every node watches its own disk (raft/node/reserve.h) and tells the leader
 * with its keep-alives, at once when that changes. Full is the cluster when the
 * leader's disk is low, or so many voters' that no majority has room; the
 * leader says so in its answers. Then proposals that add are refused where they
 * begin, and those that free space go on, into what the reserve gave back.
 *
 * A minority without room is not waited for: its disks stall (saver.h), it
 * falls behind, and catches up once it has room. Meanwhile such a node is
 * read-only to its own users, who would wait for what it can not apply. */
#include "base/log.h"
#include "kv/command.h"
#include "kv/internal.h"

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

bool kv_space_tick(struct kv *kv, bool low)
{
	size_t spare = (kv->voters - 1) / 2; /* voters that are not needed */
	bool full = kv->leading ? low || roster_lows(&kv->roster) > spare
				: kv->full;

	if (low != kv->low) {
		kv->low = low;
		kv->alive_soon = true;
	}
	return kv_space_set(kv, full) && kv->leading;
}

void kv_space_tell(struct kv *kv)
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
			heard[count++] = (struct heard){at->session,
							at->sent_ms, kv->full};
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
