/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h - memory, where running out is fatal at one place.
 *
 * Nothing here returns NULL. Whatever comes from outside is bounded before it
 * gets this far. Any thread. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);  /* contents undefined */
void *mem_zalloc(size_t size); /* all zero */
void *mem_realloc(void *block, size_t size);
void *mem_copy(const void *from, size_t size);
char *mem_strdup(const char *text);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mem_free(void *block); /* NULL is fine */

#endif
