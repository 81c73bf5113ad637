/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/say.h"

#include "tests/explore/packet.h"
#include "tests/scenarios/tell.h"

static void say_log(FILE *out, uint64_t log, raft_index last)
{
	raft_index i;

	if (last == 0)
		fprintf(out, " empty");
	for (i = 1; i <= last; i++)
		fprintf(out, " %llu:T%u", (ull)i, log_term(log, i));
}

void say_choice(const struct model *m, raft_id node, uint32_t choice)
{
	char who = letter(node);
	const struct packet *p;

	switch (choice_kind(choice)) {
	case CHOICE_DELIVER:
		p = packet_at(m, choice & CHOICE_PACKET);
		fprintf(m->say, "%c hears %c%s: ", who, letter(p->msg.from),
			(choice & CHOICE_LATE) ? ", its promise over" : "");
		tell_message(m->say, &p->msg);
		break;
	case CHOICE_STAND:
		fprintf(m->say, "%c has heard no leader for long\n", who);
		break;
	case CHOICE_HEARTBEAT:
		fprintf(m->say, "%c sends a heartbeat\n", who);
		break;
	case CHOICE_RESIGN:
		fprintf(m->say, "%c has no answers for long\n", who);
		break;
	case CHOICE_PROPOSE:
		fprintf(m->say, "%c takes a proposal\n", who);
		break;
	case CHOICE_SAVE:
		fprintf(m->say, "%c's disk takes the oldest save\n", who);
		break;
	case CHOICE_CRASH:
		fprintf(m->say, "%c crashes and starts again\n", who);
		break;
	case CHOICE_PASS:
		fprintf(m->say, "%c goes on\n", who);
		break;
	case CHOICE_NONE:
		break;
	}
	if ((choice & CHOICE_CUT) != 0)
		fprintf(m->say, "    and crashes before its save is durable\n");
}

void say_act(const struct model *m, const struct raft_act *act)
{
	if (m->say == NULL)
		return;
	switch (act->kind) {
	case RAFT_DO_SEND:
		if (act->send.kind == RAFT_PREVOTE && !m->bounds.prevotes)
			break;
		fprintf(m->say, "    to %c%s: ", letter(act->send.to),
			act->after > m->core->saves.durable ? ", once saved"
							    : "");
		tell_message(m->say, &act->send);
		break;
	case RAFT_DO_ROLE:
		fprintf(m->say, "    is %s in T%llu: %s\n",
			raft_role_text(act->role.role), (ull)act->role.term,
			raft_reason_text(act->role.reason));
		break;
	case RAFT_DO_APPLY:
		fprintf(m->say, "    commits up to %llu\n",
			(ull)act->apply.last);
		break;
	default:
		break;
	}
}

void say_save(const struct model *m, const struct pending *p)
{
	if (m->say == NULL)
		return;
	fprintf(m->say, "    to save: T%llu vote %c, log", (ull)p->hard.term,
		letter(p->hard.vote));
	say_log(m->say, p->log, p->last);
	fprintf(m->say, "\n");
}

void say_durable(const struct model *m)
{
	const struct disk *d = &m->rest.disk;

	if (m->say == NULL)
		return;
	fprintf(m->say, "    on disk: T%llu vote %c, log", (ull)d->hard.term,
		letter(d->hard.vote));
	say_log(m->say, d->log, d->last);
	fprintf(m->say, "\n");
}
