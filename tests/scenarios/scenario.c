/* SPDX-License-Identifier: Apache-2.0 */
/* scenario.c - plays a text script on a small world of cores and compares
 * what happens with what the script says; GOLDEN=write rewrites the script.
 *
 * A script is made of blocks: lines of comments (#) and commands, "----", the
 * expected lines, a blank line. Nodes are A, B, ... Each has a clock of its
 * own. Commands:
 *
 *   cluster 3 [learners=1] [others=1] [entries=8] [inflight=4]
 * [uncommitted=9999] boot A [term=2] [vote=B] [log=1,1,2] [commit=1]   restart
 * with this disk crash A; start A [fresh]     what is not saved is lost lose A
 * a crash, and all but term and vote is lost timeout
 * A                    its clock goes to its deadline wait A 600; pass 600 time
 * for one, for all deliver [A->B] [#2]          all there is, of one link, only
 * the 2nd drop A->B [#2]; copy A->B [#2] cut A B; cut A->B; heal      messages
 * sent are lost manual A; save A [2]; auto A who completes saves and loads snap
 * A->B [drop|copy]        a snapshot on its way arrives, is lost load A [crash]
 * what A is to load, right before a crash propose A 2 [100]            entries,
 * bytes of each change A voters=AB [outgoing=BC] [learners=D]; leave A a
 * configuration; out of the joint one transfer A [B]               hand over
 *   read A [lease]; link A B up|down; applied A; compact A 5
 *   status; log; members; messages
 *   quietly COMMAND              without the messages
 *   elect A                      quietly timeout A and deliver */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/lib/world.h"
#include "tests/scenarios/tell.h"
#include "tests/scenarios/words.h"

enum { DELIVERIES_MAX = 20000 };

/* --- Commands
 * ---------------------------------------------------------------------- */

static void cmd_cluster(struct stage *s, const struct words *words)
{
	struct raft_config config = {
		.heartbeat_ms = 100,
		.election_ms = 600,
		.lease_ms = 500,
		.disk_stall_ms = 3000,
		.message_bytes = 1 << 20,
		.inflight_bytes = 1 << 22,
	};
	uint32_t count = (uint32_t)number_of(s, words->word[1], 3);
	uint32_t learners =
		(uint32_t)number_of(s, option(words, "learners"), 0);
	uint32_t others = (uint32_t)number_of(s, option(words, "others"), 0);
	struct raft_members members = {0};
	raft_id id;

	config.message_entries =
		(uint32_t)number_of(s, option(words, "entries"), 8);
	config.inflight_messages =
		(uint32_t)number_of(s, option(words, "inflight"), 4);
	config.uncommitted_bytes =
		number_of(s, option(words, "uncommitted"), 1 << 22);
	if (s->w != NULL)
		world_free(s->w);
	s->w = world_new(count, &config, 1);
	s->w->watch.context = s;
	s->w->watch.event = tell_event;
	s->w->watch.act = tell_act;
	memset(s->manual, 0, sizeof(s->manual));
	for (id = 1; id <= count - others; id++) {
		if (id <= count - others - learners)
			members.voters[members.voter_count++] = id;
		else
			members.learners[members.learner_count++] = id;
	}
	if (learners + others > 0)
		world_found(s->w, &members);
}

static void cmd_boot(struct stage *s, const struct words *words)
{
	raft_id id = node_of(s, words->word[1]);
	struct world_node *n = &s->w->node[id];
	const char *log = option(words, "log");
	const char *vote = option(words, "vote");
	const char *voters = option(words, "voters");

	world_crash(s->w, id);
	n->disk.hard.term = number_of(s, option(words, "term"), 0);
	n->disk.hard.vote = vote != NULL ? node_of(s, vote) : 0;
	n->disk.commit = number_of(s, option(words, "commit"), 0);
	n->disk.last = 0;
	while (log != NULL && *log != '\0') {
		struct world_entry *e = &n->disk.entry[++n->disk.last];
		char *end;

		e->term = strtoull(log, &end, 10);
		e->value = e->term * 1000 + n->disk.last;
		log = *end == ',' ? end + 1 : end;
	}
	for (; s->w->committed < n->disk.commit; s->w->committed++)
		s->w->entry[s->w->committed + 1] =
			n->disk.entry[s->w->committed + 1];
	if (voters != NULL) { /* the rest are learners */
		struct raft_members *m = &n->disk.base_change.members;
		raft_id peer;

		m->voter_count = 0;
		m->learner_count = 0;
		for (peer = 1; peer <= s->w->node_count; peer++) {
			if (strchr(voters, letter(peer)) != NULL)
				m->voters[m->voter_count++] = peer;
			else
				m->learners[m->learner_count++] = peer;
		}
	}
	world_start(s->w, id, true);
}

