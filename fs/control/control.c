/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - the unix socket: connections, and the thread that serves them.
 *
 *   C1  one thread, the loop's, touches connections and steps jobs; kv's
 *       threads only put a job into the queue `woken`, under the lock
 *   C2  a connection has at most one job; while it has one, nothing is read
 *   C3  a job that waits outlives its connection: its answer is dropped
 *   C4  the thread ends when the listener is closed, no job waits, and every
 *       connection is closed
 *
 * A peer that sends what is no frame or no request is cut off with one log
 * line. A connection on which nothing moves is closed after IDLE_MS, so that
 * a stuck peer holds neither a place nor a view for ever. */
#include "fs/control/control.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/frame.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "fs/control/job.h"
#include "fs/control/message.h"
#include "fs/control/socket.h"
#include "fs/control/status.h"

enum {
	CONNECTIONS_MAX = 64,
	BACKLOG = 64,
	IDLE_MS = 60000,
	READ_BYTES = 65536,
};

struct connection;

/* A job in the hands of the loop or of kv. */
struct errand {
	struct job *job;
	struct connection *connection; /* NULL: gone, C3 */
	bool waits;
	LIST_ENTRY(errand) all;
};

struct connection {
	struct control *control;
	uv_pipe_t pipe;
	uv_timer_t idle;
	uv_write_t write;
	unsigned handles; /* open ones; freed when 0 */
	bool closing;
	struct buffer in;
	struct buffer out; /* the frame being sent */
	uint64_t received; /* frames */
	uint64_t sent;
	struct errand *errand; /* C2 */
	bool more;	       /* another response of it follows `out` */
	uint32_t uid;
	uint32_t gid;
	LIST_ENTRY(connection) all;
};

/* Jobs whose callback has come, in order. A job is here at most once. */
struct woken {
	struct job *job;
	STAILQ_ENTRY(woken) next;
};

struct control {
	struct job_env env;
	char *socket;
	int folder; /* that it is in */
	uv_loop_t loop;
	uv_pipe_t listener;
	uv_async_t wake;
	pthread_t thread;
	LIST_HEAD(, connection) connections;
	size_t connection_count;
	LIST_HEAD(, errand) errands;
	bool stopping; /* the loop has seen it */

	pthread_mutex_t lock; /* what follows */
	STAILQ_HEAD(, woken) woken;
	bool stop_asked;
};

/* --- The end of things -----------------------------------------------------
 */

static void errand_free(struct errand *e)
{
	LIST_REMOVE(e, all);
	job_free(e->job);
	mem_free(e);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;

	if (--c->handles > 0) {
		return;
	}
	LIST_REMOVE(c, all);
	c->control->connection_count--;
	buffer_deinit(&c->in);
	buffer_deinit(&c->out);
	mem_free(c);
}

static void connection_close(struct connection *c)
{
	if (c->closing) {
		return;
	}
	c->closing = true;
	if (c->errand) {
		c->errand->connection = NULL;
		if (!c->errand->waits) {
			errand_free(c->errand);
		}
		c->errand = NULL;
	}
	uv_close((uv_handle_t *)&c->pipe, on_handle_closed);
	uv_close((uv_handle_t *)&c->idle, on_handle_closed);
}

static void on_idle(uv_timer_t *timer)
{
	connection_close(timer->data);
}

static void refuse(struct connection *c, const char *reason)
{
	log_warn("control: closed a connection: %s", reason);
	connection_close(c);
}

/* Idle connections count time; one whose job waits for kv does not. */
static void watch_idle(struct connection *c, bool on)
{
	int rc = on ? uv_timer_start(&c->idle, on_idle, IDLE_MS, 0)
		    : uv_timer_stop(&c->idle);

	CHECK(rc == 0);
}

/* C4. Once stopping: end what can end, and the loop with the last of it. */
static void end_when_done(struct control *k)
{
	struct connection *c;
	struct errand *e;

	LIST_FOREACH (c, &k->connections, all) {
		connection_close(c);
	}
	LIST_FOREACH (e, &k->errands, all) {
		job_interrupt(e->job);
	}
	if (LIST_EMPTY(&k->errands) &&
	    !uv_is_closing((uv_handle_t *)&k->wake)) {
		uv_close((uv_handle_t *)&k->wake, NULL);
	}
}

/* --- Jobs --------------------------------------------------------------------
 */

/* Any thread. The signal is sent under the lock: the loop cannot be gone
 * before it is. */
