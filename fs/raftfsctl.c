/* SPDX-License-Identifier: Apache-2.0 */
/* raftfsctl - ask the daemon of this machine, with or without a mount.
 *
 * Exit codes: 0 done, 1 it did not work, 2 the command line makes no sense.
 * What is said on stderr is one line that names the command and its path. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fs/control/client.h"
#include "fs/control/command.h"
#include "fs/control/member.h"
#include "fs/control/names.h"
#include "fs/options_peer.h"
#include "fs/recover.h"

enum { EXIT_USAGE = 2 };

/* All that was printed is written, or it is no success. */
static int finish_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout)) {
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "raftfsctl: writing stdout: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

/* What is to be done, as the command line has it. */
struct task {
	char *socket;	  /* owned */
	const char *data; /* --data, or NULL */
	const struct command *command;
	const char *path;  /* NULL: the command takes none */
	const char *value; /* NULL or "-": stdin */
	bool json;
	bool nul;
	char **words; /* owned: what is left for the command, no options */
	size_t word_count;
	char *file; /* owned: the path, made absolute; or NULL */
};

static void print_usage(const char *name, const char *usage, const char *help)
{
	if (strlen(usage) <= 17) {
		printf("  %-9s%-18s%s\n", name, usage, help);
	} else {
		printf("  %-9s%s\n%29s%s\n", name, usage, "", help);
	}
}

static void print_command_help(const char *name, const char *usage,
			       const char *help)
{
	puts("usage: raftfsctl [--data DIR | --socket PATH | MOUNTPOINT]");
	print_usage(name, usage, help);
	puts("See raftfsctl(8).");
}

static void print_help(void)
{
	puts("usage: raftfsctl [--data DIR | --socket PATH | MOUNTPOINT] "
	     "COMMAND ...\n"
	     "Ask or change a raftfs node through its daemon's socket.\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct command *c = &command_table[i];

		print_usage(c->name, c->usage, c->help);
	}
	print_usage("recover", recover_usage, recover_help);
	puts("\n"
	     "  --data DIR      data folder of the daemon (/var/lib/raftfs;\n"
	     "                  ~/.local/state/raftfs for other users than "
	     "root)\n"
	     "  --socket PATH   its socket (DIR/control)\n"
	     "  MOUNTPOINT      ask the daemon that serves this mount\n"
	     "  -h, --help      this text\n"
	     "  -V, --version   the version");
}

NORETURN static void usage_error(const char *text, const char *word)
{
	fprintf(stderr, "raftfsctl: %s%s; see raftfsctl --help\n", text, word);
	exit(EXIT_USAGE);
}

/* --- Where the daemon is -----------------------------------------------------
 */

static char *default_socket(void)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (geteuid() == 0) {
		return mem_strdup("/var/lib/raftfs/control");
	}
	if (state && state[0] == '/') {
		return mem_printf("%s/raftfs/control", state);
	}
	if (home && home[0] == '/') {
		return mem_printf("%s/.local/state/raftfs/control", home);
	}
	usage_error("no HOME: give --data or --socket", "");
}

/* The daemon of a mount says where its socket is. */
static char *socket_of_mount(const char *mountpoint)
{
	char *name = mem_printf("%s/.raftfs/socket", mountpoint);
	char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(name, "re");
	ssize_t got = -1;

	if (file) {
		got = getline(&line, &size, file);
	}
	if (got <= 1) {
		fprintf(stderr, "raftfsctl: %s: not a raftfs mount: %s\n",
			mountpoint,
			file && !ferror(file) ? "it names no socket"
					      : strerror(errno));
		exit(EXIT_FAILURE);
	}
	line[got - 1] = '\0';
	fclose(file);
	mem_free(name);
	return line;
}

/* --- The command line --------------------------------------------------------
 */

