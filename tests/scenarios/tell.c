/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenarios/tell.h"

char letter(raft_id id)
{
	return id == 0 ? '-' : (char)('A' + id - 1);
}

static void tell_append(FILE *out, const struct raft_msg *m)
{
	fprintf(out, " after (%llu,%llu)", (ull)m->pos.term, (ull)m->pos.index);
	if (m->last > m->pos.index)
		fprintf(out, " entries %llu..%llu", (ull)m->pos.index + 1,
			(ull)m->last);
	fprintf(out, " commit %llu round %llu", (ull)m->commit, (ull)m->round);
	if (m->repair != 0)
		fprintf(out, " repair %llu to %llu", (ull)m->repair,
			(ull)m->proof);
}

static void tell_append_reply(FILE *out, const struct raft_msg *m)
{
	if (m->reject)
		fprintf(out, " no after %llu, try (%llu,%llu)", (ull)m->last,
			(ull)m->pos.term, (ull)m->pos.index);
	else
		fprintf(out, " saved %llu holds %llu", (ull)m->pos.index,
			(ull)m->last);
	fprintf(out, " round %llu", (ull)m->round);
	if (m->repair != 0)
		fprintf(out, " repair %llu", (ull)m->repair);
}

void tell_message(FILE *out, const struct raft_msg *m)
{
	fprintf(out, "%s T%llu", raft_msg_text(m->kind), (ull)m->term);
	switch (m->kind) {
	case RAFT_PREVOTE:
	case RAFT_VOTE:
		fprintf(out, " last (%llu,%llu)%s", (ull)m->pos.term,
			(ull)m->pos.index, m->transfer ? " transfer" : "");
		break;
	case RAFT_PREVOTE_REPLY:
		fprintf(out, m->reject ? " no, is in T%llu" : " yes",
			(ull)m->pos.term);
		break;
	case RAFT_VOTE_REPLY:
		fprintf(out, m->reject ? " no" : " yes");
		break;
	case RAFT_APPEND:
		tell_append(out, m);
		break;
	case RAFT_APPEND_REPLY:
		tell_append_reply(out, m);
		break;
	case RAFT_READ:
		fprintf(out, m->lease ? " lease" : " strict");
		break;
	case RAFT_READ_REPLY:
		if (m->reject)
			fprintf(out, " no");
		else
			fprintf(out, " index %llu", (ull)m->pos.index);
		break;
	case RAFT_TIMEOUT_NOW:
	case RAFT_MSG_NONE:
		break;
	}
	fprintf(out, "\n");
}

static void tell_list(FILE *out, const char *name, const raft_id *list,
		      uint32_t count)
{
	uint32_t i;

	if (count == 0)
		return;
	fprintf(out, " %s ", name);
	for (i = 0; i < count; i++)
		fputc(letter(list[i]), out);
}

void tell_members(FILE *out, const struct raft_members *m)
{
	tell_list(out, "voters", m->voters, m->voter_count);
	tell_list(out, "outgoing", m->outgoing, m->outgoing_count);
	tell_list(out, "learners", m->learners, m->learner_count);
	fprintf(out, m->voter_count == 0 ? " none\n" : "\n");
}

static void tell_snapshot_event(FILE *out, raft_id node,
				const struct raft_event *ev)
{
	char who = letter(node);

	if (ev->kind == RAFT_EV_SNAP_SENT)
		fprintf(out, "%c: snapshot for %c %s\n", who,
			letter(ev->snap_sent.peer),
			ev->snap_sent.ok ? "is installed" : "has failed");
	if (ev->kind == RAFT_EV_SNAP_RECEIVED)
		fprintf(out, "%c <= %c snapshot (%llu,%llu) of T%llu\n", who,
			letter(ev->snap_received.from),
			(ull)ev->snap_received.pos.term,
			(ull)ev->snap_received.pos.index,
			(ull)ev->snap_received.term);
	if (ev->kind == RAFT_EV_SNAP_LOADED)
		fprintf(out, "%c has loaded (%llu,%llu)\n", who,
			(ull)ev->snap_loaded.pos.term,
			(ull)ev->snap_loaded.pos.index);
}

void tell_event(void *context, struct world *w, raft_id node,
		const struct raft_event *ev,
		const struct world_message *message)
{
	struct stage *s = context;
	(void)w;

	if (s->quiet)
		return;
	if (message != NULL) {
		fprintf(s->out, "%c <- %c ", letter(node),
			letter(message->msg.from));
		tell_message(s->out, &message->msg);
	} else if (ev->kind != RAFT_EV_SAVED) {
		tell_snapshot_event(s->out, node, ev);
	} else if (s->manual[node]) {
		fprintf(s->out, "%c saved #%llu\n", letter(node),
			(ull)ev->saved.seq);
	}
}

