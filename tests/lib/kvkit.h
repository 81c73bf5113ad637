/* SPDX-License-Identifier: Apache-2.0 */
/* kvkit.h - a kv on a fake node, a store in memory and the toy machine, and
 * what it answered, as text: "a=ok:a; b=interrupted ". Every state of a cmocka
 * test is a struct home. */
#ifndef TESTS_LIB_KVKIT_H
#define TESTS_LIB_KVKIT_H

#include <stdatomic.h>

#include "kv/internal.h"
#include "tests/lib/fakenode.h"
#include "tests/lib/memstore.h"

/* PEER: the session that the first entry opens, this node's. */
enum {
	HOME_TIMEOUT = 5000,
	HOME_SESSION = 10000,
	HOME_FIRST_SESSION = 1,
	HOME_DISKS = 256,
};

struct home {
	char folder[64];
	struct memdisk *disk; /* of state-1 */
	bool rocks;	      /* RocksDB instead */
	atomic_uint full;     /* so many opens of a store find no room */
	unsigned filled;      /* so many commits to what is opened do not */
	struct {
		char path[96];
		struct memdisk *disk;
	} more[HOME_DISKS]; /* of states and of snapshots */
	size_t more_count;
	struct store
		*newest; /* opened last, in memory; kv's stands before it */
	struct fakelog log;
	atomic_int tidied;
	struct kv_machine machine;
	struct kv *kv;
	struct node *node;
	/* What was answered, by any thread: lock. */
	pthread_mutex_t lock;
	struct buffer told;
};

struct waiter {
	struct home *h;
	const char *name;
	uint64_t id;
};

int home_setup(void **state);
int home_setup_rocks(void **state); /* on RocksDB */
int home_teardown(void **state);
int home_open(struct home *h, struct buffer *problem);
void home_close(struct home *h); /* no way to a leader; closed is fine */

void GIVEN_OPEN(struct home *h);
/* With a leader, a way, an open session, and born. */
void GIVEN_FOLLOWER(struct home *h);
/* With a session and a lease, not born. */
void GIVEN_LEADER(struct home *h);

/* w is lent until its answer; the operation is its name. */
void home_propose(struct home *h, struct waiter *w, const char *name);
void home_barrier(struct home *h, struct waiter *w, const char *name,
		  enum kv_reads reads);
/* A watcher that tells "(note) "; context is the home. */
void home_noted(void *context, uint64_t index, struct bytes note);
/* Propose it, and be told exactly this once all that can be done is done. */
void home_done(struct home *h, const char *name, const char *expected);
/* What was answered since the last call is exactly this. */
void assert_told(struct home *h, const char *expected);
void assert_log(struct home *h, const char *expected);
bool home_session_usable(struct home *h);

#define HOME_TEST(name)                                                        \
	cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)
#define HOME_TEST_ON_ROCKSDB(name)                                             \
	{                                                                      \
#name "_on_rocksdb", name, home_setup_rocks, home_teardown,    \
			NULL                                                   \
	}

#endif
