/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/faultdisk_file.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { SECTOR_BYTES = 512 };

uint64_t faultdisk_draw(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* --- Contents --------------------------------------------------------------
 */

void content_put(struct content *c, uint64_t at, const uint8_t *data,
		 size_t size)
{
	if (size > 0 && at + size > c->size) {
		c->data = mem_realloc(c->data, at + size);
		memset(c->data + c->size, 0, at + size - c->size);
		c->size = at + size;
	}
	if (size > 0) {
		memcpy(c->data + at, data, size);
	}
}

void content_copy(struct content *to, const struct content *from)
{
	mem_free(to->data);
	*to = (struct content){.size = from->size};
	if (from->size > 0) {
		to->data = mem_copy(from->data, from->size);
	}
}

static void writes_clear(struct inode *inode)
{
	for (size_t i = 0; i < inode->write_count; i++) {
		mem_free(inode->writes[i].data);
	}
	mem_free(inode->writes);
	inode->writes = NULL;
	inode->write_count = 0;
}

void writes_add(struct inode *inode, uint64_t at, const void *data, size_t size)
{
	inode->writes = mem_realloc(
		inode->writes, (inode->write_count + 1) * sizeof(struct write));
	inode->writes[inode->write_count++] = (struct write){
		.at = at,
		.size = size,
		.data = mem_copy(data, size),
	};
	content_put(&inode->now, at, data, size);
}

void inode_sync(struct inode *inode)
{
	for (size_t i = 0; i < inode->write_count; i++) {
		struct write *w = &inode->writes[i];

		content_put(&inode->durable, w->at, w->data, w->size);
	}
	writes_clear(inode);
}

void inode_free(struct inode *inode)
{
	writes_clear(inode);
	mem_free(inode->now.data);
	mem_free(inode->durable.data);
	mem_free(inode);
}

/* --- Names -----------------------------------------------------------------
 */

struct name *names_find(struct names *names, const char *text)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i].text, text) == 0) {
			return &names->items[i];
		}
	}
	return NULL;
}

void names_remove(struct names *names, const char *text)
{
	struct name *name = names_find(names, text);

	if (name != NULL) {
		mem_free(name->text);
		*name = names->items[--names->count];
	}
}

void names_add(struct names *names, const char *text, struct inode *inode)
{
	names_remove(names, text);
	CHECK(names->count < NAMES_MAX);
	names->items[names->count++] =
		(struct name){.text = mem_strdup(text), .inode = inode};
}

void names_clear(struct names *names)
{
	while (names->count > 0) {
		mem_free(names->items[--names->count].text);
	}
}

void names_copy(struct names *to, const struct names *from)
{
	names_clear(to);
	for (size_t i = 0; i < from->count; i++) {
		names_add(to, from->items[i].text, from->items[i].inode);
	}
}

void names_change(struct names *names, const struct change *c)
{
	if (c->from != NULL) {
		names_remove(names, c->from);
	}
	if (c->to != NULL) {
		names_add(names, c->to, c->inode);
	}
}

bool is_named(const struct names *names, const struct inode *inode)
{
	for (size_t i = 0; i < names->count; i++) {
		if (names->items[i].inode == inode) {
			return true;
		}
	}
	return false;
}

static void keep_prefix(struct inode *inode, uint64_t *seed)
{
	size_t whole = (size_t)(faultdisk_draw(seed) % inode->write_count);

	for (size_t i = 0; i <= whole; i++) {
		const struct write *w = &inode->writes[i];
		size_t size = i < whole ? w->size
					: (size_t)(faultdisk_draw(seed) %
						   (w->size + 1));

		content_put(&inode->durable, w->at, w->data, size);
	}
}

static void keep_sectors(struct inode *inode, uint64_t *seed)
{
	for (size_t i = 0; i < inode->write_count; i++) {
		const struct write *w = &inode->writes[i];

		for (size_t at = 0; at < w->size;) {
			/* Sectors of the file, not of the write. */
			size_t size = SECTOR_BYTES -
				      (size_t)((w->at + at) % SECTOR_BYTES);

			size = size < w->size - at ? size : w->size - at;
			if (faultdisk_draw(seed) % 2 == 0) {
				content_put(&inode->durable, w->at + at,
					    w->data + at, size);
			}
			at += size;
		}
	}
}

void inode_crash(struct inode *inode, uint64_t *seed)
{
	if (inode->write_count > 0) {
		switch (faultdisk_draw(seed) % 6) {
		case 0: /* nothing of it */
			break;
		case 1: /* all of it */
			inode_sync(inode);
			break;
		case 2:
		case 3:
			keep_prefix(inode, seed);
			break;
		default:
			keep_sectors(inode, seed);
			break;
		}
	}
	writes_clear(inode);
	content_copy(&inode->now, &inode->durable);
}
