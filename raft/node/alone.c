/* SPDX-License-Identifier: Apache-2.0 */
/* alone.c - a new cluster of one node, around a state that is there.
 *
 * New are the cluster's id and the node's incarnation: whoever knew the old
 * ones refuses it, and is refused. What it is to be is drawn first, for the
 * client's state must hold it; it is saved last, behind the log. */
#include <string.h>

#include "raft/node/address.h"
#include "raft/node/inside.h"

int node_name_in(const char *data, char name[LIMIT_NODE_NAME_BYTES + 1],
		 struct buffer *problem)
{
	struct identity id;
	struct disk *disk;
	int rc = disk_system(data, &disk);

	if (rc != 0) {
		buffer_printf(problem, "cannot open the folder %s: %s", data,
			      disk_status_text(rc));
		return rc;
	}
	rc = identity_load(disk, &id, problem);
	disk->ops->free(disk);
	if (rc == STATUS_NOT_FOUND) {
		buffer_printf(problem, "%s is no data folder of a node", data);
	} else if (rc != 0) {
		buffer_printf(problem, " in %s", data);
	} else if (!id.founded) {
		buffer_printf(problem,
			      "%s in %s has never been a member of a cluster: "
			      "there is nothing to recover",
			      id.name, data);
		rc = STATUS_NOT_READY;
	} else {
		name_copy(name, LIMIT_NODE_NAME_BYTES + 1, id.name);
	}
	return rc;
}

void node_alone(struct node *n, const char *address, struct buffer *record)
{
	const struct wire_member *own = peers_own(n);
	struct wire_config config = {.level = WIRE_LEVEL, .count = 1};
	struct wire_member *m = &config.members[0];
	struct identity id;

	identity_make(&id, n->identity.name);
	id.boot = 1;
	random_bytes(config.cluster, sizeof config.cluster);
	name_copy(m->name, sizeof m->name, id.name);
	if (address == NULL && own != NULL) {
		address = own->address;
	}
	if (address != NULL) {
		name_copy(m->address, sizeof m->address, address);
	}
	m->id = id.self;
	m->standing = WIRE_VOTER;
	buffer_reset(record);
	wire_encode_config(record, &config);
	identity_join(&id, buffer_bytes(record), &config);
	n->identity = id;
}

/* Nobody could repair it, or needs to know of a repair that was under way. */
static int forget_others(struct node *n, struct buffer *problem)
{
	const struct mend none = {.phase = MEND_NONE};
	struct log_state log;
	int rc;

	log_state(n->log, &log);
	rc = promise_save(&n->promise, log.hard, false);
	if (rc == 0) {
		rc = mend_save(n->disk, &none);
	}
	if (rc != 0) {
		buffer_printf(problem, "cannot write the files of %s: %s",
			      n->folder, disk_status_text(rc));
	}
	return rc;
}

int node_begin_alone(struct node *n, struct raft_pos pos,
		     struct buffer *problem)
{
	int rc = node_reset(n, pos, problem);

	if (rc != 0) {
		return rc;
	}
	mark_reset(&n->mark);
	rc = identity_save(n->disk, &n->identity, problem);
	return rc == 0 ? forget_others(n, problem) : rc;
}
