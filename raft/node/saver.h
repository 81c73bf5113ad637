/* SPDX-License-Identifier: Apache-2.0 */
/* saver.h - the thread that owns log writes: group commit.
 *
 * All saves queued at one moment become one record and one sync; there is no
 * timer and no waiting for company. A sync that fails ends the process with
 * one line (log_fatal): what was acknowledged must not be guessed at.
 *
 * A second, idle-priority thread of its own prepares the next segment
 * (zero-written) so that a save seldom waits for one. */
#ifndef RAFT_NODE_SAVER_H
#define RAFT_NODE_SAVER_H

#include "raft/node/log.h"
#include "raft/node/promise.h"

struct saver;

/* Called on the saver's thread after each sync: all saves up to seq are
 * durable. Must not block: set a number, wake a loop. */
typedef void (*saver_done)(void *context, raft_seq seq);
/* Called on the saver's thread after a cut: the log now begins after base. */
typedef void (*saver_cut_done)(void *context, struct raft_pos base);
/* Called on the saver's thread while a save or a reset waits for room: when
 * it begins to, and each time before it is tried again (SAVER_RETRY_MS). May
 * block; should make room if it can. Meanwhile nothing is reported durable, so
 * to the core it is a disk that stalls. */
typedef void (*saver_full)(void *context);
enum { SAVER_RETRY_MS = 100 };

/* promise follows the log (H1), lent until the stop; NULL: there is none. */
struct saver *saver_start(struct log *log, struct promise *promise,
			  saver_done done, saver_cut_done cut_done,
			  saver_full full, void *context);
/* Finish what is queued, then stop and free. Blocks for that long. What there
 * is no room for is dropped: it was never reported durable, nor a reset done.
 */
void saver_stop(struct saver *s);

/* Queue a save. The record's entry references are given; its array is copied.
 * seq rises. Never blocks on the disk. */
void saver_save(struct saver *s, raft_seq seq, const struct log_record *record);
/* Queue a cut behind the saves queued so far (log_cut). What it drops must be
 * durable here already: it passes a save that waits for room. */
void saver_cut(struct saver *s, raft_index index);
/* Queue a reset behind them (log_reset); done is called on the saver's thread
 * once it is durable. A position that the log refuses is a bug of the
 * caller's. */
typedef void (*saver_reset_done)(void *context, struct raft_pos base);
void saver_reset(struct saver *s, struct raft_pos pos, saver_reset_done done);
/* Queue a change of promise->others behind them. */
void saver_others(struct saver *s, bool others);
/* Payload bytes queued and not yet durable. Any thread. */
uint64_t saver_queued_bytes(const struct saver *s);

#endif
