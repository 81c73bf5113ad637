/* SPDX-License-Identifier: Apache-2.0 */
/* fakenode.h - raft/node/node.h with the test in the place of Raft, and a
 * clock that stands still until the test moves it (kv_now_ms).
 *
 * The test's thread is the loop thread. What it takes is under way until it
 * commits it, commits it twice or loses it. Linked before the real node. */
#ifndef TESTS_LIB_FAKENODE_H
#define TESTS_LIB_FAKENODE_H

#include "raft/node/node.h"

enum { FAKENODE_SELF = 101, FAKENODE_OTHER = 102 };

/* What a data folder outlives its node with. */
struct fakelog {
	struct entry **entries; /* (base, last] */
	size_t count;
	raft_index base;
	raft_term base_term;
	raft_index commit;
	uint64_t boot;
	bool repairs; /* it is being repaired, and what was damaged aside */
};

void fakelog_deinit(struct fakelog *log);
/* Append an entry (given) as committed. */
void fakelog_append(struct fakelog *log, struct entry *e);

/* The log that the next node_open() uses; lent until node_close(). */
void fakenode_use(struct fakelog *log);

void fakenode_clock(uint64_t now_ms);
/* Move it on, with a tick whenever one is due and at the end. */
void fakenode_sleep(struct node *n, uint64_t ms);
/* Move it, then tick: the process did not run meanwhile. */
void fakenode_stop_for(struct node *n, uint64_t ms);
void fakenode_tick(struct node *n);

void fakenode_route(struct node *n, bool open);
void fakenode_role(struct node *n, raft_id leader);
/* What was asked last, and its ticket; and the answer to one. */
uint64_t fakenode_change(const struct node *n, struct node_change *change);
void fakenode_changed(struct node *n, uint64_t ticket, int status,
		      const char *text);
/* Its status: n1 and n2 are known by name, and have no ids yet. */
void fakenode_founding(struct node *n);
/* From any lease call on: valid, at what is committed. */
void fakenode_lease(struct node *n, bool valid);
/* It leads, and so many of three voters were heard lately. */
void fakenode_heard(struct node *n, uint32_t voters);

/* Its data disk is nearly full; said at the next tick. */
void fakenode_low(struct node *n, bool low);
/* Its disk has no room for anything. */
void fakenode_roomless(struct node *n, bool roomless);
/* Called by node_stop(), which blocks on the real disk. */
void fakenode_on_stop(struct node *n, void (*stops)(void *context),
		      void *context);
/* It and those two are the voters. */
enum { FAKENODE_THIRD = 103 };
void fakenode_voters(struct node *n);
/* To whom it was to hand over since the last call; 0: was not. */
raft_id fakenode_handed_over(struct node *n);

/* Take what is wanted; how many are under way then. */
size_t fakenode_take(struct node *n);
/* Commit the nth under way (0: the oldest) and wait until it is applied; it
 * stays under way, to be committed again or lost. */
void fakenode_commit(struct node *n, size_t nth);
void fakenode_lose(struct node *n); /* everything under way */
/* Take and commit until nothing more is wanted. */
void fakenode_settle(struct node *n);
/* Commit an entry of somebody else's (given), and wait as above. */
void fakenode_commit_entry(struct node *n, struct entry *e);
void fakenode_commit_soon(struct node *n, struct entry *e); /* without a wait */
/* What its log held as committed, and the state lacked, at its start; waits. */
void fakenode_deliver(struct node *n);
/* A copy of the nth under way, as it would stand in a log; returned. */
struct entry *fakenode_under_way(struct node *n, size_t nth);

/* The client's calls. After a load the log is empty behind pos, unless the
 * node is to crash first: then it is what it was. */
int fakenode_snapshot(struct node *n, const char *folder,
		      struct node_snapshot_info *info);
int fakenode_load(struct node *n, const char *folder, struct raft_pos pos);
int fakenode_load_and_crash(struct node *n, const char *folder,
			    struct raft_pos pos);

/* The read index asked for last, 0: none since; it must be answered. */
uint64_t fakenode_ticket(struct node *n, bool *lease);
void fakenode_answer(struct node *n, uint64_t ticket, raft_index index,
		     int status);

/* The last message sent; empty: none since. Lent until the next call. */
struct bytes fakenode_sent(struct node *n, raft_id *to);
void fakenode_message(struct node *n, raft_id from, struct bytes message);

/* Wait until node_wake() was called since the last take. */
void fakenode_await_wake(struct node *n);
raft_index fakenode_flushed(struct node *n);

#endif
