/* SPDX-License-Identifier: Apache-2.0 */
/* Two flags that libfuse 3.14 does not put into its reply to INIT:
 *
 * PARALLEL_DIROPS, lookups and listings in one folder at the same time; it
 * asks for it, but forgets to say so. DIRECT_IO_ALLOW_MMAP, shared memory maps
 * of files that are otherwise read without the page cache; it does not know
 * it. Kernels before 6.6 do not either, and answer ENODEV to such maps.
 *
 * The reply is the first thing written to the device, a header and the body
 * `struct fuse_init_out` of linux/fuse.h; the flags are added there. */
#include "fs/mount/init.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	INIT_BODY_BYTES = 64,	/* since protocol 7.23 */
	INIT_FLAGS_OFFSET = 12, /* u32, in the byte order of the host */
	INIT_PARALLEL_DIROPS = 1 << 18,
	INIT_EXT = 1 << 30, /* flags2 counts */
	INIT_FLAGS2_OFFSET = 32,
	INIT_DIRECT_IO_ALLOW_MMAP = 1 << 4, /* bit 36 of all */
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
	m->wants_parallel_dirops =
		(conn->capable & FUSE_CAP_PARALLEL_DIROPS) != 0;
}

static ssize_t device_read(int fd, void *block, size_t size, void *context)
{
	struct mount *m = context;
	ssize_t count = read(fd, block, size);

	atomic_load_explicit(&m->answers, memory_order_acquire);
	return count;
}

static void add_flags(uint8_t *body, size_t offset, uint32_t more)
{
	uint32_t flags;

	memcpy(&flags, body + offset, sizeof flags);
	flags |= more;
	memcpy(body + offset, &flags, sizeof flags);
}

static ssize_t device_writev(int fd, struct iovec *parts, int count,
			     void *context)
{
	struct mount *m = context;

	if (!atomic_load_explicit(&m->init_answered, memory_order_relaxed)) {
		atomic_store(&m->init_answered, true);
		if (count == 2 && parts[1].iov_len == INIT_BODY_BYTES) {
			uint8_t *body = parts[1].iov_base;

			add_flags(body, INIT_FLAGS_OFFSET,
				  (m->wants_parallel_dirops
					   ? (uint32_t)INIT_PARALLEL_DIROPS
					   : 0) |
					  INIT_EXT);
			add_flags(body, INIT_FLAGS2_OFFSET,
				  INIT_DIRECT_IO_ALLOW_MMAP);
		}
	}
	atomic_fetch_add_explicit(&m->answers, 1, memory_order_release);
	/* Whoever is answered may free the parts before this call returns, and
	 * a sanitizer looks at them after it: so it is not called by name. */
	return syscall(SYS_writev, fd, parts, count);
}

int init_hook(struct mount *m)
{
	static const struct fuse_custom_io io = {.read = device_read,
						 .writev = device_writev};

	return fuse_session_custom_io(m->session, &io,
				      fuse_session_fd(m->session));
}
