/* SPDX-License-Identifier: Apache-2.0 */
/* The operations, and the faults that strike in them. The folder has its names
 * as they are, its names as durable, and the changes between; files are alike
 * (faultdisk_file.h). A crash plays some of what lies between onto what is
 * durable, and both are the same again. */
#include "tests/lib/faultdisk.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "base/status.h"
#include "tests/lib/faultdisk_file.h"

struct disk_file {
	struct faultdisk *f;
	struct inode *inode;
};

struct faultdisk {
	struct disk disk;
	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t held_changed;
	LIST_HEAD(, inode) inodes;
	struct names now;
	struct names durable;
	struct change changes[NAMES_MAX];
	size_t change_count;
	unsigned calls;
	unsigned fail_at; /* count of calls; 0: never */
	unsigned dark_at;
	int fail_status;
	bool is_dark;
	uint64_t limit;
	const struct inode *hold;
	const struct inode *hold_reads;
	unsigned held;
};

static void changes_clear(struct faultdisk *f)
{
	while (f->change_count > 0) {
		struct change *c = &f->changes[--f->change_count];

		mem_free(c->from);
		mem_free(c->to);
	}
}

static void change(struct faultdisk *f, const char *from, const char *to,
		   struct inode *inode)
{
	struct change *c = &f->changes[f->change_count];

	CHECK(f->change_count++ < NAMES_MAX);
	*c = (struct change){
		.from = from != NULL ? mem_strdup(from) : NULL,
		.to = to != NULL ? mem_strdup(to) : NULL,
		.inode = inode,
	};
	names_change(&f->now, c);
}

/* Only when no changes lie between: they may name an inode too. */
static void collect(struct faultdisk *f)
{
	struct inode *inode = LIST_FIRST(&f->inodes);

	CHECK(f->change_count == 0);
	while (inode != NULL) {
		struct inode *next = LIST_NEXT(inode, link);

		if (inode->opens == 0 && !is_named(&f->now, inode)) {
			LIST_REMOVE(inode, link);
			inode_free(inode);
		}
		inode = next;
	}
}

/* --- The operations --------------------------------------------------------
 */

static int broken(int status)
{
	errno = status == STATUS_NO_SPACE ? ENOSPC : EIO;
	return status;
}

/* Count a call. Return 0, or how it fails; *in_part: it may happen. */
static int count(struct faultdisk *f, bool *in_part)
{
	f->calls++;
	*in_part = !f->is_dark;
	if (f->is_dark || f->calls == f->dark_at) {
		f->is_dark = true;
		return broken(STATUS_IO);
	}
	if (f->calls == f->fail_at) {
		f->fail_at = 0;
		return broken(f->fail_status);
	}
	return 0;
}

static struct faultdisk *of(struct disk *d)
{
	return CONTAINER_OF(d, struct faultdisk, disk);
}

static int create(struct faultdisk *f, const char *name, struct inode **inode)
{
	bool in_part;
	int rc;

	if (names_find(&f->now, name) != NULL) {
		return STATUS_EXISTS;
	}
	rc = count(f, &in_part);
	if (rc == 0 || (in_part && f->is_dark)) {
		*inode = mem_zalloc(sizeof **inode);
		LIST_INSERT_HEAD(&f->inodes, *inode, link);
		change(f, NULL, name, *inode);
	}
	return rc;
}

static int op_open(struct disk *d, const char *name, bool is_new,
		   struct disk_file **file)
{
	struct faultdisk *f = of(d);
	struct inode *inode = NULL;
	struct name *found;
	int rc = 0;

	pthread_mutex_lock(&f->mutex);
	if (is_new) {
		rc = create(f, name, &inode);
	} else {
		found = names_find(&f->now, name);
		if (found == NULL) {
			rc = STATUS_NOT_FOUND;
		} else {
			inode = found->inode;
		}
	}
	if (rc == 0) {
		inode->opens++;
		*file = mem_alloc(sizeof **file);
		**file = (struct disk_file){.f = f, .inode = inode};
	}
	pthread_mutex_unlock(&f->mutex);
	return rc;
}

