/* SPDX-License-Identifier: Apache-2.0 */
/* forget_store.h - files and folders that live twice: as they are, and as a
 * power cut would leave them.
 *
 *   G1  A file's bytes and size are kept by forget_sync() of the file, no
 *       sooner; its names by forget_sync() of the folders that hold them.
 *   G2  After forget_cut() everything is as it was kept, and nothing else.
 *   G3  Bytes behind a file's end are zero, in both lives.
 *
 * That is the least POSIX promises, and less than most disks do. Modes and
 * times are not forgotten. One thread. */
#ifndef TESTS_LIB_FORGET_STORE_H
#define TESTS_LIB_FORGET_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { PAGE_BYTES = 4096 };

struct name {
	struct name *next;
	struct file *file;
	char text[256];
};

struct file {
	struct file *next, *previous; /* all of them */
	struct file *parent;	      /* folders */
	struct stat st;		      /* as it lives; st_nlink too */
	uint64_t lookups;	      /* the kernel's references */
	unsigned kept_links;
	uint8_t *live, *kept; /* space bytes each */
	size_t space, kept_size;
	uint8_t *dirty;			 /* a byte a page: live differs */
	struct name *names, *kept_names; /* folders */
};

struct store {
	struct file *root;
	struct file *files;
	bool ignore_sync; /* the sync that is left out */
	uint64_t forgotten_bytes, forgotten_names;
};

void store_init(struct store *s);
struct file *store_make(struct store *s, mode_t mode);
/* Free it if nothing refers to it any more. */
void store_release(struct store *s, struct file *f);

struct name *folder_find(struct file *folder, const char *text);
void folder_add(struct file *folder, const char *text, struct file *f);
/* The file stays; see store_release(). */
struct file *folder_remove(struct file *folder, const char *text);

void file_resize(struct file *f, size_t size);
void file_write(struct file *f, size_t at, const void *data, size_t size);
void file_zero(struct file *f, size_t at, size_t size);

void forget_sync(struct store *s, struct file *f);
void forget_cut(struct store *s);

#endif
