/* SPDX-License-Identifier: Apache-2.0 */
/* repair.c - a member that has lost what it had acknowledged (row 45).
 *
 * Its driver found its log or its state damaged and begins it anew, empty, with
 * term and vote as they were. Until it is proven to hold again all that may
 * have been committed with its help, it grants no (pre-)vote, not even in a
 * transfer, and does not stand: as if it were down, to an election. It follows,
 * and what it acknowledges from now on is there.
 *
 *   follower                              leader
 *   APPEND_REPLY {repair: number} ------> forgets its match, notes its own last
 *                                         entry as the proof
 *   durable up to proof: whole <--------- APPEND {repair: number, proof}
 *
 * Why that is enough. No term in which it has voted or acknowledged is above
 * the one it kept, so the leader it follows is of that term or a later one. All
 * that was committed in earlier terms is in that leader's log (5.4: the votes
 * for it were given before the loss, or by others); and what this member had
 * acknowledged to that very leader is, too. Both are at or below the leader's
 * last entry as it stands once it has heard from the life that lost its log,
 * which is what the number tells: no other life has it. So late replies of an
 * earlier life, which may still raise the match, let nothing be committed that
 * the proof does not cover.
 *
 * The leader's count: it forgets the match when it hears the number, so that
 * what is lost counts no more, and is sent again. Should a late reply let some
 * of it count once more, that is below the proof, as above. */
#include "raft/state.h"

bool repair_is_on(const struct raft *r)
{
	return r->repair != 0;
}

void repair_proven(struct raft *r, const struct raft_msg *m, raft_index held)
{
	if (!repair_is_on(r) || m->repair != r->repair)
		return;
	r->proof = m->proof;
	if (held < m->proof || r->saves.index < m->proof)
		return;
	r->repair = 0;
	r->proof = 0;
	election_delay(r);
}

void repair_heard(struct raft *r, struct progress *p, uint64_t repair)
{
	if (p->repair == repair)
		return;
	p->repair = repair;
	p->proof = 0;
	if (repair != 0) {
		p->proof = runs_last(&r->runs);
		progress_lost(p, p->proof);
	}
}
