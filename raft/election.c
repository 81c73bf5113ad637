/* SPDX-License-Identifier: Apache-2.0 */
/* election.c - who leads (Raft 5.2, 5.4.1; thesis 4.2.3, 6.2, 6.4.1, 9.6).
 *
 *              timeout                 majority            majority, own vote
 *   FOLLOWER ----------> PRECANDIDATE ----------> CANDIDATE ------> LEADER
 *      ^   campaign()  ^  |      prevote_count()    | vote_count()    |
 *      |               |  | refused                 |                 |
 *      |               '--+-------------------------' timeout         |
 *      '------------------+-------------------------------------------'
 *        election_follow(): leader heard, higher term, no quorum, disk stalled
 *
 * A lone voter goes from FOLLOWER to CANDIDATE at once, and so does whom the
 * leader tells to (transfer.c), and the leader itself if that one does not. A
 * candidate that fails asks for pre-votes again, so that terms do not climb in
 * vain (row 11). A member asked to vote within election_ms of hearing a leader
 * refuses without looking at the term, except that leader itself: this is what
 * the leader's read lease rests on, whatever happens to the term in between. */
#include "raft/random.h"
#include "raft/state.h"

void election_delay(struct raft *r)
{
	r->election_due =
		r->now + random_from(&r->random, r->config.election_ms,
				     r->config.election_ms);
}

/* Has the only voter led since it is that? Then no other has, or could have,
 * and there is no promise to keep. Its own vote alone says little: it may have
 * lost that election. But a leader of this term whose log had the configuration
 * before would have needed its vote. */
static bool has_led_alone(const struct raft *r)
{
	struct raft_pos last = runs_last_pos(&r->runs);
	raft_index before = runs_agree(&r->runs, last.index, r->hard.term - 1);

	return r->hard.vote == r->config.self && last.term == r->hard.term &&
	       runs_term(&r->runs, before) < r->hard.term &&
	       r->members_index <= before;
}

void election_init(struct raft *r, const struct raft_boot *boot)
{
	bool founder = boot->fresh || r->members_index <= 1;
	bool lone = members_is_lone_voter(r) && !repair_is_on(r) &&
		    (founder || has_led_alone(r));

	r->role = RAFT_FOLLOWER;
	r->reason = RAFT_BECAUSE_STARTED;
	election_delay(r);
	if (lone)
		r->election_due = boot->now;
	if (!lone && !boot->fresh)
		r->quiet_until = boot->now + r->config.election_ms; /* row 63 */
}

/* --- Roles ------------------------------------------------------------------
 */

/* Nothing that belongs to the role left may stay (rows 4, 28). */
static void leave_role(struct raft *r, enum raft_reason reason)
{
	uint32_t i;

	if (r->role == RAFT_LEADER) {
		r->counters.step_downs++;
		read_abandon(r, STATUS_NO_QUORUM);
	}
	for (i = 0; i < r->peer_count; i++)
		r->peer[i].answer = PROGRESS_SILENT;
	r->uncommitted = 0;
	r->transfer = (struct transfer){0};
	r->lease_over = false;
	r->round_heard = 0;
	r->reason = reason;
}

static void set_term(struct raft *r, raft_term term, raft_id vote)
{
	r->hard.term = term;
	r->hard.vote = vote;
	save_hard(r);
}

void election_follow(struct raft *r, raft_term term, raft_id leader,
		     enum raft_reason reason)
{
	bool was_follower = r->role == RAFT_FOLLOWER;

	CHECK(term >= r->hard.term);
	leave_role(r, reason);
	r->role = RAFT_FOLLOWER;
	/* The vote is forgotten only when the term rises (row 1). */
	if (term > r->hard.term)
		set_term(r, term, 0);
	if (r->leader != leader && r->leader != r->config.self)
		read_abandon(r, STATUS_NOT_LEADER);
	r->leader = leader;
	if (!was_follower)
		election_delay(r);
}

void election_hear(struct raft *r, raft_term term, raft_id leader)
{
	if (term > r->hard.term || r->role != RAFT_FOLLOWER ||
	    r->leader != leader)
		election_follow(r, term, leader, RAFT_BECAUSE_LEADER_HEARD);
	r->heard_from = leader;
	r->heard = r->now;
	election_delay(r);
}

static void lead(struct raft *r)
{
	leave_role(r, RAFT_BECAUSE_VOTE_WON);
	r->role = RAFT_LEADER;
	r->leader = r->config.self;
	r->counters.elections_won++;
	members_renew(r);
	replicate_noop(r);
	read_begin_round(r);
	commit_count(r);
}

/* Its own vote, if it has one (row 40). */
static void grant_self(struct raft *r)
{
	struct progress *self = members_self(r);

	if (self != NULL)
		self->answer = PROGRESS_GRANTED;
}

