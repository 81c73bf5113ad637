/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/farm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_S = 60 };

/* What a worker sends for each seed; less than PIPE_BUF, so in one piece. */
struct report {
	uint64_t seed;
	struct sim_result result;
	uint64_t oracle[ORACLE_COUNTS];
};
static_assert(sizeof(struct report) < 4096, "a report is written at once");

struct order {
	uint64_t seed;
	bool again;
	uint64_t hash; /* of the first time */
};

struct worker {
	pid_t pid; /* 0: none */
	int orders, reports;
	bool busy;
	struct order order;
	double since;
};

struct farm {
	const struct farm_options *options;
	struct farm_totals *totals;
	double start;
	double said; /* when progress was last told */
	size_t kept_at;
	struct order *again; /* to be played a second time */
	size_t again_count;
	size_t again_capacity;
	struct worker worker[FARM_WORKERS_MAX];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* --- A worker ---------------------------------------------------------------
 */

static void play(uint64_t seed, struct report *r)
{
	struct sim_options options = {.seed = seed, .oracle = &oracle};

	*r = (struct report){.seed = seed};
	sim_run(&options, &r->result);
	for (unsigned i = 0; i < ORACLE_COUNTS; i++) {
		r->oracle[i] = oracle_counted((enum oracle_count)i);
	}
}

static void work(int orders, int reports)
{
	struct report r;
	uint64_t seed;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(orders, &seed, sizeof seed) == (ssize_t)sizeof seed) {
		play(seed, &r);
		if (write(reports, &r, sizeof r) != (ssize_t)sizeof r) {
			break;
		}
	}
	_exit(0);
}

static void start_worker(struct farm *f, struct worker *w)
{
	int orders[2];
	int reports[2];

	fflush(stdout);
	if (pipe(orders) != 0 || pipe(reports) != 0) {
		die("pipe");
	}
	w->pid = fork();
	if (w->pid < 0) {
		die("fork");
	}
	if (w->pid == 0) {
		close(orders[1]);
		close(reports[0]);
		/* The others' ends: or they would not hear that it is over. */
		for (unsigned i = 0; i < f->options->workers; i++) {
			if (f->worker[i].pid > 0) {
				close(f->worker[i].orders);
				close(f->worker[i].reports);
			}
		}
		work(orders[0], reports[1]);
	}
	close(orders[0]);
	close(reports[1]);
	w->orders = orders[1];
	w->reports = reports[0];
	w->busy = false;
}

/* Returns how it ended. */
static int end_worker(struct worker *w)
{
	int status = 0;

	close(w->orders);
	close(w->reports);
	waitpid(w->pid, &status, 0);
	w->pid = 0;
	w->busy = false;
	return status;
}

/* --- Results ----------------------------------------------------------------
 */

static void failed(struct farm *f, uint64_t seed, const char *why)
{
	struct farm_totals *t = f->totals;

	if (t->failed < FARM_FAILURES_SHOWN) {
		t->failures[t->failed] = seed;
		printf("seed %lu failed: %s\n    make sim SEED=%lu\n",
		       (unsigned long)seed, why, (unsigned long)seed);
		fflush(stdout);
	}
	t->failed++;
}

static void play_again(struct farm *f, uint64_t seed, uint64_t hash)
{
	if (f->again_count == f->again_capacity) {
		f->again_capacity = 2 * f->again_capacity + 16;
		f->again =
			realloc(f->again, f->again_capacity * sizeof *f->again);
		if (f->again == NULL) {
			die("memory");
		}
	}
	f->again[f->again_count++] =
		(struct order){.seed = seed, .again = true, .hash = hash};
}

