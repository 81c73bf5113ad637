/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/trunc.h"

#include "base/check.h"

void trunc_open(struct trunc *t)
{
	CHECK(t->state == TRUNC_NONE);
	t->state = TRUNC_PENDING;
}

bool trunc_is_busy(const struct trunc *t)
{
	return t->state == TRUNC_SENDING || t->state == TRUNC_CARRIED ||
	       t->state == TRUNC_SERVED;
}

bool trunc_is_owed(const struct trunc *t)
{
	return t->state == TRUNC_PENDING || t->state == TRUNC_FAILED;
}

bool trunc_hides_content(const struct trunc *t)
{
	return trunc_is_owed(t) || trunc_is_busy(t);
}

bool trunc_carry(struct trunc *t)
{
	CHECK(!trunc_is_busy(t)); /* T1 */
	if (t->state == TRUNC_NONE) {
		return false;
	}
	t->state = TRUNC_CARRIED;
	return true;
}

void trunc_send(struct trunc *t)
{
	CHECK(trunc_is_owed(t)); /* T1 */
	t->state = TRUNC_SENDING;
}

void trunc_settle(struct trunc *t, bool applied)
{
	CHECK(trunc_is_busy(t) && t->state != TRUNC_SERVED);
	if (applied) {
		t->state = TRUNC_NONE;
	} else if (t->state == TRUNC_CARRIED) {
		t->state = TRUNC_REFUSED;
	} else {
		t->state = TRUNC_FAILED;
	}
}

void trunc_serve(struct trunc *t)
{
	CHECK(t->state == TRUNC_PENDING);
	t->state = TRUNC_SERVED;
}

void trunc_served(struct trunc *t, bool applied)
{
	CHECK(t->state == TRUNC_SERVED);
	t->state = applied ? TRUNC_AGAIN : TRUNC_PENDING;
}

bool trunc_flush(struct trunc *t)
{
	t->flushes++;
	return t->flushes >= 2 && trunc_hides_content(t);
}

void trunc_abandon(struct trunc *t)
{
	CHECK(!trunc_is_busy(t));
	t->state = TRUNC_NONE;
}
