/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { BUFFER_FIRST_BYTES = 64 };

struct bytes bytes_of(const void *data, size_t size)
{
	return (struct bytes){.data = data, .size = size};
}

struct bytes bytes_of_text(const char *text)
{
	return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size &&
	       (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t shared = a.size < b.size ? a.size : b.size;
	int order = shared > 0 ? memcmp(a.data, b.data, shared) : 0;

	if (order != 0) {
		return order;
	}
	return (a.size > b.size) - (a.size < b.size);
}

bool bytes_starts_with(struct bytes whole, struct bytes head)
{
	return whole.size >= head.size &&
	       (head.size == 0 ||
		memcmp(whole.data, head.data, head.size) == 0);
}

bool bytes_within(struct bytes part, struct bytes whole)
{
	uintptr_t at = (uintptr_t)part.data;
	uintptr_t start = (uintptr_t)whole.data;

	return at >= start && at - start <= whole.size &&
	       part.size <= whole.size - (at - start);
}

void put_be32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		at[i] = (uint8_t)(value >> (24 - 8 * i));
	}
}

void put_be64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++) {
		at[i] = (uint8_t)(value >> (56 - 8 * i));
	}
}

uint32_t get_be32(const uint8_t *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		value = value << 8 | at[i];
	}
	return value;
}

uint64_t get_be64(const uint8_t *at)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++) {
		value = value << 8 | at[i];
	}
	return value;
}

void put_le16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

void put_le32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		at[i] = (uint8_t)(value >> (8 * i));
	}
}

void put_le64(uint8_t *at, uint64_t value)
{
	for (int i = 0; i < 8; i++) {
		at[i] = (uint8_t)(value >> (8 * i));
	}
}

uint16_t get_le16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t get_le32(const uint8_t *at)
{
	uint32_t value = 0;

	for (int i = 3; i >= 0; i--) {
		value = value << 8 | at[i];
	}
	return value;
}

uint64_t get_le64(const uint8_t *at)
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--) {
		value = value << 8 | at[i];
	}
	return value;
}

void buffer_deinit(struct buffer *b)
{
	mem_free(b->data);
	*b = (struct buffer){0};
}

void buffer_reset(struct buffer *b)
{
	b->size = 0;
}

uint8_t *buffer_reserve(struct buffer *b, size_t more)
{
	size_t need = b->size + (more > 0 ? more : 1); /* never NULL */
	size_t capacity = b->capacity > 0 ? b->capacity : BUFFER_FIRST_BYTES;

	CHECK(need > b->size);
	if (need > b->capacity) {
		while (capacity < need) {
			capacity *= 2;
		}
		b->data = mem_realloc(b->data, capacity);
		b->capacity = capacity;
	}
	return b->data + b->size;
}

void buffer_grow(struct buffer *b, size_t more)
{
	CHECK(more <= b->capacity - b->size);
	b->size += more;
}

void buffer_append(struct buffer *b, const void *data, size_t size)
{
	if (size > 0) {
		memcpy(buffer_reserve(b, size), data, size);
		b->size += size;
	}
}

void buffer_append_bytes(struct buffer *b, struct bytes bytes)
{
	buffer_append(b, bytes.data, bytes.size);
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list args;
	char *at;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	CHECK(size >= 0);

	at = (char *)buffer_reserve(b, (size_t)size + 1);
	va_start(args, format);
	size = vsnprintf(at, (size_t)size + 1, format, args);
	va_end(args);
	CHECK(size >= 0);
	b->size += (size_t)size;
}

struct bytes buffer_bytes(const struct buffer *b)
{
	return bytes_of(b->data, b->size);
}

const char *buffer_text(struct buffer *b)
{
	*buffer_reserve(b, 1) = 0;
	return (const char *)b->data;
}
