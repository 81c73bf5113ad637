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
 * falls behind, and catches up once it has room. */
#include "base/log.h"
#include "kv/internal.h"

bool kv_is_full(const struct kv *kv, struct bytes operation)
{
	return kv->full && kv->machine.adds != NULL &&
	       kv->machine.adds(kv->machine.context, operation);
}

void kv_space_set(struct kv *kv, bool full)
{
	if (full == kv->full) {
		return;
	}
	kv->full = full;
	if (full) {
		log_warn("the data disks are nearly full: what adds to the "
			 "tree is refused");
	} else {
		log_info("the data disks have room: writes are taken again");
	}
}

void kv_space_tick(struct kv *kv, bool low)
{
	if (low != kv->low) {
		kv->low = low;
		kv->alive_soon = true;
	}
	if (kv->leading) {
		kv_space_set(kv, low || roster_lows(&kv->roster) >
						 (kv->voters - 1) / 2);
	}
}