/* Ask every other voter. */
static void ask(struct raft *r, enum raft_msg_kind kind, raft_term term)
{
	struct raft_msg m = {
		.kind = kind,
		.term = term,
		.pos = runs_last_pos(&r->runs),
		.transfer = r->reason == RAFT_BECAUSE_TRANSFER,
	};
	uint32_t i;

	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		m.to = p->id;
		if ((p->voter || p->outgoing) && !members_is_self(r, p))
			act_send(r, m, 0);
	}
}

static void vote_count(struct raft *r)
{
	/* The own vote counts once it is durable, and none before it (row 2).
	 */
	if (save_of_hard(r) != 0)
		return;
	grant_self(r);
	if (members_elect(r) == QUORUM_WON)
		lead(r);
}

static void become_candidate(struct raft *r, enum raft_reason reason)
{
	leave_role(r, reason);
	read_abandon(r, STATUS_NOT_LEADER);
	r->role = RAFT_CANDIDATE;
	r->leader = 0;
	r->counters.elections_started++;
	set_term(r, r->hard.term + 1, r->config.self);
	election_delay(r);
	ask(r, RAFT_VOTE, 0); /* leaves with the vote durable: act_send */
}

static void become_precandidate(struct raft *r)
{
	leave_role(r, RAFT_BECAUSE_ELECTION_TIMEOUT);
	read_abandon(r, STATUS_NOT_LEADER);
	r->role = RAFT_PRECANDIDATE;
	r->leader = 0; /* row 12 */
	grant_self(r);
	election_delay(r);
	ask(r, RAFT_PREVOTE, r->hard.term + 1);
}

static void prevote_count(struct raft *r)
{
	switch (members_elect(r)) {
	case QUORUM_WON:
		become_candidate(r, RAFT_BECAUSE_PREVOTE_WON);
		break;
	case QUORUM_LOST:
		election_follow(r, r->hard.term, 0, RAFT_BECAUSE_PREVOTE_LOST);
		break;
	case QUORUM_OPEN:
		break;
	}
}

static bool may_stand(const struct raft *r)
{
	return members_may_stand(r) && !snapshot_is_loading(r) &&
	       !repair_is_on(r) && runs_room(&r->runs, r->hard.term + 1);
}

static bool may_campaign(const struct raft *r)
{
	return r->role != RAFT_LEADER && may_stand(r);
}

bool election_may_renew(const struct raft *r)
{
	return r->role == RAFT_LEADER && may_stand(r) && !save_stalled(r);
}

void election_renew(struct raft *r)
{
	CHECK(election_may_renew(r));
	become_candidate(r, RAFT_BECAUSE_TRANSFER_FAILED);
}

/* --- Being asked
 * -------------------------------------------------------------- */

static bool is_bound(const struct raft *r, raft_id candidate)
{
	if (r->now < r->quiet_until)
		return true;
	return r->heard_from != 0 && r->heard_from != candidate &&
	       r->now < r->heard + r->config.election_ms;
}

bool election_is_promised(const struct raft *r, const struct raft_msg *m)
{
	/* While loading nothing can be saved, so no vote; and who has lost its
	 * log can not tell who is complete (row 45). */
	if (snapshot_is_loading(r) || repair_is_on(r))
		return true;
	if (m->kind == RAFT_VOTE && m->transfer)
		return false; /* its leader has freed us (row 59) */
	if (r->role == RAFT_LEADER)
		return true; /* with a quorum, or it would not be */
	return is_bound(r, m->from);
}

/* Is the candidate's log at least as complete as ours (5.4.1, row 7)? */
static bool is_complete(const struct raft *r, struct raft_pos pos)
{
	struct raft_pos own = runs_last_pos(&r->runs);

	return pos.term > own.term ||
	       (pos.term == own.term && pos.index >= own.index);
}

void election_on_prevote(struct raft *r, const struct raft_msg *m)
{
	/* The reply is of the term asked for (row 8); a refusal teaches
	 * ours, or two groups could refuse each other for ever (row 9). */
	struct raft_msg reply = {
		.kind = RAFT_PREVOTE_REPLY,
		.to = m->from,
		.term = m->term,
	};

	reply.reject = election_is_promised(r, m) || m->term <= r->hard.term ||
		       save_stalled(r) || !is_complete(r, m->pos);
	if (reply.reject) {
		reply.pos.term = r->hard.term;
		r->counters.prevotes_refused++;
	}
	reply.repair = r->repair;
	act_send(r, reply, 0);
}

