/* SPDX-License-Identifier: Apache-2.0 */
/* nodekit.h - whole nodes in one process, with a toy client each.
 *
 * The toy's state is the list of numbers applied, in order. It proposes
 * numbers, offers again what may be lost, and skips what was applied before:
 * so every number comes out once, in the same order at every node. */
#ifndef TESTS_LIB_NODEKIT_H
#define TESTS_LIB_NODEKIT_H

#include <pthread.h>

#include "raft/node/node.h"

enum {
	KIT_NODES_MAX = 6,
	KIT_NUMBERS_MAX = 1 << 17,
	KIT_ELECTION_MS = 300,
	/* Where the leader is to stay, whatever keeps a node waiting. */
	KIT_STEADY_MS = 1500,
};

struct kit;

struct kit_node {
	struct kit *kit;
	char name[8];
	char address[32];
	char folder[64];
	struct node *node; /* NULL: stopped */
	raft_id id;
	/* What it is started with; else all nodes as its peers. */
	const char *join;   /* an address */
	bool alone;	    /* founds by itself, and listens */
	const char *listen; /* --listen; NULL: not given */

	pthread_mutex_t mutex; /* over all below */
	pthread_cond_t changed;
	bool route;
	size_t ways; /* that were opened */
	char failed[256];
	uint32_t *waiting; /* proposed here and not applied here */
	size_t waiting_count, taken;
	size_t payload_bytes;
	uint32_t *numbers; /* applied, in order */
	size_t applied_count;
	uint8_t *seen; /* by number */
	raft_index applied;
	struct buffer members; /* payload of the newest ENTRY_MEMBERS applied */
	raft_index members_index;
	uint64_t read_ticket;
	raft_index read_index;
	int read_status;
	uint64_t change_ticket;
	int change_status;
	char change_text[256];
	raft_id message_from;
	size_t message_size;
	bool holding; /* what is delivered is not said to be applied */

	/* Snapshots (nodekit_snap.c). */
	raft_term applied_term;
	struct raft_pos installed; /* the state was, and nothing after it */
	size_t ballast; /* files of a MiB that a snapshot has besides */
	unsigned made, loaded;
	bool holding_load, in_load; /* it waits for the end of the hold */
	const char *keep_before, *keep_after; /* copies of the folder, of when
						 the next one is loaded */
};

struct kit {
	size_t count;
	char root[32];
	uint64_t snapshot_rate; /* 0: the usual */
	uint32_t election_ms;	/* 0: KIT_ELECTION_MS */
	size_t made;		/* nodes; count may be set lower, and back */
	bool only_loopback; /* nodes that are started now listen nowhere else */
	struct node_peer peers[KIT_NODES_MAX];
	struct kit_node nodes[KIT_NODES_MAX];
};

/* Where node i of this process listens: on a loopback address that no other
 * process has, so that its port is not taken by chance, as the source of
 * somebody's connection either. */
void kit_address(size_t i, char address[32]);
/* Folders and addresses for count nodes n1, n2, ...; none runs yet. */
void kit_init(struct kit *kit, size_t count);
void kit_deinit(struct kit *kit); /* stops all, removes the folders */

/* Open with the kit's peers; 0 or node_open()'s status. */
int kit_open(struct kit_node *k, struct buffer *problem);
/* Open and start; the state is what was kept, or empty after kit_forget. */
void kit_start(struct kit_node *k);
void kit_start_all(struct kit *kit);
void kit_stop(struct kit_node *k);
void kit_forget(struct kit_node *k);
void kit_wipe(struct kit_node *k); /* its folder too, while stopped */

/* Propose count numbers, from first on, with so many bytes each (>= 4). */
void kit_propose(struct kit_node *k, uint32_t first, uint32_t count,
		 size_t bytes);
/* Until k has applied so many numbers; false after a minute. */
bool kit_await(struct kit_node *k, size_t applied);
size_t kit_applied(struct kit_node *k);
raft_index kit_index(struct kit_node *k); /* of the last entry applied */
/* End what `holding` began: all that was delivered is applied now. */
void kit_catch_up(struct kit_node *k);
/* Until a message of that node has come; its size, 0: none came. */
size_t kit_await_message(struct kit_node *k, raft_id from);
/* Until a node leads with a lease and every running node follows it. */
struct kit_node *kit_leader(struct kit *kit);
/* Until it is so; false: it never was. */
bool kit_await_until(bool (*is_so)(void *context), void *context);
/* Until the status of k fulfils the condition; false: it never did. */
typedef bool (*kit_condition)(const struct node_status *status,
			      uint64_t argument);
bool kit_await_status(struct kit_node *k, kit_condition condition,
		      uint64_t argument);
/* Until what it waits for contains the text. */
bool kit_await_waiting(struct kit_node *k, const char *text);
bool kit_await_failed(struct kit_node *k, const char *text);
/* Keep the next load from going on; let it go on; wait for one. */
void kit_hold_load(struct kit_node *k);
void kit_release_load(struct kit_node *k);
bool kit_await_load(struct kit_node *k);
/* The client's half of snapshots, for nodekit.c alone. */
int kit_on_snapshot(void *context, const char *folder,
		    struct node_snapshot_info *info);
int kit_on_load(void *context, const char *folder, struct raft_pos pos);
/* node_change() and its answer: the status, and the line in change_text. */
int kit_change(struct kit_node *k, enum node_change_kind kind, const char *name,
	       const char *old, const char *address, bool stay);
/* Ask only; kit_change_end() waits. The ticket. */
uint64_t kit_change_begin(struct kit_node *k, enum node_change_kind kind,
			  const char *name, const char *old,
			  const char *address, bool stay);
int kit_change_end(struct kit_node *k);
/* Until k's members are these, "n1:voter n2:learner", and not joint. */
bool kit_await_members(struct kit_node *k, const char *members);
/* Answer of a read index; its index in *index. */
int kit_read(struct kit_node *k, bool lease, raft_index *index);
/* Until so many ways were opened to it; false after some seconds. */
bool kit_await_ways(struct kit_node *k, size_t ways);
/* Both have applied the same, as far as the shorter goes. */
bool kit_agree(struct kit_node *a, struct kit_node *b);

#endif
