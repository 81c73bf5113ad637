/* SPDX-License-Identifier: Apache-2.0 */
/* The session with the kernel: its table of operations, its threads, its end.
 *
 * libfuse's own multi-threaded loop sleeps on a semaphore that only a signal
 * to one certain thread ends; this one is ended by an eventfd, from anywhere.
 *
 * The end, in this order, so that nothing waits for what is gone: new changes
 * are refused; what kv has is hurried and answered; the notifiers finish while
 * requests are still served (they may wait for pages that a READ has locked);
 * then the servers, the unmount, and last the tables. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "fs/mount/gate.h"
#include "fs/mount/init.h"
#include "fs/mount/ops.h"
#include "fs/mount/point.h"
#include "fs/mount/thread.h"
#include "fs/mount/user.h"

enum { DRAIN_SECONDS = 3, NUDGE_NS = 10000000 };

/* --- What needs no file of its own -----------------------------------------*/

/* Inode numbers are never used twice, so there is nothing to count. */
static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	(void)ino;
	(void)count;
	fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

/* Locks are refused, not kept on one node, until they are cluster-wide. */
static void on_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct flock *lock)
{
	(void)ino;
	(void)fi;
	(void)lock;
	fuse_reply_err(req, ENOLCK);
}

static void on_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct flock *lock, int sleep)
{
	(void)ino;
	(void)fi;
	(void)sleep;
	fuse_reply_err(req, lock->l_type == F_UNLCK ? 0 : ENOLCK);
}

static void on_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     int op)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, op & LOCK_UN ? 0 : ENOLCK);
}

/* Not here: access (default_permissions), xattrs (the kernel then asks no
 * more), fallocate, lseek, copy_file_range (the kernel's fallbacks are right),
 * ioctl, poll. */
static const struct fuse_lowlevel_ops operations = {
	.init = init_agree,
	.lookup = on_lookup,
	.forget = on_forget,
	.forget_multi = on_forget_multi,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.readlink = on_readlink,
	.mknod = on_mknod,
	.mkdir = on_mkdir,
	.unlink = on_unlink,
	.rmdir = on_rmdir,
	.symlink = on_symlink,
	.rename = on_rename,
	.link = on_link,
	.open = on_open,
	.create = on_create,
	.read = on_read,
	.write = on_write,
	.flush = on_flush,
	.release = on_release,
	.fsync = on_fsync,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
	.fsyncdir = on_fsyncdir,
	.statfs = on_statfs,
	.getlk = on_getlk,
	.setlk = on_setlk,
	.flock = on_flock,
};

/* --- libfuse's messages ----------------------------------------------------*/

/* What it said while mounting; it says one line in several pieces. */
static _Thread_local struct buffer *hint;

static void on_fuse_log(enum fuse_log_level level, const char *format,
			va_list args)
{
	char piece[512];

	vsnprintf(piece, sizeof piece, format, args);
	if (hint != NULL) {
		buffer_printf(hint, "%s", piece);
		return;
	}
	piece[strcspn(piece, "\n")] = '\0';
	if (level >= FUSE_LOG_INFO) {
		log_debug("%s", piece);
	} else {
		log_warn("%s", piece);
	}
}

/* All of it, as one line. */
static void say_hint(struct buffer *problem, const struct buffer *said)
{
	size_t size = said->size;

	while (size > 0 && said->data[size - 1] == '\n') {
		size--;
	}
	for (size_t i = 0; i < size; i++) {
		if (said->data[i] == '\n') {
			buffer_printf(problem, "; ");
		} else {
			buffer_append(problem, said->data + i, 1);
		}
	}
}

/* --- Serving ---------------------------------------------------------------*/

void mount_busy(struct mount *m)
{
	pthread_mutex_lock(&m->lock);
	m->outstanding++;
	pthread_mutex_unlock(&m->lock);
}

void mount_done(struct mount *m)
{
	pthread_mutex_lock(&m->lock);
	m->outstanding--;
	if (m->outstanding == 0) {
		pthread_cond_signal(&m->idle);
	}
	pthread_mutex_unlock(&m->lock);
}

static void wake(struct mount *m)
{
	uint64_t one = 1;

	if (write(m->wake_fd, &one, sizeof one) < 0) {
		return; /* EAGAIN: it was woken often enough */
	}
}

static void on_nudge(int number)
{
	(void)number; /* it came to end a read(2) */
}

