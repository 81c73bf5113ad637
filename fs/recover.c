/* SPDX-License-Identifier: Apache-2.0 */
/* No daemon runs for it, so raftfs itself is run on the data folder: twice, to
 * look and, when that was agreed to, to do it. */
#include "fs/recover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

enum { EXIT_USAGE = 2 };

const char recover_usage[] =
	"[--yes] [--again] [--id NAME] [--listen HOST:PORT]";

const char recover_help[] = "make a new cluster of a stopped node, when the "
			    "others are gone for good";

/* What the words say. */
struct wish {
	bool yes;
	bool again;
	char **options; /* for raftfs */
	size_t count;
};

/* The program beside this one, or in PATH. */
static char *daemon_program(void)
{
	char *self = realpath("/proc/self/exe", NULL);
	char *slash = self ? strrchr(self, '/') : NULL;
	char *beside = NULL;

	if (slash) {
		*slash = '\0';
		beside = mem_printf("%s/raftfs", self);
	}
	free(self);
	if (beside && access(beside, X_OK) == 0) {
		return beside;
	}
	mem_free(beside);
	return mem_strdup("raftfs");
}

/* Run it with --recover MODE and the options given; its exit code. */
static int run_daemon(const char *mode, char **options, size_t count)
{
	char *program = daemon_program();
	char **arguments = mem_zalloc((count + 4) * sizeof(char *));
	int status = 0;
	pid_t child;

	arguments[0] = program;
	arguments[1] = mem_strdup("--recover");
	arguments[2] = mem_strdup(mode);
	memcpy(arguments + 3, options, count * sizeof(char *));
	child = fork();
	if (child == 0) {
		execvp(program, arguments);
		fprintf(stderr, "raftfsctl: recover: cannot run %s: %s\n",
			program, strerror(errno));
		_exit(EXIT_FAILURE);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fprintf(stderr, "raftfsctl: recover: %s\n", strerror(errno));
		status = -1;
	}
	mem_free(arguments[2]);
	mem_free(arguments[1]);
	mem_free(arguments);
	mem_free(program);
	return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status)
						 : EXIT_FAILURE;
}

static bool is_agreed(void)
{
	char line[16] = "";

	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr,
			"raftfsctl: recover: nobody is there to say yes: give "
			"--yes; nothing changed\n");
		return false;
	}
	printf("Go on? Type yes: ");
	fflush(stdout);
	if (fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0) {
		return true;
	}
	fprintf(stderr, "%sraftfsctl: recover: nothing changed\n",
		strchr(line, '\n') ? "" : "\n");
	return false;
}

static bool take_words(struct wish *w, char **words, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(words[i], "--yes") == 0) {
			w->yes = true;
		} else if (strcmp(words[i], "--again") == 0) {
			w->again = true;
		} else if (i + 1 < count &&
			   (strcmp(words[i], "--id") == 0 ||
			    strcmp(words[i], "--listen") == 0)) {
			w->options[w->count++] = words[i++];
			w->options[w->count++] = words[i];
		} else {
			fprintf(stderr,
				"raftfsctl: recover takes %s, not %s; see "
				"raftfsctl --help\n",
				recover_usage, words[i]);
			return false;
		}
	}
	return true;
}

int recover(const char *data, char **words, int count)
{
	struct wish w = {
		.options = mem_zalloc(((size_t)count + 3) * sizeof(char *))};
	int rc = EXIT_USAGE;

	if (data) {
		w.options[w.count++] = (char *)(uintptr_t) "--data";
		w.options[w.count++] = (char *)(uintptr_t)data;
	}
	if (!take_words(&w, words, count)) {
		goto out;
	}
	rc = run_daemon(w.again ? "look-again" : "look", w.options, w.count);
	if (rc != EXIT_SUCCESS) {
		goto out;
	}
	rc = w.yes || is_agreed() ? run_daemon("go", w.options, w.count)
				  : EXIT_FAILURE;
out:
	mem_free(w.options);
	return rc;
}
