/* SPDX-License-Identifier: Apache-2.0 */
/* store_rocksdb.c - the store on RocksDB; the only file that names it.
 *
 *   S1  one column family and no log of its own: after a crash the database
 *       holds a prefix of the committed batches, never a part of one
 *   S2  it is opened only after the daemon has forked: background threads do
 *       not survive a fork
 *   S3  it seldom meets a full disk: callers heed need(), and the write
 *       buffers are a small part of the disk, less than the node's reserve;
 *       its own log is silent, because Debian's build ends the process when a
 *       line of that finds no room
 *   S4  a message of RocksDB may hold paths: it goes to the log and to the
 *       one line for the person who starts the daemon, nowhere else
 *   S5  RocksDB knows the folder by its descriptor: what comes to stand at its
 *       path later, another daemon's state, is not touched
 *
 * A batch keeps its changes in a write batch with an index, so that it reads
 * its own changes on top of the database. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/store.h"

enum {
	WRITE_BUFFER_BYTES = 16 << 20, /* or the disk's share */
	WRITE_BUFFER_BYTES_MIN = 1 << 20,
	WRITE_BUFFER_SHARE = 128,
	WRITE_BUFFERS = 3,
	NEED_BYTES = 4 << 20,
	CACHE_BYTES = 32 << 20,
	TABLE_BYTES = 16 << 20,
	BASE_LEVEL_BYTES = 64 << 20,
	COMPACTION_BYTES = 96 << 20,
	FIRST_FILES = 1 << 20, /* of level 0; never so many */
	OPEN_FILES = 512,
	BACKGROUND_JOBS = 2,
	REMOVED_WINDOW = 1024, /* of a table's entries: is half of it ... */
	REMOVED_TRIGGER = 512, /* ... removals, it is merged down soon */
	BLOOM_BITS = 10,
	MANIFEST_BYTES = 64 << 10, /* preallocated; the default is 4 MiB */
	INFO_LOG_FATAL = 4,
	INFO_LOGS = 2,
	INFO_LOG_BYTES = 1 << 20,
	FULL_MS = 200, /* between two tries on a full disk */
};

struct rocks {
	struct store store;
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_readoptions_t *read;
	rocksdb_writeoptions_t *write;
	int folder;	 /* the database's, locked */
	bool batch_open; /* the writer's */
};

struct rocks_view {
	struct kv_view view;
	struct rocks *rocks;
	const rocksdb_snapshot_t *snapshot;
	rocksdb_readoptions_t *read;
};

struct rocks_batch {
	struct kv_batch batch;
	struct rocks *rocks;
	rocksdb_writebatch_wi_t *changes;
	void (*note)(void *context, struct bytes note);
	void *context;
};

static int status_of(const char *error)
{
	if (strncmp(error, "Corruption", strlen("Corruption")) == 0) {
		return STATUS_CORRUPT;
	}
	if (strstr(error, "No space left on device") != NULL) {
		return STATUS_NO_SPACE;
	}
	if (strstr(error, "Permission denied") != NULL) {
		return STATUS_DENIED;
	}
	return strstr(error, "lock ") != NULL ? STATUS_BUSY : STATUS_IO;
}

/* The same of what was only read: a file that is missing or does not read is
 * damage, as is one that reads wrong. */
static int status_of_read(const char *error)
{
	bool is_gone = strstr(error, "No such file or directory") != NULL ||
		       strstr(error, "Input/output error") != NULL;
	int status = status_of(error);

	return status == STATUS_IO && is_gone ? STATUS_CORRUPT : status;
}

/* Log what RocksDB said, free it, and give it a status. */
static int failure(const char *what, char *error)
{
	int status = status_of(error);

	if (status == STATUS_NO_SPACE) { /* tried again; the caller tells */
		log_debug("state database: %s failed: %s", what, error);
	} else {
		log_error("state database: %s failed: %s", what, error);
	}
	rocksdb_free(error);
	return status;
}

static int unreadable(const char *what, char *error)
{
	int status = status_of_read(error);

	(void)failure(what, error);
	return status;
}

/* --- Reading -------------------------------------------------------------- */

/* Move what a get returned into value. */
static int take_value(char *found, size_t size, char *error,
		      struct buffer *value)
{
	if (error != NULL) {
		return unreadable("read", error);
	}
	if (found == NULL) {
		return STATUS_NOT_FOUND;
	}
	buffer_reset(value);
	buffer_append(value, found, size);
	rocksdb_free(found);
	return 0;
}

