/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/control/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of ASCII, or one of the second set (U+0080 to U+009F) in UTF-8: how many
 * bytes it has, 0: it is none. */
static size_t control_bytes(const unsigned char *at)
{
	if (at[0] < 0x20 || at[0] == 0x7f) {
		return 1;
	}
	return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f ? 2 : 0;
}

static void escape(const char *name, struct buffer *out)
{
	static const char letters[] = "abtnvfr"; /* from 7 on */
	const unsigned char *at = (const unsigned char *)name;

	while (*at != 0) {
		size_t count = control_bytes(at);

		if (*at == '\\') {
			buffer_printf(out, "\\\\");
		} else if (count == 0) {
			buffer_append(out, at, 1);
		} else if (*at >= '\a' && *at <= '\r') {
			buffer_printf(out, "\\%c", letters[*at - '\a']);
		} else {
			for (size_t i = 0; i < count; i++) {
				buffer_printf(out, "\\%03o", at[i]);
			}
		}
		at += count > 0 ? count : 1;
	}
}

void names_print(struct bytes names, enum names_style style, struct buffer *out)
{
	const char **sorted = mem_alloc((names.size + 1) * sizeof *sorted);
	size_t count = 0;

	for (size_t at = 0; at < names.size; count++) {
		sorted[count] = (const char *)names.data + at;
		at += strlen(sorted[count]) + 1;
	}
	qsort(sorted, count, sizeof *sorted, by_bytes);
	for (size_t i = 0; i < count; i++) {
		if (style == NAMES_TERMINAL) {
			escape(sorted[i], out);
		} else {
			buffer_append(out, sorted[i], strlen(sorted[i]));
		}
		buffer_append(out, style == NAMES_NUL ? "" : "\n", 1);
	}
	mem_free(sorted);
}
