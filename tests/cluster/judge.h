/* SPDX-License-Identifier: Apache-2.0 */
/* judge.h - a round's history against what the nodes hold at its end.
 *
 * The checks, each a file:
 *   judge_register.c  J1  every register is linearizable: each read returns
 *                         the value of some write that may have happened, and
 *                         one order of all writes and reads keeps real time
 *   judge_log.c       J2  an acknowledged line stands exactly once, a refused
 *                         one never, an unknown one at most once, all whole
 *                     J3  lines follow real time; a reader saw a prefix that
 *                         holds all that was acknowledged before
 *   judge_names.c     J4  the file that moves is in one place, which its
 *                         writer's renames explain
 *                     J5  a claimed name has one winner, and is there */
#ifndef TESTS_CLUSTER_JUDGE_H
#define TESTS_CLUSTER_JUDGE_H

#include "tests/cluster/token.h"

enum { TREES_MAX = 9, WINDOWS_MAX = 1024 };

struct window {
	unsigned node;
	int64_t from_ns, until_ns;
};

struct judge {
	struct event *events;
	size_t count;
	const char *trees[TREES_MAX]; /* the round's folder on each node */
	size_t tree_count;
	int64_t end_ns; /* when the trees are read: after every operation */
	/* While a node can not reach a leader it says so in its status, and
	 * its reads that overlap such a time may be stale (J1, J3). */
	struct window windows[WINDOWS_MAX];
	size_t window_count;
	size_t violations;
};

__attribute__((format(printf, 2, 3))) void violation(struct judge *j,
						     const char *format, ...);
/* The whole of a file in a tree, or NULL; to be freed. */
char *content(const struct judge *j, size_t tree, const char *file,
	      size_t *size);
/* May this read be stale? */
bool may_be_stale(const struct judge *j, const struct event *e);

void judge_registers(struct judge *j);
void judge_logs(struct judge *j);
void judge_names(struct judge *j);

/* Call each(j, file) once for each file that events of these actions name. */
void each_file(struct judge *j, enum action first, enum action second,
	       void (*each)(struct judge *j, const char *file));

#endif
