/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/treekit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fs/tree/counters.h"

/* A batch that counts on its way to the store's. */
struct counting {
	struct kv_batch batch;
	struct treekit *k;
};

static struct treekit *kit_of(struct kv_batch *b)
{
	return CONTAINER_OF(b, struct counting, batch)->k;
}

static int count_get(struct kv_reader *r, struct bytes key,
		     struct buffer *value)
{
	struct treekit *k = kit_of(CONTAINER_OF(r, struct kv_batch, reader));

	k->gets++;
	if (++k->reads == k->fail_read) {
		return STATUS_IO;
	}
	return kv_get(&k->batch->reader, key, value);
}

static int count_scan(struct kv_reader *r, struct bytes from,
		      struct bytes prefix, kv_visit visit, void *context)
{
	struct treekit *k = kit_of(CONTAINER_OF(r, struct kv_batch, reader));

	if (++k->reads == k->fail_read) {
		return STATUS_IO;
	}
	return kv_scan(&k->batch->reader, from, prefix, visit, context);
}

static void count_put(struct kv_batch *b, struct bytes key, struct bytes value)
{
	kit_of(b)->puts++;
	kv_put(kit_of(b)->batch, key, value);
}

static void count_remove(struct kv_batch *b, struct bytes key)
{
	kit_of(b)->puts++;
	kv_remove(kit_of(b)->batch, key);
}

static void count_note(struct kv_batch *b, struct bytes note)
{
	struct treekit *k = kit_of(b);

	k->notes++;
	buffer_reset(&k->last_note);
	buffer_append_bytes(&k->last_note, note);
	kv_note(k->batch, note);
}

static const struct kv_reader_ops counting_reader = {count_get, count_scan};
static const struct kv_batch_ops counting_batch = {count_put, count_remove,
						   count_note};

static void open_store(struct treekit *k)
{
	struct buffer problem = {0};

	if (k->disk != NULL) {
		k->store = memstore_open(k->disk);
	} else {
		assert_int_equal(
			store_open_rocksdb(k->path, &k->store, &problem), 0);
	}
	buffer_deinit(&problem);
}

static void open_kit(struct treekit *k)
{
	struct buffer birth = {0};

	open_store(k);
	fs_machine(0, 0, &k->machine);
	k->batch_size = 1;
	k->time_ns = 1000000000000000000;
	k->machine.birth(k->machine.context, &birth);
	assert_int_equal(treekit_apply_bytes(k, buffer_bytes(&birth)), 0);
	buffer_deinit(&birth);
}

void treekit_open(struct treekit *k)
{
	*k = (struct treekit){.disk = memdisk_new()};
	open_kit(k);
}

void treekit_open_rocksdb(struct treekit *k, const char *path)
{
	*k = (struct treekit){.path = path};
	open_kit(k);
}

void treekit_close(struct treekit *k)
{
	treekit_commit(k);
	k->store->ops->close(k->store);
	memdisk_free(k->disk);
	buffer_deinit(&k->last_note);
	buffer_deinit(&k->encoded_result);
}

void treekit_restart(struct treekit *k)
{
	treekit_commit(k);
	assert_int_equal(k->store->ops->flush(k->store), 0);
	k->store->ops->close(k->store);
	open_store(k);
}

void treekit_commit(struct treekit *k)
{
	if (k->batch != NULL) {
		assert_int_equal(k->store->ops->commit(k->store, k->batch), 0);
		k->batch = NULL;
		k->in_batch = 0;
	}
}

struct kv_reader *treekit_reader(struct treekit *k)
{
	return k->batch != NULL ? &k->batch->reader : &k->store->reader;
}

static void ignore_note(void *context, struct bytes note)
{
	(void)context;
	(void)note;
}

static void need_batch(struct treekit *k)
{
	if (k->batch == NULL) {
		k->batch = k->store->ops->begin(k->store, ignore_note, NULL);
	}
}

void treekit_limits(struct treekit *k, uint64_t file_bytes, uint64_t bytes,
		    uint64_t inodes)
{
	struct counters counters;

	need_batch(k);
	assert_int_equal(counters_get(&k->batch->reader, &counters), 0);
	counters.file_bytes_max = file_bytes;
	counters.usage.bytes_max = bytes;
	counters.usage.inodes_max = inodes;
	counters_put(k->batch, &counters);
	treekit_commit(k);
}