static void take_report(struct farm *f, struct worker *w,
			const struct report *r)
{
	struct farm_totals *t = f->totals;

	w->busy = false;
	if (w->order.again) {
		t->again++;
		if (r->result.hash != w->order.hash) {
			failed(f, r->seed, "another trace the second time");
		}
		return;
	}
	t->played++;
	t->virtual_ns += r->result.virtual_ns;
	for (unsigned i = 0; i < SIM_COUNTS; i++) {
		t->sim[i] += r->result.counts[i];
	}
	for (unsigned i = 0; i < ORACLE_COUNTS; i++) {
		t->oracle[i] += r->oracle[i];
	}
	if (r->result.failed) {
		failed(f, r->seed, r->result.failure);
	} else if (f->options->again > 0 && r->seed % f->options->again == 0) {
		play_again(f, r->seed, r->result.hash);
	}
}

/* The worker is gone without a report. */
static void lost(struct farm *f, struct worker *w, const char *why)
{
	char text[128];
	int status = end_worker(w);

	if (why == NULL && WIFSIGNALED(status)) {
		snprintf(text, sizeof text, "the process ended by signal %d",
			 WTERMSIG(status));
		why = text;
	}
	f->totals->played += !w->order.again;
	failed(f, w->order.seed, why != NULL ? why : "the process ended");
}

/* --- Giving out -------------------------------------------------------------
 */

static bool next_order(struct farm *f, struct order *o)
{
	const struct farm_options *p = f->options;
	bool late = p->seconds > 0 && now() - f->start >= p->seconds;

	if (f->again_count > 0) {
		*o = f->again[--f->again_count];
		return true;
	}
	if (f->kept_at < p->kept_count) {
		*o = (struct order){.seed = p->kept[f->kept_at++]};
		return true;
	}
	if (late || f->totals->next >= p->first + p->count) {
		return false;
	}
	*o = (struct order){.seed = f->totals->next++};
	return true;
}

/* False: nothing is left to do for it. */
static bool feed(struct farm *f, struct worker *w)
{
	struct order o;

	if (!next_order(f, &o)) {
		return false;
	}
	if (w->pid == 0) {
		start_worker(f, w);
	}
	w->order = o;
	w->busy = true;
	w->since = now();
	if (write(w->orders, &o.seed, sizeof o.seed) !=
	    (ssize_t)sizeof o.seed) {
		lost(f, w, NULL);
	}
	return true;
}

static void listen_to(struct farm *f, struct worker *w, short events)
{
	struct report r;

	if (events != 0) {
		if (read(w->reports, &r, sizeof r) == (ssize_t)sizeof r) {
			take_report(f, w, &r);
		} else {
			lost(f, w, NULL);
		}
	} else if (now() - w->since > f->options->seed_seconds) {
		kill(w->pid, SIGKILL);
		lost(f, w, "it takes too long");
	}
}

/* One round: everyone has work, then wait for the first that is done. */
static bool turn(struct farm *f)
{
	struct pollfd fds[FARM_WORKERS_MAX];
	struct worker *of[FARM_WORKERS_MAX];
	nfds_t count = 0;

	for (unsigned i = 0; i < f->options->workers; i++) {
		struct worker *w = &f->worker[i];

		while (!w->busy && feed(f, w)) {
		}
		if (w->busy) {
			of[count] = w;
			fds[count++] = (struct pollfd){.fd = w->reports,
						       .events = POLLIN};
		}
	}
	if (count == 0) {
		return false;
	}
	if (poll(fds, count, 1000) < 0 && errno != EINTR) {
		die("poll");
	}
	for (nfds_t i = 0; i < count; i++) {
		listen_to(f, of[i], fds[i].revents);
	}
	if (now() - f->said >= PROGRESS_S) {
		f->said = now();
		printf("%lu seeds after %.0f s\n",
		       (unsigned long)f->totals->played, f->said - f->start);
		fflush(stdout);
	}
	return true;
}

void farm_run(const struct farm_options *options, struct farm_totals *totals)
{
	static struct farm f;

	CHECK(options->workers >= 1 && options->workers <= FARM_WORKERS_MAX);
	signal(SIGPIPE, SIG_IGN);
	*totals = (struct farm_totals){.next = options->first};
	f = (struct farm){.options = options, .totals = totals};
	f.start = f.said = now();
	while (turn(&f)) {
	}
	for (unsigned i = 0; i < options->workers; i++) {
		if (f.worker[i].pid != 0) {
			end_worker(&f.worker[i]);
		}
	}
	free(f.again);
	totals->seconds = now() - f.start;
}

