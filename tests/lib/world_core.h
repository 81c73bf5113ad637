/* SPDX-License-Identifier: Apache-2.0 */
/* world_core.h - what the files of a world share. */
#ifndef TESTS_LIB_WORLD_CORE_H
#define TESTS_LIB_WORLD_CORE_H

#include "tests/lib/world.h"

bool world_is_same(const struct world_entry *a, const struct world_entry *b);

/* Configurations (world_members.c). */
/* The newest one of the log up to index, which is not below its base. */
struct raft_change world_change_at(const struct world *w,
				   const struct world_log *log,
				   raft_index index);
/* The number of a new one. */
uint32_t world_change_new(struct world *w, const struct raft_members *members);
void world_boot_members(const struct world *w, const struct world_log *log,
			struct raft_boot *boot);
/* The log has been written from keep + 1 on. */
void world_members_moved(struct world *w, struct world_node *n,
			 raft_index keep);
void world_check_members(const struct world *w, const struct world_node *n,
			 const struct raft_status *s);
void world_check_quorum(const struct world *w, const struct world_node *n,
			raft_index commit);

/* Snapshots (world_snap.c). */
void world_snap_send(struct world *w, struct world_node *n, raft_id to);
void world_snap_load(struct world *w, struct world_node *n,
		     struct raft_pos pos);
/* A crash: what it waited for, and who waited for it. */
void world_snap_forget(struct world *w, struct world_node *n);

#endif
