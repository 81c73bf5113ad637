/* SPDX-License-Identifier: Apache-2.0 */
/* posix.h - a small suite of POSIX semantics, in the current folder.
 *
 * A promise is a function; EXPECT says what a call must give, an errno or 0,
 * and goes on after a failure. Each promise runs in a fresh folder of its own
 * and so may use any name. Sources: POSIX.1-2017, and Linux where it is
 * stricter (rename(2), unlink(2), open(2)). */
#ifndef TESTS_POSIX_POSIX_H
#define TESTS_POSIX_POSIX_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct promise {
	const char *name;
	void (*run)(void);
};

extern const struct promise promises_names[];
extern const struct promise promises_folders[];
extern const struct promise promises_data[];
extern const struct promise promises_attributes[];
extern const struct promise promises_raftfs[]; /* of this filesystem only */

/* The call failed with this errno; 0: it succeeded. */
#define EXPECT(want, call)                                                     \
	expect(__FILE__, __LINE__, #call, want, (errno = 0, (long)(call)))
#define TRUE(condition) expect_true(__FILE__, __LINE__, #condition, condition)

void expect(const char *file, int line, const char *call, int want, long got);
void expect_true(const char *file, int line, const char *text, bool is_true);

void GIVEN_FILE(const char *name, const char *content);
bool holds(const char *name, const char *content); /* exactly */
struct stat stat_of(const char *name);		   /* lstat; must succeed */
/* Run it in a child as a user without any rights; 0 or its errno. */
int as_nobody(int (*run)(const char *name), const char *name);

#endif
