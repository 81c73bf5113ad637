/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/propose.h"

#include "base/mem.h"
#include "kv/command.h"

enum {
	WAITING_BYTES = LIMIT_UNCOMMITTED_BYTES,
	INTERRUPT_MS = 1000, /* an outcome is awaited that long */
};

void proposals_init(struct proposals *p)
{
	*p = (struct proposals){.low = 1, .next = 1, .due_ms = UINT64_MAX};
	TAILQ_INIT(&p->waiting);
}

uint64_t proposals_add(struct proposals *p, struct bytes operation,
		       uint64_t due_ms, kv_done done, void *context,
		       int *status)
{
	struct proposal *new;

	if (operation.size > COMMAND_OPERATION_BYTES) {
		*status = STATUS_TOO_BIG;
		return 0;
	}
	if (p->count >= LIMIT_PROPOSALS || p->waiting_bytes >= WAITING_BYTES) {
		*status = STATUS_FULL;
		return 0;
	}
	new = mem_zalloc(sizeof *new);
	new->id = ++p->last_id;
	new->due_ms = due_ms;
	new->entry = command_operation(operation);
	new->done = done;
	new->context = context;
	HASH_ADD(by_id, p->by_id, id, sizeof new->id, new);
	TAILQ_INSERT_TAIL(&p->waiting, new, link);
	p->count++;
	p->waiting_bytes += new->entry->size;
	if (due_ms < p->due_ms) {
		p->due_ms = due_ms;
	}
	return new->id;
}

static struct proposal **slot(struct proposals *p, uint64_t number)
{
	return &p->window[number % LIMIT_WINDOW_PROPOSALS];
}

/* --- Handing over --------------------------------------------------------- */

static bool has_room(const struct proposals *p)
{
	const struct proposal *first = TAILQ_FIRST(&p->waiting);

	return first != NULL && p->next - p->low < LIMIT_WINDOW_PROPOSALS &&
	       (p->handed_bytes == 0 ||
		p->handed_bytes + first->entry->size <= LIMIT_WINDOW_BYTES);
}

bool proposals_wanted(const struct proposals *p)
{
	return p->usable && (p->offer_count > 0 || has_room(p));
}

/* The one with the lowest number that is to be offered again, as a new entry:
 * the first copy may be in a log by now and does not change any more. */
static struct entry *take_again(struct proposals *p, size_t bytes_max)
{
	struct proposal *found;
	struct entry *copy;

	if (p->offer_from < p->low) {
		p->offer_from = p->low;
	}
	for (found = NULL; found == NULL; p->offer_from++) {
		struct proposal *at = *slot(p, p->offer_from);

		CHECK(p->offer_from < p->next);
		if (at != NULL && at->offer) {
			found = at;
			break;
		}
	}
	if (found->entry->size > bytes_max) {
		return NULL;
	}
	found->offer = false;
	p->offer_count--;
	copy = entry_new(ENTRY_COMMAND, found->entry->data, found->entry->size);
	command_stamp(copy, p->session, found->number, p->low);
	return copy;
}

struct entry *proposals_take(struct proposals *p, size_t bytes_max)
{
	struct proposal *first = TAILQ_FIRST(&p->waiting);

	if (!proposals_wanted(p)) {
		return NULL;
	}
	if (p->offer_count > 0) {
		return take_again(p, bytes_max);
	}
	if (first->entry->size > bytes_max) {
		return NULL;
	}
	TAILQ_REMOVE(&p->waiting, first, link);
	p->waiting_bytes -= first->entry->size;
	p->handed_bytes += first->entry->size;
	first->number = p->next++;
	CHECK(*slot(p, first->number) == NULL); /* P4 */
	*slot(p, first->number) = first;
	command_stamp(first->entry, p->session, first->number, p->low);
	return entry_ref(first->entry);
}

/* Out of the window; low moves past all that is answered. */
static void leave_window(struct proposals *p, struct proposal *gone)
{
	CHECK(*slot(p, gone->number) == gone);
	*slot(p, gone->number) = NULL;
	p->handed_bytes -= gone->entry->size;
	p->offer_count -= gone->offer ? 1 : 0;
	while (p->low < p->next && *slot(p, p->low) == NULL) {
		p->low++;
	}
}

void proposals_offer_again(struct proposals *p)
{
	p->offer_from = p->low;
	for (uint64_t n = p->low; n < p->next; n++) {
		struct proposal *at = *slot(p, n);

		if (at != NULL && !at->offer) {
			at->offer = true;
			p->offer_count++;
		}
	}
}

/* --- Sessions ------------------------------------------------------------- */

void proposals_open(struct proposals *p, uint64_t session)
{
	CHECK(p->low == p->next); /* the end of the one before was seen */
	p->session = session;
	p->usable = true;
	p->low = 1;
	p->next = 1;
}

void proposals_suspend(struct proposals *p)
{
	p->usable = false;
}

