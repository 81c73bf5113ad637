/* SPDX-License-Identifier: Apache-2.0 */
/* solo.h - one core, node 1, whose peers, disk and clock are the test. */
#ifndef TESTS_LIB_SOLO_H
#define TESTS_LIB_SOLO_H

#include "raft/raft.h"

enum { SOLO_RUNS = 16 };

struct solo {
	struct raft *core;
	struct raft_config config;
	struct raft_out out; /* of the last step */
	raft_ms now;
};

/* Node 1 of `voters`, in `term`, fresh, with a log of one entry for each of
 * the terms given (0 ends them), of which `commit` are committed. */
void solo_init(struct solo *s, uint32_t voters, raft_term term,
	       raft_index commit, const raft_term *log);
void solo_deinit(struct solo *s);

/* One step at s->now, and raft_check(). */
int solo_step(struct solo *s, struct raft_event ev);
int solo_clock(struct solo *s, raft_ms ms); /* after ms more */
int solo_saved(struct solo *s, raft_seq seq);
int solo_recv(struct solo *s, struct raft_msg msg);
/* An append of leader 2 in `term`, of one entry for each of the terms given
 * (0 ends them) after pos, of 10 bytes each. */
int solo_append(struct solo *s, raft_term term, struct raft_pos pos,
		raft_index commit, const raft_term *entries);
/* Let it win an election, with the vote of 2, and save its no-op. */
void solo_lead(struct solo *s);

/* The nth act of a kind in the last step, from 0; NULL: there are fewer. */
const struct raft_act *solo_act(const struct solo *s, enum raft_act_kind kind,
				size_t nth);
/* The nth message of a kind sent to a node. */
const struct raft_act *solo_sent(const struct solo *s, enum raft_msg_kind kind,
				 raft_id to, size_t nth);
struct raft_status solo_status(const struct solo *s);

#endif
