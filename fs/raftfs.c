/* SPDX-License-Identifier: Apache-2.0 */
/* raftfs - one node of a cluster, with its mount.
 *
 * Start: options, mount point, (background: fork), node, control socket,
 * mount; the end is the reverse. The parent of a background daemon prints what
 * the child tells it (launch.h): that comes from a thread of its own, the
 * announcer, once the cluster was met or did not answer in time. Meanwhile the
 * mount is served already.
 *
 * Signals: TERM, INT and HUP end the daemon; a second one at once, though not
 * without taking the mount away. PIPE is ignored. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "fs/control/control.h"
#include "fs/launch.h"
#include "fs/mount/mount.h"
#include "fs/options.h"
#include "fs/tree/tree.h"
#include "kv/kv.h"

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	LAUNCH_POLL_MS = 20,
	FILES_MIN = 128,
	FILES_WANTED = 4096,
};

struct daemon {
	struct options options;
	struct launch launch;
	struct kv_machine machine;
	struct kv *kv;
	struct control *control;
	struct mount *mount;
	char *socket;
	int folder;	/* the data folder; -1: not open */
	bool was_there; /* it was not made by this run */
	bool had_log;
	uint64_t announce_by_ms;
	pthread_t announcer;
	pthread_mutex_t lock;
	char failure[512]; /* why the node can not go on; by lock */
};

/* For signals and for the node's failure: end_fd wakes whoever waits. */
static int end_fd = -1;
static volatile sig_atomic_t signals;
static char mountpoint_of_signal[PATH_MAX];
static _Atomic(struct mount *) mount_of_signal;
static atomic_int enders; /* that may be using it */

/* Nothing waits any longer. */
static bool end_waits(void)
{
	uint64_t one = 1;

	return write(end_fd, &one, sizeof one) == (ssize_t)sizeof one;
}

static void end(void)
{
	struct mount *m;

	if (!end_waits()) {
		return; /* it is full, so it wakes anyway */
	}
	atomic_fetch_add(&enders, 1);
	m = atomic_load(&mount_of_signal); /* after the write: open_mount() */
	if (m != NULL) {
		mount_stop(m);
	}
	atomic_fetch_sub(&enders, 1);
}

static void on_signal(int number)
{
	int kept = errno;

	(void)number;
	signals++;
	if (signals > 1) {
		if (mountpoint_of_signal[0] != '\0') {
			umount2(mountpoint_of_signal, MNT_DETACH);
		}
		_exit(EXIT_FAILED);
	}
	end();
	errno = kept;
}

static void catch_signals(void)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};
	size_t i;

	sigfillset(&action.sa_mask);
	for (i = 0; i < COUNT_OF(ends); i++) {
		sigaction(ends[i], &action, NULL);
	}
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

static void on_failed(void *context, const char *line)
{
	struct daemon *d = context;

	pthread_mutex_lock(&d->lock);
	if (d->failure[0] == '\0') {
		snprintf(d->failure, sizeof d->failure, "%s", line);
	}
	pthread_mutex_unlock(&d->lock);
	end();
}

static bool has_failed(struct daemon *d)
{
	bool failed;

	pthread_mutex_lock(&d->lock);
	failed = d->failure[0] != '\0';
	pthread_mutex_unlock(&d->lock);
	return failed;
}

/* --- Start -----------------------------------------------------------------*/

/* The folders above the data folder, which is kv's to make. */
static int make_parents(const char *path, struct buffer *problem)
{
	char *copy = mem_strdup(path);
	char *slash = copy;
	int rc = 0;

	while (rc == 0 && (slash = strchr(slash + 1, '/')) != NULL) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST &&
		    access(copy, F_OK) != 0) {
			buffer_printf(problem, "can not make the folder %s: %s",
				      copy, strerror(errno));
			rc = STATUS_DENIED;
		}
		*slash = '/';
	}
	mem_free(copy);
	return rc;
}

/* Once it is locked, so that no two daemons log into one folder; and before the
 * node runs, so that what it says of its end is not said twice. */