static void op_close(struct disk_file *file)
{
	if (file != NULL) {
		pthread_mutex_lock(&file->f->mutex);
		file->inode->opens--;
		pthread_mutex_unlock(&file->f->mutex);
		mem_free(file);
	}
}

static int op_size(struct disk_file *file, uint64_t *size)
{
	pthread_mutex_lock(&file->f->mutex);
	*size = file->inode->now.size;
	pthread_mutex_unlock(&file->f->mutex);
	return 0;
}

/* Block for as long as *hold names inode; the mutex is held. */
static void wait_while_held(struct faultdisk *f, const struct inode **hold,
			    const struct inode *inode)
{
	while (*hold == inode) {
		f->held++;
		pthread_cond_broadcast(&f->held_changed);
		pthread_cond_wait(&f->held_changed, &f->mutex);
		f->held--;
	}
}

static int op_read(struct disk_file *file, uint64_t at, void *data, size_t size)
{
	const struct content *now = &file->inode->now;
	int rc = 0;

	pthread_mutex_lock(&file->f->mutex);
	wait_while_held(file->f, &file->f->hold_reads, file->inode);
	if (at > now->size || size > now->size - at) {
		rc = STATUS_SHORT;
	} else if (size > 0) {
		memcpy(data, now->data + at, size);
	}
	pthread_mutex_unlock(&file->f->mutex);
	return rc;
}

static uint64_t used_bytes(struct faultdisk *f)
{
	struct inode *i;
	uint64_t total = 0;

	LIST_FOREACH (i, &f->inodes, link) {
		total += is_named(&f->now, i) ? i->now.size : 0;
	}
	return total;
}

static bool has_room(struct faultdisk *f, const struct inode *inode,
		     uint64_t end)
{
	return used_bytes(f) + (end - inode->now.size) <= f->limit;
}

