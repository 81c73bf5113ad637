/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *block)
{
	if (block == NULL) {
		fprintf(stderr, "raftfs: out of memory\n");
		abort();
	}
	return block;
}

void *mem_alloc(size_t size)
{
	return or_abort(malloc(size > 0 ? size : 1));
}

void *mem_zalloc(size_t size)
{
	return or_abort(calloc(1, size > 0 ? size : 1));
}

void *mem_realloc(void *block, size_t size)
{
	return or_abort(realloc(block, size > 0 ? size : 1));
}

void *mem_copy(const void *from, size_t size)
{
	void *copy = mem_alloc(size);

	if (size > 0) {
		memcpy(copy, from, size);
	}
	return copy;
}

char *mem_strdup(const char *text)
{
	return mem_copy(text, strlen(text) + 1);
}

char *mem_printf(const char *format, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
	}
	va_end(args);
	return or_abort(text);
}

void mem_free(void *block)
{
	free(block);
}