static void wake_job(void *context, struct job *job)
{
	struct control *k = context;
	struct woken *w = mem_alloc(sizeof *w);

	w->job = job;
	pthread_mutex_lock(&k->lock);
	STAILQ_INSERT_TAIL(&k->woken, w, next);
	CHECK(uv_async_send(&k->wake) == 0);
	pthread_mutex_unlock(&k->lock);
}

static void receive(struct connection *c);
static void turn(struct errand *e);

static void on_written(uv_write_t *request, int status)
{
	struct connection *c = request->data;

	if (c->closing) {
		return;
	}
	if (status != 0) {
		connection_close(c); /* the peer has gone: its business */
		return;
	}
	watch_idle(c, true);
	if (c->more) {
		turn(c->errand);
		return;
	}
	errand_free(c->errand);
	c->errand = NULL;
	receive(c);
}

static void respond(struct connection *c,
		    const struct message_response *response)
{
	uv_buf_t piece;

	buffer_reset(&c->out);
	message_encode_response(response, c->sent++, &c->out);
	c->more = response->more;
	c->write.data = c;
	piece = uv_buf_init((char *)c->out.data, (unsigned)c->out.size);
	watch_idle(c, true);
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &piece, 1,
		     on_written) != 0) {
		connection_close(c);
	}
}

static void turn(struct errand *e)
{
	struct message_response response;

	if (job_step(e->job, &response) == JOB_WAITS) {
		e->waits = true;
		watch_idle(e->connection, false);
		return;
	}
	respond(e->connection, &response);
}

static struct errand *errand_of(struct control *k, const struct job *job)
{
	struct errand *e;

	LIST_FOREACH (e, &k->errands, all) {
		if (e->job == job) {
			return e;
		}
	}
	CHECK(false); /* C3: who waits is in the list */
	return NULL;
}

static void on_wake(uv_async_t *async)
{
	struct control *k = async->data;
	STAILQ_HEAD(, woken) woken = STAILQ_HEAD_INITIALIZER(woken);
	struct woken *w;

	pthread_mutex_lock(&k->lock);
	STAILQ_CONCAT(&woken, &k->woken);
	if (k->stop_asked && !k->stopping) {
		k->stopping = true;
		uv_close((uv_handle_t *)&k->listener, NULL);
	}
	pthread_mutex_unlock(&k->lock);

	while ((w = STAILQ_FIRST(&woken))) {
		struct errand *e = errand_of(k, w->job);

		STAILQ_REMOVE_HEAD(&woken, next);
		mem_free(w);
		e->waits = false;
		if (e->connection && !k->stopping) {
			turn(e);
		} else if (e->connection) {
			connection_close(e->connection);
		} else {
			errand_free(e);
		}
	}
	if (k->stopping) {
		end_when_done(k);
	}
}

/* --- Connections -------------------------------------------------------------
 */

static void on_request(struct connection *c, struct bytes body)
{
	struct message_request *request = mem_alloc(sizeof *request);
	struct errand *e;

	if (message_decode_request(body, request) != 0) {
		refuse(c, "not a request");
		goto out;
	}
	e = mem_zalloc(sizeof *e);
	e->job = job_new(&c->control->env, request, c->uid, c->gid);
	e->connection = c;
	LIST_INSERT_HEAD(&c->control->errands, e, all);
	c->errand = e;
	turn(e);
out:
	mem_free(request);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *piece)
{
	struct connection *c = handle->data;
	(void)suggested;

	*piece = uv_buf_init((char *)buffer_reserve(&c->in, READ_BYTES),
			     READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *piece)
{
	struct connection *c = stream->data;
	(void)piece;

	if (size < 0) {
		connection_close(c); /* end of file, or the peer was killed */
	} else if (size > 0) {
		buffer_grow(&c->in, (size_t)size);
		receive(c);
	}
}

/* Take the next request out of what has come, or read on. */
static void receive(struct connection *c)
{
	struct frame frame;
	size_t used;
	int rc = frame_parse(buffer_bytes(&c->in), c->received, &frame, &used);

	if (rc == STATUS_SHORT &&
	    used <= FRAME_HEADER_BYTES + MESSAGE_REQUEST_BYTES) {
		rc = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
		CHECK(rc == 0 || rc == UV_EALREADY);
		return;
	}
	if (rc != 0 || frame.kind != MESSAGE_REQUEST) {
		refuse(c, "not a frame of this protocol");
		return;
	}
	uv_read_stop((uv_stream_t *)&c->pipe);
	c->received++;
	on_request(c, frame.body);
	/* The job has its own copy; keep what came behind the frame. */
	memmove(c->in.data, c->in.data + used, c->in.size - used);
	c->in.size -= used;
}

static bool peer_known(struct connection *c)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
		return false;
	}
	c->uid = peer.uid;
	c->gid = peer.gid;
	return peer.uid == 0 || peer.uid == geteuid();
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct control *k = listener->data;
	struct connection *c;

	if (status != 0) {
		log_warn("control: accept: %s", uv_strerror(status));
		return;
	}
	c = mem_zalloc(sizeof *c);
	c->control = k;
	c->handles = 2;
	CHECK(uv_pipe_init(&k->loop, &c->pipe, 0) == 0);
	CHECK(uv_timer_init(&k->loop, &c->idle) == 0);
	c->pipe.data = c;
	c->idle.data = c;
	LIST_INSERT_HEAD(&k->connections, c, all);
	k->connection_count++;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) != 0) {
		connection_close(c);
	} else if (k->connection_count > CONNECTIONS_MAX) {
		refuse(c, "too many at a time");
	} else if (!peer_known(c)) {
		refuse(c, "neither root nor the owner");
	} else {
		watch_idle(c, true);
		receive(c);
	}
}

