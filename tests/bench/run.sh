#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - the bare cost of durability here, and raftfs beside it, in turn,
# ROUNDS (5) times; printed are the medians, with the smallest and the largest.
# The data of all is on one disk, that of BENCH_DIR (default: the build
# folder). It fails when a durable overwrite of a small file on the leader's
# node takes more than LIMIT (4) times the bare commit of the same run (p50).
set -u
cd "$(dirname "$0")/../.." || exit 1
ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-1}
LIMIT=${LIMIT:-4}
CLUSTER_BASE=${BENCH_DIR:-${BUILD:-build}}
mkdir -p "$CLUSTER_BASE"
CLUSTER_BASE=$(cd "$CLUSTER_BASE" && pwd) || exit 1
. tests/lib/cluster.sh

floor=$BUILD/tests/bench/floor
small=$BUILD/tests/bench/small

one_round() { # ROUND: "NAME VALUE UNIT" lines
	local l o here
	"$floor" sync "$CLUSTER_DIR" "$SECONDS_EACH" || fail "floor sync"
	"$floor" commit "$CLUSTER_DIR" "$SECONDS_EACH" || fail "floor commit"
	l=$(the_leader) && o=$(follower "$l") || exit 1
	here=${MNT[l]}/round$1
	must mkdir "$here" "$here/one" "$here/many" "$here/seen"
	timeout 120 "$small" load "$here/one" 1 "$SECONDS_EACH" |
		sed 's/^\([a-z]*\)/\1-1/' || fail "one thread"
	timeout 120 "$small" load "$here/many" 32 "$SECONDS_EACH" |
		sed 's/^\([a-z]*\)/\1-32/' || fail "32 threads"
	timeout 120 "$small" seen "$here/seen" "${MNT[o]}/round$1/seen" \
		"$((2 * SECONDS_EACH))" || fail "seen elsewhere"
}

# Median, smallest and largest of the values of a name in all rounds.
figure() { # NAME
	sed -n "s/^$1 \([0-9.]*\) .*/\1/p" "$all" | sort -n | awk '
		{ v[NR] = $1 }
		END { if (NR) printf "%10.1f %10.1f %10.1f", v[int((NR + 1) / 2)], v[1], v[NR] }'
}
show() { # TEXT NAME
	local of
	of=$(figure "$2")
	[ -n "$of" ] || fail "no figure for $2"
	printf '%-42s %s %s\n' "$1" "$of" "$(sed -n "s/^$2 [0-9.]* //p" "$all" |
		head -n 1)"
}

cluster_begin 3
all=$CLUSTER_DIR/all
cluster_start
for ((round = 1; round <= ROUNDS; round++)); do
	one_round "$round" >"$CLUSTER_DIR/round" || exit 1
	cat "$CLUSTER_DIR/round" >>"$all"
	# The ratio of this round: both halves met the same machine.
	awk '$1 == "commit.p50" { c = $2 } $1 == "overwrite-1.p50" { o = $2 }
		END { printf "ratio %.2f x\n", o / c }' "$CLUSTER_DIR/round" >>"$all"
done

printf '%-42s %10s %10s %10s\n' "$ROUNDS rounds" median smallest largest
for p in p50 p99; do
	show "fdatasync, prewritten file, $p" "fdatasync.$p"
	show "bare commit of three replicas, $p" "commit.$p"
done
for threads in 1 32; do
	for what in create overwrite read stat; do
		case $what in
		create) text='create+write+close' ;;
		read) text='open+read+close' ;;
		*) text=$what ;;
		esac
		for p in p50 p99 rate; do
			show "$text, $threads threads, $p" "$what-$threads.$p"
		done
	done
done
for what in new again; do
	show "seen on another node ($what), after close" "seen-$what-after.p50"
	show "seen on another node ($what), in all" "seen-$what-total.p50"
	show "seen on another node ($what), p99" "seen-$what-total.p99"
	show "seen on another node ($what), stale" "seen-$what-stale"
done
ratio=$(sed -n 's/^ratio \([0-9.]*\) x/\1/p' "$all" | sort -n |
	awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')
echo "overwrite p50 / bare commit p50 = $ratio (limit $LIMIT)"
awk -v r="$ratio" -v l="$LIMIT" 'BEGIN { exit !(r <= l) }' ||
	fail "beyond the limit"
