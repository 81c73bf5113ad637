/* SPDX-License-Identifier: Apache-2.0 */
/* memstore.h - an ordered store in memory, for tests and simulations.
 *
 * It keeps the whole contract of kv/store.h, the durable side too: what was
 * not flushed is gone after memstore_crash(), and after close and open. A
 * memdisk is what outlives a store: one store at a time is open on it. */
#ifndef TESTS_LIB_MEMSTORE_H
#define TESTS_LIB_MEMSTORE_H

#include "kv/store.h"

struct memdisk;

struct memdisk *memdisk_new(void);
void memdisk_free(struct memdisk *d); /* NULL is fine; no store open on it */

/* A crash may keep more than what was flushed: remember each commit since the
 * last flush. Before a store is opened on it. */
void memdisk_remember(struct memdisk *d);
size_t memdisk_unflushed(const struct memdisk *d); /* how many there are */
/* The store on it is gone, wherever it was, and closed no more: what is
 * durable is the flushed state and the first `kept` commits after it. */
void memdisk_crash(struct memdisk *d, size_t kept);

/* A disk that holds what a checkpoint does (its `checkpoint` operation writes
 * files, through disk_system()); returned. STATUS_NOT_FOUND: the folder holds
 * none; STATUS_CORRUPT. */
MUST_USE int memdisk_load(const char *folder, struct memdisk **disk);
/* The operation itself. */
MUST_USE int memstore_checkpoint(struct store *s, const char *folder);

/* disk NULL: the store has one of its own, gone at close. */
struct store *memstore_open(struct memdisk *disk);

/* Forget everything committed after the last flush, as a power cut does. No
 * batch is open; views stay valid. */
void memstore_crash(struct store *s);

/* The nth commit or flush from now (1: the next) and all later ones fail with
 * STATUS_IO; 0: none does. */
void memstore_fail(struct store *s, unsigned nth);
/* The next so many commits and flushes find the disk full (STATUS_NO_SPACE);
 * a commit changes nothing then. Any thread. */
void memstore_fill(struct store *s, unsigned count);

/* Whenever it is asked for its failures, there is one more. Any thread. */
void memstore_strain(struct store *s, bool strained);
unsigned memstore_reopened(struct store *s); /* so often */

/* A number that depends on the content alone, whatever its history; the item
 * `without` does not count (none such: all do). r: of this kind of store, a
 * view or a batch of it. Cheap. */
uint64_t memstore_hash(struct kv_reader *r, struct bytes without);

#endif
