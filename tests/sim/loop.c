/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - libuv's loop, in the order of libuv 1.44: timers, prepare, poll,
 * check, closing. Its task waits in the poll for the next timer or a poke. */
#include <string.h>

#include "base/mem.h"
#include "tests/sim/stream.h"

enum {
	HANDLES_MAX = 512,
	FLAG_ACTIVE = 1,
	FLAG_CLOSING = 2,
};

struct loop {
	uv_loop_t *uv;
	struct sim_wait wake;
	bool poked;
	uv_handle_t *handles[HANDLES_MAX];
	size_t count;
	uv_handle_t *closing[HANDLES_MAX];
	size_t closing_count;
	size_t requests; /* that keep it going */
	uint64_t starts; /* of timers */
};

static struct loop *loop_of(const uv_loop_t *uv)
{
	return uv->internal_fields;
}

static struct loop *handle_loop(const void *handle)
{
	return loop_of(((const uv_handle_t *)handle)->loop);
}

void loop_poke(struct loop *loop)
{
	loop->poked = true;
	sim_wake(&loop->wake);
}

void loop_request(struct loop *loop, bool begins)
{
	loop->requests += begins ? 1 : (size_t)-1;
}

/* --- Handles -----------------------------------------------------------------
 */

void loop_add(uv_loop_t *uv, void *handle, uv_handle_type type)
{
	struct loop *loop = loop_of(uv);
	uv_handle_t *h = handle;

	h->loop = uv;
	h->type = type;
	h->flags = 0;
	h->close_cb = NULL;
	CHECK(loop->count < HANDLES_MAX);
	loop->handles[loop->count++] = h;
}

void loop_active(void *handle, bool active)
{
	uv_handle_t *h = handle;

	h->flags = active ? h->flags | FLAG_ACTIVE : h->flags & ~1u;
}

static void on_close_nothing(uv_handle_t *handle)
{
	(void)handle;
}

void uv_close(uv_handle_t *h, uv_close_cb close_cb)
{
	struct loop *loop = handle_loop(h);

	CHECK((h->flags & FLAG_CLOSING) == 0);
	h->flags = FLAG_CLOSING;
	h->close_cb = close_cb != NULL ? close_cb : on_close_nothing;
	if (h->type == UV_TCP) {
		stream_close((uv_tcp_t *)h);
	}
	for (size_t i = 0; i < loop->count; i++) {
		if (loop->handles[i] == h) {
			loop->handles[i] = loop->handles[--loop->count];
			break;
		}
	}
	loop->closing[loop->closing_count++] = h;
}

int uv_is_closing(const uv_handle_t *h)
{
	return (h->flags & FLAG_CLOSING) != 0;
}

int uv_is_active(const uv_handle_t *h)
{
	return (h->flags & FLAG_ACTIVE) != 0;
}

static void run_closing(struct loop *loop)
{
	/* Closing one may close more: those wait for the next turn. */
	size_t count = loop->closing_count;

	for (size_t i = 0; i < count; i++) {
		uv_handle_t *h = loop->closing[i];

		task_point();
		if (h->type == UV_TCP) {
			stream_closed((uv_tcp_t *)h);
		}
		h->close_cb(h);
	}
	loop->closing_count -= count;
	memmove(loop->closing, loop->closing + count,
		loop->closing_count * sizeof loop->closing[0]);
}

/* --- Timers
 * ------------------------------------------------------------------- */

void uv_update_time(uv_loop_t *uv)
{
	uv->time = clock_boot_ns(task_current()->node) / SIM_MS;
}

uint64_t uv_now(const uv_loop_t *uv)
{
	return uv->time;
}

int uv_timer_init(uv_loop_t *uv, uv_timer_t *t)
{
	loop_add(uv, t, UV_TIMER);
	t->timer_cb = NULL;
	t->timeout = t->repeat = 0;
	return 0;
}

int uv_timer_start(uv_timer_t *t, uv_timer_cb cb, uint64_t timeout,
		   uint64_t repeat)
{
	if (uv_is_closing((uv_handle_t *)t) || cb == NULL) {
		return UV_EINVAL;
	}
	t->timer_cb = cb;
	t->timeout = t->loop->time + timeout;
	t->repeat = repeat;
	t->start_id = loop_of(t->loop)->starts++;
	loop_active(t, true);
	return 0;
}

int uv_timer_stop(uv_timer_t *t)
{
	loop_active(t, false);
	return 0;
}

static uv_timer_t *next_timer(const struct loop *loop)
{
	uv_timer_t *next = NULL;

	for (size_t i = 0; i < loop->count; i++) {
		uv_timer_t *t = (uv_timer_t *)(void *)loop->handles[i];

		if (t->type != UV_TIMER || (t->flags & FLAG_ACTIVE) == 0) {
			continue;
		}
		if (next == NULL || t->timeout < next->timeout ||
		    (t->timeout == next->timeout &&
		     t->start_id < next->start_id)) {
			next = t;
		}
	}
	return next;
}

static void run_timers(struct loop *loop)
{
	uv_timer_t *t;

	while ((t = next_timer(loop)) != NULL && t->timeout <= loop->uv->time) {
		uv_timer_stop(t);
		if (t->repeat > 0) {
			CHECK(uv_timer_start(t, t->timer_cb, t->repeat,
					     t->repeat) == 0);
		}
		task_point();
		t->timer_cb(t);
	}
}

