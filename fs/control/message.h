/* SPDX-License-Identifier: Apache-2.0 */
/* message.h - requests and responses as bytes. Pure.
 *
 * Both ends of the socket use it: the daemon and raftfsctl. Frames of each
 * direction of a connection are numbered from 0. */
#ifndef FS_CONTROL_MESSAGE_H
#define FS_CONTROL_MESSAGE_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"

enum message_kind { MESSAGE_REQUEST = 1, MESSAGE_RESPONSE = 2 };

enum {
	MESSAGE_COMMAND_BYTES = 15,
	MESSAGE_REASON_BYTES = 511,
	MESSAGE_WORDS = 5,
	MESSAGE_WORD_BYTES = 255,
	MESSAGE_CHUNK_BYTES = 256 << 10, /* content of one response */
	/* Bodies: the largest data and room for all else. */
	MESSAGE_REQUEST_BYTES = LIMIT_WRITE_BYTES + LIMIT_PATH_BYTES + 2048,
	MESSAGE_RESPONSE_BYTES = 2 * MESSAGE_CHUNK_BYTES + 1024,
};

static_assert((int)MESSAGE_REQUEST_BYTES <= (int)LIMIT_FRAME_BYTES,
	      "a request fits in a frame");

struct message_request {
	char command[MESSAGE_COMMAND_BYTES + 1];
	char path[LIMIT_PATH_BYTES]; /* no NUL within */
	bool json;
	size_t word_count;
	char words[MESSAGE_WORDS][MESSAGE_WORD_BYTES + 1];
	struct bytes data; /* borrowed; decoded: points into the body */
};

struct message_response {
	int error; /* a positive errno, or 0 */
	/* Why; without an error: a warning for a person, or "". */
	char reason[MESSAGE_REASON_BYTES + 1];
	bool more;
	struct bytes data;
};

/* Append a whole frame. The caller has checked the bounds. */
void message_encode_request(const struct message_request *request,
			    uint64_t number, struct buffer *out);
void message_encode_response(const struct message_response *response,
			     uint64_t number, struct buffer *out);

/* The body of a frame. STATUS_MALFORMED: does not decode or breaks a bound. */
MUST_USE int message_decode_request(struct bytes body,
				    struct message_request *request);
MUST_USE int message_decode_response(struct bytes body,
				     struct message_response *response);

#endif
