/* SPDX-License-Identifier: Apache-2.0 */
/* note.c - what watchers are told: kind 1, inode 8, directory 8, name.
 *
 * One note for each inode whose content or attributes changed, and one for
 * each name; the directory of a name has changed with it. */
#include <string.h>

#include "fs/tree/change.h"

enum { NOTE_HEAD_BYTES = 17 };

static void note(struct change *c, enum fs_note_kind kind, uint64_t ino,
		 uint64_t dir, struct bytes name)
{
	uint8_t text[NOTE_HEAD_BYTES + LIMIT_NAME_BYTES];

	CHECK(name.size <= LIMIT_NAME_BYTES);
	text[0] = (uint8_t)kind;
	put_le64(text + 1, ino);
	put_le64(text + 9, dir);
	if (name.size > 0) {
		memcpy(text + NOTE_HEAD_BYTES, name.data, name.size);
	}
	kv_note(c->b, bytes_of(text, NOTE_HEAD_BYTES + name.size));
}

void note_content(struct change *c, uint64_t ino)
{
	note(c, FS_NOTE_CONTENT, ino, 0, bytes_of(NULL, 0));
}

void note_attr(struct change *c, uint64_t ino)
{
	note(c, FS_NOTE_ATTR, ino, 0, bytes_of(NULL, 0));
}

void note_entry(struct change *c, uint64_t dir, struct bytes name, uint64_t ino)
{
	note(c, FS_NOTE_ENTRY, ino, dir, name);
}

int fs_note_decode(struct bytes encoded, struct fs_note *decoded)
{
	bool has_name;

	if (encoded.size < NOTE_HEAD_BYTES ||
	    encoded.size > NOTE_HEAD_BYTES + LIMIT_NAME_BYTES) {
		return STATUS_MALFORMED;
	}
	has_name = encoded.size > NOTE_HEAD_BYTES;
	*decoded = (struct fs_note){
		.kind = (enum fs_note_kind)encoded.data[0],
		.ino = get_le64(encoded.data + 1),
		.dir = get_le64(encoded.data + 9),
		.name = bytes_of(encoded.data + NOTE_HEAD_BYTES,
				 encoded.size - NOTE_HEAD_BYTES),
	};
	if (decoded->kind < FS_NOTE_CONTENT || decoded->kind > FS_NOTE_ENTRY ||
	    has_name != (decoded->kind == FS_NOTE_ENTRY)) {
		return STATUS_MALFORMED;
	}
	return 0;
}
