/* SPDX-License-Identifier: Apache-2.0 */
/* treegen.h - operations at random, from a seed, that often meet.
 *
 * Few names and the inodes made lately, among them dead ones and numbers that
 * never were: so most errors of tree.h come up, and most succeed. */
#ifndef TESTS_LIB_TREEGEN_H
#define TESTS_LIB_TREEGEN_H

#include "fs/tree/tree.h"

enum { TREEGEN_INOS = 48 };

struct treegen {
	uint64_t random;
	uint64_t inos[TREEGEN_INOS]; /* 0: none */
	uint64_t dirs[TREEGEN_INOS];
	uint64_t size_max; /* offsets and sizes stay below */
	char name[2][8];
	struct buffer data;
};

void treegen_init(struct treegen *g, uint64_t seed, uint64_t size_max);
void treegen_deinit(struct treegen *g);
/* The next operation; lent until the next call. */
struct fs_op treegen_next(struct treegen *g);
/* What became of it: later ones are about what is there, mostly. */
void treegen_learn(struct treegen *g, const struct fs_op *op,
		   const struct fs_result *result);
/* 0 ... below - 1 */
uint64_t treegen_random(struct treegen *g, uint64_t below);

#endif