void proposals_ended(struct proposals *p, uint64_t session)
{
	uint64_t end = p->next;

	if (session != p->session) {
		return;
	}
	/* From the highest down, so that the lowest waits at the very front. */
	for (uint64_t n = end; n-- > p->low;) {
		struct proposal *at = *slot(p, n);
		struct entry *fresh;

		if (at == NULL) {
			continue;
		}
		*slot(p, n) = NULL;
		at->number = 0;
		at->offer = false;
		/* Others may still hold the entry: not to be stamped again. */
		fresh = entry_new(ENTRY_COMMAND, at->entry->data,
				  at->entry->size);
		entry_unref(at->entry);
		at->entry = fresh;
		p->waiting_bytes += at->entry->size;
		TAILQ_INSERT_HEAD(&p->waiting, at, link);
	}
	p->low = p->next;
	p->handed_bytes = 0;
	p->offer_count = 0;
	p->session = 0;
	p->usable = false;
}

/* --- Answers -------------------------------------------------------------- */

static void answer(struct proposals *p, struct proposal *a, int status,
		   struct bytes result, struct proposal_list *answers)
{
	if (a->number > 0) {
		leave_window(p, a);
	} else {
		TAILQ_REMOVE(&p->waiting, a, link);
		p->waiting_bytes -= a->entry->size;
	}
	/* a is in the table: uthash's pointers are not NULL.
	 * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	HASH_DELETE(by_id, p->by_id, a);
	p->count--;
	a->status = status;
	a->result = result;
	TAILQ_INSERT_TAIL(answers, a, link);
}

void proposals_applied(struct proposals *p, uint64_t session, uint64_t number,
		       struct bytes result, struct proposal_list *answers)
{
	if (session == p->session && number >= p->low && number < p->next &&
	    *slot(p, number) != NULL) {
		answer(p, *slot(p, number), 0, result, answers);
	}
}

static int status_when_due(const struct proposal *a)
{
	return a->interrupted	? STATUS_INTERRUPTED
	       : a->number == 0 ? STATUS_TIMED_OUT
				: STATUS_UNKNOWN;
}

void proposals_lost(struct proposals *p, struct proposal_list *answers)
{
	uint64_t end = p->next;

	for (uint64_t n = p->low; n < end; n++) {
		struct proposal *at = *slot(p, n);

		if (at != NULL) {
			answer(p, at, status_when_due(at), bytes_of("", 0),
			       answers);
		}
	}
	CHECK(p->low == p->next && p->handed_bytes == 0);
	p->session = 0;
	p->usable = false;
}

void proposals_shorten(struct proposals *p, uint64_t due_ms)
{
	struct proposal *at;
	struct proposal *next;

	HASH_ITER (by_id, p->by_id, at, next) {
		if (at->due_ms > due_ms) {
			at->due_ms = due_ms;
		}
	}
	if (p->count > 0 && due_ms < p->due_ms) {
		p->due_ms = due_ms;
	}
}

void proposals_expire(struct proposals *p, uint64_t now_ms,
		      struct proposal_list *answers)
{
	struct proposal *at;
	struct proposal *next;

	if (now_ms < p->due_ms) {
		return;
	}
	p->due_ms = UINT64_MAX;
	HASH_ITER (by_id, p->by_id, at, next) {
		if (at->due_ms <= now_ms) {
			answer(p, at, status_when_due(at), bytes_of("", 0),
			       answers);
		} else if (at->due_ms < p->due_ms) {
			p->due_ms = at->due_ms;
		}
	}
}

void proposals_interrupt(struct proposals *p, uint64_t id, uint64_t now_ms,
			 struct proposal_list *answers)
{
	struct proposal *found;

	HASH_FIND(by_id, p->by_id, &id, sizeof id, found);
	if (found == NULL) {
		return;
	}
	if (found->number == 0) {
		answer(p, found, STATUS_INTERRUPTED, bytes_of("", 0), answers);
		return;
	}
	if (!found->interrupted && now_ms + INTERRUPT_MS < found->due_ms) {
		found->interrupted = true;
		found->due_ms = now_ms + INTERRUPT_MS;
	}
	if (found->due_ms < p->due_ms) {
		p->due_ms = found->due_ms;
	}
}

void proposals_end(struct proposals *p, struct proposal_list *answers)
{
	struct proposal *at;
	struct proposal *next;

	HASH_ITER (by_id, p->by_id, at, next) {
		answer(p, at, at->number > 0 ? STATUS_UNKNOWN : STATUS_ENDED,
		       bytes_of("", 0), answers);
	}
}

void proposals_tell(struct proposal_list *answers)
{
	while (!TAILQ_EMPTY(answers)) {
		struct proposal *a = TAILQ_FIRST(answers);

		TAILQ_REMOVE(answers, a, link);
		a->done(a->context, a->status, a->result);
		entry_unref(a->entry);
		mem_free(a);
	}
}
