/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - the run as data (JSON) between the halves of page.html.
 *
 * Memory of the run is gone when the page is written, so events go to streams
 * of the C library at once, and messages to a ring: the number of a message
 * names its place. Times are microseconds. */
#include "tests/sim/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/oracle.h"

enum { TEXT_BYTES = 96 };

enum fate { FATE_NONE, FATE_FLIES, FATE_ARRIVED, FATE_LOST };

struct message {
	uint64_t number;
	uint64_t sent, arrived, again; /* again: a copy; 0: none */
	int from, to;
	enum fate fate;
	char text[TEXT_BYTES];
};

static struct {
	struct page_window window;
	struct message ring[PAGE_MESSAGES];
	uint64_t dropped; /* overwritten */
	FILE *events, *roles;
	char *events_text, *roles_text;
	size_t events_size, roles_size;
	char nodes[SIM_NODES_MAX][16];
	unsigned node_count;
} page;

/* page.html, linked in as it is. */
extern const char _binary_tests_sim_page_html_start[];
extern const char _binary_tests_sim_page_html_end[];

void page_begin(const struct page_window *window)
{
	memset(&page, 0, sizeof page);
	page.window = *window;
	page.events = open_memstream(&page.events_text, &page.events_size);
	page.roles = open_memstream(&page.roles_text, &page.roles_size);
	CHECK(page.events != NULL && page.roles != NULL);
}

/* In quotes, and harmless within a script element. */
static void put_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			fprintf(out, "\\%c", c);
		} else if (c < 0x20 || c == '<' || c == '>' || c >= 0x7f) {
			fprintf(out, "\\u%04x", c);
		} else {
			fputc(c, out);
		}
	}
	fputc('"', out);
}

/* --- Gathering --------------------------------------------------------------
 */

static void note_nodes(void)
{
	page.node_count = sim_nodes();
	for (unsigned i = 0; i < page.node_count; i++) {
		snprintf(page.nodes[i], sizeof page.nodes[i], "%s",
			 sim_name((int)i));
	}
}

static void note_sent(const struct sim_event *e)
{
	struct message *m = &page.ring[e->number % PAGE_MESSAGES];

	if (e->time_ns < page.window.from_ns ||
	    e->time_ns > page.window.to_ns) {
		return;
	}
	page.dropped += m->fate != FATE_NONE;
	*m = (struct message){.number = e->number,
			      .sent = e->time_ns / 1000,
			      .from = e->node,
			      .to = e->other,
			      .fate = FATE_FLIES};
	snprintf(m->text, sizeof m->text, "%.95s", e->text);
}

static void note_fate(const struct sim_event *e)
{
	struct message *m = &page.ring[e->number % PAGE_MESSAGES];

	if (m->fate == FATE_NONE || m->number != e->number) {
		return;
	}
	if (m->fate == FATE_ARRIVED) {
		m->again = e->time_ns / 1000;
		return;
	}
	m->arrived = e->time_ns / 1000;
	m->fate = e->kind == SIM_EV_LOST ? FATE_LOST : FATE_ARRIVED;
}

void page_event(const struct sim_event *e)
{
	static const char *const kinds[] = {
		[SIM_EV_LOG] = "log",	    [SIM_EV_LINK] = "link",
		[SIM_EV_CUT] = "cut",	    [SIM_EV_DISK] = "disk",
		[SIM_EV_LIFE] = "life",	    [SIM_EV_CLOCK] = "clock",
		[SIM_EV_PHASE] = "phase",   [SIM_EV_CLIENT] = "client",
		[SIM_EV_FAILED] = "failed",
	};

	switch (e->kind) {
	case SIM_EV_SENT:
		note_sent(e);
		return;
	case SIM_EV_ARRIVED:
	case SIM_EV_LOST:
		note_fate(e);
		return;
	case SIM_EV_DUPLICATED:
		return;
	default:
		break;
	}
	if (page.node_count == 0) {
		note_nodes();
	}
	fprintf(page.events, ",\n[%lu,%d,%d,\"%s\",",
		(unsigned long)(e->time_ns / 1000), e->node, e->other,
		kinds[e->kind]);
	put_text(page.events, e->text);
	fputc(']', page.events);
}