static void tell_save(struct stage *s, raft_id node, const struct raft_act *act)
{
	if (!s->manual[node] || s->quiet)
		return;
	fprintf(s->out, "  %c save #%llu: T%llu vote %c", letter(node),
		(ull)act->save.seq, (ull)act->save.hard.term,
		letter(act->save.hard.vote));
	if (act->save.last > act->save.keep)
		fprintf(s->out, ", keep %llu, entries %llu..%llu",
			(ull)act->save.keep, (ull)act->save.keep + 1,
			(ull)act->save.last);
	fprintf(s->out, "\n");
}

void tell_act(void *context, struct world *w, raft_id node,
	      const struct raft_act *act, const struct world_message *message)
{
	struct stage *s = context;
	char who = letter(node);
	(void)message;

	switch (act->kind) {
	case RAFT_DO_SAVE:
		tell_save(s, node, act);
		break;
	case RAFT_DO_SEND:
		if (s->quiet)
			break;
		fprintf(s->out, "  %c -> %c ", who, letter(act->send.to));
		tell_message(s->out, &act->send);
		break;
	case RAFT_DO_APPLY:
		fprintf(s->out, "  %c applies %llu..%llu\n", who,
			(ull)act->apply.first, (ull)act->apply.last);
		break;
	case RAFT_DO_READ:
		fprintf(s->out, "  %c read %llu: ", who, (ull)act->read.ticket);
		if (act->read.status == 0)
			fprintf(s->out, "index %llu\n", (ull)act->read.index);
		else
			fprintf(s->out, "%s\n", status_text(act->read.status));
		break;
	case RAFT_DO_ROLE:
		fprintf(s->out, "  %c is %s in T%llu", who,
			raft_role_text(act->role.role), (ull)act->role.term);
		if (act->role.leader != 0 && act->role.leader != node)
			fprintf(s->out, " of %c", letter(act->role.leader));
		fprintf(s->out, ": %s\n", raft_reason_text(act->role.reason));
		break;
	case RAFT_DO_MEMBERS:
		fprintf(s->out, "  %c members of %llu:", who,
			(ull)act->members.index);
		tell_members(s->out, raft_members(w->node[node].core));
		break;
	case RAFT_DO_SEND_SNAP:
		fprintf(s->out, "  %c sends %c a snapshot\n", who,
			letter(act->send_snap.to));
		break;
	case RAFT_DO_LOAD_SNAP:
		fprintf(s->out, "  %c is to load (%llu,%llu)\n", who,
			(ull)act->load_snap.pos.term,
			(ull)act->load_snap.pos.index);
		break;
	}
}

void tell_status(struct stage *s, const struct world_node *n)
{
	struct raft_peer_status peer;
	struct raft_status st;
	raft_id id;

	if (!n->up) {
		fprintf(s->out, "%c is down\n", letter(n->id));
		return;
	}
	raft_status(n->core, &st);
	fprintf(s->out,
		"%c %s T%llu vote %c leader %c last %llu saved %llu commit "
		"%llu settled %llu",
		letter(n->id), raft_role_text(st.role), (ull)st.term,
		letter(st.vote), letter(st.leader), (ull)st.last, (ull)st.saved,
		(ull)st.commit, (ull)st.settled);
	if (st.disk_stalled)
		fprintf(s->out, " disk stalled");
	if (st.loading)
		fprintf(s->out, " loading");
	if (st.repairing)
		fprintf(s->out, " repairing to %llu", (ull)st.proof);
	if (st.leave_due)
		fprintf(s->out, " leave due");
	if (st.transfer_target != 0)
		fprintf(s->out, " handing over to %c",
			letter(st.transfer_target));
	if (st.role == RAFT_LEADER) {
		fprintf(s->out, " uncommitted %llu lease ",
			(ull)st.uncommitted_bytes);
		if (st.lease_until == UINT64_MAX)
			fprintf(s->out, "for ever");
		else
			fprintf(s->out, "%s",
				n->now < st.lease_until ? "valid" : "no");
	}
	fprintf(s->out, "\n");
	for (id = 1; id <= s->w->node_count; id++) {
		if (id == n->id || raft_peer(n->core, id, &peer) != 0)
			continue;
		fprintf(s->out, "  %c: %s match %llu\n", letter(id), peer.state,
			(ull)peer.match);
	}
}

void tell_log(struct stage *s, const struct world_node *n)
{
	raft_index i;

	fprintf(s->out, "%c:", letter(n->id));
	for (i = n->log.base.index + 1; i <= n->log.last; i++)
		fprintf(s->out, " %llu:T%llu", (ull)i,
			(ull)raft_term_at(n->core, i));
	fprintf(s->out, "\n");
}
