#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - fuzz every decoder, each fuzz_*.c for SECONDS_EACH (600) seconds,
# built by clang with the address and undefined-behaviour sanitizers. What was
# found is kept in $BUILD-fuzz/found, what helped in $BUILD-fuzz/corpus.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}-fuzz
SECONDS_EACH=${SECONDS_EACH:-600}
SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'

if ! command -v clang >/dev/null; then
	echo "clang is not installed"
	exit 77
fi
targets=()
for source in tests/fuzz/fuzz_*.c; do
	targets+=("$(basename "$source" .c)")
done
seeds=()
for source in tests/fuzz/seeds_*.c; do
	seeds+=("$(basename "$source" .c)")
done
archives=()
for room in control testlib tree kv node raft proto base; do
	archives+=("$BUILD/lib/$room.a")
done
libraries=(-lrocksdb -luv -lprotobuf-nanopb -lxxhash -ljansson -lcmocka -pthread)

mkdir -p "$BUILD"
objects=()
for name in "${targets[@]}" "${seeds[@]}"; do
	objects+=("$BUILD/tests/fuzz/$name.o")
done
# The archives first: with them come the generated headers.
for goals in "${archives[*]}" "${objects[*]}"; do
	# shellcheck disable=SC2086 # goals are words
	"${MAKE:-make}" --no-print-directory -j"$(nproc)" BUILD="$BUILD" \
		CC=clang CFLAGS='-O1 -g' SANITIZE="$SAN" $goals \
		>"$BUILD/build.log" 2>&1 || { tail -n 30 "$BUILD/build.log"; exit 1; }
done

link() { # NAME FLAG
	clang "$2" -fsanitize=address,undefined -o "$BUILD/$1" \
		"$BUILD/tests/fuzz/$1.o" "${archives[@]}" "${libraries[@]}"
}
for name in "${seeds[@]}"; do
	link "$name" -g || exit 1
	mkdir -p "$BUILD/seeds"
	"$BUILD/$name" "$BUILD/seeds" || exit 1
done

# Targets that need files have them in memory, where there is some.
[ ! -w /dev/shm ] || TMPDIR=/dev/shm
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-fuzz.XXXXXX") || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' INT TERM HUP

# No decoder has a use for more memory at once than the 8 MiB that hold a frame
# of LIMIT_FRAME_BYTES, whatever lengths its input names.
rc=0
mkdir -p "$BUILD/found"
for name in "${targets[@]}"; do
	link "$name" -fsanitize=fuzzer || exit 1
	corpus=$BUILD/corpus/$name
	mkdir -p "$corpus"
	for seed in "$BUILD/seeds/${name#fuzz_}"-*; do
		[ ! -f "$seed" ] || cp "$seed" "$corpus/"
	done
	if "$BUILD/$name" -max_total_time="$SECONDS_EACH" -max_len=8192 \
		-timeout=20 -rss_limit_mb=3000 -malloc_limit_mb=8 -print_final_stats=1 \
		-artifact_prefix="$BUILD/found/$name-" "$corpus" \
		>"$BUILD/$name.log" 2>&1; then
		echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' \
			"$BUILD/$name.log") inputs"
	else
		echo "FAIL $name, log $BUILD/$name.log:"
		tail -n 40 "$BUILD/$name.log"
		rc=1
	fi
done
exit "$rc"