static int op_write(struct disk_file *file, uint64_t at, const void *data,
		    size_t size)
{
	struct faultdisk *f = file->f;
	bool in_part;
	int rc;

	pthread_mutex_lock(&f->mutex);
	rc = count(f, &in_part);
	if (rc == 0 && at + size > file->inode->now.size &&
	    !has_room(f, file->inode, at + size)) {
		rc = broken(STATUS_NO_SPACE);
	}
	if (rc == 0 || (in_part && f->is_dark)) {
		writes_add(file->inode, at, data, size);
	} else if (in_part) {
		writes_add(file->inode, at, data, size / 2);
	}
	pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int op_sync(struct disk_file *file)
{
	struct faultdisk *f = file->f;
	bool in_part;
	int rc;

	pthread_mutex_lock(&f->mutex);
	wait_while_held(f, &f->hold, file->inode);
	rc = count(f, &in_part);
	if (rc == 0) {
		inode_sync(file->inode);
		file->inode->syncs++;
	}
	pthread_mutex_unlock(&f->mutex);
	return rc;
}

/* to NULL: remove. */
static int rename_or_remove(struct disk *d, const char *from, const char *to)
{
	struct faultdisk *f = of(d);
	struct name *found;
	bool in_part;
	int rc;

	pthread_mutex_lock(&f->mutex);
	found = names_find(&f->now, from);
	rc = count(f, &in_part);
	if (found == NULL) {
		rc = STATUS_NOT_FOUND;
	} else if (rc == 0 || (in_part && f->is_dark)) {
		change(f, from, to, found->inode);
	}
	pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int op_rename(struct disk *d, const char *from, const char *to)
{
	return rename_or_remove(d, from, to);
}

static int op_remove(struct disk *d, const char *name)
{
	return rename_or_remove(d, name, NULL);
}

static int op_sync_folder(struct disk *d)
{
	struct faultdisk *f = of(d);
	bool in_part;
	int rc;

	pthread_mutex_lock(&f->mutex);
	rc = count(f, &in_part);
	if (rc == 0) {
		names_copy(&f->durable, &f->now);
		changes_clear(f);
		collect(f);
	}
	pthread_mutex_unlock(&f->mutex);
	return rc;
}

static int op_list(struct disk *d,
		   void (*visit)(void *context, const char *name),
		   void *context)
{
	struct faultdisk *f = of(d);

	pthread_mutex_lock(&f->mutex);
	for (size_t i = 0; i < f->now.count; i++) {
		visit(context, f->now.items[i].text);
	}
	pthread_mutex_unlock(&f->mutex);
	return 0;
}

static int op_allocate(struct disk *d, const char *name, uint64_t bytes)
{
	static const uint8_t zeros[4096];
	struct disk_file *file;
	int rc = op_open(d, name, true, &file);

	if (rc != 0) {
		return rc;
	}
	for (uint64_t at = 0; rc == 0 && at < bytes; at += sizeof zeros) {
		uint64_t rest = bytes - at;

		rc = op_write(file, at, zeros,
			      rest < sizeof zeros ? (size_t)rest
						  : sizeof zeros);
	}
	op_close(file);
	if (rc != 0) {
		(void)op_remove(d, name);
	}
	return rc;
}

static int op_space(struct disk *d, uint64_t *free, uint64_t *total)
{
	struct faultdisk *f = of(d);
	uint64_t used;

	pthread_mutex_lock(&f->mutex);
	used = used_bytes(f);
	*total = f->limit;
	*free = used < f->limit ? f->limit - used : 0;
	pthread_mutex_unlock(&f->mutex);
	return 0;
}

static void op_free(struct disk *d)
{
	(void)d;
}

/* --- Life ------------------------------------------------------------------
 */

struct faultdisk *faultdisk_new(void)
{
	static const struct disk_ops ops = {
		.open = op_open,
		.close = op_close,
		.size = op_size,
		.read = op_read,
		.write = op_write,
		.sync = op_sync,
		.rename = op_rename,
		.remove = op_remove,
		.sync_folder = op_sync_folder,
		.list = op_list,
		.allocate = op_allocate,
		.space = op_space,
		.free = op_free,
	};
	struct faultdisk *f = mem_zalloc(sizeof *f);

	f->disk.ops = &ops;
	f->limit = UINT64_MAX;
	LIST_INIT(&f->inodes);
	CHECK(pthread_mutex_init(&f->mutex, NULL) == 0);
	CHECK(pthread_cond_init(&f->held_changed, NULL) == 0);
	return f;
}

void faultdisk_free(struct faultdisk *f)
{
	if (f == NULL) {
		return;
	}
	changes_clear(f);
	names_clear(&f->now);
	names_clear(&f->durable);
	collect(f);
	CHECK(LIST_EMPTY(&f->inodes)); /* none is open */
	pthread_mutex_destroy(&f->mutex);
	pthread_cond_destroy(&f->held_changed);
	mem_free(f);
}

struct faultdisk *faultdisk_copy(struct faultdisk *f)
{
	struct faultdisk *copy = faultdisk_new();

	pthread_mutex_lock(&f->mutex);
	for (size_t i = 0; i < f->now.count; i++) {
		const struct inode *from = f->now.items[i].inode;
		struct inode *to = mem_zalloc(sizeof *to);

		content_copy(&to->now, &from->now);
		content_copy(&to->durable, &from->now);
		LIST_INSERT_HEAD(&copy->inodes, to, link);
		names_add(&copy->now, f->now.items[i].text, to);
	}
	pthread_mutex_unlock(&f->mutex);
	names_copy(&copy->durable, &copy->now);
	return copy;
}

struct disk *faultdisk_disk(struct faultdisk *f)
{
	return &f->disk;
}

/* --- Faults ----------------------------------------------------------------
 */

void faultdisk_fail(struct faultdisk *f, unsigned nth, int status)
{
	pthread_mutex_lock(&f->mutex);
	f->fail_at = nth > 0 ? f->calls + nth : 0;
	f->fail_status = status;
	pthread_mutex_unlock(&f->mutex);
}

void faultdisk_cut_power(struct faultdisk *f, unsigned nth)
{
	pthread_mutex_lock(&f->mutex);
	f->dark_at = nth > 0 ? f->calls + nth : 0;
	pthread_mutex_unlock(&f->mutex);
}

bool faultdisk_is_dark(struct faultdisk *f)
{
	bool is_dark;

	pthread_mutex_lock(&f->mutex);
	is_dark = f->is_dark;
	pthread_mutex_unlock(&f->mutex);
	return is_dark;
}

void faultdisk_crash(struct faultdisk *f, uint64_t seed)
{
	struct inode *inode;
	size_t kept;

	pthread_mutex_lock(&f->mutex);
	kept = (size_t)(faultdisk_draw(&seed) % (f->change_count + 1));
	for (size_t i = 0; i < kept; i++) {
		names_change(&f->durable, &f->changes[i]);
	}
	changes_clear(f);
	names_copy(&f->now, &f->durable);
	LIST_FOREACH (inode, &f->inodes, link) {
		inode_crash(inode, &seed);
	}
	collect(f);
	pthread_mutex_unlock(&f->mutex);
	faultdisk_restart(f);
}

void faultdisk_restart(struct faultdisk *f)
{
	pthread_mutex_lock(&f->mutex);
	f->is_dark = false;
	f->dark_at = 0;
	f->fail_at = 0;
	pthread_mutex_unlock(&f->mutex);
}

void faultdisk_limit(struct faultdisk *f, uint64_t bytes)
{
	pthread_mutex_lock(&f->mutex);
	f->limit = bytes;
	pthread_mutex_unlock(&f->mutex);
}

static struct inode *inode_of(struct faultdisk *f, const char *name)
{
	struct name *found = names_find(&f->now, name);

	CHECK(found != NULL);
	return found->inode;
}

void faultdisk_flip(struct faultdisk *f, const char *name, uint64_t at,
		    uint8_t mask)
{
	struct inode *inode;

	pthread_mutex_lock(&f->mutex);
	inode = inode_of(f, name);
	inode_sync(inode);
	CHECK(at < inode->now.size);
	inode->now.data[at] ^= mask;
	inode->durable.data[at] ^= mask;
	pthread_mutex_unlock(&f->mutex);
}

void faultdisk_resize(struct faultdisk *f, const char *name, uint64_t size)
{
	static const uint8_t zero[1];
	struct inode *inode;

	pthread_mutex_lock(&f->mutex);
	inode = inode_of(f, name);
	inode_sync(inode);
	if (size > inode->now.size) {
		content_put(&inode->now, size - 1, zero, 1);
	}
	inode->now.size = size;
	content_copy(&inode->durable, &inode->now);
	pthread_mutex_unlock(&f->mutex);
}

void faultdisk_hold(struct faultdisk *f, const char *name)
{
	pthread_mutex_lock(&f->mutex);
	f->hold = inode_of(f, name);
	pthread_mutex_unlock(&f->mutex);
}

void faultdisk_hold_reads(struct faultdisk *f, const char *name)
{
	pthread_mutex_lock(&f->mutex);
	f->hold_reads = inode_of(f, name);
	pthread_mutex_unlock(&f->mutex);
}

void faultdisk_await_held(struct faultdisk *f)
{
	pthread_mutex_lock(&f->mutex);
	while (f->held == 0) {
		pthread_cond_wait(&f->held_changed, &f->mutex);
	}
	pthread_mutex_unlock(&f->mutex);
}

void faultdisk_release(struct faultdisk *f)
{
	pthread_mutex_lock(&f->mutex);
	f->hold = NULL;
	f->hold_reads = NULL;
	pthread_cond_broadcast(&f->held_changed);
	pthread_mutex_unlock(&f->mutex);
}

/* --- How it stands ---------------------------------------------------------
 */

unsigned faultdisk_calls(struct faultdisk *f)
{
	unsigned calls;

	pthread_mutex_lock(&f->mutex);
	calls = f->calls;
	pthread_mutex_unlock(&f->mutex);
	return calls;
}

unsigned faultdisk_syncs(struct faultdisk *f, const char *name)
{
	unsigned syncs;

	pthread_mutex_lock(&f->mutex);
	syncs = inode_of(f, name)->syncs;
	pthread_mutex_unlock(&f->mutex);
	return syncs;
}

bool faultdisk_has(struct faultdisk *f, const char *name)
{
	bool has;

	pthread_mutex_lock(&f->mutex);
	has = names_find(&f->now, name) != NULL;
	pthread_mutex_unlock(&f->mutex);
	return has;
}