static int get(struct rocks *r, rocksdb_readoptions_t *read, struct bytes key,
	       struct buffer *value)
{
	char *error = NULL;
	size_t size = 0;
	char *found = rocksdb_get(r->db, read, (const char *)key.data, key.size,
				  &size, &error);

	return take_value(found, size, error, value);
}

/* Visit from where the iterator is put; the iterator is given. */
static int scan(rocksdb_iterator_t *i, struct bytes from, struct bytes prefix,
		kv_visit visit, void *context)
{
	char *error = NULL;

	if (bytes_compare(from, prefix) < 0) {
		from = prefix;
	}
	rocksdb_iter_seek(i, (const char *)from.data, from.size);
	while (rocksdb_iter_valid(i)) {
		size_t size;
		const char *at = rocksdb_iter_key(i, &size);
		struct bytes key = bytes_of(at, size);

		if (!bytes_starts_with(key, prefix)) {
			break;
		}
		at = rocksdb_iter_value(i, &size);
		if (!visit(context, key, bytes_of(at, size))) {
			break;
		}
		rocksdb_iter_next(i);
	}
	rocksdb_iter_get_error(i, &error);
	rocksdb_iter_destroy(i);
	return error == NULL ? 0 : unreadable("scan", error);
}

static struct rocks *rocks_of(struct store *s)
{
	return CONTAINER_OF(s, struct rocks, store);
}

static struct rocks *newest_rocks(struct kv_reader *r)
{
	return CONTAINER_OF(r, struct rocks, store.reader);
}

static int newest_get(struct kv_reader *r, struct bytes key,
		      struct buffer *value)
{
	struct rocks *rocks = newest_rocks(r);

	return get(rocks, rocks->read, key, value);
}

static int newest_scan(struct kv_reader *r, struct bytes from,
		       struct bytes prefix, kv_visit visit, void *context)
{
	struct rocks *rocks = newest_rocks(r);

	return scan(rocksdb_create_iterator(rocks->db, rocks->read), from,
		    prefix, visit, context);
}

static const struct kv_reader_ops newest_reader = {newest_get, newest_scan};

static int view_get(struct kv_reader *r, struct bytes key, struct buffer *value)
{
	struct rocks_view *v = CONTAINER_OF(r, struct rocks_view, view.reader);

	return get(v->rocks, v->read, key, value);
}

static int view_scan(struct kv_reader *r, struct bytes from,
		     struct bytes prefix, kv_visit visit, void *context)
{
	struct rocks_view *v = CONTAINER_OF(r, struct rocks_view, view.reader);

	return scan(rocksdb_create_iterator(v->rocks->db, v->read), from,
		    prefix, visit, context);
}

static const struct kv_reader_ops view_reader = {view_get, view_scan};

static int batch_get(struct kv_reader *r, struct bytes key,
		     struct buffer *value)
{
	struct rocks_batch *b =
		CONTAINER_OF(r, struct rocks_batch, batch.reader);
	char *error = NULL;
	size_t size = 0;
	char *found = rocksdb_writebatch_wi_get_from_batch_and_db(
		b->changes, b->rocks->db, b->rocks->read,
		(const char *)key.data, key.size, &size, &error);

	return take_value(found, size, error, value);
}

static int batch_scan(struct kv_reader *r, struct bytes from,
		      struct bytes prefix, kv_visit visit, void *context)
{
	struct rocks_batch *b =
		CONTAINER_OF(r, struct rocks_batch, batch.reader);
	rocksdb_iterator_t *base =
		rocksdb_create_iterator(b->rocks->db, b->rocks->read);

	return scan(rocksdb_writebatch_wi_create_iterator_with_base(b->changes,
								    base),
		    from, prefix, visit, context);
}

static const struct kv_reader_ops batch_reader = {batch_get, batch_scan};

/* --- Changing ------------------------------------------------------------- */

static void batch_put(struct kv_batch *b, struct bytes key, struct bytes value)
{
	rocksdb_writebatch_wi_put(
		CONTAINER_OF(b, struct rocks_batch, batch)->changes,
		(const char *)key.data, key.size, (const char *)value.data,
		value.size);
}

static void batch_remove(struct kv_batch *b, struct bytes key)
{
	rocksdb_writebatch_wi_delete(
		CONTAINER_OF(b, struct rocks_batch, batch)->changes,
		(const char *)key.data, key.size);
}

