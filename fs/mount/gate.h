/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - the order of changes around a deferred truncation.
 *
 * How open(O_TRUNC) is seen: ATOMIC_O_TRUNC is off, for with it the kernel
 * takes the file for empty at once and other readers here would see that. So
 * the kernel sends OPEN, and then, in the same system call and so from the
 * same thread, SETATTR with size 0 and without a handle. truncate(2) sends the
 * same, but walks to the name first (LOOKUP). Taking one for the other, where
 * thread numbers do not tell threads apart, truncates at once: less atomic,
 * still right. The reply to that SETATTR has the old size, so the kernel
 * changes nothing. CREATE has O_TRUNC in its flags.
 *
 * The open came first, so what this node changes afterwards comes after the
 * truncation: a change passes the gate of its inode when no truncation of
 * it is under way or owed, but for the write that carries its own handle's.
 * Truncations that stand in the way are sent; those that stand in the way of
 * a write with one of its own are served by it (trunc.h).
 *
 * What passes will be acknowledged, so what another handle tried in vain, or
 * could repeat, ends then (trunc.h).
 *
 * G1  a truncation ends before anything that waited for it passes
 * G2  whoever waits is woken when any truncation of the inode ends, and looks
 *     again */
#ifndef FS_MOUNT_GATE_H
#define FS_MOUNT_GATE_H

#include "fs/mount/request.h"

enum gate_way {
	GATE_WRITE,  /* may carry r->handle's truncation: see r->carries */
	GATE_CHANGE, /* any other change of the inode */
	GATE_SYNC,   /* only r->handle's own truncation matters */
};

/* Call passed(r, error), at once or later. error: r->handle's truncation was
 * refused. What r needs must last by then: gate_enter() copies op.data. */
void gate_enter(struct request *r, enum gate_way way,
		void (*passed)(struct request *r, int error));
/* The write that carried a truncation was applied, or not. Before its reply. */
void gate_leave(struct request *r, bool applied);

/* The handle was opened with O_TRUNC on a file that was there. */
void gate_open(struct mount *m, struct handle *handle);
/* The same for a handle of handles_opening(), whose use ends here. Return
 * false: the file was closed meanwhile, nothing is deferred. */
bool gate_open_late(struct mount *m, struct handle *handle);
/* The caller of that open was gone: nothing is to be truncated. */
void gate_abandon(struct mount *m, struct handle *handle);
/* The handle is closed: what is pending is sent, and nobody waits; what was
 * tried alone and failed is given up, for it may come after others' changes. */
void gate_close(struct mount *m, struct handle *handle);
/* Send everything that is owed: the mount ends. */
void gate_flush(struct mount *m);
/* The thread that sends what nobody claimed in time; context: the mount. */
void *gate_timer(void *context);
void gate_timer_stop(struct mount *m);

#endif
