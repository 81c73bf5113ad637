/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - one client of a node: its calls, as the mount would make them.
 *
 * A client is a task of its node's process, one deed at a time: a barrier and a
 * look at the state, or a proposal, at times with an impatient deadline or a
 * signal. Deeds and their ends go to history.h. Memory is the world's; the
 * functions run as the node, in the client's task.
 *
 *   C1  every call is answered within its deadline and a little more, on the
 *       clock of its node, while that runs and its disk answers, and with a
 *       status that kv.h names: no space only where a disk was full, and only
 *       to what adds to the tree
 */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include "tests/sim/history.h"

enum client_count {
	CLIENT_CHANGES, /* acknowledged */
	CLIENT_CHANGES_REFUSED,
	CLIENT_CHANGES_UNKNOWN,
	CLIENT_INTERRUPTS,
	CLIENT_FRESH, /* reads, answered and sure */
	CLIENT_STRICT,
	CLIENT_LOCAL,
	CLIENT_FELL_BACK,
	CLIENT_READS_REFUSED,
	CLIENT_COUNTS,
};

/* Chances of a million. */
struct client_habits {
	unsigned impatient; /* a shorter deadline */
	unsigned signal;
	unsigned large; /* a long line */
};

struct client {
	int node;
	unsigned slot; /* of the node's clients */
	struct sim_random random;
	const struct client_habits *habits;
	struct sim_wait wait;
	struct deed *deed; /* the change that waits, NULL: none */
	bool answered;
	bool in_interrupt;
	int status;
	bool fell_back;
};

void client_begin(void);
uint64_t client_counted(enum client_count count);

/* kv may be called until client_leave(); false: it may not (the node stops). */
bool client_enter(struct client *c);
void client_leave(struct client *c);
bool client_busy(int node);	    /* is any of its clients within? */
void client_died(int node);	    /* none is any more */
void client_gone(struct client *c); /* its node died */

/* The deed says object, cell, and reads or kind and to. True: answered, and
 * what was seen is sure to be fresh / acknowledged, and took effect. */
bool client_read(struct client *c, struct deed what);
bool client_change(struct client *c, struct deed what);

/* The content of a name as r shows it: 0, or a negative errno. */
int client_look(struct kv_reader *r, const char *name, struct buffer *text);

#endif