/* --- Async, prepare, check
 * ---------------------------------------------------- */

int uv_async_init(uv_loop_t *uv, uv_async_t *a, uv_async_cb cb)
{
	loop_add(uv, a, UV_ASYNC);
	a->async_cb = cb;
	a->pending = 0;
	loop_active(a, true);
	return 0;
}

int uv_async_send(uv_async_t *a)
{
	a->pending = 1;
	loop_poke(handle_loop(a));
	task_point();
	return 0;
}

int uv_prepare_init(uv_loop_t *uv, uv_prepare_t *p)
{
	loop_add(uv, p, UV_PREPARE);
	return 0;
}

int uv_prepare_start(uv_prepare_t *p, uv_prepare_cb cb)
{
	p->prepare_cb = cb;
	loop_active(p, true);
	return 0;
}

int uv_check_init(uv_loop_t *uv, uv_check_t *c)
{
	loop_add(uv, c, UV_CHECK);
	return 0;
}

int uv_check_start(uv_check_t *c, uv_check_cb cb)
{
	c->check_cb = cb;
	loop_active(c, true);
	return 0;
}

static void run_type(struct loop *loop, uv_handle_type type)
{
	for (size_t i = 0; i < loop->count; i++) {
		uv_handle_t *h = loop->handles[i];

		if (h->type != type || (h->flags & FLAG_ACTIVE) == 0) {
			continue;
		}
		if (type == UV_CHECK) {
			((uv_check_t *)h)->check_cb((uv_check_t *)h);
		} else {
			((uv_prepare_t *)h)->prepare_cb((uv_prepare_t *)h);
		}
	}
}

/* --- The poll
 * ----------------------------------------------------------------- */

static bool has_work(const uv_handle_t *h)
{
	if (h->type == UV_ASYNC) {
		return ((const uv_async_t *)h)->pending != 0;
	}
	return h->type == UV_TCP && stream_has_work((const uv_tcp_t *)h);
}

static bool any_work(const struct loop *loop)
{
	for (size_t i = 0; i < loop->count; i++) {
		if (has_work(loop->handles[i])) {
			return true;
		}
	}
	return false;
}

static void do_work(uv_handle_t *h)
{
	task_point();
	if (h->type == UV_ASYNC) {
		((uv_async_t *)h)->pending = 0;
		((uv_async_t *)h)->async_cb((uv_async_t *)h);
	} else {
		stream_work((uv_tcp_t *)h);
	}
}

/* What has something to tell now, each once, from a drawn one on. */
static void run_poll(struct loop *loop)
{
	uv_handle_t *todo[HANDLES_MAX];
	size_t count = 0;
	size_t first;

	for (size_t i = 0; i < loop->count; i++) {
		if (has_work(loop->handles[i])) {
			todo[count++] = loop->handles[i];
		}
	}
	first = (size_t)sim_below(&sim.schedule, count);
	for (size_t i = 0; i < count; i++) {
		uv_handle_t *h = todo[(first + i) % count];

		/* Closing handles are not freed before the end of the turn. */
		if (!uv_is_closing(h) && has_work(h)) {
			do_work(h);
		}
	}
}

static uint64_t poll_ns(const struct loop *loop)
{
	const uv_timer_t *t = next_timer(loop);
	int node = task_current()->node;
	uint64_t now = clock_boot_ns(node);
	uint64_t then;

	if (loop->closing_count > 0) {
		return 0;
	}
	if (t == NULL) {
		return UINT64_MAX;
	}
	/* Rounded as libuv does: from the time it read at the turn's start. */
	then = t->timeout > loop->uv->time ? t->timeout - loop->uv->time : 0;
	then = now + then * SIM_MS;
	return then > now ? clock_world_ns(node, then - now) : 0;
}

static void poll(struct loop *loop)
{
	uint64_t ns = poll_ns(loop);

	if (!any_work(loop) && ns > 0) {
		loop->poked = false;
		(void)task_wait(&loop->wake, ns);
	}
	task_point();
	uv_update_time(loop->uv);
	run_poll(loop);
}

static bool is_alive(const struct loop *loop)
{
	if (loop->closing_count > 0 || loop->requests > 0) {
		return true;
	}
	for (size_t i = 0; i < loop->count; i++) {
		if ((loop->handles[i]->flags & FLAG_ACTIVE) != 0) {
			return true;
		}
	}
	return false;
}

int uv_run(uv_loop_t *uv, uv_run_mode mode)
{
	struct loop *loop = loop_of(uv);

	CHECK(mode == UV_RUN_DEFAULT);
	while (is_alive(loop)) {
		uv_update_time(uv);
		run_timers(loop);
		run_type(loop, UV_PREPARE);
		poll(loop);
		run_type(loop, UV_CHECK);
		run_closing(loop);
	}
	return 0;
}

int uv_loop_init(uv_loop_t *uv)
{
	struct loop *loop = mem_zalloc(sizeof *loop);

	loop->uv = uv;
	uv->internal_fields = loop;
	uv_update_time(uv);
	return 0;
}

int uv_loop_close(uv_loop_t *uv)
{
	struct loop *loop = loop_of(uv);

	if (loop->count > 0 || loop->closing_count > 0) {
		return UV_EBUSY;
	}
	mem_free(loop);
	return 0;
}