static int apply(struct treekit *k, struct bytes operation)
{
	struct counting counting = {
		.batch = {.reader = {&counting_reader}, .ops = &counting_batch},
		.k = k,
	};
	struct kv_at at = {.index = ++k->index, .time_ns = k->time_ns};

	need_batch(k);
	k->time_ns += 1000000000;
	k->gets = 0;
	k->puts = 0;
	k->notes = 0;
	k->reads = 0;
	buffer_reset(&k->encoded_result);
	return k->machine.apply(k->machine.context, &counting.batch, &at,
				operation, &k->encoded_result);
}

int treekit_apply_bytes(struct treekit *k, struct bytes operation)
{
	assert_int_equal(apply(k, operation), 0);
	assert_int_equal(fs_result_decode(buffer_bytes(&k->encoded_result),
					  &k->result),
			 0);
	if (k->result.error != 0) {
		assert_int_equal(k->puts + k->notes, 0);
	}
	if (++k->in_batch >= k->batch_size) {
		treekit_commit(k);
	}
	return k->result.error;
}

int treekit_apply_failing(struct treekit *k, const struct fs_op *op,
			  unsigned nth)
{
	struct buffer encoded = {0};
	int rc;

	treekit_commit(k);
	fs_op_encode(op, &encoded);
	k->fail_read = nth;
	rc = apply(k, buffer_bytes(&encoded));
	k->fail_read = 0;
	k->store->ops->abort(k->store, k->batch);
	k->batch = NULL;
	buffer_deinit(&encoded);
	return rc;
}

int treekit_apply(struct treekit *k, const struct fs_op *op)
{
	struct buffer encoded = {0};
	int error;

	fs_op_encode(op, &encoded);
	error = treekit_apply_bytes(k, buffer_bytes(&encoded));
	buffer_deinit(&encoded);
	return error;
}

int kit_create(struct treekit *k, uint64_t dir, const char *name,
	       uint32_t flags)
{
	struct fs_op op = {.kind = FS_OP_CREATE,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .flags = flags,
			   .mode = 0644,
			   .uid = 7,
			   .gid = 8};

	return treekit_apply(k, &op);
}

int kit_mkdir(struct treekit *k, uint64_t dir, const char *name)
{
	struct fs_op op = {.kind = FS_OP_MKDIR,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .mode = 0755,
			   .uid = 7,
			   .gid = 8};

	return treekit_apply(k, &op);
}

int kit_symlink(struct treekit *k, uint64_t dir, const char *name,
		const char *target)
{
	struct fs_op op = {.kind = FS_OP_SYMLINK,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .mode = 0777,
			   .data = bytes_of_text(target)};

	return treekit_apply(k, &op);
}

int kit_mknod(struct treekit *k, uint64_t dir, const char *name, uint32_t mode,
	      uint32_t rdev)
{
	struct fs_op op = {.kind = FS_OP_MKNOD,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .mode = mode,
			   .rdev = rdev};

	return treekit_apply(k, &op);
}

int kit_link(struct treekit *k, uint64_t ino, uint64_t dir, const char *name)
{
	struct fs_op op = {.kind = FS_OP_LINK,
			   .ino = ino,
			   .dir = dir,
			   .name = bytes_of_text(name)};

	return treekit_apply(k, &op);
}

int kit_unlink(struct treekit *k, uint64_t dir, const char *name)
{
	struct fs_op op = {
		.kind = FS_OP_UNLINK, .dir = dir, .name = bytes_of_text(name)};

	return treekit_apply(k, &op);
}

int kit_rmdir(struct treekit *k, uint64_t dir, const char *name)
{
	struct fs_op op = {
		.kind = FS_OP_RMDIR, .dir = dir, .name = bytes_of_text(name)};

	return treekit_apply(k, &op);
}

int kit_rename(struct treekit *k, uint64_t dir, const char *name,
	       uint64_t new_dir, const char *new_name, uint32_t flags)
{
	struct fs_op op = {.kind = FS_OP_RENAME,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .new_dir = new_dir,
			   .new_name = bytes_of_text(new_name),
			   .flags = flags};

	return treekit_apply(k, &op);
}

static int write_bytes(struct treekit *k, uint64_t ino, uint64_t offset,
		       struct bytes data, uint32_t flags)
{
	struct fs_op op = {.kind = FS_OP_WRITE,
			   .ino = ino,
			   .offset = offset,
			   .data = data,
			   .flags = flags};

