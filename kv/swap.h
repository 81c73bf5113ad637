/* SPDX-License-Identifier: Apache-2.0 */
/* swap.h - a store that stands before another, which can be replaced under
 * its readers.
 *
 *   W1  whoever began to read goes on reading what it began with: a call of
 *       the reader, a view, a checkpoint
 *   W2  what is asked for after swap_replace() has returned sees the new one
 *   W3  a replaced store is closed, and its folder removed, once the last has
 *       let go of it: by swap_sweep(), never on a reader's thread
 *   W4  while nobody reads or writes it may be opened anew; who comes then
 *       waits
 *
 * It keeps the contract of store.h. The thread that writes is the one that
 * replaces, between two batches; sweeps come from one thread at a time. */
#ifndef KV_SWAP_H
#define KV_SWAP_H

#include "kv/store.h"

/* A read of the store in the folder path, which is not replaced, said
 * STATUS_CORRUPT. The reader's thread; it may end the process. */
typedef void (*swap_damaged)(void *context, const char *path);

/* A store before `first`, which is given, and lies in the folder path. Closed
 * by its close operation, with first and all that came after. */
struct store *swap_new(struct store *first, const char *path,
		       swap_damaged damaged, void *context);
/* next is given. */
void swap_replace(struct store *front, struct store *next, const char *path);
/* Return how many replaced stores are still in use, or could not be removed:
 * that is tried again, and at the next start. */
size_t swap_sweep(struct store *front);

#endif