static void cmd_start(struct stage *s, const struct words *words)
{
	world_start(s->w, node_of(s, words->word[1]), words->word[2] != NULL);
}

static void cmd_crash(struct stage *s, const struct words *words)
{
	world_crash(s->w, node_of(s, words->word[1]));
}

static void cmd_lose(struct stage *s, const struct words *words)
{
	world_lose(s->w, node_of(s, words->word[1]));
}

static void clock_step(struct stage *s, raft_id id)
{
	world_step(s->w, id, (struct raft_event){.kind = RAFT_EV_CLOCK});
	CHECK(raft_deadline(s->w->node[id].core) > s->w->node[id].now);
}

static void cmd_timeout(struct stage *s, const struct words *words)
{
	raft_id id = node_of(s, words->word[1]);
	struct world_node *n = &s->w->node[id];
	raft_ms due = raft_deadline(n->core);

	if (due == UINT64_MAX) {
		fprintf(s->out, "%c waits for nothing\n", letter(id));
		return;
	}
	if (n->now < due)
		n->now = due;
	clock_step(s, id);
}

static void let_pass(struct stage *s, raft_id id, raft_ms ms)
{
	struct world_node *n = &s->w->node[id];
	raft_ms end = n->now + ms;

	while (n->up && raft_deadline(n->core) <= end) {
		if (n->now < raft_deadline(n->core))
			n->now = raft_deadline(n->core);
		clock_step(s, id);
	}
	n->now = end;
}

static void cmd_wait(struct stage *s, const struct words *words)
{
	let_pass(s, node_of(s, words->word[1]),
		 number_of(s, words->word[2], 0));
}

static void cmd_pass(struct stage *s, const struct words *words)
{
	raft_id id;

	for (id = 1; id <= s->w->node_count; id++)
		let_pass(s, id, number_of(s, words->word[1], 0));
}

static bool disk_works(struct stage *s, raft_id id)
{
	if (s->manual[id])
		return false;
	if (s->w->node[id].load_due) {
		world_load(s->w, id, false);
		return true;
	}
	return world_save(s->w, id);
}

static void auto_saves(struct stage *s)
{
	bool busy = s->w != NULL;

	while (busy) {
		raft_id id;

		busy = false;
		for (id = 1; id <= s->w->node_count; id++)
			busy |= disk_works(s, id);
	}
}

/* The nth message of a link, or NULL. */
static struct world_message **find(struct stage *s, raft_id from, raft_id to,
				   uint64_t nth)
{
	struct world_message **at = &s->w->messages;

	for (; *at != NULL; at = &(*at)->next) {
		if (from != 0 &&
		    ((*at)->msg.from != from || (*at)->msg.to != to))
			continue;
		if (--nth == 0)
			return at;
	}
	return NULL;
}

static void deliver_at(struct stage *s, struct world_message **at)
{
	struct world_message *m = *at;

	world_take(s->w, at);
	world_deliver(s->w, m);
	auto_saves(s);
}

static void on_link_messages(struct stage *s, const struct words *words)
{
	bool deliver = strcmp(words->word[0], "deliver") == 0;
	bool copy = strcmp(words->word[0], "copy") == 0;
	const char *nth = words->count > 2 ? words->word[2] : NULL;
	raft_id from = 0, to = 0;
	struct world_message **at;
	uint64_t count = 0, n;

	if (words->count > 1 && !link_of(s, words->word[1], &from, &to)) {
		s->error = "not a link";
		return;
	}
	if (nth == NULL && from != 0) { /* what is there now */
		while (find(s, from, to, count + 1) != NULL)
			count++;
	} else {
		count = nth != NULL ? 1 : DELIVERIES_MAX;
	}
	for (n = 0; n < count; n++) {
		at = find(s, from, to,
			  nth != NULL ? number_of(s, nth + 1, 1) : 1);
		if (at == NULL) {
			if (nth != NULL)
				s->error = "no such message";
			return;
		}
		if (deliver) {
			deliver_at(s, at);
		} else if (copy) {
			world_copy(s->w, *at);
		} else {
			struct world_message *m = *at;

			world_take(s->w, at);
			world_message_free(m);
		}
	}
}

