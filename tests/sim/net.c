/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/net.h"

#include <string.h>

#include "base/frame.h"
#include "base/mem.h"
#include "raft/node/conn.h"
#include "raft/node/wire.h"

struct packet {
	struct packet *next;
	struct end *to;
	uint64_t number; /* of the event that tells of it */
	bool is_fin;
	bool is_frame;
	bool is_counted; /* as having arrived */
	uint8_t kind;
	uint64_t sealed; /* the number it bears */
	size_t size;
	uint8_t data[];
};

static struct {
	struct end *ends;
	uint64_t numbers;
	uint64_t connections;
} net;

void net_reset(void)
{
	memset(&net, 0, sizeof net);
}

bool sim_reaches(int from, int to)
{
	return !sim.links.cut[from][to] && sim.hosts[from].on &&
	       sim.hosts[to].on;
}

static uint64_t delay(int from, int to)
{
	uint64_t jitter = sim_below(&sim.net, sim.rates.jitter_ns + 1);

	return sim.links.delay_ns[from][to] + jitter;
}

static bool is_alive(const struct end *e)
{
	return e->handle != NULL && life_is(e->node, e->life);
}

static void poke(const struct end *e)
{
	if (is_alive(e)) {
		loop_poke(e->handle->loop->internal_fields);
	}
}

static struct end *new_end(int node, bool is_dialler)
{
	struct end *e = mem_zalloc(sizeof *e);

	e->node = node;
	e->life = sim.hosts[node].life;
	e->is_dialler = is_dialler;
	e->held.last = &e->held.first;
	e->next = net.ends;
	net.ends = e;
	return e;
}

static void fail_end(struct end *e, int error)
{
	if (e->is_open && e->error == 0) {
		e->error = error;
		sim_count(SIM_BROKEN);
		say_event(SIM_EV_LINK, e->node, e->other->node, e->number,
			  uv_strerror(error));
		poke(e);
	}
}

/* --- Acknowledgements (N3) ---------------------------------------------------
 */

static void watch(struct end *e);

static void on_watch(void *context, uint64_t number)
{
	struct end *e = context;

	(void)number;
	e->is_watched = false;
	if (e->sent == e->acknowledged || !e->is_open || e->error != 0) {
		return;
	}
	if (sim.now - e->silent_since >= CONN_SILENT_MS * SIM_MS) {
		fail_end(e, UV_ETIMEDOUT);
	} else {
		watch(e);
	}
}

static void watch(struct end *e)
{
	if (!e->is_watched) {
		e->is_watched = true;
		task_at(e->silent_since + CONN_SILENT_MS * SIM_MS, on_watch, e,
			0);
	}
}

static void acknowledge(struct end *from)
{
	if (!sim_reaches(from->other->node, from->node) ||
	    from->acknowledged == from->arrived) {
		return;
	}
	from->acknowledged = from->arrived;
	from->silent_since = sim.now;
	poke(from);
}

/* --- Arrivals ----------------------------------------------------------------
 */

static void on_reset(void *context, uint64_t number)
{
	struct end *e = context;

	(void)number;
	if (sim_reaches(e->other->node, e->node)) {
		fail_end(e, UV_ECONNRESET);
	}
}

static void reset(struct end *e)
{
	task_after(delay(e->other->node, e->node), on_reset, e, 0);
}

static void append_frame(struct packet *p)
{
	struct end *to = p->to;
	size_t start = to->in.size;

	buffer_append(&to->in, p->data, p->size);
	if (p->is_frame && p->sealed != to->in_number) {
		frame_seal(&to->in, start, p->kind, to->in_number);
	}
	if (p->is_frame) {
		to->in_number++;
		if (sim_chance(&sim.net, sim.rates.corrupt)) {
			size_t at = start + sim_below(&sim.net, p->size);

			to->in.data[at] ^=
				(uint8_t)(1u << sim_below(&sim.net, 8));
			say_event(SIM_EV_LOST, p->to->other->node, p->to->node,
				  p->number, "a bit of it is flipped");
		}
	}
}

static void count_arrived(struct end *from, struct packet *p)
{
	if (!p->is_counted) {
		p->is_counted = true;
		from->arrived += p->size;
		acknowledge(from);
	}
}

