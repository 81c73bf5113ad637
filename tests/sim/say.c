/* SPDX-License-Identifier: Apache-2.0 */
/* say.c - what happened, told to the oracle and to the hash; the log of the
 * nodes (base/log.h); and how a run or a node's process ends by itself. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "raft/node/wire.h"
#include "tests/sim/inside.h"

/* --- Events -----------------------------------------------------------------
 */

static void hash_text(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text != 0; text++) {
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	}
	sim_trace(hash);
}

void say_event(enum sim_event_kind kind, int node, int other, uint64_t number,
	       const char *text)
{
	struct sim_event event = {
		.kind = kind,
		.time_ns = sim.now,
		.node = node,
		.other = other,
		.number = number,
		.text = text,
	};
	const struct sim_oracle *oracle = sim.options.oracle;
	int was = sim_enter(SIM_WORLD);

	sim_trace(sim.now);
	sim_trace((uint64_t)kind << 32 ^ (uint64_t)(unsigned)node << 16 ^
		  (unsigned)other);
	sim_trace(number);
	/* That of a frame is there only for a narrative. */
	if (kind != SIM_EV_SENT) {
		hash_text(text);
	}
	if (oracle != NULL && oracle->event != NULL) {
		oracle->event(&event);
	}
	sim_leave(was);
}

__attribute__((format(printf, 4, 0))) static void
say_line(enum sim_event_kind kind, int node, int other, const char *format,
	 va_list args)
{
	char text[512];

	(void)vsnprintf(text, sizeof text, format, args);
	say_event(kind, node, other, 0, text);
}

void say(enum sim_event_kind kind, int node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(kind, node, SIM_WORLD, format, args);
	va_end(args);
}

void sim_note(int node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_line(SIM_EV_CLIENT, node, SIM_WORLD, format, args);
	va_end(args);
}

/* --- The nodes' log ---------------------------------------------------------
 */

__attribute__((format(printf, 1, 0))) static void log_line(const char *format,
							   va_list args)
{
	struct sim_task *t = task_current();
	int node = t != NULL ? t->node : SIM_WORLD;
	char text[512];

	(void)vsnprintf(text, sizeof text, format, args);
	if (node != SIM_WORLD) {
		(void)snprintf(sim.hosts[node].last_words,
			       sizeof sim.hosts[node].last_words, "%.250s",
			       text);
	}
	say_event(SIM_EV_LOG, node, SIM_WORLD, 0, text);
}

void log_setup(const char *name, enum log_level most)
{
	(void)name;
	(void)most;
}

void log_to_syslog(void)
{
}

#define LOG_LINE()                                                             \
	do {                                                                   \
		va_list args;                                                  \
		va_start(args, format);                                        \
		log_line(format, args);                                        \
		va_end(args);                                                  \
	} while (0)

void log_error(const char *format, ...)
{
	LOG_LINE();
}

void log_warn(const char *format, ...)
{
	LOG_LINE();
}

void log_info(const char *format, ...)
{
	LOG_LINE();
}

void log_debug(const char *format, ...)
{
	(void)format;
}

void log_fatal(const char *format, ...)
{
	LOG_LINE();
	life_fatal(sim.hosts[task_current()->node].last_words);
}

/* --- Failures ---------------------------------------------------------------
 */

bool sim_failed(void)
{
	return sim.result->failed;
}

void sim_fail(const char *format, ...)
{
	struct sim_result *r = sim.result;
	va_list args;

	if (!r->failed) {
		r->failed = true;
		va_start(args, format);
		(void)vsnprintf(r->failure, sizeof r->failure, format, args);
		va_end(args);
		say_event(SIM_EV_FAILED, SIM_WORLD, SIM_WORLD, 0, r->failure);
	}
	sim.over = true;
	if (task_current() != NULL) {
		sim.who = SIM_WORLD;
		task_abandon();
	}
}

NORETURN void __wrap_check_failed(const char *condition, const char *file,
				  int line);
NORETURN void __wrap_abort(void);
NORETURN void __wrap_exit(int code);
NORETURN void __wrap__exit(int code);

static const char *who_text(void)
{
	struct sim_task *t = task_current();

	return t == NULL || t->node == SIM_WORLD ? "the world"
						 : sim.hosts[t->node].name;
}

/* A broken condition of a node fails the run. The simulator's own end it, as
 * anywhere else, for there may be nothing left to go on with. */
NORETURN void __wrap_check_failed(const char *condition, const char *file,
				  int line)
{
	if (task_current() == NULL || strncmp(file, "tests/sim/", 10) == 0) {
		fprintf(stderr, "seed %" PRIu64 ": broken: %s (%s:%d), %s\n",
			sim.plan.seed, condition, file, line, who_text());
		__real_abort();
	}
	sim_fail("%s: broken: %s (%s:%d)", who_text(), condition, file, line);
	__real_abort();
}

NORETURN void __wrap_abort(void)
{
	sim_fail("%s: abort()", who_text());
	__real_abort();
}

NORETURN void __wrap_exit(int code)
{
	if (task_current() == NULL) {
		__real_exit(code);
	}
	life_fatal("exit()");
}

NORETURN void __wrap__exit(int code)
{
	__wrap_exit(code);
}

/* --- Frames in words --------------------------------------------------------
 */

static void say_core(const struct wire_message *m, char *text, size_t size)
{
	const struct raft_msg *msg = &m->core;

	(void)snprintf(text, size,
		       "%s term=%" PRIu64 " pos=%" PRIu64 "/%" PRIu64
		       " last=%" PRIu64 " commit=%" PRIu64 "%s%s",
		       raft_msg_text(msg->kind), msg->term, msg->pos.index,
		       msg->pos.term, msg->last, msg->commit,
		       msg->reject ? " rejected" : "",
		       msg->round != 0 ? " round" : "");
}

void say_frame(struct bytes frame, char *text, size_t size)
{
	static const char *const words[] = {"",	      "hello",	 "found",
					    "core",   "propose", "refused",
					    "opaque", "ping"};
	static struct wire_message m;
	struct bytes body = bytes_of(frame.data + 16, frame.size - 16);
	uint8_t kind = frame.data[5];

	if (wire_decode(body, kind, &m) != 0) {
		(void)snprintf(text, size, "kind %u, %zu bytes", kind,
			       body.size);
	} else if (m.kind == WIRE_CORE) {
		say_core(&m, text, size);
	} else if (kind < COUNT_OF(words)) {
		(void)snprintf(text, size, "%s", words[kind]);
	}
}