static void open_log(void *context)
{
	struct daemon *d = context;

	d->folder = open(d->options.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	launch_log(&d->launch, d->folder);
}

static struct kv_config config_of(struct daemon *d)
{
	const struct options *o = &d->options;

	fs_machine(geteuid(), getegid(), &d->machine);
	return (struct kv_config){
		.name = o->id,
		.data = o->data,
		.listen = o->listen,
		.peers = o->peers,
		.peer_count = o->peer_count,
		.join = o->join,
		.timeout_ms = o->timeout_ms,
		.session_ms = o->session_ms,
		.snapshot_rate = o->snapshot_rate,
		.only_loopback = !o->insecure,
		.machine = &d->machine,
		.failed = on_failed,
		.locked = open_log,
		.context = d,
	};
}

static int restore(const struct kv_config *config, const char *file,
		   struct buffer *problem)
{
	struct kv_backup_info info;
	int rc = kv_restore(config, file, &info, problem);

	if (rc == 0) {
		log_info("restored a backup of node=%s cluster=%s index=%llu "
			 "bytes=%llu: a new cluster of this node",
			 info.name, info.cluster,
			 (unsigned long long)info.index,
			 (unsigned long long)info.bytes);
	}
	return rc;
}

static bool has_log(const char *data)
{
	char *path = mem_printf("%s/" LAUNCH_LOG, data);
	bool has = access(path, F_OK) == 0;

	mem_free(path);
	return has;
}

static int open_node(struct daemon *d, struct buffer *problem)
{
	struct kv_config config = config_of(d);
	int rc = make_parents(d->options.data, problem);

	d->was_there = access(d->options.data, F_OK) == 0;
	d->had_log = has_log(d->options.data);
	if (rc == 0 && d->options.restore != NULL) {
		rc = restore(&config, d->options.restore, problem);
	}
	return rc == 0 ? kv_open(&config, &d->kv, problem) : rc;
}

static void say_survivor(const struct kv_survivor *s, const char *data)
{
	printf("%s of the cluster %s, in %s\n"
	       "  has a log up to index %llu; known to be committed: up to "
	       "%llu\n"
	       "A recovery makes a new cluster of this node alone, with all of "
	       "its log:\n"
	       "- what the others acknowledged without this node is lost;\n"
	       "- what this node had not heard to be committed is kept, also "
	       "if "
	       "its writer\n  was told that it failed;\n"
	       "- the other nodes are refused from then on, and refuse this "
	       "one: do it on one\n  node only, and when the majority is gone "
	       "for good.\n",
	       s->name, s->cluster, data, (unsigned long long)s->last,
	       (unsigned long long)s->commit);
}

/* A cluster that is whole is not made anew by mistake. */
static int check_need(const struct daemon *d, const struct kv_survivor *s,
		      struct buffer *problem)
{
	if (!s->alone || s->unfinished || s->repairing) {
		return 0;
	}
	if (!d->options.again) {
		buffer_printf(problem,
			      "%s is the only voter of its cluster already: "
			      "start it as it is; --again makes a new cluster "
			      "of it all the same",
			      s->name);
		return STATUS_EXISTS;
	}
	printf("It is NOT NEEDED here: %s is the only voter of its cluster "
	       "already, and needs\nbut a start. Learners of this cluster "
	       "would have to be added anew.\n\n",
	       s->name);
	return 0;
}

/* raftfsctl recover: what it would start from, or the recovery itself. */
static int recover(struct daemon *d)
{
	bool go = d->options.action == OPTIONS_RECOVER;
	struct kv_config config = config_of(d);
	struct kv_survivor s;
	struct buffer problem = {0};
	int rc;

	log_setup(d->options.id != NULL ? d->options.id : "recover",
		  LOG_LEVEL_WARN);
	rc = kv_recover(&config, &s, go, &problem);
	if (rc == 0 && !go) {
		rc = check_need(d, &s, &problem);
	}
	if (rc != 0) {
		fprintf(stderr, "raftfsctl: recover: %s\n",
			buffer_text(&problem));
	} else if (go) {
		printf("Done. %s is a new cluster of its own, up to index "
		       "%llu: start raftfs as\nbefore, without --peers, and "
		       "add other nodes, with empty data folders, to it\n"
		       "(raftfsctl member add).\n",
		       s.name, (unsigned long long)s.last);
	} else {
		if (s.repairing) {
			printf("This node was damaged and is not repaired: it "
			       "may lack what it once had.\nRecover another "
			       "one, if there is one.\n\n");
		}
		say_survivor(&s, d->options.data);
	}
	if (rc == 0 && !go && (fflush(stdout) != 0 || ferror(stdout))) {
		fprintf(stderr, "raftfsctl: recover: writing stdout: %s\n",
			strerror(errno));
		rc = STATUS_IO; /* who goes on has not seen it */
	}
	buffer_deinit(&problem);
	return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

static int open_control(struct daemon *d, struct buffer *problem)
{
	struct control_config config = {
		.kv = d->kv,
		.reads = d->options.reads,
		.timeout_ms = d->options.timeout_ms,
	};

	d->socket = mem_printf("%s/control", d->options.data);
	config.socket = d->socket;
	return control_start(&config, &d->control, problem);
}

static bool wait_end(int timeout_ms)
{
	struct pollfd wait = {.fd = end_fd, .events = POLLIN};

	return poll(&wait, 1, timeout_ms) > 0;
}

static struct mount_config mount_of(const struct daemon *d)
{
	const struct options *o = &d->options;

	return (struct mount_config){
		.kv = d->kv,
		.mountpoint = o->mountpoint,
		.source = o->source,
		.options = o->fuse_options,
		.reads = o->reads,
		.timeout_ms = o->timeout_ms,
		.debug = o->debug,
	};
}

static int open_mount(struct daemon *d, struct buffer *problem)
{
	const struct options *o = &d->options;
	struct mount_config config = mount_of(d);
	int rc = mount_open(&config, &d->mount, problem);

	if (rc != 0) {
		return rc;
	}
	snprintf(mountpoint_of_signal, sizeof mountpoint_of_signal, "%s",
		 o->mountpoint);
	atomic_store(&mount_of_signal, d->mount);
	if (wait_end(0)) {
		mount_stop(d->mount); /* the end came while it was opened */
	}
	return 0;
}

static bool has_root(struct daemon *d)
{
	struct fs_attr root;

	return fs_getattr(kv_newest(d->kv), FS_ROOT, &root) == 0;
}

/* Until the cluster has a first state: before, there is nothing to mount. A
 * node alone founds at once; others find each other first. Not longer than a
 * change would wait, and not for ever when asked to end. */
static void wait_founded(struct daemon *d)
{
	while (!has_root(d) && kv_now_ms() < d->announce_by_ms &&
	       !wait_end(LAUNCH_POLL_MS)) {
	}
}

static int start(struct daemon *d, struct buffer *problem)
{
	int rc = open_node(d, problem);

	if (rc == 0) {
		rc = open_control(d, problem);
	}
	if (rc == 0 && !d->options.no_mount) {
		rc = open_mount(d, problem);
	}
	return rc;
}

static void stop(struct daemon *d)
{
	struct mount *mount = d->mount;

	atomic_store(&mount_of_signal, NULL);
	while (atomic_load(&enders) > 0) {
		sched_yield(); /* a signal, or the node's failure */
	}
	if (mount != NULL) {
		mount_close(mount);
	}
	mountpoint_of_signal[0] = '\0';
	if (d->control != NULL) {
		control_stop(d->control);
	}
	if (d->kv != NULL) {
		kv_close(d->kv);
	}
	/* A node that was not let in is gone then: so goes its log, if why is
	 * yet to be said to whoever started it. */
	if (has_failed(d) && d->folder >= 0 && !d->had_log &&
	    faccessat(d->folder, "identity", F_OK, 0) != 0 &&
	    launch_unlog(&d->launch, d->folder) && !d->was_there) {
		(void)rmdir(d->options.data);
	}
	mem_free(d->socket);
}

/* --- Run -------------------------------------------------------------------*/

/* A state of its own is not enough to say that it serves: its cluster may have
 * removed or replaced this node meanwhile, and tells so when it is called. */
static bool has_met(struct daemon *d, struct kv_status *status)
{
	kv_status(d->kv, status);
	return status->quorum && !status->asking && has_root(d);
}

static const char *launch_note(const struct kv_status *status)
{
	if (status->quorum) {
		return NULL;
	}
	return status->why[0] != '\0' ? status->why
				      : "no quorum yet: waiting for peers";
}

/* Tell the terminal that the daemon runs, or why it does not yet serve. Whoever
 * ends meanwhile says why itself, and whoever was asked to has not served. */
static void *announce(void *context)
{
	struct daemon *d = context;
	struct kv_status *status = mem_zalloc(sizeof *status);
	bool ends = false;

	while (!has_met(d, status) && kv_now_ms() < d->announce_by_ms &&
	       !ends) {
		ends = wait_end(LAUNCH_POLL_MS);
	}
	if (!ends && !wait_end(0)) {
		launch_ready(&d->launch, launch_note(status));
	}
	mem_free(status);
	return NULL;
}

/* Signals stay with the thread that serves. */
static void start_announcer(struct daemon *d)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&d->announcer, NULL, announce, d) != 0) {
		log_fatal("no thread to be had");
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_announcer(struct daemon *d)
{
	(void)end_waits();
	pthread_join(d->announcer, NULL);
}

static int run(struct daemon *d)
{
	struct buffer problem = {0};
	int rc = start(d, &problem);

	if (rc == 0) {
		d->announce_by_ms = kv_now_ms() + d->options.timeout_ms;
		wait_founded(d);
		start_announcer(d);
		if (d->mount == NULL) {
			while (!wait_end(-1)) {
			}
		} else {
			rc = mount_serve(d->mount);
		}
		stop_announcer(d);
		if (rc != 0) {
			buffer_printf(&problem, "the mount at %s failed",
				      d->options.mountpoint);
		}
		log_info("ending");
	}
	if (has_failed(d)) {
		rc = STATUS_ENDED;
		buffer_reset(&problem);
		buffer_printf(&problem, "%s", d->failure);
	}
	stop(d);
	if (rc != 0) {
		launch_failed(&d->launch, buffer_text(&problem));
	}
	buffer_deinit(&problem);
	return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

/* What a node of many members needs, and RocksDB; with less it would fail
 * somewhere on its way. */
static int raise_files(struct buffer *problem)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur >= FILES_WANTED) {
		return 0;
	}
	limit.rlim_cur =
		limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
	if (limit.rlim_cur < FILES_MIN) {
		buffer_printf(problem,
			      "only %llu files may be open at once, and %d are "
			      "needed: ulimit -n",
			      (unsigned long long)limit.rlim_cur, FILES_MIN);
		return STATUS_DENIED;
	}
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return 0;
}

