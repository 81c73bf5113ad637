/* SPDX-License-Identifier: Apache-2.0 */
/* options_words.h - mount options that are not our own. */
#ifndef FS_OPTIONS_WORDS_H
#define FS_OPTIONS_WORDS_H

#include <stdbool.h>

#include "base/bytes.h"

/* mount(8), fstab and systemd say it to each other: to be dropped. */
bool words_is_for_others(const char *word);
/* libfuse or the kernel takes it. */
bool words_is_for_fuse(const char *word);
/* It is neither; one line says so, and why if FUSE knows it. */
void words_refuse(const char *word, struct buffer *problem);

#endif
