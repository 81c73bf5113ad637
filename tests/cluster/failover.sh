#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 300
# failover.sh - from the SIGKILL (then the SIGSTOP) of the leader to the return
# of the first write begun after it, on each survivor: the median of RUNS (10)
# is within LIMIT_MS (2000).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

RUNS=${RUNS:-10}
LIMIT_MS=$((${LIMIT_MS:-2000} * SLOW))

# One write on node N, and the milliseconds since START that it took.
first_write() { # N START TEXT
	if within 20 bash -c 'echo "$1" >"$2"' _ "$3" "${MNT[$1]}/key.$1"; then
		echo $(($(milliseconds) - $2))
	else
		echo refused
	fi
}

one_run() { # WAY RUN: a line "N MS" a survivor
	local way=$1 l i start pids=()
	l=$(leader)
	[ -n "$l" ] || fail "$way $2: no leader"
	start=$(milliseconds)
	case $way in
	kill) kill -KILL "${PID[l]}" ;;
	stop) kill -STOP "${PID[l]}" ;;
	esac
	for ((i = 1; i <= NODES; i++)); do
		[ "$i" != "$l" ] || continue
		first_write "$i" "$start" "$way$2" >"$CLUSTER_DIR/took.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for ((i = 1; i <= NODES; i++)); do
		[ "$i" = "$l" ] || cat "$CLUSTER_DIR/took.$i"
	done
	case $way in
	kill)
		wait_for 10 node_is_gone "$l" || fail "n$l survived SIGKILL"
		node_start "$l"
		;;
	stop) node_thaw "$l" ;;
	esac
	wait_for 15 cluster_is_one || fail "$way $2: no cluster afterwards"
	# What the survivors wrote is on the one that was away.
	for ((i = 1; i <= NODES; i++)); do
		[ "$i" = "$l" ] ||
			[ "$(within 5 cat "${MNT[l]}/key.$i")" = "$way$2" ] ||
			fail "$way $2: a write of n$i is not on n$l"
	done
}

series() { # WAY
	local run times
	for ((run = 1; run <= RUNS; run++)); do
		one_run "$1" "$run" >"$CLUSTER_DIR/run" || exit 1
		cat "$CLUSTER_DIR/run" >>"$CLUSTER_DIR/times.$1"
	done
	if grep -q refused "$CLUSTER_DIR/times.$1"; then
		fail "$1: $(grep -c refused "$CLUSTER_DIR/times.$1") writes refused"
	fi
	mapfile -t times < <(sort -n "$CLUSTER_DIR/times.$1")
	echo "$1: ${#times[@]} writes on survivors, median" \
		"${times[${#times[@]} / 2]} ms, range ${times[0]} to" \
		"${times[-1]} ms (limit of the median $LIMIT_MS ms)"
	[ "${times[${#times[@]} / 2]}" -le "$LIMIT_MS" ] ||
		fail "$1: the median is beyond the limit"
}

cluster_begin 3
cluster_start
series kill
series stop