static int parse_where(struct task *task, int argc, char **argv)
{
	static const struct option options[] = {
		{"data", required_argument, NULL, 'd'},
		{"socket", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		switch (option) {
		case 'd':
		case 's':
			mem_free(task->socket);
			task->socket = mem_printf(
				option == 'd' ? "%s/control" : "%s", optarg);
			task->data = option == 'd' ? optarg : NULL;
			break;
		case 'h':
			print_help();
			exit(finish_stdout());
		case 'V':
			puts("raftfsctl " RAFTFS_VERSION);
			exit(finish_stdout());
		default: /* getopt has said it */
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc && strcmp(argv[optind], "recover") == 0) {
		if (optind + 1 < argc &&
		    (strcmp(argv[optind + 1], "--help") == 0 ||
		     strcmp(argv[optind + 1], "-h") == 0)) {
			print_command_help("recover", recover_usage,
					   recover_help);
			exit(finish_stdout());
		}
		if (task->socket && !task->data) {
			usage_error("recover takes --data DIR, the folder of a "
				    "stopped node, and not --socket ",
				    task->socket);
		}
		return optind;
	}
	if (optind + 1 < argc && !command_find(argv[optind])) {
		if (strcmp(argv[optind + 1], "recover") == 0) {
			usage_error("recover takes --data DIR, the folder of a "
				    "stopped node, and not the mount point ",
				    argv[optind]);
		}
		if (task->socket) {
			usage_error("a mount point and --data or --socket: ",
				    argv[optind]);
		}
		task->socket = socket_of_mount(argv[optind++]);
	}
	return optind;
}

/* The daemon writes it, and stands elsewhere. */
static void parse_snapshot(struct task *task)
{
	const char *file = task->word_count == 2 ? task->words[1] : "";
	char *here;

	if (file[0] == '\0' || strcmp(task->words[0], "save") != 0) {
		usage_error("usage: raftfsctl snapshot save FILE", "");
	}
	here = getcwd(NULL, 0);
	if (file[0] != '/' && here == NULL) {
		usage_error("no current folder: give an absolute path", "");
	}
	task->file = file[0] == '/' ? mem_strdup(file)
				    : mem_printf("%s/%s", here, file);
	task->path = task->file;
	task->word_count = 1;
	free(here);
}

/* False: it is a word of the command's. */
static bool take_option(struct task *task, const char *word)
{
	const struct command *c = task->command;
	enum command_id id = command_id(c);

	if (word[0] != '-' || word[1] == '\0' ||
	    (c->data && task->word_count > 0)) { /* set /temperature -5 */
		return false;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		print_command_help(c->name, c->usage, c->help);
		exit(finish_stdout());
	}
	if (id == COMMAND_STATUS && strcmp(word, "--json") == 0) {
		task->json = true;
	} else if (id == COMMAND_LS && strcmp(word, "-0") == 0) {
		task->nul = true;
	} else if (c->words) {
		return false; /* member.h knows them */
	} else {
		usage_error("no such option: ", word);
	}
	return true;
}

static void parse_words(struct task *task, int argc, char **argv, int at)
{
	bool ended = false; /* by -- */

	task->words = mem_zalloc((size_t)(argc - at + 1) * sizeof(char *));
	for (; at < argc; at++) {
		if (!ended && strcmp(argv[at], "--") == 0) {
			ended = true;
		} else if (ended || !take_option(task, argv[at])) {
			task->words[task->word_count++] = argv[at];
		}
	}
}

static void parse_command(struct task *task, int argc, char **argv, int at)
{
	size_t used = 0;

	if (at >= argc) {
		usage_error("no command given", "");
	}
	task->command = command_find(argv[at]);
	if (!task->command) {
		usage_error("no such command: ", argv[at]);
	}
	parse_words(task, argc, argv, at + 1);
	if (command_id(task->command) == COMMAND_SNAPSHOT) {
		parse_snapshot(task);
	}
	if (task->command->words) {
		return;
	}
	if (task->command->path) {
		if (task->word_count == 0) {
			usage_error("no path given to ", task->command->name);
		}
		task->path = task->words[used++];
		if (task->path[0] != '/') {
			usage_error("a path begins with /: ", task->path);
		}
	}
	if (task->command->data && used < task->word_count) {
		task->value = task->words[used++];
	}
	if (used < task->word_count) {
		usage_error("too many arguments: ", task->words[used]);
	}
	task->word_count = 0; /* none are sent */
}

/* --- Doing it --------------------------------------------------------------
 */

/* One line: what was asked, what went wrong, and why if that is known. */
static int complain(const struct task *task, int error, const char *reason)
{
	fprintf(stderr, "raftfsctl: %s%s%s", task->command->name,
		task->path ? " " : "", task->path ? task->path : "");
	for (size_t i = 0; i < task->word_count; i++) {
		fprintf(stderr, " %s", task->words[i]);
	}
	fprintf(stderr, ": %s", strerror(error));
	if (reason[0]) {
		fprintf(stderr, " (%s)", reason);
	}
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

/* What the daemon said; of members and the leader the reason says it all. */
static int complain_refused(const struct task *task,
			    const struct message_response *response)
{
	if (!task->command->words || !response->reason[0]) {
		return complain(task, response->error, response->reason);
	}
	fprintf(stderr, "raftfsctl: %s", task->command->name);
	for (size_t i = 0; i < task->word_count; i++) {
		fprintf(stderr, " %s", task->words[i]);
	}
	fprintf(stderr, ": %s\n", response->reason);
	return EXIT_FAILURE;
}

/* The daemon went away, or is not to be understood. */
static int complain_silent(const struct task *task, int error)
{
	return complain(task, error,
			error == ECONNRESET  ? "the daemon is ending, or ended"
			: error == ETIMEDOUT ? "the daemon does not answer"
					     : "speaking with the daemon");
}

/* All of stdin, or one byte more than fits. */
static int read_stdin(struct buffer *content)
{
	while (content->size <= LIMIT_WRITE_BYTES) {
		size_t room = LIMIT_WRITE_BYTES + 1 - content->size;
		uint8_t *place = buffer_reserve(content, room);
		ssize_t got = read(STDIN_FILENO, place, room);

		if (got < 0 && errno != EINTR) {
			return errno;
		}
		if (got == 0) {
			break;
		}
		buffer_grow(content, got > 0 ? (size_t)got : 0);
	}
	return 0;
}

static int load_content(const struct task *task, struct buffer *content)
{
	int error = 0;

	if (!task->value || strcmp(task->value, "-") == 0) {
		error = read_stdin(content);
	} else {
		buffer_append_bytes(content, bytes_of_text(task->value));
		buffer_append(content, "\n", 1); /* as echo does */
	}
	if (error != 0) {
		return complain(task, error, "reading stdin");
	}
	if (content->size > LIMIT_WRITE_BYTES) {
		return complain(task, EFBIG,
				"set takes up to 1 MiB; write more through a "
				"mount");
	}
	return EXIT_SUCCESS;
}

static int print(const struct task *task, struct bytes text)
{
	if (text.size > 0 &&
	    fwrite(text.data, 1, text.size, stdout) != text.size) {
		return complain(task, errno, "writing stdout");
	}
	return EXIT_SUCCESS;
}

static int print_names(const struct task *task, const struct buffer *names)
{
	struct buffer text = {0};
	int rc;

	names_print(buffer_bytes(names),
		    task->nul		    ? NAMES_NUL
		    : isatty(STDOUT_FILENO) ? NAMES_TERMINAL
					    : NAMES_LINES,
		    &text);
	rc = print(task, buffer_bytes(&text));
	buffer_deinit(&text);
	return rc;
}

/* Take responses until the last. */
static int take_answer(const struct task *task, struct client *client,
		       struct buffer *names)
{
	struct message_response response;
	int rc;

	do {
		rc = client_receive(client, &response);
		if (rc != 0) {
			return complain_silent(task, -rc);
		}
		if (response.error != 0) {
			return complain_refused(task, &response);
		}
		if (response.reason[0]) {
			fprintf(stderr, "raftfsctl: %s: %s\n",
				task->command->name, response.reason);
		}
		if (command_id(task->command) == COMMAND_LS) {
			buffer_append_bytes(names, response.data);
		} else {
			rc = print(task, response.data);
		}
	} while (rc == EXIT_SUCCESS && response.more);
	return rc == EXIT_SUCCESS ? print_names(task, names) : rc;
}

static int ask(const struct task *task, struct client *client,
	       struct bytes content)
{
	struct message_request request = {.json = task->json, .data = content};
	struct buffer names = {0};
	int rc;

	snprintf(request.command, sizeof request.command, "%s",
		 task->command->name);
	if (task->path && strlen(task->path) >= sizeof request.path) {
		return complain(task, ENAMETOOLONG, "");
	}
	snprintf(request.path, sizeof request.path, "%s",
		 task->path ? task->path : "");
	for (size_t i = 0; i < task->word_count; i++) {
		snprintf(request.words[i], sizeof request.words[i], "%s",
			 task->words[i]);
	}
	request.word_count = task->word_count;
	rc = client_send(client, &request);
	if (rc != 0) {
		return complain_silent(task, -rc);
	}
	rc = take_answer(task, client, &names);
	buffer_deinit(&names);
	if (rc == EXIT_SUCCESS && fflush(stdout) != 0) {
		rc = complain(task, errno, "writing stdout");
	}
	return rc;
}

static int run(const struct task *task)
{
	struct buffer content = {0};
	struct client *client;
	int exit_code = EXIT_SUCCESS;
	int rc;

	if (task->command->data) {
		exit_code = load_content(task, &content);
	}
	if (exit_code != EXIT_SUCCESS) {
		goto out;
	}
	rc = client_open(task->socket, task->command->patience_s, &client);
	if (rc != 0) {
		fprintf(stderr,
			"raftfsctl: cannot reach the daemon at %s: %s%s\n",
			task->socket, strerror(-rc),
			rc == -ENOENT || rc == -ECONNREFUSED
				? " (is raftfs running?)"
				: "");
		exit_code = EXIT_FAILURE;
		goto out;
	}
	exit_code = ask(task, client, buffer_bytes(&content));
	client_close(client);
out:
	buffer_deinit(&content);
	return exit_code;
}

static void check_name(const char *name)
{
	if (name != NULL && !peer_name_is_valid(name)) {
		fprintf(stderr,
			"raftfsctl: bad ID '%s': 1 to %d letters, digits, '.', "
			"'_' or '-'; see raftfsctl --help\n",
			name, LIMIT_NODE_NAME_BYTES);
		exit(EXIT_USAGE);
	}
}

static void check_names(const struct kv_member_change *change)
{
	check_name(change->old);
	check_name(change->name);
	if (change->address != NULL &&
	    !peer_address_is_valid(change->address)) {
		fprintf(stderr,
			"raftfsctl: bad address '%s': want HOST:PORT or "
			"[IPv6]:PORT; see raftfsctl --help\n",
			change->address);
		exit(EXIT_USAGE);
	}
}

/* What makes no sense is not even asked. */
static void check_words(const struct task *task)
{
	struct message_request request = {.word_count = task->word_count};
	struct kv_member_change change;
	struct buffer problem = {0};
	bool list;

	if (!task->command->words || task->file) {
		return;
	}
	if (task->word_count > MESSAGE_WORDS) {
		usage_error("too many arguments: ", task->words[MESSAGE_WORDS]);
	}
	for (size_t i = 0; i < task->word_count; i++) {
		if (strlen(task->words[i]) > MESSAGE_WORD_BYTES) {
			usage_error("too long: ", task->words[i]);
		}
		strcpy(request.words[i], task->words[i]);
	}
	if (member_parse(command_id(task->command), &request, &list, &change,
			 &problem) != 0) {
		usage_error("usage: raftfsctl ", buffer_text(&problem));
	}
	check_names(&change);
	buffer_deinit(&problem);
}

int main(int argc, char **argv)
{
	struct task task = {0};
	int exit_code;
	int at = parse_where(&task, argc, argv);

	if (at < argc && strcmp(argv[at], "recover") == 0) {
		exit_code = recover(task.data, argv + at + 1, argc - at - 1);
		mem_free(task.socket);
		return exit_code;
	}
	parse_command(&task, argc, argv, at);
	check_words(&task);
	if (!task.socket) {
		task.socket = default_socket();
	}
	exit_code = run(&task);
	mem_free(task.words);
	mem_free(task.file);
	mem_free(task.socket);
	return exit_code;
}