static void cmd_cut(struct stage *s, const struct words *words)
{
	raft_id a, b;

	if (link_of(s, words->word[1], &a, &b)) {
		s->w->cut[a][b] = true;
		return;
	}
	a = node_of(s, words->word[1]);
	b = node_of(s, words->word[2]);
	s->w->cut[a][b] = s->w->cut[b][a] = true;
}

static void cmd_heal(struct stage *s, const struct words *words)
{
	(void)words;
	memset(s->w->cut, 0, sizeof(s->w->cut));
}

static void cmd_manual(struct stage *s, const struct words *words)
{
	s->manual[node_of(s, words->word[1])] = true;
}

static void cmd_auto(struct stage *s, const struct words *words)
{
	s->manual[node_of(s, words->word[1])] = false;
}

static void cmd_save(struct stage *s, const struct words *words)
{
	raft_id id = node_of(s, words->word[1]);
	uint64_t count = number_of(s, words->word[2], 1);

	while (count-- > 0) {
		if (!world_save(s->w, id))
			s->error = "nothing to save";
	}
}

static void cmd_propose(struct stage *s, const struct words *words)
{
	tell_refusal(s, world_propose(s->w, node_of(s, words->word[1]),
				      number_of(s, words->word[2], 1),
				      (uint32_t)number_of(
					      s,
					      words->count > 3 ? words->word[3]
							       : NULL,
					      10)));
}

static void cmd_read(struct stage *s, const struct words *words)
{
	uint64_t ticket;

	tell_refusal(s, world_read(s->w, node_of(s, words->word[1]),
				   words->count > 2, &ticket));
}

static void cmd_link(struct stage *s, const struct words *words)
{
	struct raft_event ev = {.kind = RAFT_EV_LINK};

	ev.link.peer = node_of(s, words->word[2]);
	ev.link.up = words->count > 3 && strcmp(words->word[3], "up") == 0;
	world_step(s->w, node_of(s, words->word[1]), ev);
}

static void cmd_applied(struct stage *s, const struct words *words)
{
	world_apply_report(s->w, node_of(s, words->word[1]));
}

static void cmd_compact(struct stage *s, const struct words *words)
{
	world_compact(s->w, node_of(s, words->word[1]),
		      number_of(s, words->word[2], 1));
}

static void cmd_status(struct stage *s, const struct words *words)
{
	raft_id id;

	for (id = 1; id <= s->w->node_count; id++) {
		if (words->count == 1 || node_of(s, words->word[1]) == id)
			tell_status(s, &s->w->node[id]);
	}
}

static void cmd_log(struct stage *s, const struct words *words)
{
	raft_id id;

	for (id = 1; id <= s->w->node_count; id++) {
		if (words->count == 1 || node_of(s, words->word[1]) == id)
			tell_log(s, &s->w->node[id]);
	}
}

static void cmd_messages(struct stage *s, const struct words *words)
{
	const struct world_message *m;
	(void)words;

	for (m = s->w->messages; m != NULL; m = m->next) {
		fprintf(s->out, "%c -> %c ", letter(m->msg.from),
			letter(m->msg.to));
		tell_message(s->out, &m->msg);
	}
}

static void cmd_elect(struct stage *s, const struct words *words)
{
	static char deliver[] = "deliver";
	struct words all = {.count = 1, .word = {deliver}};

	s->quiet = true;
	cmd_timeout(s, words);
	auto_saves(s);
	on_link_messages(s, &all);
}

static const struct command {
	const char *name;
	void (*run)(struct stage *s, const struct words *words);
} commands[] = {
	{"applied", cmd_applied},   {"auto", cmd_auto},
	{"boot", cmd_boot},	    {"change", cmd_change},
	{"cluster", cmd_cluster},   {"compact", cmd_compact},
	{"copy", on_link_messages}, {"crash", cmd_crash},
	{"cut", cmd_cut},	    {"deliver", on_link_messages},
	{"drop", on_link_messages}, {"elect", cmd_elect},
	{"heal", cmd_heal},	    {"leave", cmd_leave},
	{"link", cmd_link},	    {"load", cmd_load},
	{"log", cmd_log},	    {"lose", cmd_lose},
	{"manual", cmd_manual},	    {"members", cmd_members},
	{"messages", cmd_messages}, {"pass", cmd_pass},
	{"propose", cmd_propose},   {"read", cmd_read},
	{"save", cmd_save},	    {"snap", cmd_snap},
	{"start", cmd_start},	    {"status", cmd_status},
	{"timeout", cmd_timeout},   {"transfer", cmd_transfer},
	{"wait", cmd_wait},
};

