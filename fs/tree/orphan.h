/* SPDX-License-Identifier: Apache-2.0 */
/* orphan.h - what is on its way out, and how it goes.
 *
 * Two things wait for a PURGE: orphans, inodes whose last name went, which
 * somebody may still use; and detached chunks, cut off their file by a
 * truncation, which nobody can reach any more. Both are named by a number of
 * the same counter, so one operation frees either.
 *
 * An orphan goes whole: its inode at once (half a file is never seen), what
 * its chunks hold becomes detached. Blocks go in slices of about
 * LIMIT_PURGE_BLOCKS keys an operation; what is left keeps its record and is
 * proposed again. Purging what is no longer there changes nothing. */
#ifndef FS_TREE_ORPHAN_H
#define FS_TREE_ORPHAN_H

#include "fs/tree/tree.h"

void orphan_put(struct kv_batch *b, uint64_t ino, const struct kv_at *at);
/* Propose what may go now, in operations of at most FS_PURGE_MAX numbers;
 * looks at no more than ORPHANS_A_TIDY records of each sort. */
void orphan_tidy(const struct kv_tidy *t);

enum { ORPHANS_A_TIDY = 16384 };

#endif
