/* SPDX-License-Identifier: Apache-2.0 */
/* orphan.c - the record of an orphan:
 *
 *    0  1  version
 *    1  7  zero
 *    8  8  index of the entry that took its last name
 *   16  8  time of it, nanoseconds since 1970 */
#include "fs/tree/orphan.h"

#include "fs/tree/block.h"
#include "fs/tree/chunk.h"
#include "fs/tree/key.h"

enum {
	ORPHAN_BYTES = 24,
	/* Full chunks that fit in one PURGE. */
	CHUNKS_A_PURGE = LIMIT_PURGE_BLOCKS / CHUNK_BLOCKS,
};

static const uint64_t grace_ns = LIMIT_ORPHAN_MS * 1000000ULL;

void orphan_put(struct kv_batch *b, uint64_t ino, const struct kv_at *at)
{
	uint8_t value[ORPHAN_BYTES] = {RECORD_VERSION};
	struct key key;

	put_le64(value + 8, at->index);
	put_le64(value + 16, at->time_ns);
	kv_put(b, key_number(&key, KEY_ORPHAN, ino),
	       bytes_of(value, sizeof(value)));
}

/* --- Purging --------------------------------------------------------------
 */

static int purge_inode(struct change *c, uint64_t ino, uint64_t *keys)
{
	struct inode inode = {0};
	struct key key;
	int rc = inode_get(c->r, ino, &inode);

	if (rc == 0) {
		rc = change_charge(c, &inode, 0);
	}
	if (rc == 0) {
		rc = content_detach(c, &inode, keys);
	}
	if (rc == 0) {
		kv_remove(c->b, key_number(&key, KEY_INODE, ino));
		kv_remove(c->b, key_number(&key, KEY_ORPHAN, ino));
		*keys += 2;
	}
	inode_deinit(&inode);
	return rc == -ESTALE ? -EUCLEAN : rc;
}

int op_purge(struct change *c)
{
	struct buffer value = {0};
	uint64_t keys = 0;
	struct key key;
	int rc = 0;

	for (size_t i = 0; i < c->op->ino_count && rc == 0; i++) {
		uint64_t number = c->op->inos[i];

		if (keys >= LIMIT_PURGE_BLOCKS) {
			break; /* the rest keeps its records */
		}
		rc = record_get(c->r, key_number(&key, KEY_ORPHAN, number),
				ORPHAN_BYTES, &value, -ENOENT);
		if (rc == 0) {
			rc = purge_inode(c, number, &keys);
			continue;
		}
		if (rc == -ENOENT) {
			rc = record_get(c->r,
					key_number(&key, KEY_DETACHED, number),
					1, &value, -ENOENT);
		}
		if (rc == 0) {
			rc = chunk_purge(c->b, number, &keys);
		} else if (rc == -ENOENT) {
			rc = 0; /* already gone, or never was one */
		}
	}
	buffer_deinit(&value);
	return rc;
}

/* --- Proposing ------------------------------------------------------------
 */

struct search {
	const struct kv_tidy *t;
	unsigned seen;
	struct fs_op op;
	size_t most; /* numbers of one operation */
	struct buffer operation;
};

static void propose(struct search *s)
{
	if (s->op.ino_count > 0) {
		buffer_reset(&s->operation);
		fs_op_encode(&s->op, &s->operation);
		s->t->propose(s->t, buffer_bytes(&s->operation));
		s->op.ino_count = 0;
	}
}

static bool found(struct search *s, uint64_t number)
{
	s->op.inos[s->op.ino_count++] = number;
	if (s->op.ino_count == s->most) {
		propose(s);
	}
	return true;
}

static bool on_orphan(void *context, struct bytes key, struct bytes value)
{
	struct search *s = context;
	uint64_t index;
	uint64_t time_ns;

	if (++s->seen > ORPHANS_A_TIDY || value.size != ORPHAN_BYTES) {
		return false;
	}
	index = get_le64(value.data + 8);
	time_ns = get_le64(value.data + 16);
	if (index > s->t->applied_everywhere || s->t->now_ns < time_ns ||
	    s->t->now_ns - time_ns < grace_ns ||
	    s->t->held(s->t, key_first(key))) {
		return true;
	}
	return found(s, key_first(key));
}

static bool on_detached(void *context, struct bytes key, struct bytes value)
{
	struct search *s = context;

	(void)value;
	return ++s->seen <= ORPHANS_A_TIDY && found(s, key_first(key));
}

void orphan_tidy(const struct kv_tidy *t)
{
	struct search s = {.t = t, .op = {.kind = FS_OP_PURGE}};
	struct key key;
	struct bytes prefix = key_all(&key, KEY_ORPHAN);

	/* A store that fails fails the next apply too: that one tells. */
	s.most = FS_PURGE_MAX;
	if (kv_scan(t->reader, prefix, prefix, on_orphan, &s) == 0) {
		propose(&s);
	}

	prefix = key_all(&key, KEY_DETACHED);
	s.op.ino_count = 0;
	s.most = CHUNKS_A_PURGE;
	s.seen = 0;
	if (kv_scan(t->reader, prefix, prefix, on_detached, &s) == 0) {
		propose(&s);
	}
	buffer_deinit(&s.operation);
}