void page_role(int node, const struct raft_act *act)
{
	int leader = -1;

	for (int n = 0; n < (int)sim_nodes(); n++) {
		if (act->role.leader != 0 && sim_id(n) == act->role.leader) {
			leader = n;
		}
	}
	fprintf(page.roles, ",\n[%lu,%d,%d,%lu,%d,",
		(unsigned long)(sim_now() / 1000), node, act->role.role,
		(unsigned long)act->role.term, leader);
	put_text(page.roles, raft_reason_text(act->role.reason));
	fputc(']', page.roles);
}

/* --- Writing ----------------------------------------------------------------
 */

static int by_sent(const void *a, const void *b)
{
	const struct message *x = a;
	const struct message *y = b;

	if (x->sent != y->sent) {
		return x->sent < y->sent ? -1 : 1;
	}
	return (x->number > y->number) - (x->number < y->number);
}

static void write_messages(FILE *out)
{
	qsort(page.ring, PAGE_MESSAGES, sizeof page.ring[0], by_sent);
	fputs("\"messages\":[null", out);
	for (size_t i = 0; i < PAGE_MESSAGES; i++) {
		const struct message *m = &page.ring[i];

		if (m->fate == FATE_NONE) {
			continue;
		}
		fprintf(out, ",\n[%lu,%lu,%lu,%d,%d,%d,",
			(unsigned long)m->sent, (unsigned long)m->arrived,
			(unsigned long)m->again, m->from, m->to, m->fate);
		put_text(out, m->text);
		fputc(']', out);
	}
	fputs("],\n", out);
}

static void write_counts(FILE *out, const struct sim_result *result)
{
	fputs("\"counts\":[null", out);
	for (unsigned i = 0; i < SIM_COUNTS; i++) {
		fprintf(out, ",[");
		put_text(out, sim_count_name((enum sim_count)i));
		fprintf(out, ",%lu]", (unsigned long)result->counts[i]);
	}
	for (unsigned i = 0; i < ORACLE_COUNTS; i++) {
		fprintf(out, ",[");
		put_text(out, oracle_count_name((enum oracle_count)i));
		fprintf(out, ",%lu]",
			(unsigned long)oracle_counted((enum oracle_count)i));
	}
	fputs("]", out);
}

static void write_data(FILE *out, const struct sim_options *options,
		       const struct sim_result *result)
{
	fprintf(out, "{\"seed\":\"%lu\",\"hash\":\"%016lx\",\"end\":%lu,",
		(unsigned long)options->seed, (unsigned long)result->hash,
		(unsigned long)(result->virtual_ns / 1000));
	fprintf(out, "\"failed\":%s,\"failure\":",
		result->failed ? "true" : "false");
	put_text(out, result->failure);
	fprintf(out, ",\"dropped\":%lu,\"nodes\":[",
		(unsigned long)page.dropped);
	for (unsigned i = 0; i < page.node_count; i++) {
		fputs(i > 0 ? "," : "", out);
		put_text(out, page.nodes[i]);
	}
	fprintf(out, "],\n\"events\":[null%s],\n\"roles\":[null%s],\n",
		page.events_text, page.roles_text);
	write_messages(out);
	write_counts(out, result);
	fputs("}", out);
}

bool page_write(const char *path, const struct sim_options *options,
		const struct sim_result *result)
{
	static const char mark[] = "@DATA@";
	const char *start = _binary_tests_sim_page_html_start;
	const char *end = _binary_tests_sim_page_html_end;
	const char *at =
		memmem(start, (size_t)(end - start), mark, sizeof mark - 1);
	FILE *out = fopen(path, "w");
	bool good;

	CHECK(at != NULL);
	if (out == NULL) {
		return false;
	}
	fclose(page.events);
	fclose(page.roles);
	fwrite(start, 1, (size_t)(at - start), out);
	write_data(out, options, result);
	at += sizeof mark - 1;
	fwrite(at, 1, (size_t)(end - at), out);
	free(page.events_text);
	free(page.roles_text);
	good = !ferror(out);
	return fclose(out) == 0 && good;
}
