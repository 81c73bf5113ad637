/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/apply.h"

#include "base/limits.h"
#include "base/mem.h"
#include "kv/session.h"

int applier_init(struct applier *a, struct store *store,
		 const struct kv_machine *machine, struct feed *feed)
{
	a->store = store;
	a->machine = machine;
	a->feed = feed;
	return applied_load(&store->reader, &a->applied);
}

int applier_reload(struct applier *a)
{
	a->event_count = 0;
	return applied_load(&a->store->reader, &a->applied);
}

void applier_deinit(struct applier *a)
{
	buffer_deinit(&a->result);
	buffer_deinit(&a->results);
	mem_free(a->events);
	*a = (struct applier){0};
}

size_t applier_batch(struct entry *const *entries, size_t count)
{
	size_t bytes = 0;
	size_t taken = 0;

	while (taken < count && taken < LIMIT_APPLY_ENTRIES) {
		bytes += entries[taken]->size;
		if (taken > 0 && bytes > LIMIT_APPLY_BYTES) {
			break;
		}
		taken++;
	}
	return taken;
}

uint64_t applier_time(uint64_t stamp_ns, uint64_t last_ns)
{
	const uint64_t skew_ns = LIMIT_STAMP_SKEW_MS * 1000000ULL;

	return last_ns > stamp_ns && last_ns - stamp_ns < skew_ns ? last_ns
								  : stamp_ns;
}

struct bytes applier_result(const struct applier *a,
			    const struct apply_event *e)
{
	return e->size == 0 ? bytes_of("", 0)
			    : bytes_of(a->results.data + e->start, e->size);
}

static void add_event(struct applier *a, struct apply_event e)
{
	if (a->event_count == a->event_capacity) {
		a->event_capacity = a->event_capacity * 2 + 64;
		a->events = mem_realloc(a->events, a->event_capacity *
							   sizeof a->events[0]);
	}
	a->events[a->event_count++] = e;
}

static void on_note(void *context, struct bytes note)
{
	struct applier *a = context;

	feed_add(a->feed, a->index, note);
}

static int run_machine(struct applier *a, struct kv_batch *b,
		       struct bytes operation)
{
	struct kv_at at = {a->index, a->applied.time_ns};
	int rc;

	buffer_reset(&a->result);
	rc = a->machine->apply(a->machine->context, b, &at, operation,
			       &a->result);
	CHECK(rc != 0 || a->result.size <= LIMIT_RESULT_BYTES);
	return rc;
}

static int apply_operation(struct applier *a, struct kv_batch *b,
			   const struct command *c)
{
	enum session_verdict verdict;
	int rc = session_check(b, c, &verdict, &a->result);

	if (rc != 0) {
		return rc;
	}
	if (verdict == SESSION_NEW) {
		rc = run_machine(a, b, c->operation);
		if (rc != 0) {
			return rc;
		}
		session_store(b, c, buffer_bytes(&a->result));
	} else if (verdict != SESSION_SETTLED) {
		/* Nobody waits (OLD), or its end was told before (ENDED). */
		return 0;
	}
	add_event(a, (struct apply_event){
			     .kind = APPLY_DONE,
			     .session = c->session,
			     .number = c->number,
			     .start = a->results.size,
			     .size = a->result.size,
		     });
	buffer_append_bytes(&a->results, buffer_bytes(&a->result));
	return 0;
}

static int apply_birth(struct applier *a, struct kv_batch *b,
		       const struct command *c)
{
	struct record_key born = record_born();
	int rc = kv_get(&b->reader, record_bytes(&born), &a->result);

	if (rc != STATUS_NOT_FOUND) {
		return rc;
	}
	rc = run_machine(a, b, c->operation);
	if (rc == 0) {
		kv_put(b, record_bytes(&born), bytes_of("", 0));
		add_event(a, (struct apply_event){.kind = APPLY_BORN});
	}
	return rc;
}

static int apply_session(struct applier *a, struct kv_batch *b,
			 const struct command *c)
{
	struct session_change change;
	int rc = c->kind == COMMAND_OPEN
			 ? session_open(b, a->index, &c->owner, &change)
			 : session_end(b, c->session, &change);

	if (rc != 0) {
		return rc;
	}
	if (change.ended != 0) {
		add_event(a, (struct apply_event){.kind = APPLY_ENDED,
						  .session = change.ended});
	}
	if (change.opened != 0) {
		add_event(a, (struct apply_event){.kind = APPLY_OPENED,
						  .session = change.opened,
						  .owner = c->owner});
	}
	return 0;
}

static int apply_command(struct applier *a, struct kv_batch *b,
			 const struct entry *e)
{
	struct command c;

	if (command_decode(&c, entry_bytes(e)) != 0) {
		return 0; /* the same bytes are refused by every replica */
	}
	a->applied.time_ns = applier_time(e->time_ns, a->applied.time_ns);
	switch (c.kind) {
	case COMMAND_OPERATION:
		return apply_operation(a, b, &c);
	case COMMAND_BIRTH:
		return apply_birth(a, b, &c);
	case COMMAND_OPEN:
	case COMMAND_END:
		return apply_session(a, b, &c);
	}
	return 0;
}

static int apply_entry(struct applier *a, struct kv_batch *b,
		       const struct entry *e)
{
	int rc = 0;

	CHECK(e->index == a->applied.index + 1); /* K1 */
	a->index = e->index;
	switch (e->kind) {
	case ENTRY_COMMAND:
		rc = apply_command(a, b, e);
		break;
	case ENTRY_MEMBERS:
		membership_stage(b, e->index, entry_bytes(e));
		break;
	case ENTRY_NOOP:
		break;
	}
	a->applied.index = e->index;
	a->applied.term = e->term;
	return rc;
}

int applier_apply(struct applier *a, struct entry *const *entries, size_t count)
{
	struct kv_batch *b = a->store->ops->begin(a->store, on_note, a);
	struct applied before = a->applied;
	int rc = 0;

	CHECK(count > 0);
	a->event_count = 0;
	buffer_reset(&a->results);
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = apply_entry(a, b, entries[i]);
	}
	if (rc == 0) {
		applied_stage(b, &a->applied); /* K2 */
		a->removed = b->removed;
		rc = a->store->ops->commit(a->store, b);
	} else {
		a->store->ops->abort(a->store, b);
	}
	if (rc != 0) {
		a->applied = before;
		a->event_count = 0;
		feed_forget(a->feed);
	}
	return rc;
}
