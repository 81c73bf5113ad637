/* SPDX-License-Identifier: Apache-2.0 */
/* forget_store.c - see forget_store.h. */
#include "tests/lib/forget_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static size_t pages(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

struct file *store_make(struct store *s, mode_t mode)
{
	static ino_t last;
	struct file *f = need(calloc(1, sizeof *f));

	f->st.st_ino = ++last;
	f->st.st_mode = mode;
	f->st.st_blksize = PAGE_BYTES;
	clock_gettime(CLOCK_REALTIME, &f->st.st_mtim);
	f->st.st_atim = f->st.st_ctim = f->st.st_mtim;
	f->next = s->files;
	if (f->next != NULL)
		f->next->previous = f;
	s->files = f;
	return f;
}

void store_init(struct store *s)
{
	s->root = store_make(s, S_IFDIR | 0700);
	s->root->st.st_nlink = s->root->kept_links = 2;
	s->root->parent = s->root;
}

static void names_free(struct name **list, bool kept)
{
	while (*list != NULL) {
		struct name *n = *list;

		*list = n->next;
		if (kept)
			n->file->kept_links--;
		else
			n->file->st.st_nlink--;
		free(n);
	}
}

void store_release(struct store *s, struct file *f)
{
	if (f->st.st_nlink > 0 || f->kept_links > 0 || f->lookups > 0)
		return;
	names_free(&f->names, false);
	names_free(&f->kept_names, true);
	if (f->previous != NULL)
		f->previous->next = f->next;
	else
		s->files = f->next;
	if (f->next != NULL)
		f->next->previous = f->previous;
	free(f->live);
	free(f->kept);
	free(f->dirty);
	free(f);
}

struct name *folder_find(struct file *folder, const char *text)
{
	struct name *n = folder->names;

	while (n != NULL && strcmp(n->text, text) != 0)
		n = n->next;
	return n;
}

static struct name *name_make(struct name *next, const char *text,
			      struct file *f)
{
	struct name *n = need(calloc(1, sizeof *n));

	snprintf(n->text, sizeof n->text, "%s", text);
	n->file = f;
	n->next = next;
	return n;
}

void folder_add(struct file *folder, const char *text, struct file *f)
{
	folder->names = name_make(folder->names, text, f);
	f->st.st_nlink++;
	if (S_ISDIR(f->st.st_mode))
		f->parent = folder;
}

struct file *folder_remove(struct file *folder, const char *text)
{
	struct name **at = &folder->names, *n;
	struct file *f;

	while (strcmp((*at)->text, text) != 0)
		at = &(*at)->next;
	n = *at;
	f = n->file;
	*at = n->next;
	free(n);
	f->st.st_nlink--;
	return f;
}

static void grow(struct file *f, size_t size)
{
	size_t space = f->space;

	if (size <= space)
		return;
	space = space < 65536 ? 65536 : space;
	while (space < size)
		space *= 2;
	f->live = need(realloc(f->live, space));
	f->kept = need(realloc(f->kept, space));
	f->dirty = need(realloc(f->dirty, pages(space)));
	memset(f->live + f->space, 0, space - f->space);
	memset(f->kept + f->space, 0, space - f->space);
	memset(f->dirty + pages(f->space), 0, pages(space) - pages(f->space));
	f->space = space;
}

static void touch(struct file *f, size_t from, size_t until)
{
	if (from < until)
		memset(f->dirty + from / PAGE_BYTES, 1,
		       pages(until) - from / PAGE_BYTES);
	clock_gettime(CLOCK_REALTIME, &f->st.st_mtim);
}

static void set_size(struct file *f, size_t size)
{
	f->st.st_size = (off_t)size;
	f->st.st_blocks = (blkcnt_t)pages(size) * (PAGE_BYTES / 512);
}

void file_resize(struct file *f, size_t size)
{
	size_t old = (size_t)f->st.st_size;

	grow(f, size);
	if (size < old) {
		memset(f->live + size, 0, old - size);
		touch(f, size, old);
	}
	set_size(f, size);
}

void file_write(struct file *f, size_t at, const void *data, size_t size)
{
	grow(f, at + size);
	memcpy(f->live + at, data, size);
	touch(f, at, at + size);
	if (at + size > (size_t)f->st.st_size)
		set_size(f, at + size);
}

void file_zero(struct file *f, size_t at, size_t size)
{
	size_t end = (size_t)f->st.st_size;

	if (at >= end)
		return;
	if (size > end - at)
		size = end - at;
	memset(f->live + at, 0, size);
	touch(f, at, at + size);
}

static void copy_pages(struct file *f, uint8_t *to, const uint8_t *from,
		       uint64_t *count)
{
	for (size_t p = 0; p < pages(f->space); p++) {
		if (!f->dirty[p])
			continue;
		memcpy(to + p * PAGE_BYTES, from + p * PAGE_BYTES, PAGE_BYTES);
		f->dirty[p] = 0;
		*count += PAGE_BYTES;
	}
}

void forget_sync(struct store *s, struct file *f)
{
	uint64_t count = 0;

	if (s->ignore_sync)
		return;
	copy_pages(f, f->kept, f->live, &count);
	f->kept_size = (size_t)f->st.st_size;
	if (!S_ISDIR(f->st.st_mode))
		return;
	for (struct name *n = f->names; n != NULL; n = n->next)
		n->file->kept_links++; /* none is freed between */
	names_free(&f->kept_names, true);
	for (struct name *n = f->names; n != NULL; n = n->next)
		f->kept_names = name_make(f->kept_names, n->text, n->file);
}

static bool is_kept_name(const struct file *folder, const struct name *n)
{
	for (struct name *k = folder->kept_names; k != NULL; k = k->next)
		if (k->file == n->file && strcmp(k->text, n->text) == 0)
			return true;
	return false;
}

void forget_cut(struct store *s)
{
	for (struct file *f = s->files; f != NULL; f = f->next) {
		copy_pages(f, f->live, f->kept, &s->forgotten_bytes);
		set_size(f, f->kept_size);
		for (struct name *n = f->names; n != NULL; n = n->next)
			s->forgotten_names += !is_kept_name(f, n);
		names_free(&f->names, false);
		for (struct name *k = f->kept_names; k != NULL; k = k->next)
			folder_add(f, k->text, k->file);
	}
}
