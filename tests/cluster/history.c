/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - one writer of the cluster test, and the record of what it saw.
 *
 *   history setup FOLDER WRITERS            make the files of a round
 *   history write FOLDER WRITER WRITERS NODE SEED SECONDS LEAST KEPT
 *       for SECONDS, and on until LEAST changes are acknowledged, for 20 s
 *       more at most; KEPT/w<WRITER> is there as soon as it is whole
 *   history watch STATUS NODE WRITERS KEPT
 *       print when NODE was cut off, as lines "NODE FROM UNTIL", until all
 *       the writers have ended
 *
 * A round's folder holds
 *   reg/s0 s1 s2, reg/o<w>  registers: whole values, overwritten or replaced
 *   log/s0 s1, log/o<w>     files that are only appended to
 *   d0 ... d3/t<w>          a file of writer w that moves about
 *   claim/                  names that several writers race for
 *   tmp/                    where replacements are written
 * s: shared by all writers; o<w>: written by w alone, read by all.
 *
 * Every operation becomes a line of w<WRITER> with the times of its call and
 * its return. What a writer may believe: success is acknowledged; EROFS and
 * ENOTCONN mean "certainly not"; every other error leaves the outcome open. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster/token.h"

enum { REGISTERS = 3, LOGS = 2, PLACES = 4, TAIL_BYTES_MAX = 4 << 20 };
enum { PATH_BYTES_MAX = 4096 };

/* A busy machine lets few changes through in a round's time. */
static const int64_t late_ns_max = 20000000000;

