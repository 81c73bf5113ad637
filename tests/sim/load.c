/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/load.h"

#include <string.h>

#include "base/mem.h"
#include "tests/sim/proof.h"

enum {
	STREAM_LOAD = 2000,
	STREAM_CLIENT = 3000, /* and the number of the client */
	CLIENTS_MAX = 4,      /* of a node at a time */
	REST_MS = 50,
};

static struct {
	unsigned clients; /* of a node */
	uint64_t think_ns;
	unsigned deeds_max; /* under fire, of all clients */
	unsigned read;	    /* chances of a million */
	unsigned strict, local;
	struct client_habits habits;
	unsigned home;

	struct client *at[SIM_NODES_MAX][CLIENTS_MAX];
	uint64_t numbers;
	unsigned deeds;
} load;

unsigned load_home(void)
{
	return load.home;
}

/* --- What is drawn ----------------------------------------------------------
 */

static void draw_objects(struct sim_random *r)
{
	unsigned registers = (unsigned)sim_below(r, 4);
	unsigned journals = (unsigned)sim_below(r, 3);
	unsigned moves = (unsigned)sim_below(r, 3);

	load.home = history_object(OBJECT_REGISTER);
	for (unsigned i = 0; i < registers; i++) {
		history_object(OBJECT_REGISTER);
	}
	for (unsigned i = 0; i < journals; i++) {
		history_object(OBJECT_JOURNAL);
	}
	for (unsigned i = 0; i < moves; i++) {
		history_object(OBJECT_MOVES);
	}
}

void load_begin(void)
{
	struct sim_random r = sim_stream(STREAM_LOAD);

	memset(&load, 0, sizeof load);
	load.clients = 1 + (unsigned)sim_below(&r, 3);
	load.deeds_max = 200 + (unsigned)sim_below(&r, 500);
	load.think_ns = sim_plan()->fire_ms * SIM_MS * load.clients *
			sim_plan()->nodes / load.deeds_max;
	load.read = 200000 + (unsigned)sim_below(&r, 500000);
	load.strict = (unsigned)sim_below(&r, 400000);
	load.local = (unsigned)sim_below(&r, 200000);
	load.habits.impatient = (unsigned)sim_below(&r, 200000);
	load.habits.signal = (unsigned)sim_below(&r, 60000);
	load.habits.large = (unsigned)sim_below(&r, 30000);
	draw_objects(&r);
}

/* --- What to do -------------------------------------------------------------
 */

static enum linear_kind draw_change(struct sim_random *r, enum object_kind kind)
{
	static const enum linear_kind registers[] = {
		LINEAR_SET,    LINEAR_SET,    LINEAR_APPEND,
		LINEAR_APPEND, LINEAR_CREATE, LINEAR_REMOVE,
	};
	static const enum linear_kind journals[] = {
		LINEAR_CREATE, LINEAR_APPEND, LINEAR_APPEND, LINEAR_APPEND,
		LINEAR_APPEND, LINEAR_APPEND, LINEAR_APPEND, LINEAR_APPEND,
	};
	static const enum linear_kind moves[] = {
		LINEAR_SET,	   LINEAR_SET,	    LINEAR_CREATE,
		LINEAR_REMOVE,	   LINEAR_RENAME,   LINEAR_RENAME,
		LINEAR_RENAME_NEW, LINEAR_EXCHANGE,
	};

	switch (kind) {
	case OBJECT_REGISTER:
		return registers[sim_below(r, COUNT_OF(registers))];
	case OBJECT_JOURNAL:
		return journals[sim_below(r, COUNT_OF(journals))];
	default:
		return moves[sim_below(r, COUNT_OF(moves))];
	}
}

static void do_anything(struct client *c)
{
	struct sim_random *r = &c->random;
	struct deed what = {.object =
				    (unsigned)sim_below(r, history_objects())};
	const struct object *o = history_object_of(what.object);

	what.cell = (unsigned)sim_below(r, o->cells);
	if (sim_chance(r, load.read)) {
		what.kind = LINEAR_READ;
		what.reads = sim_chance(r, load.strict)	 ? KV_READS_STRICT
			     : sim_chance(r, load.local) ? KV_READS_LOCAL
							 : KV_READS_FRESH;
		client_read(c, what);
		return;
	}
	what.kind = draw_change(r, o->kind);
	if (o->cells > 1) {
		what.to =
			(what.cell + 1 + (unsigned)sim_below(r, o->cells - 1)) %
			o->cells;
	}
	client_change(c, what);
}

/* --- Life -------------------------------------------------------------------
 */

/* Bursts, and long pauses between them. */
static uint64_t draw_pause(struct sim_random *r)
{
	uint64_t ns =
		sim_chance(r, 700000) ? load.think_ns / 4 : 6 * load.think_ns;

	return 1 + sim_below(r, ns);
}

static void client_main(void *context)
{
	struct client *c = context;

	for (;;) {
		if (sim_phase() != SIM_CALM) {
			sim_sleep(draw_pause(&c->random));
			if (load.deeds < load.deeds_max) {
				load.deeds++;
				do_anything(c);
			}
			continue;
		}
		sim_sleep(1 + sim_below(&c->random, REST_MS * SIM_MS));
		if (!sim_healed(c->node) && !proof_is_given()) {
			sim_sleep(draw_pause(&c->random));
			do_anything(c);
		} else if (sim_healed(c->node) && c->slot == 0) {
			proof_step(c);
		}
	}
}

void load_up(int node)
{
	for (unsigned i = 0; i < load.clients; i++) {
		struct client *c = mem_zalloc(sizeof *c);

		*c = (struct client){
			.node = node, .slot = i, .habits = &load.habits};
		c->random = sim_stream(STREAM_CLIENT + ++load.numbers);
		load.at[node][i] = c;
		sim_spawn(node, "client", client_main, c);
	}
}

void load_died(int node)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		if (load.at[node][i] != NULL) {
			client_gone(load.at[node][i]);
		}
		load.at[node][i] = NULL;
	}
	client_died(node);
}

bool load_rests(void)
{
	for (int n = 0; n < (int)sim_nodes(); n++) {
		for (unsigned i = 0; i < CLIENTS_MAX; i++) {
			const struct client *c = load.at[n][i];

			if (c != NULL && c->deed != NULL &&
			    sim_state(n) == SIM_UP) {
				return false;
			}
		}
	}
	return true;
}
