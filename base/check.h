/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - the contract words of the house.
 *
 * CHECK states what only a bug in this program can break. It stays in every
 * build and ends the process with one line. Never CHECK anything that a disk,
 * a peer, the kernel or a user can cause: those get a status. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <assert.h>
#include <stddef.h>

/* A status that is ignored is a bug the compiler reports. */
#define MUST_USE __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#define CHECK(condition)                                                       \
	((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of the given type whose member is pointed to. */
#define CONTAINER_OF(pointer, type, member)                                    \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

NORETURN void check_failed(const char *condition, const char *file, int line);

#endif
