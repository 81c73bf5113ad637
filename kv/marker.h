/* SPDX-License-Identifier: Apache-2.0 */
/* marker.h - the file `state` of the data folder.
 *
 * It names the folder of the live state database (state-N) and the last index
 * that was made durable there. Both change by one rename, so that later a
 * whole state can be replaced at one crash point. The database runs without a
 * log of its own; the marker is how a database that lost its tail, or
 * itself, is noticed.
 *
 * folder is the open data folder: another one may come to stand at its path.
 * data is that path, for messages. */
#ifndef KV_MARKER_H
#define KV_MARKER_H

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"

struct marker {
	uint64_t folder; /* N, 1 ... */
	uint64_t index;	 /* durable at least up to here */
	uint64_t term;
	/* It is a snapshot that was installed: the log may still be that of
	 * the state before, and is to be reset to it then. */
	bool installed;
};

/* STATUS_NOT_FOUND: none yet. STATUS_CORRUPT, STATUS_IO, STATUS_DENIED:
 * problem gets the line. */
MUST_USE int marker_load(int folder, const char *data, struct marker *m,
			 struct buffer *problem);
/* Replace it; durable on return. STATUS_IO, STATUS_NO_SPACE, STATUS_DENIED:
 * the old one stands. */
MUST_USE int marker_save(int folder, const char *data, const struct marker *m,
			 struct buffer *problem);
/* The path of the state folder it names; returned, mem_free() it. */
char *marker_folder(const char *data, const struct marker *m);
/* Is a state folder there already? */
bool marker_folder_exists(const char *data, const struct marker *m);

#endif
