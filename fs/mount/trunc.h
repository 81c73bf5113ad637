/* SPDX-License-Identifier: Apache-2.0 */
/* trunc.h - the deferred truncation of one handle opened with O_TRUNC. Pure.
 *
 * open(O_TRUNC) proposes nothing: the truncation travels with the first write,
 * in one entry, so that nobody ever sees the file empty between the two.
 *
 *            trunc_open
 *   NONE --------------> PENDING --- trunc_carry --> CARRIED
 *    ^                    |   ^                       |  |
 *    |                    |   |       trunc_settle(ok)|  |(refused)
 *    |<-------------------|---|-----------------------'  v
 *    |         trunc_send |   |                        REFUSED
 *    |                    v   | trunc_carry: to CARRIED  |
 *    |<--(ok)-- SENDING <-'   |                          |
 *      trunc_settle  |        |                          |
 *                    '-(refused)-> FAILED, which may be sent or carried again
 *
 * REFUSED: the write that carried it was refused. The old content stands, as
 * the writer was told; a later write through the handle carries it again, but
 * closing the file must not empty it. FAILED: it was sent alone and refused;
 * this handle's next write, fsync or second FLUSH tries again, its close does
 * not.
 *
 * A write through another handle that carries that one's truncation does this
 * one's work too: PENDING becomes SERVED while it is under way, and then AGAIN
 * (applied) or PENDING again. AGAIN is done, but for a moment the first write
 * carries it once more: so two that write `echo v > f` at one time each
 * replace the whole content, in one entry each.
 *
 * FAILED, REFUSED and AGAIN end (trunc_abandon) when a change of another handle
 * passes the gate: what is acknowledged then is never cut off afterwards.
 *
 * T1  only one entry with the truncation is ever under way
 * T2  while one is, no other change through this mount passes (gate.c) */
#ifndef FS_MOUNT_TRUNC_H
#define FS_MOUNT_TRUNC_H

#include <stdbool.h>

enum trunc_state {
	TRUNC_NONE,
	TRUNC_PENDING,
	TRUNC_SENDING,
	TRUNC_CARRIED,
	TRUNC_FAILED,
	TRUNC_REFUSED,
	TRUNC_SERVED,
	TRUNC_AGAIN,
};

struct trunc {
	enum trunc_state state;
	unsigned flushes; /* FLUSH requests seen through the handle */
};

/* The file was opened with O_TRUNC. */
void trunc_open(struct trunc *t);
/* An entry with the truncation is under way: changes must wait. */
bool trunc_is_busy(const struct trunc *t);
/* It waits to be sent, alone or with a write. */
bool trunc_is_owed(const struct trunc *t);
/* This handle sees an empty file, whatever the state says. */
bool trunc_hides_content(const struct trunc *t);
/* A write is about to be proposed; not while busy. Return true when it has
 * to carry the truncation. */
bool trunc_carry(struct trunc *t);
/* It is sent alone; only when owed. */
void trunc_send(struct trunc *t);
/* The entry that was under way was applied, or not. */
void trunc_settle(struct trunc *t, bool applied);
/* Another handle's write carries a truncation; only when PENDING. */
void trunc_serve(struct trunc *t);
/* That write was applied, or not. */
void trunc_served(struct trunc *t, bool applied);
/* A FLUSH came. The first is no close: a shell sends it for `echo v > f`
 * before the write. Return true when it has to wait for the truncation. */
bool trunc_flush(struct trunc *t);
/* The open never reached its caller; not while busy. */
void trunc_abandon(struct trunc *t);

#endif
