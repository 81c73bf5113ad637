/* SPDX-License-Identifier: Apache-2.0 */
/* token.h - contents that name their writer, and the line of a history.
 *
 * Writer w's operation number n writes the text of token w.n: one line,
 * determined by the two numbers alone, its name at both ends. So a reader
 * knows whether what it got is whole, and whose it is. */
#ifndef TESTS_CLUSTER_TOKEN_H
#define TESTS_CLUSTER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TOKEN_BYTES_MAX = 3200, NAME_BYTES_MAX = 64, WRITERS_MAX = 32 };

struct token {
	unsigned writer;
	unsigned number;
};

/* The text of a token, its newline last; out has TOKEN_BYTES_MAX. Returns its
 * size. */
size_t token_text(struct token token, char *out);
/* A whole text at the start of in? Then its token and size. */
bool token_parse(const char *in, size_t size, struct token *token,
		 size_t *used);

/* What a writer did. Names are relative to the folder of the round. */
enum action {
	ACTION_OVERWRITE = 1, /* open O_TRUNC, one write, close: file */
	ACTION_REPLACE,	      /* a file of its own renamed over file */
	ACTION_READ,	      /* the whole of file; token is what it held */
	ACTION_APPEND,	      /* one line to file */
	ACTION_TAIL,	      /* read an append file: its size in number */
	ACTION_MOVE,	      /* the writer's own file: file -> to */
	ACTION_CLAIM,	      /* create file with O_EXCL */
	ACTION_MKDIR,	      /* make the folder file */
};
enum outcome {
	OUTCOME_OK = 1,	 /* acknowledged */
	OUTCOME_NO,	 /* certainly did not happen */
	OUTCOME_UNKNOWN, /* may have happened, or may yet, once */
	OUTCOME_EXISTS,	 /* CLAIM, MKDIR: another was first */
	OUTCOME_MISSING, /* ENOENT */
	OUTCOME_EMPTY,	 /* READ: nothing in it */
	OUTCOME_TORN,	 /* READ, TAIL: not the text of a token */
};

struct event {
	unsigned writer;
	unsigned node;
	enum action action;
	enum outcome outcome;
	int64_t write_ns; /* OVERWRITE, APPEND: when its write began; 0: it was
			     not opened */
	char file[NAME_BYTES_MAX];
	char to[NAME_BYTES_MAX];
	struct token token;
	uint64_t hash;		    /* TAIL: of the bytes read */
	int64_t call_ns, return_ns; /* CLOCK_MONOTONIC */
	int error;
};

void event_print(FILE *out, const struct event *e);
bool event_parse(const char *line, struct event *e);
/* FNV-1a, over what was hashed before (0: the start). */
uint64_t hash_bytes(uint64_t hash, const void *data, size_t size);
int64_t now_ns(void);

#endif