	return treekit_apply(k, &op);
}

int kit_write(struct treekit *k, uint64_t ino, uint64_t offset,
	      const char *text, uint32_t flags)
{
	return write_bytes(k, ino, offset, bytes_of_text(text), flags);
}

int kit_fill(struct treekit *k, uint64_t ino, uint64_t offset, size_t size,
	     char fill, uint32_t flags)
{
	uint8_t *data = mem_alloc(size);
	int error;

	memset(data, fill, size);
	error = write_bytes(k, ino, offset, bytes_of(data, size), flags);
	mem_free(data);
	return error;
}

int kit_set(struct treekit *k, uint64_t dir, const char *name, const char *text)
{
	struct fs_op op = {.kind = FS_OP_SET,
			   .dir = dir,
			   .name = bytes_of_text(name),
			   .mode = 0600,
			   .uid = 7,
			   .gid = 8,
			   .data = bytes_of_text(text)};

	return treekit_apply(k, &op);
}

int kit_truncate(struct treekit *k, uint64_t ino, uint64_t size)
{
	struct fs_op op = {.kind = FS_OP_SETATTR,
			   .ino = ino,
			   .valid = FS_SET_SIZE,
			   .size = size};

	return treekit_apply(k, &op);
}

int kit_purge(struct treekit *k, uint64_t ino)
{
	struct fs_op op = {.kind = FS_OP_PURGE, .inos = {ino}, .ino_count = 1};

	return treekit_apply(k, &op);
}

uint64_t GIVEN_FILE(struct treekit *k, uint64_t dir, const char *name)
{
	assert_int_equal(kit_create(k, dir, name, FS_EXCL), 0);
	return k->result.attr.ino;
}

uint64_t GIVEN_TEXT(struct treekit *k, uint64_t dir, const char *name,
		    const char *text)
{
	assert_int_equal(kit_set(k, dir, name, text), 0);
	return k->result.attr.ino;
}

uint64_t GIVEN_DIR(struct treekit *k, uint64_t dir, const char *name)
{
	assert_int_equal(kit_mkdir(k, dir, name), 0);
	return k->result.attr.ino;
}

struct fs_attr kit_attr(struct treekit *k, uint64_t ino)
{
	struct fs_attr attr = {0};

	assert_int_equal(fs_getattr(treekit_reader(k), ino, &attr), 0);
	return attr;
}

struct fs_usage kit_usage(struct treekit *k)
{
	struct fs_usage usage = {0};

	assert_int_equal(fs_usage(treekit_reader(k), &usage), 0);
	return usage;
}

int64_t kit_lookup(struct treekit *k, uint64_t dir, const char *name)
{
	struct fs_attr attr;
	int rc = fs_lookup(treekit_reader(k), dir, bytes_of_text(name), &attr);

	return rc == 0 ? (int64_t)attr.ino : rc;
}

void assert_content(struct treekit *k, uint64_t ino, const char *text)
{
	struct buffer out = {0};

	assert_int_equal(
		fs_read(treekit_reader(k), ino, 0, 1 << 20, &out, NULL), 0);
	assert_string_equal(buffer_text(&out), text);
	buffer_deinit(&out);
}

void assert_filled(struct treekit *k, uint64_t ino, uint64_t offset,
		   size_t size, char fill)
{
	struct buffer out = {0};
	size_t same = 0;

	assert_int_equal(
		fs_read(treekit_reader(k), ino, offset, size, &out, NULL), 0);
	assert_int_equal(out.size, size);
	while (same < size && out.data[same] == (uint8_t)fill) {
		same++;
	}
	assert_int_equal(same, size);
	buffer_deinit(&out);
}

void assert_sound(struct treekit *k)
{
	struct buffer problem = {0};
	int rc = fs_check(treekit_reader(k), &problem);

	assert_string_equal(buffer_text(&problem), "");
	assert_int_equal(rc, 0);
	buffer_deinit(&problem);
}

static bool count_key(void *context, struct bytes key, struct bytes value)
{
	(void)key;
	(void)value;
	++*(size_t *)context;
	return true;
}

size_t kit_keys(struct treekit *k, char prefix)
{
	struct bytes head = bytes_of(&prefix, 1);
	size_t count = 0;

	assert_int_equal(
		kv_scan(treekit_reader(k), head, head, count_key, &count), 0);
	return count;
}
