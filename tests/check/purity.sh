#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The core is pure: built plain, its archive asks for nothing but the checks
# and mem*. Shown to notice a planted call of time() first.
# usage: purity.sh CC SOURCE...
set -eu
cc=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Print what the objects in folder $1 ask for and do not have themselves.
outside() {
	nm --defined-only --format=posix "$1"/*.o | awk 'NF >= 3 { print $1 }' |
		sort -u >"$1/defined"
	nm --undefined-only --format=posix "$1"/*.o | awk 'NF >= 2 { print $1 }' |
		sort -u >"$1/asked"
	comm -13 "$1/defined" "$1/asked" | grep -vxE \
		'check_failed|mem(cpy|set|move|cmp)|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_' ||
		true
}

# Print writable globals: the core has none.
globals() {
	nm --defined-only --format=posix "$1"/*.o |
		awk '$2 ~ /^[BbDdCc]$/ { print $1 }'
}

# Compile the sources $2... into folder $1.
build() {
	folder=$1
	shift
	mkdir "$folder"
	for source; do
		"$cc" -std=c11 -O2 -fno-builtin -I. -c "$source" \
			-o "$folder/$(basename "$source" .c).o"
	done
}

build "$work/core" "$@"
found=$(outside "$work/core"; globals "$work/core")
if [ -n "$found" ]; then
	echo "purity: the core uses or keeps:" $found >&2
	exit 1
fi

{
	cat raft/random.c
	echo '#include <time.h>'
	echo 'static uint64_t planted;'
	echo 'uint64_t random_clock(void);'
	echo 'uint64_t random_clock(void)'
	echo '{ return planted++ + (uint64_t)time(NULL); }'
} >"$work/planted.c"
build "$work/breach" "$work/planted.c"
found=$(outside "$work/breach"; globals "$work/breach")
if [ "$(echo $found)" != "time planted" ]; then
	echo "purity: a planted breach went unseen" >&2
	exit 1
fi
echo "purity: the core needs nothing from outside"
