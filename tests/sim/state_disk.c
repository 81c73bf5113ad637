/* SPDX-License-Identifier: Apache-2.0 */
/* state_disk.c - what a state folder of a node's disk holds.
 *
 * A database is a folder, which may be lost, moved or removed like any other:
 * so what it holds hangs on a file in it, `held`, which bears a number. Behind
 * the number is a map in memory, or a folder of the real file system with
 * RocksDB in it. A folder without the file is new, or a copy that was received:
 * then its files are the state, as memstore writes them. RocksDB's own would
 * differ from run to run.
 *
 * All as the world, in one of the node's tasks: the disk takes its time. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/mem.h"
#include "raft/node/disk.h"
#include "tests/sim/state.h"

static const char HELD[] = "held";

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

void state_remove_real(const char *path)
{
	CHECK(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* --- The number -------------------------------------------------------------
 */

static uint64_t read_id(struct disk *disk)
{
	struct disk_file *file;
	uint8_t data[8] = {0};

	if (disk->ops->open(disk, HELD, false, &file) != 0) {
		return 0;
	}
	/* Cut short by a power cut: of a database that was never used. */
	if (disk->ops->read(file, 0, data, sizeof data) != 0) {
		memset(data, 0, sizeof data);
	}
	disk->ops->close(file);
	return get_le64(data);
}

static int write_id(struct disk *disk, uint64_t id)
{
	struct disk_file *file;
	uint8_t data[8];
	int rc = disk->ops->remove(disk, HELD);

	rc = rc == STATUS_NOT_FOUND ? 0 : rc;
	if (rc == 0) {
		rc = disk->ops->open(disk, HELD, true, &file);
	}
	if (rc != 0) {
		return rc;
	}
	put_le64(data, id);
	rc = disk->ops->write(file, 0, data, sizeof data);
	if (rc == 0) {
		rc = disk->ops->sync(file);
	}
	disk->ops->close(file);
	return rc == 0 ? disk->ops->sync_folder(disk) : rc;
}

/* --- Copies -----------------------------------------------------------------
 */

static bool put_one(void *context, struct bytes key, struct bytes value)
{
	kv_put(context, key, value);
	return true;
}

/* All of the one into the other, which is empty, durably. */
static int pour(struct kv_reader *from, struct store *to)
{
	struct kv_batch *b = to->ops->begin(to, NULL, NULL);
	struct bytes all = bytes_of("", 0);
	int rc = kv_scan(from, all, all, put_one, b);

	if (rc != 0) {
		to->ops->abort(to, b);
		return rc;
	}
	rc = to->ops->commit(to, b);
	return rc == 0 ? to->ops->flush(to) : rc;
}

int state_disk_peek(const char *path, struct store **store)
{
	struct memdisk *memory;
	int rc = memdisk_load(path, &memory);

	if (rc == 0) {
		*store = memstore_open(memory);
	}
	return rc;
}

int state_disk_copy(struct store *store, const char *folder)
{
	struct kv_view *view;
	struct store *copy;
	int rc;

	if (!sim.plan.rocksdb) {
		return store->ops->checkpoint(store, folder);
	}
	view = store->ops->view(store);
	copy = memstore_open(NULL);
	rc = pour(&view->reader, copy);
	store->ops->view_close(store, view);
	if (rc == 0) {
		rc = memstore_checkpoint(copy, folder);
	}
	copy->ops->close(copy);
	return rc;
}

/* --- Opening ----------------------------------------------------------------
 */

static struct state_disk *find(struct state *state, uint64_t id)
{
	struct state_disk *d;

	LIST_FOREACH (d, &state->disks, link) {
		if (d->id == id) {
			return d;
		}
	}
	return NULL;
}

static int open_held(const struct state *state, const struct state_disk *d,
		     struct store **store, struct buffer *problem)
{
	char real[160];

	if (d->memory != NULL) {
		*store = memstore_open(d->memory);
		return 0;
	}
	(void)snprintf(real, sizeof real, "%s/%llu", state->folder,
		       (unsigned long long)d->id);
	return store_open_rocksdb(real, store, problem);
}

/* What was received goes into a RocksDB that is new. */
static int pour_in(const struct state *state, const struct state_disk *d,
		   struct memdisk *received, struct buffer *problem)
{
	struct store *from = memstore_open(received);
	struct store *to;
	int rc = open_held(state, d, &to, problem);

	if (rc == 0) {
		rc = pour(&from->reader, to);
		to->ops->close(to);
	}
	from->ops->close(from);
	return rc;
}

static int add(struct state *state, const char *path, struct state_disk **added,
	       struct buffer *problem)
{
	struct state_disk *d = mem_zalloc(sizeof *d);
	struct memdisk *received = NULL;
	int rc = memdisk_load(path, &received);

	if (rc != 0 && rc != STATUS_NOT_FOUND) {
		return rc;
	}
	d->id = ++state->ids;
	if (!sim.plan.rocksdb) {
		d->memory = received != NULL ? received : memdisk_new();
		memdisk_remember(d->memory);
	} else if (received != NULL) {
		rc = pour_in(state, d, received, problem);
		if (rc != 0) {
			return rc;
		}
	}
	LIST_INSERT_HEAD(&state->disks, d, link);
	*added = d;
	return 0;
}

int state_disk_open(struct state *state, const char *path, struct store **store,
		    struct buffer *problem)
{
	struct state_disk *d;
	struct disk *disk;
	uint64_t id;
	int rc;

	if (mkdir(path, 0700) != 0) {
		rc = 0; /* it is there, or opening it tells why not */
	}
	rc = disk_system(path, &disk);
	if (rc != 0) {
		return rc;
	}
	id = read_id(disk);
	d = id != 0 ? find(state, id) : NULL;
	if (d == NULL) {
		rc = add(state, path, &d, problem);
	}
	/* Who opened it first may have ended before that was durable. */
	if (rc == 0 && !d->is_held) {
		rc = write_id(disk, d->id);
		d->is_held = rc == 0;
	}
	disk->ops->free(disk);
	return rc == 0 ? open_held(state, d, store, problem) : rc;
}