static void batch_note(struct kv_batch *b, struct bytes note)
{
	struct rocks_batch *r = CONTAINER_OF(b, struct rocks_batch, batch);

	if (r->note != NULL) {
		r->note(r->context, note);
	}
}

static const struct kv_batch_ops batch_ops = {batch_put, batch_remove,
					      batch_note};

static struct kv_batch *
rocks_begin(struct store *s, void (*note)(void *context, struct bytes note),
	    void *context)
{
	struct rocks *r = rocks_of(s);
	struct rocks_batch *b = mem_zalloc(sizeof *b);

	CHECK(!r->batch_open);
	r->batch_open = true;
	b->batch.reader.ops = &batch_reader;
	b->batch.ops = &batch_ops;
	b->rocks = r;
	/* Overwriting keys: the index then holds the newest change of a key
	 * only, which reading its own changes needs. */
	b->changes = rocksdb_writebatch_wi_create(0, 1);
	b->note = note;
	b->context = context;
	return &b->batch;
}

static void rocks_abort(struct store *s, struct kv_batch *batch)
{
	struct rocks *r = rocks_of(s);
	struct rocks_batch *b = CONTAINER_OF(batch, struct rocks_batch, batch);

	CHECK(r->batch_open);
	r->batch_open = false;
	rocksdb_writebatch_wi_destroy(b->changes);
	mem_free(b);
}

static int rocks_commit(struct store *s, struct kv_batch *batch)
{
	struct rocks *r = rocks_of(s);
	struct rocks_batch *b = CONTAINER_OF(batch, struct rocks_batch, batch);
	char *error = NULL;

	rocksdb_write_writebatch_wi(r->db, r->write, b->changes, &error);
	rocks_abort(s, batch);
	return error == NULL ? 0 : failure("write", error);
}

static int rocks_flush(struct store *s)
{
	struct rocks *r = rocks_of(s);
	rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
	char *error = NULL;

	rocksdb_flushoptions_set_wait(options, 1);
	rocksdb_flush(r->db, options, &error);
	rocksdb_flushoptions_destroy(options);
	return error == NULL ? 0 : failure("flush", error);
}

/* Tables are linked, not copied. RocksDB makes it under another name, syncs
 * it, and renames it; the folder around it is left to us. */
static int rocks_checkpoint(struct store *s, const char *folder)
{
	struct rocks *r = rocks_of(s);
	char *error = NULL;
	rocksdb_checkpoint_t *maker =
		rocksdb_checkpoint_object_create(r->db, &error);
	bool exists = access(folder, F_OK) == 0;
	int rc = exists ? STATUS_EXISTS : 0;

	if (error != NULL) {
		return failure("checkpoint", error);
	}
	if (rc == 0) {
		/* 0: flush first, for there is no log to copy. */
		rocksdb_checkpoint_create(maker, folder, 0, &error);
		rc = error == NULL ? 0 : failure("checkpoint", error);
	}
	rocksdb_checkpoint_object_destroy(maker);
	if (rc == 0) {
		rc = folder_sync_name(folder);
	}
	if (rc != 0 && !exists) {
		char *half = mem_printf("%s.tmp", folder);

		/* What can not be removed now is removed at the next start. */
		(void)folder_remove(half);
		(void)folder_remove(folder);
		mem_free(half);
	}
	return rc;
}

static uint64_t property(struct rocks *r, const char *name)
{
	uint64_t value = 0;

	if (rocksdb_property_int(r->db, name, &value) != 0) {
		return 0;
	}
	return value;
}

static uint64_t rocks_failures(struct store *s)
{
	return property(rocks_of(s), "rocksdb.background-errors");
}

/* Where something was removed, a file has deletions; the tables below it that
 * hold what was removed are merged with it, and what is left is written anew:
 * so little space is needed at a time. One that fails takes a second. */
static void rocks_shrink(struct store *s)
{
	struct rocks *r = rocks_of(s);
	uint64_t failures = rocks_failures(s);
	const rocksdb_livefiles_t *files = rocksdb_livefiles(r->db);
	int count = rocksdb_livefiles_count(files);

	for (int i = 0; i < count && rocks_failures(s) == failures; i++) {
		size_t from;
		size_t to;
		const char *first =
			rocksdb_livefiles_smallestkey(files, i, &from);
		const char *last = rocksdb_livefiles_largestkey(files, i, &to);

		if (rocksdb_livefiles_deletions(files, i) > 0) {
			rocksdb_compact_range(r->db, first, from, last, to);
		}
	}
	rocksdb_livefiles_destroy(files);
}