struct writer {
	const char *folder;
	unsigned id, writers, node;
	uint64_t random;
	unsigned number;  /* of the last token */
	int place;	  /* of the file that moves, as far as known */
	int dir;	  /* the round's folder, open for one operation */
	int64_t end_ns;	  /* of the round */
	unsigned least;	  /* changes that are to be acknowledged */
	unsigned changes; /* that were */
	FILE *out;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned below(struct writer *w, unsigned limit)
{
	w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(w->random >> 33) % limit;
}

static struct token next_token(struct writer *w)
{
	return (struct token){.writer = w->id, .number = ++w->number};
}

static void rest_ms(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000,
			     .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static enum outcome outcome_of(int error)
{
	switch (error) {
	case 0:
		return OUTCOME_OK;
	case EROFS:
	case ENOTCONN:
		return OUTCOME_NO;
	case ENOENT:
		return OUTCOME_MISSING;
	case EEXIST:
		return OUTCOME_EXISTS;
	default:
		return OUTCOME_UNKNOWN;
	}
}

/* One write(2) of a token's text. A short one is an error of ours. */
static int put(int fd, struct token token)
{
	char text[TOKEN_BYTES_MAX];
	size_t size = token_text(token, text);
	ssize_t rc = write(fd, text, size);

	if (rc < 0)
		return errno;
	return (size_t)rc == size ? 0 : EIO;
}

/* Open, put, close; *write_ns: see struct event. */
static int store(struct writer *w, const char *file, int flags,
		 struct token token, int64_t *write_ns)
{
	int fd = openat(w->dir, file, O_WRONLY | flags, 0644), rc;

	if (fd < 0)
		return errno;
	*write_ns = now_ns();
	rc = put(fd, token);
	if (close(fd) != 0 && rc == 0)
		rc = errno;
	return rc;
}

static void register_name(struct writer *w, struct event *e, const char *kind,
			  unsigned shared, bool own)
{
	unsigned pick = below(w, shared + 1);

	if (pick < shared)
		snprintf(e->file, sizeof e->file, "%s/s%u", kind, pick);
	else
		snprintf(e->file, sizeof e->file, "%s/o%u", kind,
			 own ? w->id : 1 + below(w, w->writers));
}

static void do_overwrite(struct writer *w, struct event *e)
{
	register_name(w, e, "reg", REGISTERS, true);
	e->token = next_token(w);
	e->call_ns = now_ns();
	e->error = store(w, e->file, O_TRUNC, e->token, &e->write_ns);
}

static void do_replace(struct writer *w, struct event *e)
{
	char tmp[NAME_BYTES_MAX];
	int64_t write_ns;

	register_name(w, e, "reg", REGISTERS, true);
	e->token = next_token(w);
	e->call_ns = now_ns();
	snprintf(tmp, sizeof tmp, "tmp/%u.%u", w->id, w->number);
	e->error = store(w, tmp, O_CREAT | O_EXCL, e->token, &write_ns);
	if (e->error != 0) {
		e->outcome = OUTCOME_NO; /* nothing was renamed */
		return;
	}
	if (renameat(w->dir, tmp, w->dir, e->file) != 0)
		e->error = errno;
}

/* once: by one read(2), which is atomic; what two of them return may be of
 * two values, on every filesystem. */
static ssize_t slurp(int dir, const char *file, char *out, size_t size,
		     bool once)
{
	int fd = openat(dir, file, O_RDONLY), saved;
	ssize_t rc = 0, total = 0;

	if (fd < 0)
		return -1;
	while ((size_t)total < size &&
	       (rc = read(fd, out + total, size - (size_t)total)) > 0) {
		total += rc;
		if (once)
			break;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return rc < 0 ? -1 : total;
}

static void do_read(struct writer *w, struct event *e)
{
	char text[TOKEN_BYTES_MAX];
	ssize_t size;
	size_t used;

	register_name(w, e, "reg", REGISTERS, false);
	e->call_ns = now_ns();
	size = slurp(w->dir, e->file, text, sizeof text, true);
	e->return_ns = now_ns();
	if (size < 0)
		e->error = errno;
	else if (size == 0)
		e->outcome = OUTCOME_EMPTY;
	else if (!token_parse(text, (size_t)size, &e->token, &used) ||
		 used != (size_t)size) {
		e->outcome = OUTCOME_TORN;
		fprintf(stderr, "writer %u: %s holds: %.*s", w->id, e->file,
			(int)size, text);
	}
}

static void do_append(struct writer *w, struct event *e)
{
	register_name(w, e, "log", LOGS, true);
	e->token = next_token(w);
	e->call_ns = now_ns();
	e->error = store(w, e->file, O_APPEND, e->token, &e->write_ns);
}

static void do_tail(struct writer *w, struct event *e)
{
	static char text[TAIL_BYTES_MAX];
	ssize_t size;

	register_name(w, e, "log", LOGS, false);
	e->call_ns = now_ns();
	size = slurp(w->dir, e->file, text, sizeof text, false);
	e->return_ns = now_ns();
	if (size < 0) {
		e->error = errno;
		return;
	}
	e->token = (struct token){.writer = w->id, .number = (unsigned)size};
	e->hash = hash_bytes(0, text, (size_t)size);
	if (size > 0 && text[size - 1] != '\n')
		e->outcome = OUTCOME_TORN;
}

/* Where the writer's own file is, or -1. */
static int find_place(struct writer *w)
{
	char name[NAME_BYTES_MAX];
	struct stat st;

	for (int i = 0; i < PLACES; i++) {
		snprintf(name, sizeof name, "d%d/t%u", i, w->id);
		if (fstatat(w->dir, name, &st, 0) == 0)
			return i;
	}
	return -1;
}

static void do_move(struct writer *w, struct event *e)
{
	int to;

	if (w->place < 0)
		w->place = find_place(w);
	if (w->place < 0)
		w->place = 0; /* asked while the mount was away */
	to = (w->place + 1 + (int)below(w, PLACES - 1)) % PLACES;
	snprintf(e->file, sizeof e->file, "d%d/t%u", w->place, w->id);
	snprintf(e->to, sizeof e->to, "d%d/t%u", to, w->id);
	e->call_ns = now_ns();
	if (renameat(w->dir, e->file, w->dir, e->to) != 0)
		e->error = errno;
	w->place = e->error == 0 ? to : -1;
}

/* Each name is tried by every writer at about the same time. */
static void do_claim(struct writer *w, struct event *e, bool folder)
{
	static unsigned count;
	int fd;

	snprintf(e->file, sizeof e->file, "claim/%c%u", folder ? 'd' : 'f',
		 count++);
	e->call_ns = now_ns();
	if (folder) {
		if (mkdirat(w->dir, e->file, 0755) != 0)
			e->error = errno;
		return;
	}
	fd = openat(w->dir, e->file, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		e->error = errno;
	else
		close(fd);
}

static enum action choose(struct writer *w)
{
	static const unsigned char shares[] = {
		[ACTION_OVERWRITE] = 26, [ACTION_REPLACE] = 10,
		[ACTION_READ] = 26,	 [ACTION_APPEND] = 20,
		[ACTION_TAIL] = 4,	 [ACTION_MOVE] = 8,
		[ACTION_CLAIM] = 3,	 [ACTION_MKDIR] = 3,
	};
	unsigned pick = below(w, 100);
	unsigned action = ACTION_OVERWRITE;

	while (action < ACTION_MKDIR && pick >= shares[action])
		pick -= shares[action++];
	return (enum action)action;
}

static void run_one(struct writer *w, struct event *e)
{
	*e = (struct event){.writer = w->id, .node = w->node};
	e->action = choose(w);
	switch (e->action) {
	case ACTION_OVERWRITE:
		do_overwrite(w, e);
		break;
	case ACTION_REPLACE:
		do_replace(w, e);
		break;
	case ACTION_READ:
		do_read(w, e);
		break;
	case ACTION_APPEND:
		do_append(w, e);
		break;
	case ACTION_TAIL:
		do_tail(w, e);
		break;
	case ACTION_MOVE:
		do_move(w, e);
		break;
	case ACTION_CLAIM:
	case ACTION_MKDIR:
		do_claim(w, e, e->action == ACTION_MKDIR);
		break;
	}
	if (e->return_ns == 0)
		e->return_ns = now_ns();
	if (e->outcome == 0)
		e->outcome = outcome_of(e->error);
	if (e->outcome == OUTCOME_OK && e->action != ACTION_READ &&
	    e->action != ACTION_TAIL)
		w->changes++;
	event_print(w->out, e);
}

static bool goes_on(const struct writer *w)
{
	int64_t late_ns = now_ns() - w->end_ns;

	return late_ns < 0 || (w->changes < w->least && late_ns < late_ns_max);
}

/* While the mount is away (its daemon killed), its folder is not there: wait
 * for it, within the round. */
static bool enter(struct writer *w)
{
	while (goes_on(w)) {
		w->dir = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (w->dir >= 0)
			return true;
		rest_ms(20);
	}
	return false;
}

static void write_round(struct writer *w, double seconds)
{
	struct event e;

	w->end_ns = now_ns() + (int64_t)(seconds * 1e9);
	while (enter(w)) {
		run_one(w, &e);
		close(w->dir);
		rest_ms(e.outcome == OUTCOME_NO ? 20 : below(w, 6));
	}
}

/* Only when it is whole its file is there. */
static void write_file(struct writer *w, double seconds, const char *kept)
{
	char part[PATH_BYTES_MAX], whole[PATH_BYTES_MAX];

	snprintf(part, sizeof part, "%s/part%u", kept, w->id);
	snprintf(whole, sizeof whole, "%s/w%u", kept, w->id);
	w->out = fopen(part, "w");
	if (w->out == NULL)
		die(part);
	write_round(w, seconds);
	if (fclose(w->out) != 0 || rename(part, whole) != 0)
		die(whole);
}

static void make(int dir, const char *file, struct token token, bool filled)
{
	int fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (fd < 0 || (filled && put(fd, token) != 0) || close(fd) != 0)
		die(file);
}

static void setup(const char *folder, unsigned writers)
{
	static const char *const folders[] = {"reg", "log", "d0",    "d1",
					      "d2",  "d3",  "claim", "tmp"};
	struct token token = {.writer = 0, .number = 1};
	char name[NAME_BYTES_MAX];
	int dir;

	if (mkdir(folder, 0755) != 0 ||
	    (dir = open(folder, O_RDONLY | O_DIRECTORY)) < 0)
		die(folder);
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (mkdirat(dir, folders[i], 0755) != 0)
			die(folders[i]);
	for (int i = 0; i < REGISTERS; i++) {
		snprintf(name, sizeof name, "reg/s%d", i);
		make(dir, name, token, true);
	}
	for (int i = 0; i < LOGS; i++) {
		snprintf(name, sizeof name, "log/s%d", i);
		make(dir, name, token, false);
	}
	for (unsigned w = 1; w <= writers; w++) {
		snprintf(name, sizeof name, "reg/o%u", w);
		make(dir, name, token, true);
		snprintf(name, sizeof name, "log/o%u", w);
		make(dir, name, token, false);
		snprintf(name, sizeof name, "d0/t%u", w);
		make(dir, name, (struct token){.writer = w}, true);
	}
	close(dir);
}

/* Does the status file say that fresh reads are fresh? */
static bool is_fresh(const char *status)
{
	char text[8192];
	ssize_t size = slurp(AT_FDCWD, status, text, sizeof text - 1, false);

	if (size <= 0)
		return false;
	text[size] = '\0';
	return strstr(text, "cut off") == NULL;
}

/* Have the writers from *next on ended? *next is the first who has not. */
static bool have_ended(const char *kept, unsigned writers, unsigned *next)
{
	char path[PATH_BYTES_MAX];

	for (; *next <= writers; ++*next) {
		snprintf(path, sizeof path, "%s/w%u", kept, *next);
		if (access(path, F_OK) != 0)
			return false;
	}
	return true;
}

static void watch(const char *status, const char *node, unsigned writers,
		  const char *kept)
{
	const int64_t margin_ns = 50000000;
	int64_t fresh_ns = now_ns(), call_ns;
	bool fresh = true, is_last;
	unsigned next = 1;

	do {
		/* The last look comes after the last read. */
		is_last = have_ended(kept, writers, &next);
		call_ns = now_ns();
		if (!is_fresh(status)) {
			fresh = false;
		} else {
			if (!fresh)
				printf("%s %lld %lld\n", node,
				       (long long)(fresh_ns - margin_ns),
				       (long long)(now_ns() + margin_ns));
			fresh_ns = call_ns;
			fresh = true;
		}
		rest_ms(5);
	} while (!is_last);
	if (!fresh)
		printf("%s %lld %lld\n", node, (long long)fresh_ns,
		       (long long)now_ns());
}

int main(int argc, char **argv)
{
	struct writer w = {0};

	if (argc == 6 && strcmp(argv[1], "watch") == 0) {
		watch(argv[2], argv[3], (unsigned)atoi(argv[4]), argv[5]);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "setup") == 0) {
		setup(argv[2], (unsigned)atoi(argv[3]));
		return 0;
	}
	if (argc != 10 || strcmp(argv[1], "write") != 0) {
		fputs("usage: see the top of history.c\n", stderr);
		return 2;
	}
	w.folder = argv[2];
	w.id = (unsigned)atoi(argv[3]);
	w.writers = (unsigned)atoi(argv[4]);
	w.node = (unsigned)atoi(argv[5]);
	w.random = strtoull(argv[6], NULL, 10) * 1000003 + w.id;
	w.least = (unsigned)atoi(argv[8]);
	if (w.id == 0 || w.id >= WRITERS_MAX) {
		fputs("history: no such writer\n", stderr);
		return 2;
	}
	write_file(&w, atof(argv[7]), argv[9]);
	return 0;
}
