/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - how the core stands, for its driver and for people. */
#include "raft/state.h"

#include <string.h>

static raft_ms earlier(raft_ms a, raft_ms b)
{
	return a < b ? a : b;
}

raft_ms raft_deadline(const struct raft *r)
{
	raft_ms due = earlier(election_deadline(r), read_deadline(r));

	return save_stalled(r) ? due : earlier(due, save_overdue_at(r));
}

static bool votes(const struct progress *p)
{
	return p->voter || p->outgoing;
}

static uint32_t voters(const struct raft *r)
{
	uint32_t i, count = 0;

	for (i = 0; i < r->peer_count; i++)
		count += votes(&r->peer[i]);
	return count;
}

static uint32_t voters_heard(const struct raft *r)
{
	uint32_t i, heard = 0;

	if (r->role != RAFT_LEADER)
		return 0;
	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];

		if (votes(p) && (members_is_self(r, p) ||
				 r->now < p->heard + r->config.election_ms))
			heard++;
	}
	return heard;
}

void raft_status(const struct raft *r, struct raft_status *status)
{
	memset(status, 0, sizeof(*status));
	status->self = r->config.self;
	status->role = r->role;
	status->term = r->hard.term;
	status->vote = r->hard.vote;
	status->leader = r->leader;
	status->first = r->runs.base.index + 1;
	status->last = runs_last(&r->runs);
	status->saved = r->saves.index;
	status->commit = r->commit;
	status->applied = r->applied;
	status->settled = r->settled;
	status->lease_until = read_lease_until(r);
	status->leader_heard = r->heard;
	status->voters = voters(r);
	status->voters_heard = voters_heard(r);
	status->uncommitted_bytes = r->uncommitted;
	status->disk_stalled = save_stalled(r);
	status->members_index = r->members_index;
	status->members_committed = r->members_index <= r->commit;
	status->joint = r->members.outgoing_count > 0;
	status->leave_due = change_is_leave_due(r);
	status->transfer_target = r->transfer.target;
	status->loading = snapshot_is_loading(r);
	status->repairing = repair_is_on(r);
	status->proof = r->proof;
	status->counters = r->counters;
}

static const char *state_text(enum progress_state state)
{
	switch (state) {
	case PROGRESS_PROBE:
		return "probe";
	case PROGRESS_REPLICATE:
		return "replicate";
	case PROGRESS_SNAPSHOT:
		return "snapshot";
	}
	return "?";
}

int raft_peer(const struct raft *r, raft_id id, struct raft_peer_status *status)
{
	uint32_t i;

	if (r->role != RAFT_LEADER)
		return STATUS_NOT_FOUND;
	for (i = 0; i < r->peer_count; i++) {
		const struct progress *p = &r->peer[i];
		bool self = id == r->config.self;

		if (p->id != id)
			continue;
		memset(status, 0, sizeof(*status));
		status->id = id;
		status->learner = !votes(p);
		status->match = p->match;
		status->applied = self ? r->applied : p->applied;
		status->heard = self ? r->now : p->replied;
		status->repairing = p->repair != 0;
		status->state = self ? "replicate" : state_text(p->state);
		return 0;
	}
	return STATUS_NOT_FOUND;
}

raft_term raft_term_at(const struct raft *r, raft_index index)
{
	return runs_term(&r->runs, index);
}

const char *raft_role_text(enum raft_role role)
{
	switch (role) {
	case RAFT_FOLLOWER:
		return "follower";
	case RAFT_PRECANDIDATE:
		return "pre-candidate";
	case RAFT_CANDIDATE:
		return "candidate";
	case RAFT_LEADER:
		return "leader";
	}
	return "?";
}

const char *raft_reason_text(enum raft_reason reason)
{
	switch (reason) {
	case RAFT_BECAUSE_STARTED:
		return "started";
	case RAFT_BECAUSE_ELECTION_TIMEOUT:
		return "election timeout";
	case RAFT_BECAUSE_PREVOTE_WON:
		return "pre-vote won";
	case RAFT_BECAUSE_PREVOTE_LOST:
		return "pre-vote lost";
	case RAFT_BECAUSE_VOTE_WON:
		return "vote won";
	case RAFT_BECAUSE_HIGHER_TERM:
		return "higher term";
	case RAFT_BECAUSE_LEADER_HEARD:
		return "leader heard";
	case RAFT_BECAUSE_NO_QUORUM:
		return "no quorum";
	case RAFT_BECAUSE_DISK_STALLED:
		return "disk stalled";
	case RAFT_BECAUSE_TRANSFER:
		return "leadership transfer";
	case RAFT_BECAUSE_REMOVED:
		return "removed";
	case RAFT_BECAUSE_TRANSFER_FAILED:
		return "transfer failed";
	}
	return "?";
}

const char *raft_msg_text(enum raft_msg_kind kind)
{
	switch (kind) {
	case RAFT_MSG_NONE:
		return "none";
	case RAFT_PREVOTE:
		return "pre-vote";
	case RAFT_PREVOTE_REPLY:
		return "pre-vote-reply";
	case RAFT_VOTE:
		return "vote";
	case RAFT_VOTE_REPLY:
		return "vote-reply";
	case RAFT_APPEND:
		return "append";
	case RAFT_APPEND_REPLY:
		return "append-reply";
	case RAFT_READ:
		return "read";
	case RAFT_READ_REPLY:
		return "read-reply";
	case RAFT_TIMEOUT_NOW:
		return "timeout-now";
	}
	return "?";
}
