/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - state folders, for state.c and state_disk.c. */
#ifndef TESTS_SIM_STATE_H
#define TESTS_SIM_STATE_H

#include <sys/queue.h>

#include "tests/lib/memstore.h"
#include "tests/sim/inside.h"

struct state_disk {
	LIST_ENTRY(state_disk) link;
	uint64_t id;
	struct memdisk *memory; /* NULL: in RocksDB */
	bool is_held;		/* its number is in the folder, durably */
};

/* All that a node's folders hold, or have held. */
struct state {
	LIST_HEAD(, state_disk) disks;
	uint64_t ids;	 /* given so far */
	char folder[64]; /* of RocksDB; "" */
};

/* Open what the folder holds; a new or a received one becomes a database. */
int state_disk_open(struct state *state, const char *path, struct store **store,
		    struct buffer *problem);
/* A copy that was received or made, to be read only. */
int state_disk_peek(const char *path, struct store **store);
/* Make such a copy. */
int state_disk_copy(struct store *store, const char *folder);
void state_remove_real(const char *path);

#endif
