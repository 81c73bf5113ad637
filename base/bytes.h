/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - a borrowed slice, and a buffer that grows.
 *
 * A `struct bytes` never owns what it points to. A `struct buffer` owns its
 * block: zero-initialise it, append, and buffer_deinit() it; all fields may be
 * read, none written from outside. Not thread-safe. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	const uint8_t *data;
	size_t size;
};

struct bytes bytes_of(const void *data, size_t size);
struct bytes bytes_of_text(const char *text); /* without the NUL */
bool bytes_equal(struct bytes a, struct bytes b);
/* Byte order, a shorter prefix first: below, equal to or above 0. */
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_starts_with(struct bytes whole, struct bytes head);
/* Does part point into whole? (Not: are its bytes found there.) */
bool bytes_within(struct bytes part, struct bytes whole);

/* Fixed-width integers in memory: be sorts as bytes do (keys), le is for
 * frames and records. */
void put_be32(uint8_t *at, uint32_t value);
void put_be64(uint8_t *at, uint64_t value);
uint32_t get_be32(const uint8_t *at);
uint64_t get_be64(const uint8_t *at);
void put_le16(uint8_t *at, uint16_t value);
void put_le32(uint8_t *at, uint32_t value);
void put_le64(uint8_t *at, uint64_t value);
uint16_t get_le16(const uint8_t *at);
uint32_t get_le32(const uint8_t *at);
uint64_t get_le64(const uint8_t *at);

struct buffer {
	uint8_t *data;
	size_t size; /* bytes in use */
	size_t capacity;
};

void buffer_deinit(struct buffer *b); /* leaves it empty and reusable */
void buffer_reset(struct buffer *b);  /* empty, keeps the block */
/* Make room for more bytes behind the used ones and return their place; they
 * count as used only after buffer_grow(). Lent until the next call on b. */
uint8_t *buffer_reserve(struct buffer *b, size_t more);
void buffer_grow(struct buffer *b, size_t more);
void buffer_append(struct buffer *b, const void *data, size_t size);
void buffer_append_bytes(struct buffer *b, struct bytes bytes);
void buffer_printf(struct buffer *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Borrowed view of what is in use. */
struct bytes buffer_bytes(const struct buffer *b);
/* A NUL-terminated view of the text in use; lent until the next call on b. */
const char *buffer_text(struct buffer *b);

#endif
