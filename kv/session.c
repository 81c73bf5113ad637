/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/session.h"

#include "base/limits.h"

/* Results lie in [low, low + LIMIT_WINDOW_PROPOSALS): every number is less
 * than that above the low it came with (command_decode), and low only rises. So
 * this removes at most a window of keys. */
static void forget_results(struct kv_batch *b, const struct session *s,
			   uint64_t below)
{
	uint64_t end = s->low + LIMIT_WINDOW_PROPOSALS;

	for (uint64_t n = s->low; n < below && n < end; n++) {
		struct record_key key = record_result(s->id, n);

		kv_remove(b, record_bytes(&key));
	}
}

int session_check(struct kv_batch *b, const struct command *c,
		  enum session_verdict *verdict, struct buffer *result)
{
	struct record_key key = record_result(c->session, c->number);
	struct session s;
	int rc = session_load(&b->reader, c->session, &s);

	if (rc == STATUS_NOT_FOUND) {
		*verdict = SESSION_ENDED;
		return 0;
	}
	if (rc != 0) {
		return rc;
	}
	if (c->low > s.low) {
		forget_results(b, &s, c->low);
		s.low = c->low;
		session_stage(b, &s);
	}
	if (c->number < s.low) {
		*verdict = SESSION_OLD;
		return 0;
	}
	rc = kv_get(&b->reader, record_bytes(&key), result);
	if (rc != 0 && rc != STATUS_NOT_FOUND) {
		return rc;
	}
	*verdict = rc == 0 ? SESSION_SETTLED : SESSION_NEW;
	return 0;
}

void session_store(struct kv_batch *b, const struct command *c,
		   struct bytes result)
{
	struct record_key key = record_result(c->session, c->number);

	CHECK(result.size <= LIMIT_RESULT_BYTES);
	kv_put(b, record_bytes(&key), result);
}

static void remove_session(struct kv_batch *b, const struct session *s)
{
	struct record_key key = record_session(s->id);

	forget_results(b, s, UINT64_MAX);
	kv_remove(b, record_bytes(&key));
}

struct find {
	const struct session_owner *owner;
	struct session found;
};

static bool find_visit(void *context, const struct session *s)
{
	struct find *f = context;

	if (s->owner.incarnation != f->owner->incarnation) {
		return true;
	}
	f->found = *s; /* E3: the only one */
	return false;
}

int session_open(struct kv_batch *b, uint64_t id,
		 const struct session_owner *owner,
		 struct session_change *change)
{
	struct find f = {.owner = owner};
	const struct session_owner *had = &f.found.owner;
	struct session s = {.id = id, .owner = *owner, .low = 1};
	int rc = session_each(&b->reader, find_visit, &f);

	*change = (struct session_change){0};
	if (rc != 0) {
		return rc;
	}
	if (f.found.id != 0) {
		if (had->boot == owner->boot &&
		    had->opening == owner->opening) {
			change->opened = f.found.id;
			return 0;
		}
		if (had->boot > owner->boot ||
		    (had->boot == owner->boot &&
		     had->opening > owner->opening)) {
			return 0;
		}
		remove_session(b, &f.found);
		change->ended = f.found.id;
	}
	session_stage(b, &s);
	change->opened = id;
	return 0;
}

int session_end(struct kv_batch *b, uint64_t id, struct session_change *change)
{
	struct session s;
	int rc = session_load(&b->reader, id, &s);

	*change = (struct session_change){0};
	if (rc == STATUS_NOT_FOUND) {
		return 0;
	}
	if (rc == 0) {
		remove_session(b, &s);
		change->ended = id;
	}
	return rc;
}
