/* SPDX-License-Identifier: Apache-2.0 */
/* member.h - the words of `raftfsctl member` and `transfer`. Pure; for both
 * ends of the socket. */
#ifndef FS_CONTROL_MEMBER_H
#define FS_CONTROL_MEMBER_H

#include "fs/control/command.h"
#include "fs/control/message.h"
#include "kv/kv.h"

/* Read the words; *list: the members are to be shown, nothing changed. change
 * points into the request. -EINVAL: they make no sense; a line in problem. */
MUST_USE int member_parse(enum command_id command,
			  const struct message_request *request, bool *list,
			  struct kv_member_change *change,
			  struct buffer *problem);

#endif