/* The caller has applied the term rule, unless election_is_promised(). */
void election_on_vote(struct raft *r, const struct raft_msg *m)
{
	struct raft_msg reply = {
		.kind = RAFT_VOTE_REPLY,
		.to = m->from,
		.repair = r->repair,
	};

	reply.reject = election_is_promised(r, m) || m->term != r->hard.term ||
		       (r->hard.vote != 0 && r->hard.vote != m->from) ||
		       r->leader != 0 || !is_complete(r, m->pos);
	if (reply.reject) {
		r->counters.votes_refused++;
	} else {
		if (r->hard.vote == 0)
			set_term(r, r->hard.term, m->from);
		election_delay(r);
	}
	act_send(r, reply, 0);
}

void election_on_timeout_now(struct raft *r, const struct raft_msg *m)
{
	if (r->role != RAFT_FOLLOWER || r->leader != m->from ||
	    !may_campaign(r) || save_stalled(r)) {
		r->counters.messages_ignored++;
		return;
	}
	become_candidate(r, RAFT_BECAUSE_TRANSFER);
}

/* --- Being answered
 * ------------------------------------------------------------ */

/* Note the answer of a member; the first one stands. */
static bool note(struct raft *r, const struct raft_msg *m)
{
	struct progress *p = members_find(r, m->from);

	if (p->answer != PROGRESS_SILENT)
		return false;
	p->answer = m->reject ? PROGRESS_REFUSED : PROGRESS_GRANTED;
	return true;
}

void election_on_prevote_reply(struct raft *r, const struct raft_msg *m)
{
	if (r->role != RAFT_PRECANDIDATE || m->term != r->hard.term + 1) {
		r->counters.messages_ignored++;
		return;
	}
	if (m->reject && m->pos.term > r->hard.term) {
		election_follow(r, m->pos.term, 0, RAFT_BECAUSE_HIGHER_TERM);
		return;
	}
	if (note(r, m))
		prevote_count(r);
}

void election_on_vote_reply(struct raft *r, const struct raft_msg *m)
{
	/* The caller has dropped replies of older terms (row 4). */
	if (r->role == RAFT_CANDIDATE && note(r, m))
		vote_count(r);
}

void election_on_saved(struct raft *r)
{
	if (r->role == RAFT_CANDIDATE)
		vote_count(r);
	if (r->role == RAFT_FOLLOWER && r->leader == 0 &&
	    members_is_lone_voter(r) && !is_bound(r, r->config.self))
		r->election_due = r->now; /* its disk works again */
}

/* --- Time
 * ---------------------------------------------------------------------- */

static uint64_t heard_of(const struct raft *r, const struct progress *p)
{
	return members_is_self(r, p) ? RAFT_NEVER : p->heard;
}

raft_ms election_quorum_heard(const struct raft *r)
{
	return members_agree(r, heard_of);
}

/* Check-quorum (6.2): when this comes, a leader without answers resigns, and
 * stops all its traffic (row 10). */
static raft_ms quorum_lost_at(const struct raft *r)
{
	raft_ms heard = election_quorum_heard(r);

	return heard == RAFT_NEVER ? RAFT_NEVER : heard + r->config.election_ms;
}

static void resign(struct raft *r, enum raft_reason reason)
{
	election_follow(r, r->hard.term, 0, reason);
}

/* Not while loading: nobody may change then. */
static bool follows(const struct raft *r)
{
	return r->role == RAFT_FOLLOWER && r->leader != 0 &&
	       !snapshot_is_loading(r);
}

/* Who may not stand, a learner for one, still has no leader any more. */
static void lose_leader(struct raft *r)
{
	if (follows(r))
		election_follow(r, r->hard.term, 0,
				RAFT_BECAUSE_ELECTION_TIMEOUT);
}

void election_on_clock(struct raft *r)
{
	if (r->role == RAFT_LEADER) {
		if (save_stalled(r))
			resign(r, RAFT_BECAUSE_DISK_STALLED); /* row 43 */
		else if (r->now >= quorum_lost_at(r))
			resign(r, RAFT_BECAUSE_NO_QUORUM);
		else
			transfer_on_clock(r);
		return;
	}
	if (r->now < r->election_due)
		return;
	if (!may_campaign(r))
		lose_leader(r);
	else if (save_stalled(r) ||
		 (r->role == RAFT_CANDIDATE && save_of_hard(r) != 0))
		election_delay(r); /* the disk has not taken the last one */
	else if (members_is_lone_voter(r))
		become_candidate(r, RAFT_BECAUSE_ELECTION_TIMEOUT);
	else
		become_precandidate(r);
}

raft_ms election_deadline(const struct raft *r)
{
	if (r->role == RAFT_LEADER) {
		raft_ms lost = quorum_lost_at(r), over = transfer_deadline(r);

		return lost < over ? lost : over;
	}
	return may_campaign(r) || follows(r) ? r->election_due : RAFT_NEVER;
}