/* --- Totals -----------------------------------------------------------------
 */

void farm_print(const struct farm_totals *t)
{
	printf("%lu seeds, %lu failed, %lu of them played twice, in %.0f s; "
	       "%.0f s of virtual time\n",
	       (unsigned long)t->played, (unsigned long)t->failed,
	       (unsigned long)t->again, t->seconds,
	       (double)t->virtual_ns / 1e9);
	for (unsigned i = 0; i < SIM_COUNTS; i++) {
		printf("%14lu %s\n", (unsigned long)t->sim[i],
		       sim_count_name((enum sim_count)i));
	}
	for (unsigned i = 0; i < ORACLE_COUNTS; i++) {
		printf("%14lu %s\n", (unsigned long)t->oracle[i],
		       oracle_count_name((enum oracle_count)i));
	}
}

/* At least this many of each in a thousand seeds: half of what was counted
 * when it was written down. */
static const struct {
	enum sim_count count;
	uint64_t floor;
} sim_floors[] = {
	{SIM_ELECTIONS, 2000},	 {SIM_COMMITS, 60000},
	{SIM_MESSAGES, 1500000}, {SIM_LOST, 20000},
	{SIM_DUPLICATED, 40000}, {SIM_REORDERED, 40000},
	{SIM_BROKEN, 7000},	 {SIM_PARTITIONS, 2000},
	{SIM_KILLS, 1200},	 {SIM_POWER_CUTS, 1500},
	{SIM_RESTARTS, 3000},	 {SIM_STOPS, 300},
	{SIM_OUTAGES, 80},	 {SIM_PAUSES, 900},
	{SIM_STALLS, 1000},	 {SIM_SYNC_FAILS, 300},
	{SIM_FULLS, 800},	 {SIM_ROTS, 150},
	{SIM_REPAIRS, 50},	 {SIM_TORN, 1500},
	{SIM_CLOCK_JUMPS, 600},	 {SIM_WIPES, 45},
	{SIM_SNAPSHOTS, 250},	 {SIM_INSTALLS, 250},
	{SIM_CHANGES, 150},	 {SIM_TRANSFERS, 450},
};

static const struct {
	enum oracle_count count;
	uint64_t floor;
} oracle_floors[] = {
	{ORACLE_CHANGES, 60000},  {ORACLE_CHANGES_REFUSED, 5000},
	{ORACLE_INTERRUPTS, 400}, {ORACLE_CHANGES_UNKNOWN, 2000},
	{ORACLE_FRESH, 40000},	  {ORACLE_STRICT, 12000},
	{ORACLE_LOCAL, 4000},	  {ORACLE_FELL_BACK, 5000},
	{ORACLE_STATES, 200000},  {ORACLE_AUDITS, 1800},
	{ORACLE_HISTORIES, 2200},
};

static bool is_enough(const char *name, uint64_t count, uint64_t floor,
		      uint64_t played)
{
	if (count >= floor * played / 1000) {
		return true;
	}
	printf("too few %s: %lu, the floor is %lu\n", name,
	       (unsigned long)count, (unsigned long)(floor * played / 1000));
	return false;
}

bool farm_floors(const struct farm_totals *t)
{
	bool enough = true;

	for (size_t i = 0; i < COUNT_OF(sim_floors); i++) {
		enum sim_count c = sim_floors[i].count;

		enough &= is_enough(sim_count_name(c), t->sim[c],
				    sim_floors[i].floor, t->played);
	}
	for (size_t i = 0; i < COUNT_OF(oracle_floors); i++) {
		enum oracle_count c = oracle_floors[i].count;

		enough &= is_enough(oracle_count_name(c), t->oracle[c],
				    oracle_floors[i].floor, t->played);
	}
	if (t->oracle[ORACLE_UNDECIDED] * 1000 > t->oracle[ORACLE_HISTORIES]) {
		printf("too many histories are undecided\n");
		enough = false;
	}
	return enough;
}