static int launch_and_run(struct daemon *d)
{
	const struct options *o = &d->options;
	struct mount_config mount = mount_of(d);
	struct buffer problem = {0};
	int rc = 0;

	log_setup(o->id, o->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	rc = raise_files(&problem);
	if (rc == 0 && !o->no_mount) {
		rc = mount_prepare(&mount, &problem);
	}
	if (rc != 0) {
		fprintf(stderr, "raftfs: %s\n", buffer_text(&problem));
		buffer_deinit(&problem);
		return EXIT_FAILED;
	}
	if (!o->foreground && launch_begin(&d->launch, &rc)) {
		return rc; /* the parent */
	}
	end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (end_fd < 0) {
		log_fatal("no eventfd: %s", strerror(errno));
	}
	catch_signals();
	rc = run(d);
	close(end_fd);
	return rc;
}

static int print(const char *text)
{
	if (fputs(text, stdout) >= 0 && fflush(stdout) == 0) {
		return EXIT_OK;
	}
	fprintf(stderr, "raftfs: writing stdout: %s\n", strerror(errno));
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct daemon d = {.lock = PTHREAD_MUTEX_INITIALIZER, .folder = -1};
	struct buffer problem = {0};
	int rc = options_parse(&d.options, argc, argv, &problem);

	if (rc != 0) {
		fprintf(stderr, "%s: %s\n",
			d.options.action == OPTIONS_LOOK ||
					d.options.action == OPTIONS_RECOVER
				? "raftfsctl: recover"
				: "raftfs",
			buffer_text(&problem));
		rc = EXIT_USAGE;
	} else if (d.options.action == OPTIONS_HELP) {
		rc = print(options_help());
	} else if (d.options.action == OPTIONS_VERSION) {
		rc = print("raftfs " RAFTFS_VERSION "\n");
	} else if (d.options.action != OPTIONS_RUN) {
		rc = recover(&d);
	} else {
		rc = launch_and_run(&d);
	}
	buffer_deinit(&problem);
	options_deinit(&d.options);
	return rc;
}