static uint64_t rocks_bytes(struct store *s)
{
	struct rocks *r = rocks_of(s);

	return property(r, "rocksdb.total-sst-files-size") +
	       property(r, "rocksdb.cur-size-all-mem-tables");
}

static uint64_t rocks_need(struct store *s)
{
	uint64_t held =
		property(rocks_of(s), "rocksdb.cur-size-all-mem-tables");

	return held + held / 4 + NEED_BYTES;
}

/* Half of the buffer: what a batch takes is not known before. */
static uint64_t rocks_slack(struct store *s)
{
	struct rocks *r = rocks_of(s);
	uint64_t half = rocksdb_options_get_write_buffer_size(r->options) / 2;
	uint64_t used = property(r, "rocksdb.cur-size-active-mem-table");

	return used < half ? half - used : 0;
}

static struct kv_view *rocks_view_open(struct store *s)
{
	struct rocks *r = rocks_of(s);
	struct rocks_view *v = mem_zalloc(sizeof *v);

	v->view.reader.ops = &view_reader;
	v->rocks = r;
	v->snapshot = rocksdb_create_snapshot(r->db);
	v->read = rocksdb_readoptions_create();
	rocksdb_readoptions_set_snapshot(v->read, v->snapshot);
	return &v->view;
}

static void rocks_view_close(struct store *s, struct kv_view *view)
{
	struct rocks_view *v = CONTAINER_OF(view, struct rocks_view, view);

	rocksdb_readoptions_destroy(v->read);
	rocksdb_release_snapshot(rocks_of(s)->db, v->snapshot);
	mem_free(v);
}

/* --- Life ----------------------------------------------------------------- */

static void rocks_free(struct rocks *r)
{
	rocksdb_readoptions_destroy(r->read);
	rocksdb_writeoptions_destroy(r->write);
	rocksdb_options_destroy(r->options);
	if (r->folder >= 0) {
		(void)close(r->folder);
	}
	mem_free(r);
}

static void rocks_close(struct store *s)
{
	struct rocks *r = rocks_of(s);

	CHECK(!r->batch_open);
	rocksdb_close(r->db);
	rocks_free(r);
}

/* Into r->db; else what RocksDB says, to be freed. */
static char *open_database(struct rocks *r)
{
	char *error = NULL;
	char name[32]; /* S5 */

	snprintf(name, sizeof name, "/proc/self/fd/%d", r->folder);
	r->db = rocksdb_open(r->options, name, &error);
	return error;
}

static int rocks_reopen(struct store *s)
{
	struct rocks *r = rocks_of(s);
	int rc = rocks_flush(s);

	CHECK(!r->batch_open);
	if (rc != 0) {
		return rc;
	}
	rocksdb_close(r->db);
	do {
		char *error = open_database(r);

		rc = error == NULL ? 0 : unreadable("open", error);
		if (rc == STATUS_NO_SPACE) {
			(void)poll(NULL, 0, FULL_MS);
		}
	} while (rc == STATUS_NO_SPACE);
	if (rc != 0) {
		log_fatal("the state database does not open again: %s",
			  status_text(rc));
	}
	return 0;
}

static const struct store_ops rocks_ops = {
	.view = rocks_view_open,
	.view_close = rocks_view_close,
	.begin = rocks_begin,
	.commit = rocks_commit,
	.abort = rocks_abort,
	.flush = rocks_flush,
	.checkpoint = rocks_checkpoint,
	.shrink = rocks_shrink,
	.failures = rocks_failures,
	.reopen = rocks_reopen,
	.bytes = rocks_bytes,
	.need = rocks_need,
	.slack = rocks_slack,
	.close = rocks_close,
};

static uint64_t write_buffer(const char *path)
{
	struct statvfs st;
	uint64_t share = WRITE_BUFFER_BYTES;

	if (statvfs(path, &st) == 0) {
		share = (uint64_t)st.f_blocks * st.f_frsize /
			WRITE_BUFFER_SHARE;
	}
	if (share < WRITE_BUFFER_BYTES_MIN) {
		return WRITE_BUFFER_BYTES_MIN;
	}
	return share < WRITE_BUFFER_BYTES ? share : WRITE_BUFFER_BYTES;
}

