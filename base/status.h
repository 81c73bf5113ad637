/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - the one list of reasons why something was refused or failed.
 *
 * Functions of every room below fs/ return 0 or one of these, which are
 * negative; errno is known only in fs/ and inside wrappers of system calls,
 * which make one of these of it.
 * What happened to a replicated operation (a name exists, ...) is not an
 * error but data in its result. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

struct buffer;

enum status {
	STATUS_OK = 0,

	/* Refusals: nothing happened, the caller decides. */
	STATUS_NOT_FOUND = -1,	/* no such key, file or record */
	STATUS_NOT_LEADER = -2, /* ask the leader */
	STATUS_NOT_READY = -3,	/* a leader that may not yet do this */
	STATUS_FULL = -4,	/* a bound is reached; retry when it drains */
	STATUS_TOO_BIG = -5,	/* can never fit */
	STATUS_PENDING = -6,	/* another change of this kind is under way */
	STATUS_NO_SPACE = -7,	/* the data disk is full */
	STATUS_TIMED_OUT = -8,	/* certainly not proposed by the deadline */
	STATUS_UNKNOWN = -9,	/* proposed, outcome unknown at the deadline */
	STATUS_INTERRUPTED = -10, /* given up at the caller's request */
	STATUS_ENDED = -11,	  /* the session is over, or shutting down */
	STATUS_NO_QUORUM = -12,	  /* strict read: no majority answered */
	STATUS_INVALID = -13,	  /* an argument or option makes no sense */
	STATUS_EXISTS = -14,	  /* is there already */
	STATUS_BUSY = -15,   /* in use: locked by another process, port taken */
	STATUS_DENIED = -16, /* no rights */
	STATUS_FOREIGN = -17, /* belongs to another cluster or node */

	/* What came from outside is not what it should be. */
	STATUS_MALFORMED = -18, /* bytes that do not decode or break a bound */
	STATUS_CORRUPT = -19,	/* checksum or chain broken: damage */
	STATUS_SHORT =
		-20, /* more bytes are needed: a torn tail, half a frame */
	STATUS_VERSION =
		-21, /* a protocol or format this build does not speak */

	/* The system failed under us. */
	STATUS_IO = -22, /* a system call failed */
};

/* A short lower-case phrase for a person: "not the leader". Never NULL. */
const char *status_text(int status);
/* Why a system call failed; STATUS_IO for all that has no status of its own. */
int status_of_errno(int error);
/* The same of errno, which stays, after "cannot WHAT NAME: REASON" for a
 * person. */
int status_failed(struct buffer *problem, const char *what, const char *name);

#endif
