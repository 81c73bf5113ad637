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
#include "fs/recover.h"

enum { EXIT_USAGE = 2 };

/* What is to be done, as the command line has it. */
struct task {
	char *socket;	  /* owned */
	const char *data; /* --data, or NULL */
	const struct command *command;
	const char *path;  /* NULL: the command takes none */
	const char *value; /* NULL or "-": stdin */
	bool json;
	char **words; /* of a command that takes some */
	size_t word_count;
	char *file; /* owned: the path, made absolute; or NULL */
};

static void print_help(void)
{
	puts("usage: raftfsctl [--data DIR | --socket PATH | MOUNTPOINT] "
	     "COMMAND ...\n"
	     "Ask or change a raftfs node through its daemon's socket.\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const struct command *c = &command_table[i];

		if (strlen(c->usage) <= 17) {
			printf("  %-9s%-18s%s\n", c->name, c->usage, c->help);
		} else {
			printf("  %-9s%s\n%29s%s\n", c->name, c->usage, "",
			       c->help);
		}
	}
	printf("  %-9s%s\n%29s%s\n", "recover", recover_usage, "",
	       "make a new cluster of a stopped node, when the others are "
	       "gone for good");
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
			exit(EXIT_SUCCESS);
		case 'V':
			puts("raftfsctl " RAFTFS_VERSION);
			exit(EXIT_SUCCESS);
		default: /* getopt has said it */
			exit(EXIT_USAGE);
		}
	}
	if (optind < argc && strcmp(argv[optind], "recover") == 0) {
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

static void parse_command(struct task *task, int argc, char **argv, int at)
{
	if (at >= argc) {
		usage_error("no command given", "");
	}
	task->command = command_find(argv[at]);
	if (!task->command) {
		usage_error("no such command: ", argv[at]);
	}
	at++;
	if (command_id(task->command) == COMMAND_STATUS && at < argc &&
	    strcmp(argv[at], "--json") == 0) {
		task->json = true;
		at++;
	}
	if (task->command->path) {
		if (at >= argc) {
			usage_error("no path given to ", task->command->name);
		}
		task->path = argv[at++];
		if (task->path[0] != '/') {
			usage_error("a path begins with /: ", task->path);
		}
	}
	if (task->command->data && at < argc) {
		task->value = argv[at++];
	}
	if (task->command->words) {
		task->words = argv + at;
		task->word_count = (size_t)(argc - at);
		at = argc;
	}
	if (at < argc) {
		usage_error("too many arguments: ", argv[at]);
	}
	if (command_id(task->command) == COMMAND_SNAPSHOT) {
		parse_snapshot(task);
	}
}

/* --- Doing it --------------------------------------------------------------
 */

/* One line: what was asked, what went wrong, and why if that is known. */
static int complain(const struct task *task, int error, const char *reason)
{
	if (task->command->words) { /* the reason says it all */
		fprintf(stderr, "raftfsctl: %s", task->command->name);
		for (size_t i = 0; i < task->word_count; i++) {
			fprintf(stderr, " %s", task->words[i]);
		}
		fprintf(stderr, ": %s\n", reason[0] ? reason : strerror(error));
		return EXIT_FAILURE;
	}
	fprintf(stderr, "raftfsctl: %s%s%s: %s", task->command->name,
		task->path ? " " : "", task->path ? task->path : "",
		strerror(error));
	if (reason[0]) {
		fprintf(stderr, " (%s)", reason);
	}
	fputc('\n', stderr);
	return EXIT_FAILURE;
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

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names come in the directory's order, each with a NUL; ls sorts. */
static void print_names(struct buffer *names)
{
	char **sorted;
	size_t count = 0;
	size_t at = 0;

	for (size_t i = 0; i < names->size; i++) {
		count += names->data[i] == '\0';
	}
	sorted = mem_alloc((count + 1) * sizeof *sorted);
	for (size_t i = 0; i < count; i++) {
		sorted[i] = (char *)names->data + at;
		at += strlen(sorted[i]) + 1;
	}
	qsort(sorted, count, sizeof *sorted, by_bytes);
	for (size_t i = 0; i < count; i++) {
		puts(sorted[i]);
	}
	mem_free(sorted);
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
			return complain(task, -rc, "from the daemon");
		}
		if (response.error != 0) {
			return complain(task, response.error, response.reason);
		}
		if (response.reason[0]) {
			fprintf(stderr, "raftfsctl: %s: %s\n",
				task->command->name, response.reason);
		}
		if (command_id(task->command) == COMMAND_LS) {
			buffer_append_bytes(names, response.data);
		} else if (fwrite(response.data.data, 1, response.data.size,
				  stdout) != response.data.size) {
			return complain(task, errno, "writing stdout");
		}
	} while (response.more);
	print_names(names);
	return EXIT_SUCCESS;
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
		return complain(task, -rc, "to the daemon");
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
	mem_free(task.file);
	mem_free(task.socket);
	return exit_code;
}
