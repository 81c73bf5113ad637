/* SPDX-License-Identifier: Apache-2.0 */
/* identity.h - who this node is: the file `identity`, and the file `lock`.
 *
 * The file is one checksummed frame, replaced as a whole: write beside, sync,
 * rename, sync the folder. A crash at any point leaves the old or the new.
 *
 *   I1  the incarnation is random, never 0 and never changes
 *   I2  the boot count is saved before it is used anywhere
 *   I3  log_begun is saved after entry 1 is durable, or with the record of
 *       who joins: a log that is missing later is a loss, and never begun a
 *       second time
 *
 * Plain memory. One thread at a time. */
#ifndef RAFT_NODE_IDENTITY_H
#define RAFT_NODE_IDENTITY_H

#include "raft/node/disk.h"
#include "raft/node/wire.h"

struct identity {
	char name[LIMIT_NODE_NAME_BYTES + 1];
	raft_id self;
	uint64_t boot; /* starts, this one included */
	bool founded;
	bool log_begun;
	bool joined; /* the record is of the day it joined, not entry 1 */
	struct wire_config founding;	       /* once founded */
	uint8_t record[WIRE_CONFIG_BYTES_MAX]; /* it, encoded */
	size_t record_size;
};

/* Hold the folder's lock file, made if missing, until *fd is closed.
 * STATUS_BUSY: another process has it. */
MUST_USE int identity_lock(const char *folder, int *fd, struct buffer *problem);

/* A new incarnation that has never been started. */
void identity_make(struct identity *id, const char *name);
/* STATUS_NOT_FOUND: there is none; STATUS_CORRUPT, STATUS_VERSION, STATUS_IO,
 * STATUS_DENIED with a line in problem. */
MUST_USE int identity_load(struct disk *disk, struct identity *id,
			   struct buffer *problem);
/* Durable on return. Any disk's error; the old file is then still there. */
MUST_USE int identity_save(struct disk *disk, const struct identity *id,
			   struct buffer *problem);

/* Take over a founding record: its bytes, which decode as *founding. */
void identity_found(struct identity *id, struct bytes record,
		    const struct wire_config *founding);
/* The same for one that joins a cluster that is there already. */
void identity_join(struct identity *id, struct bytes record,
		   const struct wire_config *config);
/* The member of that name in the founding; NULL: none. */
const struct wire_member *identity_member(const struct wire_config *founding,
					  const char *name);

/* From the system's random numbers. */
void random_bytes(void *data, size_t size);
uint64_t random_id(void); /* never 0 */

#endif
