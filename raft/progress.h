/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - what a leader knows of one member's log.
 *
 *      .-- reset --.         accepted
 *      v           |   .---------------------.
 *   PROBE ---------+---'                     v
 *      ^  ^  rejected, link lost, gap     REPLICATE
 *      |  '----------------------------------'
 *      '- installed --- SNAPSHOT <--- the entry before next is compacted
 *
 *   PROBE      where the logs agree is unknown: one message at a time, next
 *              only falls (progress_reject)
 *   REPLICATE  they agree up to next - 1: messages are pipelined, as far as
 *              the window of messages and bytes goes (progress_sent)
 *   SNAPSHOT   it needs a snapshot: asked for once, until it has ended
 *              (snapshot.c); heartbeats go on, at the log's base
 *
 *   P1  match < next <= last + 1, for members other than the leader
 *   P2  match only rises within a term, and only by an acceptance; unless the
 *       member says that it has lost its log (progress_lost)
 *   P3  the window holds ends of messages in (match, next), rising, and the
 *       sum of their bytes; it is empty unless REPLICATE */
#ifndef RAFT_PROGRESS_H
#define RAFT_PROGRESS_H

#include "raft/raft.h"

enum progress_state { PROGRESS_PROBE, PROGRESS_REPLICATE, PROGRESS_SNAPSHOT };

/* To this node's request for its (pre-)vote; the first one stands. */
enum progress_answer { PROGRESS_SILENT, PROGRESS_GRANTED, PROGRESS_REFUSED };

struct progress_window {
	uint32_t head;
	uint32_t count;
	uint64_t bytes;
	struct {
		raft_index last;
		uint64_t bytes;
	} message[LIMIT_INFLIGHT_MESSAGES];
};

struct progress {
	raft_id id;
	bool voter;    /* of the configuration, or of a joint one's C_new */
	bool outgoing; /* of a joint one's C_old; neither: a learner */
	enum progress_answer answer;
	enum progress_state state;
	raft_index match; /* durable there */
	raft_index had;	  /* the highest match of this term: it may be lost */
	raft_index next;
	bool probing;	    /* PROBE: a message is unanswered */
	bool wanted;	    /* is to hear something in this step */
	bool sending;	    /* a snapshot for it is under way */
	raft_ms send_due;   /* SNAPSHOT: none is sent before */
	raft_index told;    /* commit index last sent */
	raft_index applied; /* by its own word */
	raft_ms heard;	    /* for check-quorum; at election: the time of it */
	raft_ms replied;    /* last reply; 0: never */
	uint64_t round;	    /* newest it acknowledged */
	raft_ms round_sent; /* when that was sent; 0: none */
	/* The newest read request that it has with us; 0: none. */
	uint64_t read_number;
	uint64_t read_round;
	raft_index read_index;
	/* It is being repaired: the number of that, and what it must have to
	 * be whole (repair.c); 0: it is not. */
	uint64_t repair;
	raft_index proof;
	struct progress_window window;
};

/* A new leader's view: nothing is known but where its own log ends. Its place
 * in the configuration is for members.c to set. */
void progress_init(struct progress *p, raft_id id, raft_index last,
		   raft_ms now);
/* What was on its way is lost: probe anew. */
void progress_reset(struct progress *p, raft_index last);
/* It has lost its log: nothing is known of it but that. */
void progress_lost(struct progress *p, raft_index last);
/* The entry before next is gone. */
void progress_snapshot(struct progress *p);
/* It has installed a snapshot that ends at index: probe there. */
void progress_installed(struct progress *p, raft_index index);
/* It has saved up to match and holds up to held, match <= held. */
void progress_accept(struct progress *p, raft_index match, raft_index held);
/* It refused a message that began after `refused`; the logs may agree at
 * agree. Return false for an answer that is too late to mean anything. */
MUST_USE bool progress_reject(struct progress *p, raft_index refused,
			      raft_index agree);
/* May a message with this many bytes of entries go out now? */
bool progress_ready(const struct progress *p, const struct raft_config *config,
		    uint64_t bytes);
/* A message with entries up to last has gone out. */
void progress_sent(struct progress *p, raft_index last, uint64_t bytes);

void progress_check(const struct progress *p, raft_index last);

#endif