static void *serve(void *context)
{
	struct mount *m = context;
	struct fuse_buf buf = {0};
	sigset_t nudge;
	int rc;

	sigemptyset(&nudge);
	sigaddset(&nudge, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &nudge, NULL);
	do {
		rc = fuse_session_receive_buf(m->session, &buf);
		if (rc > 0) {
			fuse_session_process_buf(m->session, &buf);
		}
	} while ((rc > 0 || rc == -EINTR) && !atomic_load(&m->unserved));
	free(buf.mem); /* libfuse allocated it */
	if (rc < 0 && rc != -EINTR) {
		atomic_store(&m->failed, true);
		log_error("reading from /dev/fuse failed: %s", strerror(-rc));
	}
	wake(m);
	return NULL;
}

static void start_serving(struct mount *m)
{
	struct sigaction action = {.sa_handler = on_nudge};
	size_t i;

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL); /* no SA_RESTART */
	for (i = 0; i < SERVERS; i++) {
		thread_start(&m->servers[i], "raftfs-fuse", serve, m);
	}
}

/* A signal may come just before the read(2) it is to end, so it is repeated.
 * (Cancelling a thread inside libfuse leaves the thread sanitizer behind.) */
static void stop_serving(struct mount *m)
{
	size_t i;

	atomic_store(&m->unserved, true);
	for (i = 0; i < SERVERS; i++) {
		struct timespec until;

		do {
			pthread_kill(m->servers[i], SIGUSR1);
			clock_gettime(CLOCK_REALTIME, &until);
			until.tv_nsec += NUDGE_NS;
			if (until.tv_nsec >= 1000000000) {
				until.tv_nsec -= 1000000000;
				until.tv_sec++;
			}
		} while (pthread_timedjoin_np(m->servers[i], NULL, &until) !=
			 0);
	}
}

int mount_serve(struct mount *m)
{
	struct pollfd wait = {.fd = m->wake_fd, .events = POLLIN};

	while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
	}
	return atomic_load(&m->failed) ? STATUS_IO : 0;
}

void mount_stop(struct mount *m)
{
	wake(m);
}

/* --- Opening ---------------------------------------------------------------*/

/* Commas would end the option. */
static void append_escaped(struct buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		buffer_printf(out, "%s%c",
			      *text == ',' || *text == '\\' ? "\\" : "", *text);
	}
}

static struct fuse_session *session_new(struct mount *m)
{
	const struct mount_config *config = &m->config;
	struct buffer options = {0};
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;

	buffer_printf(&options, "default_permissions,subtype=raftfs,fsname=");
	append_escaped(&options, config->source);
	if (geteuid() == 0) {
		buffer_printf(&options, ",allow_other");
	}
	if (config->options != NULL) {
		buffer_printf(&options, ",%s", config->options);
	}
	if (config->debug) {
		buffer_printf(&options, ",debug");
	}
	if (fuse_opt_add_arg(&args, "raftfs") == 0 &&
	    fuse_opt_add_arg(&args, "-o") == 0 &&
	    fuse_opt_add_arg(&args, buffer_text(&options)) == 0) {
		session = fuse_session_new(&args, &operations,
					   sizeof operations, m);
	}
	fuse_opt_free_args(&args);
	buffer_deinit(&options);
	return session;
}

static struct mount *mount_new(const struct mount_config *config)
{
	struct mount *m = mem_zalloc(sizeof *m);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	m->start_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	m->config = *config;
	m->config.mountpoint = mem_strdup(config->mountpoint);
	m->config.source = mem_strdup(config->source);
	m->config.options =
		config->options != NULL ? mem_strdup(config->options) : NULL;
	m->kv = config->kv;
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->wake_fd < 0) {
		log_fatal("no eventfd for the mount: %s", strerror(errno));
	}
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->idle, NULL);
	LIST_INIT(&m->flying);
	handles_init(&m->handles, m->kv);
	return m;
}

static void mount_free(struct mount *m)
{
	handles_deinit(&m->handles);
	pthread_cond_destroy(&m->idle);
	pthread_mutex_destroy(&m->lock);
	close(m->wake_fd);
	mem_free((void *)(uintptr_t)m->config.mountpoint);
	mem_free((void *)(uintptr_t)m->config.source);
	mem_free((void *)(uintptr_t)m->config.options);
	mem_free(m);
}

