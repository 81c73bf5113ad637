/* SPDX-License-Identifier: Apache-2.0 */
/* faultdisk.h - a disk in memory that fails, forgets, tears and rots.
 *
 * It keeps the contract of raft/node/disk.h and knows what was synced: file
 * contents by sync, names by sync_folder. The calls that change something
 * (create, write, sync, rename, remove, sync_folder) are counted, so that a
 * test can let the 1st, 2nd, ... of them fail, or the power go there. All it
 * chooses is drawn from a seed. Any thread. */
#ifndef TESTS_LIB_FAULTDISK_H
#define TESTS_LIB_FAULTDISK_H

#include "raft/node/disk.h"

struct faultdisk;

struct faultdisk *faultdisk_new(void);
void faultdisk_free(struct faultdisk *f); /* no file is open */
/* As it is now, all of it durable, without faults. Returned. */
struct faultdisk *faultdisk_copy(struct faultdisk *f);
/* Borrowed: it lives as long as f, and its free does nothing. */
struct disk *faultdisk_disk(struct faultdisk *f);

/* --- Faults ----------------------------------------------------------------
 */

/* The nth counted call from now (1: the next) fails with status, once; a
 * write then has written half. 0: none. */
void faultdisk_fail(struct faultdisk *f, unsigned nth, int status);
/* The power goes in the nth counted call from now: it may have happened in
 * part, later ones do not happen at all, and all return STATUS_IO until
 * faultdisk_crash(). 0: it stays. */
void faultdisk_cut_power(struct faultdisk *f, unsigned nth);
bool faultdisk_is_dark(struct faultdisk *f); /* the power went */
/* Leave what was synced and some of the rest, drawn from seed: for each file
 * none, all, a prefix torn at any byte, or any of the 512-byte sectors of what
 * was written; of the names' changes, a prefix. Files stay open but must only
 * be closed. The power is back. */
void faultdisk_crash(struct faultdisk *f, uint64_t seed);
/* The power is back and nothing is lost: as if only the process had ended. */
void faultdisk_restart(struct faultdisk *f);
/* Files take at most so many bytes together: STATUS_NO_SPACE beyond. */
void faultdisk_limit(struct faultdisk *f, uint64_t bytes);

/* Flip the bits of mask in one byte of a file, now and for ever. */
void faultdisk_flip(struct faultdisk *f, const char *name, uint64_t at,
		    uint8_t mask);
void faultdisk_resize(struct faultdisk *f, const char *name, uint64_t size);

/* Syncs, or reads, of this file block from now until the release. */
void faultdisk_hold(struct faultdisk *f, const char *name);
void faultdisk_hold_reads(struct faultdisk *f, const char *name);
void faultdisk_await_held(struct faultdisk *f); /* until one blocks */
void faultdisk_release(struct faultdisk *f);

/* --- How it stands ---------------------------------------------------------
 */

unsigned faultdisk_calls(struct faultdisk *f); /* counted so far */
unsigned faultdisk_syncs(struct faultdisk *f, const char *name);
bool faultdisk_has(struct faultdisk *f, const char *name);

#endif
