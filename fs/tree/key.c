/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/tree/key.h"

#include <string.h>

#include "base/check.h"

struct bytes key_all(struct key *key, enum key_prefix prefix)
{
	key->data[0] = (uint8_t)prefix;
	return bytes_of(key->data, 1);
}

struct bytes key_number(struct key *key, enum key_prefix prefix, uint64_t a)
{
	key->data[0] = (uint8_t)prefix;
	put_be64(key->data + 1, a);
	return bytes_of(key->data, 9);
}

struct bytes key_pair(struct key *key, enum key_prefix prefix, uint64_t a,
		      uint64_t b)
{
	key->data[0] = (uint8_t)prefix;
	put_be64(key->data + 1, a);
	put_be64(key->data + 9, b);
	return bytes_of(key->data, 17);
}

struct bytes key_entry(struct key *key, uint64_t dir, struct bytes name)
{
	CHECK(name.size > 0 && name.size <= LIMIT_NAME_BYTES);
	key->data[0] = KEY_ENTRY;
	put_be64(key->data + 1, dir);
	memcpy(key->data + 9, name.data, name.size);
	return bytes_of(key->data, 9 + name.size);
}

uint64_t key_first(struct bytes key)
{
	return get_be64(key.data + 1);
}

uint64_t key_second(struct bytes key)
{
	return get_be64(key.data + 9);
}
