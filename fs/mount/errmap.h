/* SPDX-License-Identifier: Apache-2.0 */
/* errmap.h - which errno a program sees for a status of the rooms below.
 *
 *   status             errno      when
 *   STATUS_TIMED_OUT   EROFS      no quorum by the deadline, certainly not
 *                                 proposed: nothing happened or ever will
 *   STATUS_ENDED       EROFS      the session is over (cut off too long);
 *                                 nothing happened
 *   STATUS_UNKNOWN     ETIMEDOUT  proposed; the outcome is unknown, it may
 *                                 still take effect, at most once
 *   STATUS_NO_QUORUM   ETIMEDOUT  a strict read that no majority confirmed
 *   STATUS_INTERRUPTED EINTR      a signal came first
 *   STATUS_FULL        EAGAIN     too much is under way at this node
 *   STATUS_TOO_BIG     EFBIG      can never fit in one entry
 *   STATUS_NO_SPACE    ENOSPC     a data disk of the majority is full
 *   STATUS_NOT_FOUND   ENOENT
 *   STATUS_EXISTS      EEXIST
 *   STATUS_DENIED      EACCES
 *   STATUS_BUSY        EBUSY
 *   STATUS_INVALID     EINVAL
 *   anything else      EIO        damage, or the system failed under us
 *
 * While the mount is being taken down everything gets ENOTCONN, which is what
 * the kernel answers right after. */
#ifndef FS_MOUNT_ERRMAP_H
#define FS_MOUNT_ERRMAP_H

/* A positive errno for a status below 0; 0 for 0. */
int errmap_status(int status);

#endif
