#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# includes.sh [ROOT] - who may include whom. The table below is the law of the
# house: lower rooms never know higher ones. Without ROOT the tree is checked,
# and then the check itself, by one planted breach for each kind of rule.
set -u
cd "$(dirname "$0")/../.." || exit 1

# A room and its files; what it may include: of the project, of libraries; and
# system headers that it may not include. The first room that matches counts.
table='
base ^base/
	project ^base/
	library xxhash
proto ^proto/
	project ^proto/ ^base/(bytes|check)\.h$
	library pb
node ^raft/node/
	project ^(raft|proto|base)/
	library uv pb openssl uthash xxhash
core ^raft/
	project ^raft/[^/]*$ ^base/(bytes|check|limits|status)\.h$
	system ^(time|stdio|stdlib|pthread|unistd|errno|fcntl|threads)\.h$
	system ^(signal|poll|sys/.*|arpa/.*|netinet/.*|uv|rocksdb.*)
syscalls ^kv/(archive|marker|store_rocksdb)\.c$
	project ^(kv|proto|base)/
	library rocksdb pb
kv ^kv/
	project ^(kv|proto|base)/ ^raft/node/(node|entry)\.h$ ^raft/raft\.h$
	library rocksdb pb uthash xxhash
	system ^errno\.h$
tree ^fs/tree/
	project ^(fs/tree|proto|base)/ ^kv/(batch|machine)\.h$
	library pb uthash
	system ^(time|pthread|threads|unistd|fcntl|signal|poll)\.h$
	system ^sys/(time|random|socket)\.h$
mount ^fs/mount/
	project ^(fs/mount|proto|base)/ ^fs/control/control\.h$
	project ^fs/tree/tree\.h$ ^kv/(kv|batch|machine)\.h$
	library fuse uthash
control ^fs/control/
	project ^(fs/control|proto|base)/ ^fs/tree/tree\.h$
	project ^kv/(kv|batch|machine)\.h$
	library uv pb jansson
program ^fs/[^/]*$
	project ^(fs|proto|base)/ ^kv/(kv|machine)\.h$ ^raft/node/node\.h$
	library fuse jansson uv pb
tests ^tests/
	project ^
	library rocksdb uv pb openssl fuse jansson xxhash uthash cmocka
'
declare -a rooms
declare -A files project library system
while read -r key words; do
	case $key in
	'') ;;
	project) project[$room]+=" $words" ;;
	library) library[$room]+=" $words " ;;
	system) system[$room]+=" $words" ;;
	*)
		room=$key
		rooms+=("$room")
		files[$room]=$words
		project[$room]='' library[$room]='' system[$room]=''
		;;
	esac
done <<<"$table"

# Which library a system header belongs to.
library_of() {
	case $1 in
	rocksdb/*) echo rocksdb ;;
	uv.h) echo uv ;;
	pb.h | pb_*.h) echo pb ;;
	openssl/*) echo openssl ;;
	fuse*.h) echo fuse ;;
	jansson.h) echo jansson ;;
	xxhash.h) echo xxhash ;;
	uthash.h | utlist.h | utarray.h) echo uthash ;;
	cmocka.h) echo cmocka ;;
	*) echo "" ;;
	esac
}

matches() { # TEXT PATTERN...
	local text=$1 pattern
	shift
	for pattern in "$@"; do
		[[ $text =~ $pattern ]] && return
	done
	return 1
}

# One include of one file against the table; a breach is printed.
judge() { # FILE KIND HEADER
	local room name
	for room in "${rooms[@]}"; do
		[[ $1 =~ ${files[$room]} ]] && break
		room=
	done
	if [ -z "$room" ]; then
		echo "$1: in no room"
		return
	fi
	name=$(library_of "$3")
	# shellcheck disable=SC2086 # patterns are words
	if [ "$2" = '"' ]; then
		matches "$3" ${project[$room]} || echo "$1: $3 is not for $room"
		[[ $3 =~ ^tests/ && $room != tests ]] && echo "$1: $3 is a test's"
	elif [ -n "$name" ]; then
		[[ ${library[$room]} == *" $name "* ]] ||
			echo "$1: $3 is not for $room"
		[ "$name" != rocksdb ] || [[ $1 =~ ^(kv/store|tests/) ]] ||
			echo "$1: only kv's store names RocksDB"
	else
		matches "$3" ${system[$room]} && echo "$1: $3 is not for $room"
	fi
}

check_tree() { # ROOT
	(
		cd "$1" || exit 1
		find base proto raft kv fs tests -name '*.[ch]' 2>/dev/null |
			sort | while read -r file; do
			sed -n 's/^[ \t]*#[ \t]*include[ \t]*\(["<]\)\([^">]*\)[">].*/\1 \2/p' \
				"$file" | while read -r kind header; do
				judge "$file" "$kind" "$header"
			done
		done
	)
}

if [ $# -ge 1 ]; then
	breaches=$(check_tree "$1")
	[ -z "$breaches" ] || { echo "$breaches"; exit 1; }
	exit 0
fi

rc=0
breaches=$(check_tree .)
[ -z "$breaches" ] || { echo "$breaches"; rc=1; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
planted() { # FILE LINE: must be reported
	rm -rf "${scratch:?}"/*
	mkdir -p "$scratch/$(dirname "$1")"
	echo "$2" >"$scratch/$1"
	check_tree "$scratch" | grep -qF "$1: " && return
	echo "a planted breach was not found: $1 with $2"
	rc=1
}
planted base/bytes.c '#include "raft/raft.h"'
planted raft/step.c '#include <time.h>'
planted raft/step.c '#include <stdlib.h>'
planted raft/step.c '#include "raft/node/node.h"'
planted raft/step.c '#include "base/log.h"'
planted raft/step.c '#include "proto/raft.pb.h"'
planted raft/node/log.c '#include <rocksdb/c.h>'
planted raft/node/log.c '#include "kv/kv.h"'
planted kv/apply.c '#include <rocksdb/c.h>'
planted kv/apply.c '#include "fs/tree/tree.h"'
planted kv/apply.c '#include <errno.h>'
planted kv/apply.c '# include	"raft/node/log.h"'
planted fs/tree/op.c '#include <fuse_lowlevel.h>'
planted fs/tree/op.c '#include "kv/kv.h"'
planted fs/tree/op.c '#include <pthread.h>'
planted fs/mount/fuse.c '#include "raft/raft.h"'
planted fs/control/socket.c '#include <fuse_lowlevel.h>'
planted fs/raftfs.c '#include "tests/lib/memstore.h"'
planted fs/raftfs.c '#include <rocksdb/c.h>'
exit "$rc"
