/* SPDX-License-Identifier: Apache-2.0 */
/* fake_kv.h - a map of one node without Raft, in place of kv/ when linked.
 *
 * Operations are applied at once to an ordered store in memory, on the
 * caller's thread. A test may make it refuse, or hold its answers back. */
#ifndef TESTS_LIB_FAKE_KV_H
#define TESTS_LIB_FAKE_KV_H

#include "kv/kv.h"

struct kv *fake_kv_new(void); /* with a root, owned by 0:0 */
struct kv *fake_kv_new_unborn(void);
void fake_kv_free(struct kv *kv);

/* The next barriers or proposals are refused with this status; 0: none. */
void fake_kv_refuse_barriers(struct kv *kv, int status);
/* Fresh barriers fall back, and say so. */
void fake_kv_cut_off(struct kv *kv);
void fake_kv_refuse_proposals(struct kv *kv, int status);
/* Proposals are neither applied nor answered before fake_kv_let_go() or an
 * interrupt (then STATUS_INTERRUPTED). */
void fake_kv_hold_proposals(struct kv *kv);
void fake_kv_let_go(struct kv *kv);
/* Wait, at most 10 s, until so many proposals are held. */
bool fake_kv_wait_held(struct kv *kv, size_t count);
void fake_kv_set_why(struct kv *kv, const char *why);
size_t fake_kv_views(struct kv *kv); /* open ones */
/* Apply an operation; its errno. */
struct fs_op;
int fake_kv_apply(struct kv *kv, const struct fs_op *op);

#endif