static rocksdb_options_t *options_new(const char *path)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *table =
		rocksdb_block_based_options_create();
	rocksdb_cache_t *cache = rocksdb_cache_create_lru(CACHE_BYTES);

	rocksdb_block_based_options_set_block_cache(table, cache);
	rocksdb_cache_destroy(cache); /* the table options share it */
	rocksdb_block_based_options_set_filter_policy(
		table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	/* Filters stay with their open file: in a cache this small each look-up
	 * would read them anew. OPEN_FILES bounds them. */
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 0);
	rocksdb_options_set_block_based_table_factory(o, table);
	rocksdb_block_based_options_destroy(table);

	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_paranoid_checks(o, 1);
	rocksdb_options_set_write_buffer_size(o, write_buffer(path));
	rocksdb_options_set_max_write_buffer_number(o, WRITE_BUFFERS);
	/* A compaction writes anew what it reads, and for so long both are on
	 * the disk; it does not begin when that could not be. Small steps. */
	rocksdb_options_set_target_file_size_base(o, TABLE_BYTES);
	rocksdb_options_set_max_bytes_for_level_base(o, BASE_LEVEL_BYTES);
	rocksdb_options_set_max_compaction_bytes(o, COMPACTION_BYTES);
	/* Else a purge would keep its space until much more was written. */
	rocksdb_options_add_compact_on_deletion_collector_factory(
		o, REMOVED_WINDOW, REMOVED_TRIGGER);
	/* A flush would wait for good for a compaction that has no room. */
	rocksdb_options_set_level0_slowdown_writes_trigger(o, FIRST_FILES);
	rocksdb_options_set_level0_stop_writes_trigger(o, FIRST_FILES);
	rocksdb_options_set_max_open_files(o, OPEN_FILES);
	rocksdb_options_set_max_background_jobs(o, BACKGROUND_JOBS);
	rocksdb_options_set_manifest_preallocation_size(o, MANIFEST_BYTES);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
	rocksdb_options_set_info_log_level(o, INFO_LOG_FATAL); /* S3 */
	rocksdb_options_set_keep_log_file_num(o, INFO_LOGS);
	rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_compression(o, rocksdb_lz4_compression);
	return o;
}

static struct rocks *rocks_new(const char *path)
{
	struct rocks *r = mem_zalloc(sizeof *r);

	r->folder = -1;
	r->store.reader.ops = &newest_reader;
	r->store.ops = &rocks_ops;
	r->options = options_new(path);
	r->read = rocksdb_readoptions_create();
	r->write = rocksdb_writeoptions_create();
	rocksdb_writeoptions_disable_WAL(r->write, 1);
	return r;
}

/* The store of an opened database, or the problem. */
static int opened(struct rocks *r, const char *path, char *error,
		  struct store **store, struct buffer *problem)
{
	int rc;

	if (r->db == NULL) { /* the caller tells */
		buffer_printf(problem,
			      "the state database in %s does not open: %s",
			      path, error);
		rc = status_of_read(error);
		rocksdb_free(error);
		rocks_free(r);
		return rc;
	}
	*store = &r->store;
	return 0;
}

/* Make it if need be, and lock it. */
static int open_folder(const char *path, int *folder, struct buffer *problem)
{
	int status;

	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		return status_failed(problem, "make the folder", path);
	}
	*folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*folder >= 0 && flock(*folder, LOCK_EX | LOCK_NB) == 0) {
		return 0;
	}
	status = status_of_errno(errno);
	buffer_printf(problem, "cannot open the folder %s: %s", path,
		      status == STATUS_BUSY ? status_text(status)
					    : strerror(errno));
	if (*folder >= 0) {
		(void)close(*folder);
	}
	return status;
}

int store_open_rocksdb(const char *path, struct store **store,
		       struct buffer *problem)
{
	struct rocks *r;
	char *error = NULL;
	int folder = -1;
	int rc = open_folder(path, &folder, problem);

	if (rc != 0) {
		return rc;
	}
	r = rocks_new(path);
	r->folder = folder;
	error = open_database(r);
	if (r->db == NULL && strstr(error, "ompression") != NULL) {
		/* A build of the library without lz4. */
		rocksdb_free(error);
		rocksdb_options_set_compression(r->options,
						rocksdb_no_compression);
		error = open_database(r);
	}
	return opened(r, path, error, store, problem);
}

int store_peek_rocksdb(const char *path, struct store **store,
		       struct buffer *problem)
{
	struct rocks *r = rocks_new(path);
	char *error = NULL;
	int rc;

	rocksdb_options_set_create_if_missing(r->options, 0);
	r->db = rocksdb_open_for_read_only(r->options, path, 0, &error);
	rc = opened(r, path, error, store, problem);
	return rc == STATUS_IO ? STATUS_CORRUPT : rc;
}
