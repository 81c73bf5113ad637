/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/trace.h"

#include "base/log.h"

typedef unsigned long long big;

static unsigned shown(raft_id id)
{
	return (unsigned)(id & 0xffff);
}

static void trace_msg(struct buffer *out, const struct raft_msg *m)
{
	buffer_printf(out, "%s %04x->%04x term=%llu pos=%llu/%llu last=%llu",
		      raft_msg_text(m->kind), shown(m->from), shown(m->to),
		      (big)m->term, (big)m->pos.index, (big)m->pos.term,
		      (big)m->last);
	buffer_printf(out, " commit=%llu settled=%llu round=%llu%s%s%s",
		      (big)m->commit, (big)m->settled, (big)m->round,
		      m->reject ? " reject" : "", m->lease ? " lease" : "",
		      m->transfer ? " transfer" : "");
}

void trace_event(struct buffer *out, const struct raft_event *ev)
{
	buffer_printf(out, "%llu ", (big)ev->now);
	switch (ev->kind) {
	case RAFT_EV_CLOCK:
		buffer_printf(out, "clock");
		return;
	case RAFT_EV_RECV:
		buffer_printf(out, "recv ");
		trace_msg(out, &ev->recv.msg);
		return;
	case RAFT_EV_PROPOSE:
		buffer_printf(out, "propose count=%zu", ev->propose.count);
		return;
	case RAFT_EV_READ:
		buffer_printf(out, "read ticket=%llu%s", (big)ev->read.ticket,
			      ev->read.lease ? " lease" : "");
		return;
	case RAFT_EV_SAVED:
		buffer_printf(out, "saved seq=%llu", (big)ev->saved.seq);
		return;
	case RAFT_EV_APPLIED:
		buffer_printf(out, "applied index=%llu",
			      (big)ev->applied.index);
		return;
	case RAFT_EV_LINK:
		buffer_printf(out, "link %04x %s", shown(ev->link.peer),
			      ev->link.up ? "up" : "down");
		return;
	case RAFT_EV_COMPACTED:
		buffer_printf(out, "compacted index=%llu term=%llu",
			      (big)ev->compacted.index,
			      (big)ev->compacted.term);
		return;
	case RAFT_EV_CHANGE:
		buffer_printf(out, "change voters=%u outgoing=%u learners=%u",
			      ev->change.members->voter_count,
			      ev->change.members->outgoing_count,
			      ev->change.members->learner_count);
		return;
	case RAFT_EV_TRANSFER:
		buffer_printf(out, "transfer to=%04x",
			      shown(ev->transfer.target));
		return;
	case RAFT_EV_SNAP_SENT:
		buffer_printf(out, "snapshot sent to=%04x index=%llu %s",
			      shown(ev->snap_sent.peer),
			      (big)ev->snap_sent.index,
			      ev->snap_sent.ok ? "ok" : "failed");
		return;
	case RAFT_EV_SNAP_RECEIVED:
		buffer_printf(out,
			      "snapshot received from=%04x term=%llu "
			      "pos=%llu/%llu",
			      shown(ev->snap_received.from),
			      (big)ev->snap_received.term,
			      (big)ev->snap_received.pos.index,
			      (big)ev->snap_received.pos.term);
		return;
	case RAFT_EV_SNAP_LOADED:
		buffer_printf(out, "snapshot loaded pos=%llu/%llu",
			      (big)ev->snap_loaded.pos.index,
			      (big)ev->snap_loaded.pos.term);
		return;
	}
}

void trace_act(struct buffer *out, const struct raft_act *act)
{
	if (act->after > 0) {
		buffer_printf(out, "after %llu: ", (big)act->after);
	}
	switch (act->kind) {
	case RAFT_DO_SAVE:
		buffer_printf(out,
			      "save seq=%llu term=%llu vote=%04x keep=%llu "
			      "last=%llu commit=%llu",
			      (big)act->save.seq, (big)act->save.hard.term,
			      shown(act->save.hard.vote), (big)act->save.keep,
			      (big)act->save.last, (big)act->save.commit);
		return;
	case RAFT_DO_SEND:
		buffer_printf(out, "send ");
		trace_msg(out, &act->send);
		return;
	case RAFT_DO_APPLY:
		buffer_printf(out, "apply %llu..%llu", (big)act->apply.first,
			      (big)act->apply.last);
		return;
	case RAFT_DO_READ:
		buffer_printf(out, "read ticket=%llu index=%llu status=%d",
			      (big)act->read.ticket, (big)act->read.index,
			      act->read.status);
		return;
	case RAFT_DO_ROLE:
		buffer_printf(out, "role %s term=%llu leader=%04x reason=%s",
			      raft_role_text(act->role.role),
			      (big)act->role.term, shown(act->role.leader),
			      raft_reason_text(act->role.reason));
		return;
	case RAFT_DO_MEMBERS:
		buffer_printf(out, "members index=%llu",
			      (big)act->members.index);
		return;
	case RAFT_DO_SEND_SNAP:
		buffer_printf(out, "send snapshot to=%04x",
			      shown(act->send_snap.to));
		return;
	case RAFT_DO_LOAD_SNAP:
		buffer_printf(out, "load snapshot pos=%llu/%llu",
			      (big)act->load_snap.pos.index,
			      (big)act->load_snap.pos.term);
		return;
	}
}

void trace_step(const struct raft_event *ev, int rc,
		const struct raft_out *acts)
{
	struct buffer text = {0};

	trace_event(&text, ev);
	if (rc != 0) {
		buffer_printf(&text, " -> %s", status_text(rc));
	}
	log_debug("%s", buffer_text(&text));
	for (size_t i = 0; i < acts->count; i++) {
		buffer_reset(&text);
		trace_act(&text, &acts->acts[i]);
		log_debug("  %s", buffer_text(&text));
	}
	buffer_deinit(&text);
}
