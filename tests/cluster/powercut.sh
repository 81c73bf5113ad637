#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 300
# powercut.sh - the power of all nodes is cut right after a write was
# acknowledged: all daemons get SIGKILL, and the layer under their whole data
# folders (log and database; tests/lib/forget.c) forgets what was not synced.
# The write is there afterwards. A daemon built without syncs, and a layer that
# ignores them, lose it: so the test would notice. RUNS (6).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

RUNS=${RUNS:-6}
forget=$BUILD/tests/lib/forget
declare -a LAYER

layer_is_there() { grep -qF " ${DATA[$1]} " /proc/self/mountinfo; }
layers_start() { # [ignore-sync]
	local i
	for ((i = 1; i <= NODES; i++)); do
		mkdir -p "${DATA[i]}"
		cluster_state "mount ${DATA[i]}"
		"$forget" "${DATA[i]}" "$@" 2>>"$CLUSTER_DIR/layer.$i" &
		LAYER[i]=$!
		cluster_state "pid ${LAYER[i]} ${DATA[i]}"
		wait_for 5 layer_is_there "$i" || fail "no layer under n$i"
	done
}
layers_stop() {
	local i
	for ((i = 1; i <= NODES; i++)); do
		must umount "${DATA[i]}"
		wait "${LAYER[i]}"
	done
}
power_cut() {
	local i
	kill -KILL "${PID[@]}"
	for ((i = 1; i <= NODES; i++)); do
		wait_for 10 node_is_gone "$i" || fail "n$i survived SIGKILL"
		wait "${PID[i]}" 2>/dev/null
		PID[i]=''
	done
	for ((i = 1; i <= NODES; i++)); do
		must mkdir "${DATA[i]}/.power-cut"
		must rmdir "${DATA[i]}/.power-cut"
	done
}
start_again() { # the daemons, until they are one cluster, or not at all
	local i
	for ((i = 1; i <= NODES; i++)); do
		umount -l "${MNT[i]}" 2>/dev/null
		node_launch "$i"
	done
	wait_for "$1" cluster_is_one
}

survives() { # RUN: writes in many ways, then the cut at once
	local w=$(($1 % NODES + 1)) i
	local m=${MNT[w]}
	case $(($1 % 3)) in
	0) must within 10 bash -c 'echo "$1" >"$2/new.$1"' _ "$1" "$m" ;;
	1) must within 10 bash -c 'echo "$1" >"$2/same"' _ "$1" "$m" ;;
	2) must within 10 bash -c 'for k in $(seq 200); do
		echo "$1 $k" >>"$2/log" || exit 1; done' _ "$1" "$m" ;;
	esac
	power_cut
	start_again 30 || fail "run $1: no cluster after the power cut"
	for ((i = 1; i <= NODES; i++)); do
		m=${MNT[i]}
		case $(($1 % 3)) in
		0) [ "$(within 5 cat "$m/new.$1")" = "$1" ] ;;
		1) [ "$(within 5 cat "$m/same")" = "$1" ] ;;
		2) seq 200 | sed "s/^/$1 /" |
			cmp - <(within 5 grep "^$1 " "$m/log") ;;
		esac || fail "run $1: what n$w acknowledged is lost on n$i"
	done
	trees_are_equal || fail "run $1: trees differ"
}

loses_it() { # WHAT: the same write is not there
	must within 10 bash -c 'echo precious >"$1/key"' _ "${MNT[1]}"
	power_cut
	if start_again 10 &&
		[ "$(within 5 cat "${MNT[1]}/key" 2>/dev/null)" = precious ]; then
		fail "$1: nothing was lost, so the test shows nothing"
	fi
	echo "$1: lost, as it must be"
	for ((i = 1; i <= NODES; i++)); do
		node_is_gone "$i" || node_stop "$i" ||
			echo "n$i ended with exit code $?"
		umount -l "${MNT[i]}" 2>/dev/null
		PID[i]=''
		: >"${LOG[i]}"
	done
	layers_stop
}

cluster_begin 3
layers_start
cluster_start
for ((run = 1; run <= RUNS; run++)); do
	survives "$run"
done
tail -n 1 "$CLUSTER_DIR"/layer.1
for ((n = 1; n <= NODES; n++)); do
	node_stop "$n" || fail "n$n ended with exit code $?"
done
layers_stop

layers_start ignore-sync
cluster_start
loses_it "a layer that ignores syncs"

layers_start
RAFTFS=$RAFTFS_BUILD/tests/lib/raftfs-nosync
cluster_start
loses_it "a daemon built without syncs"
