/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/mount/thread.h"

#include <signal.h>
#include <string.h>

#include "base/log.h"

void thread_start(pthread_t *thread, const char *name, void *(*run)(void *),
		  void *context)
{
	sigset_t all;
	sigset_t before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		log_fatal("no thread for the mount: %s", strerror(rc));
	}
	pthread_setname_np(*thread, name);
}
