/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - what a node says about itself, in words and as JSON. Pure: from
 * a kv_status that someone else has asked for. */
#ifndef FS_CONTROL_STATUS_H
#define FS_CONTROL_STATUS_H

#include "base/bytes.h"
#include "kv/kv.h"

/* Append a member's words, and a newline. */
void status_member(const struct kv_member *member, struct buffer *out);
/* Append the "key: value" lines. */
void status_text_lines(const struct kv_status *status, enum kv_reads reads,
		       struct buffer *out);
/* Append one JSON object and a newline: the same keys. */
void status_json(const struct kv_status *status, enum kv_reads reads,
		 struct buffer *out);

/* Shared by both. */
const char *status_reads_word(enum kv_reads reads);
uint64_t status_lag(const struct kv_status *status);

/* What `.raftfs/socket` shows, copied; "": nothing. Any thread. */
void status_set_socket(const char *path);

#endif