static void arrive(struct packet *p)
{
	struct end *to = p->to;
	struct end *from = to->other;

	if (!sim.hosts[to->node].on) {
		return;
	}
	if (!to->is_open || !life_is(to->node, to->life)) {
		if (!p->is_fin) {
			reset(from);
		}
		return;
	}
	count_arrived(from, p);
	if (p->is_fin) {
		to->has_fin = true;
	} else {
		append_frame(p);
		sim_count(SIM_MESSAGES);
		say_event(SIM_EV_ARRIVED, from->node, to->node, p->number, "");
	}
	poke(to);
}

static void on_due(void *context, uint64_t number)
{
	struct packet *p = context;

	(void)number;
	if (sim.links.cut[p->to->other->node][p->to->node]) {
		p->next = NULL;
		*p->to->held.last = p;
		p->to->held.last = &p->next;
		return;
	}
	arrive(p);
	mem_free(p);
}

/* --- The box in the middle
 * ----------------------------------------------------
 */

static struct packet *new_packet(struct end *from, struct bytes bytes)
{
	struct packet *p = mem_alloc(sizeof *p + bytes.size);

	memset(p, 0, sizeof *p);
	p->to = from->other;
	p->number = ++net.numbers;
	p->size = bytes.size;
	if (bytes.size > 0) {
		memcpy(p->data, bytes.data, bytes.size);
	}
	return p;
}

static void send_in_order(struct end *from, struct packet *p)
{
	uint64_t due = sim.now + delay(from->node, from->other->node);

	if (due < from->fifo_due) {
		due = from->fifo_due;
	}
	from->fifo_due = due;
	task_at(due, on_due, p, 0);
}

static void send_late(struct end *from, struct packet *p)
{
	uint64_t due = sim.now + delay(from->node, from->other->node) +
		       sim_below(&sim.net, sim.rates.late_ns + 1);

	task_at(due > from->floor_due ? due : from->floor_due, on_due, p, 0);
}

static bool may_be_lost(uint8_t kind)
{
	return kind == WIRE_CORE || kind == WIRE_PROPOSE ||
	       kind == WIRE_REFUSED || kind == WIRE_OPAQUE || kind == WIRE_PING;
}

static void tell_sent(const struct end *from, const struct packet *p)
{
	char text[160] = "";

	if (sim.options.tell) {
		say_frame(bytes_of(p->data, p->size), text, sizeof text);
	}
	say_event(SIM_EV_SENT, from->node, from->other->node, p->number, text);
}

/* What the box loses or delays has arrived as far as TCP goes. */
static void send_frame(struct end *from, struct bytes bytes)
{
	struct packet *p = new_packet(from, bytes);
	struct packet *copy;

	p->is_frame = true;
	p->kind = bytes.data[5];
	p->sealed = from->out_number++;
	tell_sent(from, p);
	if (from->sent == from->acknowledged) {
		from->silent_since = sim.now;
	}
	from->sent += p->size;
	watch(from);
	if (!may_be_lost(p->kind)) {
		send_in_order(from, p);
		from->floor_due = from->fifo_due;
		return;
	}
	if (sim_chance(&sim.net, p->kind == WIRE_CORE ? sim.rates.lose
						      : sim.rates.lose_other)) {
		sim_count(SIM_LOST);
		say_event(SIM_EV_LOST, from->node, from->other->node, p->number,
			  "");
		count_arrived(from, p);
		mem_free(p);
		return;
	}
	if (sim_chance(&sim.net, sim.rates.duplicate)) {
		copy = mem_copy(p, sizeof *p + p->size);
		copy->is_counted = true;
		sim_count(SIM_DUPLICATED);
		say_event(SIM_EV_DUPLICATED, from->node, from->other->node,
			  p->number, "");
		send_late(from, copy);
	}
	if (sim_chance(&sim.net, sim.rates.reorder)) {
		sim_count(SIM_REORDERED);
		count_arrived(from, p);
		send_late(from, p);
	} else {
		send_in_order(from, p);
	}
}

/* Whole frames go on at once; a broken header would be passed as it is. */
static void send_frames(struct end *from)
{
	size_t start = 0;

	while (from->out.size - start >= FRAME_HEADER_BYTES) {
		const uint8_t *at = from->out.data + start;
		size_t size = FRAME_HEADER_BYTES + (size_t)get_le32(at);

		if (from->out.size - start < size) {
			break;
		}
		send_frame(from, bytes_of(at, size));
		start += size;
	}
	from->out.size -= start;
	memmove(from->out.data, from->out.data + start, from->out.size);
}

