/* SPDX-License-Identifier: Apache-2.0 */
/* libfuse 3.14 asks for PARALLEL_DIROPS (lookups and listings in one folder at
 * the same time) but forgets to say so in its reply to INIT; later versions
 * do. The reply is the first thing written to the device, a header and the
 * body `struct fuse_init_out` of linux/fuse.h; the flag is added there. */
#include "fs/mount/init.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	INIT_BODY_BYTES = 64,	/* since protocol 7.23 */
	INIT_FLAGS_OFFSET = 12, /* u32, in the byte order of the host */
	INIT_PARALLEL_DIROPS = 1 << 18,
	BACKGROUND_MAX = 64,
};

void init_agree(void *context, struct fuse_conn_info *conn)
{
	struct mount *m = context;

	/* The kernel's own copy of sizes and dirty pages is of no use when
	 * other nodes write; a listing would have to look up each name; and
	 * setuid and setgid bits are for the kernel to clear. With
	 * ATOMIC_O_TRUNC the kernel takes the file for empty from the open
	 * on, for every reader here: it must not know of it (gate.h). */
	conn->want &=
		~(unsigned)(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_WRITEBACK_CACHE |
			    FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
			    FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_SPLICE_READ |
			    FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	conn->want |=
		conn->capable & (FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ASYNC_DIO |
				 FUSE_CAP_PARALLEL_DIROPS |
				 FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
	conn->max_write = LIMIT_WRITE_BYTES;
	conn->max_background = BACKGROUND_MAX;
	m->reads_follow_getattr = (conn->want & FUSE_CAP_AUTO_INVAL_DATA) != 0;
	m->wants_parallel_dirops =
		(conn->capable & FUSE_CAP_PARALLEL_DIROPS) != 0;
}

static ssize_t device_read(int fd, void *block, size_t size, void *context)
{
	(void)context;
	return read(fd, block, size);
}

static ssize_t device_writev(int fd, struct iovec *parts, int count,
			     void *context)
{
	struct mount *m = context;

	if (!atomic_load_explicit(&m->init_answered, memory_order_relaxed)) {
		atomic_store(&m->init_answered, true);
		if (m->wants_parallel_dirops && count == 2 &&
		    parts[1].iov_len == INIT_BODY_BYTES) {
			uint8_t *at = (uint8_t *)parts[1].iov_base +
				      INIT_FLAGS_OFFSET;
			uint32_t flags;

			memcpy(&flags, at, sizeof flags);
			flags |= INIT_PARALLEL_DIROPS;
			memcpy(at, &flags, sizeof flags);
		}
	}
	return writev(fd, parts, count);
}

int init_hook(struct mount *m)
{
	static const struct fuse_custom_io io = {.read = device_read,
						 .writev = device_writev};

	return fuse_session_custom_io(m->session, &io,
				      fuse_session_fd(m->session));
}
