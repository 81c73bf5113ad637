/* SPDX-License-Identifier: Apache-2.0 */
/* snap_intake.h - what comes of a snapshot, on its way to the disk.
 *
 * The loop gives; the snapshots' thread (snap_work.h) does it in the order of
 * the calls, in a stage of its own (snap_stage.h); answers come on the loop,
 * from snap_work_collect(). What the end of the thread left undone is not
 * answered.
 *
 *   I1  what waits for the thread is bounded: SNAP_WINDOW_BYTES, in no more
 *       chunks than a sender can have to send at once
 *   I2  after a failure nothing more is done: what waits is answered by
 *       STATUS_ENDED */
#ifndef RAFT_NODE_SNAP_INTAKE_H
#define RAFT_NODE_SNAP_INTAKE_H

#include "raft/node/snap_wire.h"
#include "raft/node/snap_work.h"

struct snap_intake;

struct snap_intake_answers {
	/* STATUS_NO_SPACE: not so much that the log may go on meanwhile. Else
	 * as of snap_stage_scan(), and those of making the folder. */
	void (*scanned)(void *context, int rc);
	/* As of snap_stage_write(). */
	void (*written)(void *context, int rc, size_t bytes);
	/* As of snap_stage_finish(). */
	void (*finished)(void *context, int rc);
};

/* work, folder, answers are lent until snap_intake_free(); files (as in an
 * offer) are copied. */
struct snap_intake *snap_intake_new(struct snap_work *work, const char *folder,
				    const struct snap_file *files, size_t count,
				    const struct snap_intake_answers *answers,
				    void *context);
/* It is idle. NULL is fine. What lies in the folder stays there. */
void snap_intake_free(struct snap_intake *i);
/* Nothing of it is under way. */
bool snap_intake_idle(const struct snap_intake *i);

/* First: look at what lies there; the folder is made if there is none. */
void snap_intake_scan(struct snap_intake *i);
/* Once it is scanned: what lies there, and how many bytes are still to come
 * if all of it stands. */
const struct snap_piece *snap_intake_pieces(const struct snap_intake *i,
					    size_t *count);
uint64_t snap_intake_missing(const struct snap_intake *i);
/* chunk is copied. false: no more is taken now (I1). */
MUST_USE bool snap_intake_write(struct snap_intake *i,
				const struct snap_chunk *chunk);
/* Last, and once it is scanned: all has come. */
void snap_intake_finish(struct snap_intake *i);

#endif