size_t net_send(struct end *e, const void *data, size_t size)
{
	uint64_t waiting = e->sent - e->acknowledged;
	uint64_t window = sim.rates.window_bytes;
	uint64_t room = window > waiting ? window - waiting : 0;

	if (size > room) {
		size = (size_t)room;
	}
	if (size > 1 && sim_chance(&sim.net, sim.rates.short_write)) {
		size = 1 + (size_t)sim_below(&sim.net, size);
	}
	if (size == 0) {
		return 0;
	}
	buffer_append(&e->out, data, size);
	sim_trace(e->number << 32 ^ size);
	send_frames(e);
	return size;
}

void net_read(struct end *e, size_t size)
{
	e->in_start += size;
	if (e->in_start == e->in.size) {
		buffer_reset(&e->in);
		e->in_start = 0;
	}
}

/* --- Beginning and end
 * -------------------------------------------------------- */

static void answer(struct end *e, int error)
{
	if (e->has_answer || !is_alive(e)) {
		return;
	}
	e->has_answer = true;
	e->error = error;
	e->is_open = error == 0;
	say_event(SIM_EV_LINK, e->node, e->other->node, e->number,
		  error == 0 ? "open" : uv_strerror(error));
	poke(e);
}

static void on_accepted(void *context, uint64_t number)
{
	struct end *e = context;

	(void)number;
	if (sim_reaches(e->other->node, e->node)) {
		answer(e, 0);
	}
}

static void on_refused(void *context, uint64_t number)
{
	struct end *e = context;

	(void)number;
	if (sim_reaches(e->other->node, e->node)) {
		answer(e, UV_ECONNREFUSED);
	}
}

/* The dialler's first packet is there. */
static void on_dialled(void *context, uint64_t number)
{
	struct end *e = context;
	struct end *other = e->other;
	struct host *h = &sim.hosts[other->node];
	struct listener *l = h->listener;
	uint64_t back = delay(other->node, e->node);

	(void)number;
	if (!sim_reaches(e->node, other->node)) {
		return; /* no answer */
	}
	if (l == NULL || !life_is(l->node, l->life) || l->handle == NULL ||
	    l->count == COUNT_OF(l->waiting) ||
	    sim_chance(&sim.net, sim.rates.refuse)) {
		task_after(back, on_refused, e, 0);
		return;
	}
	other->life = h->life;
	other->is_open = true;
	l->waiting[l->count++] = other;
	loop_poke(l->handle->loop->internal_fields);
	task_after(back, on_accepted, e, 0);
}

struct end *net_dial(int node, int to, uv_tcp_t *handle)
{
	struct end *e = new_end(node, true);

	e->handle = handle;
	e->other = new_end(to, false);
	e->other->other = e;
	e->number = e->other->number = ++net.connections;
	task_after(delay(node, to), on_dialled, e, 0);
	return e;
}

void net_close(struct end *e, bool silent)
{
	struct packet *p;

	if (e->is_open && !silent && e->error == 0) {
		if (e->in.size > e->in_start) {
			reset(e->other);
		} else {
			p = new_packet(e, bytes_of("", 0));
			p->is_fin = true;
			send_in_order(e, p);
		}
	}
	e->is_open = false;
	e->handle = NULL;
	e->has_answer = true;
}

void net_life_over(int node, bool silent)
{
	for (struct end *e = net.ends; e != NULL; e = e->next) {
		if (e->node == node && (e->is_open || e->handle != NULL)) {
			net_close(e, silent);
		}
	}
	sim.hosts[node].listener = NULL;
}

/* --- Cuts
 * --------------------------------------------------------------------- */

static void release(struct end *to)
{
	struct packet *p = to->held.first;

	to->held = (struct packets){.last = &to->held.first};
	while (p != NULL) {
		struct packet *next = p->next;

		send_in_order(to->other, p);
		p = next;
	}
}

void net_cut(int from, int to, bool cut)
{
	if (sim.links.cut[from][to] == cut) {
		return;
	}
	sim.links.cut[from][to] = cut;
	for (struct end *e = net.ends; !cut && e != NULL; e = e->next) {
		if (e->node == to && e->other->node == from) {
			release(e);
		} else if (e->node == from && e->other->node == to) {
			/* What had arrived here can be acknowledged now. */
			acknowledge(e->other);
		}
	}
}

void net_break(int from, int to)
{
	for (struct end *e = net.ends; e != NULL; e = e->next) {
		if (e->node == from && e->other->node == to && e->is_open &&
		    e->is_dialler) {
			fail_end(e, UV_ECONNRESET);
			fail_end(e->other, UV_ECONNRESET);
		}
	}
}
