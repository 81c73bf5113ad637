/* SPDX-License-Identifier: Apache-2.0 */
/* memstore_copy.c - a checkpoint of a store in memory: files on a disk.
 *
 * A folder of parts, "part-0000" and on, each a row of items: sizes of key and
 * value (le32), both, and behind them all the checksum. Only public operations
 * of the store are used. */
#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/mem.h"
#include "raft/node/disk.h"
#include "tests/lib/memstore.h"

enum { PART_BYTES = 64 << 10, PARTS_MAX = 10000, CHECKSUM_BYTES = 8 };

struct writer {
	struct disk *disk;
	struct buffer part;
	unsigned parts;
	int rc;
};

static void part_name(unsigned part, char name[16])
{
	(void)snprintf(name, 16, "part-%04u", part);
}

static void write_part(struct writer *w)
{
	struct disk_file *file = NULL;
	char name[16];

	part_name(w->parts++, name);
	CHECK(w->parts < PARTS_MAX);
	put_le64(buffer_reserve(&w->part, CHECKSUM_BYTES),
		 XXH3_64bits(w->part.data, w->part.size));
	buffer_grow(&w->part, CHECKSUM_BYTES);
	w->rc = w->disk->ops->open(w->disk, name, true, &file);
	if (w->rc == 0) {
		w->rc = w->disk->ops->write(file, 0, w->part.data,
					    w->part.size);
	}
	if (w->rc == 0) {
		w->rc = w->disk->ops->sync(file);
	}
	w->disk->ops->close(file);
	buffer_reset(&w->part);
}

static bool write_item(void *context, struct bytes key, struct bytes value)
{
	struct writer *w = context;
	uint8_t *sizes = buffer_reserve(&w->part, 8);

	put_le32(sizes, (uint32_t)key.size);
	put_le32(sizes + 4, (uint32_t)value.size);
	buffer_grow(&w->part, 8);
	buffer_append_bytes(&w->part, key);
	buffer_append_bytes(&w->part, value);
	if (w->part.size >= PART_BYTES) {
		write_part(w);
	}
	return w->rc == 0;
}

static int write_all(struct store *s, struct disk *disk)
{
	struct writer w = {.disk = disk};
	struct kv_view *view = s->ops->view(s);
	int rc = kv_scan(&view->reader, bytes_of("", 0), bytes_of("", 0),
			 write_item, &w);

	s->ops->view_close(s, view);
	rc = rc == 0 ? w.rc : rc;
	if (rc == 0) { /* the last one may be empty: none is not a checkpoint */
		write_part(&w);
		rc = w.rc;
	}
	if (rc == 0) {
		rc = disk->ops->sync_folder(disk);
	}
	buffer_deinit(&w.part);
	return rc;
}

int memstore_checkpoint(struct store *s, const char *folder)
{
	struct disk *disk;
	int rc = folder_make(folder);

	if (rc != 0) {
		return rc;
	}
	rc = disk_system(folder, &disk);
	if (rc == 0) {
		rc = write_all(s, disk);
		disk->ops->free(disk);
	}
	if (rc != 0) {
		(void)folder_remove(folder);
	}
	return rc;
}

/* --- Reading -------------------------------------------------------------- */

static int read_items(struct bytes part, struct kv_batch *b)
{
	while (part.size > 0) {
		uint64_t key;
		uint64_t value;

		if (part.size < 8) {
			return STATUS_CORRUPT;
		}
		key = get_le32(part.data);
		value = get_le32(part.data + 4);
		if (part.size - 8 < key + value) {
			return STATUS_CORRUPT;
		}
		kv_put(b, bytes_of(part.data + 8, key),
		       bytes_of(part.data + 8 + key, value));
		part = bytes_of(part.data + 8 + key + value,
				part.size - 8 - key - value);
	}
	return 0;
}

static int read_part(struct disk *disk, const char *name, struct kv_batch *b)
{
	struct disk_file *file = NULL;
	struct buffer part = {0};
	uint64_t size = 0;
	int rc = disk->ops->open(disk, name, false, &file);

	if (rc != 0) {
		return rc;
	}
	rc = disk->ops->size(file, &size);
	if (rc == 0 && size < CHECKSUM_BYTES) {
		rc = STATUS_CORRUPT;
	}
	if (rc == 0) {
		rc = disk->ops->read(file, 0, buffer_reserve(&part, size),
				     size);
	}
	disk->ops->close(file);
	if (rc == 0) {
		size -= CHECKSUM_BYTES;
		rc = get_le64(part.data + size) == XXH3_64bits(part.data, size)
			     ? read_items(bytes_of(part.data, size), b)
			     : STATUS_CORRUPT;
	}
	buffer_deinit(&part);
	return rc;
}

static int read_all(struct disk *disk, struct store *s)
{
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);
	unsigned parts = 0;
	char name[16];
	int rc = 0;

	while (rc == 0) {
		part_name(parts, name);
		rc = read_part(disk, name, b);
		parts += rc == 0 ? 1 : 0;
	}
	if (rc == STATUS_NOT_FOUND && parts > 0) {
		rc = s->ops->commit(s, b);
		return rc == 0 ? s->ops->flush(s) : rc;
	}
	s->ops->abort(s, b);
	return rc;
}

int memdisk_load(const char *folder, struct memdisk **disk)
{
	struct disk *files;
	struct store *s;
	int rc = disk_system(folder, &files);

	if (rc != 0) {
		return rc;
	}
	*disk = memdisk_new();
	s = memstore_open(*disk);
	rc = read_all(files, s);
	s->ops->close(s);
	files->ops->free(files);
	if (rc != 0) {
		memdisk_free(*disk);
		*disk = NULL;
	}
	return rc;
}
