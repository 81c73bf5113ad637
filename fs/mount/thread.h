/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h - threads of the mount: named, and deaf to signals, so that these
 * reach the main thread. A thread that can not be made is fatal. */
#ifndef FS_MOUNT_THREAD_H
#define FS_MOUNT_THREAD_H

#include <pthread.h>

void thread_start(pthread_t *thread, const char *name, void *(*run)(void *),
		  void *context);

#endif