int mount_prepare(const struct mount_config *config, struct buffer *problem)
{
	const struct mount_user user = {
		.is_root = geteuid() == 0,
		.has_selinux = access("/sys/fs/selinux/enforce", F_OK) == 0,
		.fuse_conf = "/etc/fuse.conf",
	};
	struct mount untold = {.config = *config};
	struct buffer said = {0};
	struct fuse_session *session;
	int rc = user_allowed(&user, config->options, problem);

	if (rc != 0) {
		return rc;
	}
	hint = &said;
	fuse_set_log_func(on_fuse_log);
	session = session_new(&untold);
	hint = NULL;
	if (session != NULL) {
		fuse_session_destroy(session);
	} else {
		buffer_printf(problem, "libfuse refuses the options: ");
		say_hint(problem, &said);
		rc = STATUS_INVALID;
	}
	buffer_deinit(&said);
	return rc == 0 ? point_prepare(config->mountpoint, problem) : rc;
}

/* problem: one line of what libfuse said, or of errno. */
static int mount_now(struct mount *m, struct buffer *problem)
{
	struct buffer said = {0};
	int rc = 0;

	hint = &said;
	fuse_set_log_func(on_fuse_log);
	m->session = session_new(m);
	if (m->session == NULL ||
	    fuse_session_mount(m->session, m->config.mountpoint) != 0) {
		int error = errno;

		rc = error == EPERM || error == EACCES ? STATUS_DENIED
						       : STATUS_IO;
		buffer_printf(problem,
			      "mounting at %s failed: ", m->config.mountpoint);
		if (said.size > 0) {
			say_hint(problem, &said);
		} else {
			buffer_printf(problem, "%s", strerror(error));
		}
	}
	hint = NULL;
	buffer_deinit(&said);
	return rc;
}

int mount_open(const struct mount_config *config, struct mount **mount,
	       struct buffer *problem)
{
	struct mount *m;
	int rc = mount_prepare(config, problem);

	if (rc != 0) {
		return rc;
	}
	m = mount_new(config);
	rc = mount_now(m, problem);
	if (rc == 0 && init_hook(m) != 0) {
		rc = STATUS_IO;
		buffer_printf(problem, "libfuse refused the device");
		fuse_session_unmount(m->session);
	}
	if (rc != 0) {
		if (m->session != NULL) {
			fuse_session_destroy(m->session);
		}
		mount_free(m);
		return rc;
	}
	workers_start(&m->workers);
	notify_start(&m->notify, m);
	kv_watch(m->kv, notify_noted, m);
	thread_start(&m->timer, "raftfs-timer", gate_timer, m);
	start_serving(m);
	*mount = m;
	return 0;
}

/* --- Closing ---------------------------------------------------------------*/

/* Ask kv to answer what it has soon. */
static void hurry_all(struct mount *m)
{
	struct request **all;
	struct request *r;
	size_t count = 0;
	size_t i;

	pthread_mutex_lock(&m->lock);
	LIST_FOREACH (r, &m->flying, flying) {
		count++;
	}
	all = mem_alloc((count + 1) * sizeof(struct request *));
	count = 0;
	LIST_FOREACH (r, &m->flying, flying) {
		request_use(r);
		all[count++] = r;
	}
	pthread_mutex_unlock(&m->lock);
	for (i = 0; i < count; i++) {
		request_hurry(all[i]);
		request_unuse(all[i]);
	}
	mem_free(all);
}

/* Wait until nothing is outstanding; a busy reader may keep that from
 * happening while requests are still served, so not for ever then. */
static void drain(struct mount *m, bool is_served)
{
	struct timespec until;

	gate_flush(m);
	hurry_all(m);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DRAIN_SECONDS;
	pthread_mutex_lock(&m->lock);
	while (m->outstanding > 0) {
		if (!is_served) {
			pthread_cond_wait(&m->idle, &m->lock);
		} else if (pthread_cond_timedwait(&m->idle, &m->lock, &until) ==
			   ETIMEDOUT) {
			break;
		}
	}
	pthread_mutex_unlock(&m->lock);
}

void mount_close(struct mount *m)
{
	atomic_store(&m->stopping, true);
	kv_unwatch(m->kv, notify_noted, m);
	gate_timer_stop(m);
	drain(m, true);
	notify_stop(&m->notify);
	stop_serving(m);
	drain(m, false); /* what came in until then; deadlines bound it */
	workers_stop(&m->workers);
	notify_deinit(&m->notify);
	fuse_session_unmount(m->session);
	fuse_session_destroy(m->session);
	mount_free(m);
}
