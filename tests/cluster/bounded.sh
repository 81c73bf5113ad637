#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bounded.sh - many overwrites of a few files: log and state stay small on every
# node, whatever was written, and a restart stays quick.
#
# Each second the data folder of each node is measured, as blocks on the disk;
# the largest ever seen must be below BOUND_MIB. At the end each node is killed
# and started again under load, and all are stopped and started: until its
# mount answers, none may take more than RESTART_MS.
#
#   make bounded: COUNT=2000000 overwrites of 100 bytes. Without it a small one,
#   whose entries are larger, so that a log that is never cut would show.
set -u
cd "$(dirname "$0")/../.." || exit 1
COUNT=${COUNT:-20000}
BYTES=${BYTES:-32768}
FILES=${FILES:-100}
THREADS=${THREADS:-32}
BOUND_MIB=${BOUND_MIB:-500}
RESTART_MS=${RESTART_MS:-5000}
. tests/lib/cluster.sh

sample() { # until $CLUSTER_DIR/over is there: "n1 n2 n3", in KiB
	local i line
	while [ ! -e "$CLUSTER_DIR/over" ]; do
		line=''
		for ((i = 1; i <= NODES; i++)); do
			# Files come and go while it looks.
			line+="$(du -sk "${DATA[i]}" 2>/dev/null | cut -f 1) "
		done
		echo "$line"
		sleep 1 # the interval of the measurement
	done >>"$CLUSTER_DIR/samples"
}
largest() { # N: in MiB
	awk -v n="$1" '$n > most { most = $n } END { printf "%.1f", most / 1024 }' \
		"$CLUSTER_DIR/samples"
}
restart() { # N WHAT: print and check how long it takes
	local began took
	began=$(milliseconds)
	node_start "$1"
	took=$(($(milliseconds) - began))
	echo "n$1: up after $2 within $took ms"
	[ "$took" -lt $((RESTART_MS * SLOW)) ] || fail "n$1: $took ms after $2"
}

cluster_begin 3
cluster_start
must mkdir "${MNT[1]}/hot"
sample &
sampler=$!
cluster_state "pid $sampler sampler"

l=$(the_leader) || exit 1
"$BUILD/tests/bench/overwrite" "${MNT[l]}/hot" "$FILES" "$THREADS" \
	"$COUNT" "$BYTES" || fail "overwriting"
for ((i = 1; i <= NODES; i++)); do
	echo "n$i: largest data folder $(largest "$i") MiB," \
		"now $(du -sk "${DATA[i]}" | awk '{ printf "%.1f", $1 / 1024 }') MiB"
done

# Killed with whatever is not flushed: the most there is to replay.
for ((i = 1; i <= NODES; i++)); do
	l=$(the_leader) || exit 1
	"$BUILD/tests/bench/overwrite" "${MNT[l]}/hot" "$FILES" \
		"$THREADS" $((COUNT / 20 + 1)) "$BYTES" >/dev/null || fail "overwriting"
	node_kill9 "$i"
	restart "$i" SIGKILL
	wait_for 20 cluster_is_one || fail "n$i did not come back"
done
for ((i = 1; i <= NODES; i++)); do
	must node_stop "$i"
done
for ((i = 1; i <= NODES; i++)); do
	restart "$i" "a stop"
done
wait_for 20 cluster_is_one || fail "no cluster after the restart"
trees_are_equal || fail "the trees differ"

touch "$CLUSTER_DIR/over"
wait "$sampler"
[ "$(wc -l <"$CLUSTER_DIR/samples")" -gt 3 ] || fail "nothing was measured"
for ((i = 1; i <= NODES; i++)); do
	most=$(largest "$i")
	echo "n$i: largest data folder in all $most MiB of $BOUND_MIB"
	awk -v m="$most" -v b="$BOUND_MIB" 'BEGIN { exit !(m > 0 && m < b) }' ||
		fail "n$i: its data folder grew to $most MiB"
done
