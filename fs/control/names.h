/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - the names of a directory, as `raftfsctl ls` prints them. Pure. */
#ifndef FS_CONTROL_NAMES_H
#define FS_CONTROL_NAMES_H

#include "base/bytes.h"

enum names_style {
	NAMES_LINES,	/* as they are, each with a newline */
	NAMES_TERMINAL, /* so, but what steers a terminal is escaped */
	NAMES_NUL,	/* as they are, each with a NUL */
};

/* names: each with its NUL, in any order. Append them, sorted by their bytes.
 * Escapes are those of ls -b: \\ for a backslash, \n, \t, and three octal
 * digits for every other control character. */
void names_print(struct bytes names, enum names_style style,
		 struct buffer *out);

#endif