static void run_words(struct stage *s, struct words *words)
{
	size_t i;

	s->quiet = strcmp(words->word[0], "quietly") == 0 && words->count > 1;
	if (s->quiet)
		memmove(&words->word[0], &words->word[1],
			--words->count * sizeof(words->word[0]));
	words->word[words->count] = NULL;
	if (s->w == NULL && strcmp(words->word[0], "cluster") != 0) {
		s->error = "no cluster yet";
		return;
	}
	for (i = 0; i < COUNT_OF(commands); i++) {
		if (strcmp(commands[i].name, words->word[0]) != 0)
			continue;
		commands[i].run(s, words);
		auto_saves(s);
		if (s->w != NULL)
			world_check_logs(s->w);
		return;
	}
	s->error = "no such command";
}

static void run_line(struct stage *s, const char *line)
{
	char *copy = mem_strdup(line), *rest = copy, *word;
	struct words words = {0};

	while ((word = strtok_r(rest, " \t", &rest)) != NULL &&
	       words.count < WORDS_MAX - 1)
		words.word[words.count++] = word;
	if (words.count > 0 && words.word[0][0] != '#') {
		run_words(s, &words);
		if (s->error != NULL)
			fprintf(s->out, "error: %s: %s\n", line, s->error);
		s->error = NULL;
	}
	mem_free(copy);
}

/* --- Scripts
 * ------------------------------------------------------------------------ */

struct text {
	char *bytes;
	size_t size;
	FILE *file;
};

static void text_open(struct text *t)
{
	t->file = open_memstream(&t->bytes, &t->size);
	CHECK(t->file != NULL);
}

static void text_close(struct text *t)
{
	(void)fclose(t->file);
}

static void end_block(struct text *result, struct text *block, bool open)
{
	text_close(block);
	if (open)
		fprintf(result->file, "----\n%s", block->bytes);
	free(block->bytes);
	text_open(block);
}

/* Play the script: its commands, with what it should say after each block. */
static void play(FILE *script, struct text *result)
{
	struct text block;
	struct stage s = {0};
	char line[512];
	bool expected = false;

	text_open(&block);
	while (fgets(line, sizeof(line), script) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "----") == 0) {
			end_block(result, &block, true);
			expected = true;
		} else if (line[0] == '\0') {
			fprintf(result->file, "\n");
			expected = false;
		} else if (!expected) {
			fprintf(result->file, "%s\n", line);
			s.out = block.file;
			run_line(&s, line);
		}
	}
	end_block(result, &block, false);
	text_close(&block);
	free(block.bytes);
	if (s.w != NULL)
		world_free(s.w);
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	struct text t;
	int c;

	if (file == NULL)
		return NULL;
	text_open(&t);
	while ((c = getc(file)) != EOF)
		putc(c, t.file);
	text_close(&t);
	(void)fclose(file);
	return t.bytes;
}

/* Print the first line that differs. */
static void tell_difference(const char *path, const char *is, const char *want)
{
	size_t line = 1, start = 0, i = 0;

	while (is[i] != '\0' && is[i] == want[i]) {
		if (is[i++] == '\n') {
			line++;
			start = i;
		}
	}
	printf("%s:%zu:\n  said     %.*s\n  expected %.*s\n", path, line,
	       (int)strcspn(is + start, "\n"), is + start,
	       (int)strcspn(want + start, "\n"), want + start);
}

int main(int argc, char **argv)
{
	const char *golden = getenv("GOLDEN");
	bool rewrite = golden != NULL && strcmp(golden, "write") == 0;
	struct text result;
	FILE *script;
	char *want;
	int rc = 0;

	if (argc != 2 || (want = read_whole(argv[1])) == NULL) {
		fprintf(stderr, "usage: scenario FILE\n");
		return 2;
	}
	script = fmemopen(want, strlen(want), "r");
	CHECK(script != NULL);
	text_open(&result);
	play(script, &result);
	text_close(&result);
	(void)fclose(script);

	if (rewrite) {
		script = fopen(argv[1], "w");
		CHECK(script != NULL);
		fputs(result.bytes, script);
		(void)fclose(script);
	} else if (strcmp(result.bytes, want) != 0) {
		tell_difference(argv[1], result.bytes, want);
		rc = 1;
	}
	free(result.bytes);
	free(want);
	return rc;
}
