/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/read.h"

#include "base/mem.h"

enum {
	LOST_MS = 2 * LIMIT_HEARTBEAT_MS, /* a ticket this old may be lost */
	PAUSE_MS = 20,			  /* after a refusal */
};

void barriers_init(struct barriers *b)
{
	*b = (struct barriers){0};
	TAILQ_INIT(&b->asking);
	TAILQ_INIT(&b->applying);
}

struct barrier *barriers_add(struct barriers *b, bool strict, uint64_t index,
			     uint64_t now_ms, kv_ready ready, void *context)
{
	struct barrier *new;

	if (b->count >= LIMIT_PROPOSALS) {
		return NULL;
	}
	new = mem_zalloc(sizeof *new);
	new->id = ++b->last_id;
	new->strict = strict;
	new->came = b->issued + 1; /* B1 */
	new->index = index;
	new->due_ms = now_ms + LIMIT_BARRIER_MS;
	new->ready = ready;
	new->context = context;
	if (index == 0) {
		TAILQ_INSERT_TAIL(&b->asking, new, link);
	} else {
		TAILQ_INSERT_TAIL(&b->applying, new, link);
	}
	b->count++;
	return new;
}

void barriers_owe(struct barriers *b, uint64_t index)
{
	if (!atomic_load(&b->unproven)) {
		atomic_store(&b->unproven, true);
		b->owed = index;
	}
}

/* The low bit of a ticket tells node and core nothing; it is ours: may the
 * lease have answered? */
static uint64_t ticket_of(uint64_t number, bool lease)
{
	return number << 1 | (lease ? 1 : 0);
}

static bool any_strict(const struct barriers *b)
{
	const struct barrier *at;

	TAILQ_FOREACH (at, &b->asking, link) {
		if (at->strict) {
			return true;
		}
	}
	return false;
}

uint64_t barriers_ask(struct barriers *b, uint64_t now_ms, bool hurry,
		      bool *lease)
{
	uint64_t since = now_ms - b->asked_ms;

	if ((TAILQ_EMPTY(&b->asking) && !b->cut_off) ||
	    b->under_way >= READ_TICKETS) {
		return 0;
	}
	if (!hurry && b->issued > 0 &&
	    ((b->under_way > 0 && since < LOST_MS) ||
	     (b->refused && since < PAUSE_MS))) {
		return 0;
	}
	*lease = !any_strict(b);
	b->issued++;
	b->under_way++;
	b->asked_ms = now_ms;
	b->refused = false;
	return ticket_of(b->issued, *lease);
}

static void answer(struct barriers *b, struct barrier *a, int status,
		   bool fell_back, struct barrier_list *answers)
{
	if (a->index == 0) {
		TAILQ_REMOVE(&b->asking, a, link);
	} else {
		TAILQ_REMOVE(&b->applying, a, link);
	}
	b->count--;
	if (status == 0 && !fell_back && atomic_load(&b->unproven)) {
		atomic_store(&b->unproven, false);
	}
	a->status = status;
	a->fell_back = fell_back;
	TAILQ_INSERT_TAIL(answers, a, link);
}

void barriers_answered(struct barriers *b, uint64_t ticket, uint64_t index,
		       int status, uint64_t applied,
		       struct barrier_list *answers)
{
	uint64_t number = ticket >> 1;
	bool lease = (ticket & 1) != 0;
	struct barrier *at;
	struct barrier *next;

	b->under_way -= b->under_way > 0 ? 1 : 0;
	if (status != 0) {
		b->refused = true;
		return;
	}
	b->cut_off = false;
	index = index > 0 ? index : 1; /* 0 stands for asking */
	for (at = TAILQ_FIRST(&b->asking); at != NULL; at = next) {
		next = TAILQ_NEXT(at, link);
		if (at->came > number) {
			break; /* B1: it and all behind came later */
		}
		CHECK(!at->strict ||
		      !lease); /* B2: not asked while one waits */
		TAILQ_REMOVE(&b->asking, at, link);
		TAILQ_INSERT_TAIL(&b->applying, at, link);
		at->index = index;
		if (index <= applied) {
			answer(b, at, 0, false, answers);
		} else if (b->behind && !at->strict &&
			   !atomic_load(&b->unproven)) {
			answer(b, at, 0, true, answers);
		}
	}
}

void barriers_applied(struct barriers *b, uint64_t applied,
		      struct barrier_list *answers)
{
	struct barrier *at;
	struct barrier *next;

	b->behind = false;
	if (b->owed > 0 && applied >= b->owed) {
		atomic_store(&b->unproven, false);
		b->owed = 0;
	}
	for (at = TAILQ_FIRST(&b->applying); at != NULL; at = next) {
		next = TAILQ_NEXT(at, link);
		if (at->index <= applied) {
			answer(b, at, 0, false, answers);
		}
	}
}

static void expire_list(struct barriers *b, struct barrier_list *list,
			uint64_t now_ms, struct barrier_list *answers)
{
	struct barrier *at;
	struct barrier *next;

	for (at = TAILQ_FIRST(list); at != NULL; at = next) {
		bool asking = at->index == 0;
		bool fails;

		next = TAILQ_NEXT(at, link);
		/* Cut off, nothing waits for an answer. */
		if (at->due_ms > now_ms && !(b->cut_off && asking)) {
			continue;
		}
		if (asking && !b->cut_off) {
			b->cut_off = true;
			b->cut_off_ms = at->due_ms - LIMIT_BARRIER_MS;
		}
		b->behind = b->behind || !asking;
		fails = at->strict || atomic_load(&b->unproven);
		answer(b, at, fails ? STATUS_NO_QUORUM : 0, !fails, answers);
	}
}

void barriers_expire(struct barriers *b, uint64_t now_ms,
		     struct barrier_list *answers)
{
	expire_list(b, &b->asking, now_ms, answers);
	expire_list(b, &b->applying, now_ms, answers);
}

void barriers_renew(struct barriers *b, uint64_t now_ms)
{
	struct barrier *at;

	TAILQ_FOREACH (at, &b->asking, link) {
		at->due_ms = now_ms + LIMIT_BARRIER_MS;
	}
	TAILQ_FOREACH (at, &b->applying, link) {
		at->due_ms = now_ms + LIMIT_BARRIER_MS;
	}
}

static bool interrupt_in(struct barriers *b, struct barrier_list *list,
			 uint64_t id, struct barrier_list *answers)
{
	struct barrier *at;

	TAILQ_FOREACH (at, list, link) {
		if (at->id == id) {
			answer(b, at, STATUS_INTERRUPTED, false, answers);
			return true;
		}
	}
	return false;
}

void barriers_interrupt(struct barriers *b, uint64_t id,
			struct barrier_list *answers)
{
	if (!interrupt_in(b, &b->asking, id, answers)) {
		(void)interrupt_in(b, &b->applying, id, answers);
	}
}

static void end_list(struct barriers *b, struct barrier_list *list,
		     struct barrier_list *answers)
{
	while (!TAILQ_EMPTY(list)) {
		answer(b, TAILQ_FIRST(list), STATUS_ENDED, false, answers);
	}
}

void barriers_end(struct barriers *b, struct barrier_list *answers)
{
	end_list(b, &b->asking, answers);
	end_list(b, &b->applying, answers);
}

void barriers_tell(struct barrier_list *answers)
{
	while (!TAILQ_EMPTY(answers)) {
		struct barrier *a = TAILQ_FIRST(answers);

		TAILQ_REMOVE(answers, a, link);
		a->ready(a->context, a->status, a->fell_back);
		mem_free(a);
	}
}