/* --- Start and stop
 * ------------------------------------------------------------ */

/* Signals are the main thread's; SIGPIPE must not come from a peer that went.
 */
static void *serve(void *context)
{
	struct control *k = context;

	uv_run(&k->loop, UV_RUN_DEFAULT);
	return NULL;
}

static int start_thread(struct control *k)
{
	sigset_t all;
	sigset_t before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&k->thread, NULL, serve, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void control_free(struct control *k)
{
	CHECK(uv_loop_close(&k->loop) == 0);
	pthread_mutex_destroy(&k->lock);
	mem_free(k->socket);
	mem_free(k);
}

static struct control *control_new(const struct control_config *config)
{
	struct control *k = mem_zalloc(sizeof *k);

	k->env = (struct job_env){.kv = config->kv,
				  .reads = config->reads,
				  .timeout_ms = config->timeout_ms,
				  .wake = wake_job,
				  .context = k};
	k->socket = mem_strdup(config->socket);
	LIST_INIT(&k->connections);
	LIST_INIT(&k->errands);
	STAILQ_INIT(&k->woken);
	CHECK(pthread_mutex_init(&k->lock, NULL) == 0);
	CHECK(uv_loop_init(&k->loop) == 0);
	CHECK(uv_pipe_init(&k->loop, &k->listener, 0) == 0);
	CHECK(uv_async_init(&k->loop, &k->wake, on_wake) == 0);
	k->listener.data = k;
	k->wake.data = k;
	return k;
}

/* For `.raftfs/socket`: whoever reads it may stand elsewhere. */
static void publish(const char *path)
{
	char *whole = realpath(path, NULL);

	status_set_socket(whole ? whole : path);
	free(whole);
}

int control_start(const struct control_config *config, struct control **control,
		  struct buffer *problem)
{
	struct control *k;
	int fd = -1;
	int folder = -1;
	int rc = socket_bind(config->socket, &fd, &folder, problem);

	if (rc != 0) {
		return rc;
	}
	k = control_new(config);
	k->folder = folder;
	CHECK(uv_pipe_open(&k->listener, fd) == 0);
	rc = uv_listen((uv_stream_t *)&k->listener, BACKLOG, on_connection);
	if (rc == 0) {
		rc = -start_thread(k);
	}
	if (rc != 0) {
		errno = -rc;
		rc = socket_complain(problem, config->socket, "listen");
		uv_close((uv_handle_t *)&k->listener, NULL);
		uv_close((uv_handle_t *)&k->wake, NULL);
		uv_run(&k->loop, UV_RUN_DEFAULT);
		socket_remove(k->socket, folder);
		control_free(k);
		return rc;
	}
	publish(k->socket);
	*control = k;
	return 0;
}

void control_stop(struct control *control)
{
	pthread_mutex_lock(&control->lock);
	control->stop_asked = true;
	CHECK(uv_async_send(&control->wake) == 0);
	pthread_mutex_unlock(&control->lock);
	CHECK(pthread_join(control->thread, NULL) == 0);
	status_set_socket("");
	socket_remove(control->socket, control->folder);
	control_free(control);
}
