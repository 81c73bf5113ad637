#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 300
# powercut.sh - the power of all nodes is cut right after a write was
# acknowledged: all daemons get SIGKILL, and the layer under their whole data
# folders (log and database; tests/lib/forget.c) forgets what was not synced.
# The write is there afterwards. In the last RUNS_CUT of the runs all nodes had
# flushed their database and cut their log before, so that what was written
# first is in the database alone.
#
# A daemon built without syncs, one whose database syncs neither tables nor
# manifest, and a layer that ignores all syncs lose it: so the test would notice.
# RUNS (6).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

RUNS=${RUNS:-6}
RUNS_CUT=2
forget=$BUILD/tests/lib/forget
declare -a LAYER CUTS

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
launch_again() {
	local i
	for ((i = 1; i <= NODES; i++)); do
		umount -l "${MNT[i]}" 2>/dev/null
		node_launch "$i"
	done
}

# 64 MiB of entries are a flush, and then less of the log stays.
cut_all_logs() {
	local i l
	for ((i = 1; i <= NODES; i++)); do
		CUTS[i]=$(grep -c 'log cut' "${LOG[i]}")
	done
	mkdir -p "${MNT[1]}/hot" || fail "no folder"
	l=$(the_leader) || exit 1
	within $((60 * SLOW)) "$BUILD/tests/bench/overwrite" "${MNT[l]}/hot" \
		32 8 640 131072 >/dev/null || fail "overwriting"
	for ((i = 1; i <= NODES; i++)); do
		wait_for 20 log_was_cut "$i" || fail "n$i did not cut its log"
	done
}
log_was_cut() { [ "$(grep -c 'log cut' "${LOG[$1]}")" -gt "${CUTS[$1]}" ]; }

survives() { # RUN: writes in many ways, then the cut at once
	local w=$(($1 % NODES + 1)) i
	local m=${MNT[w]}
	case $(($1 % 3)) in
	0) must within 10 bash -c 'echo "$1" >"$2/new.$1"' _ "$1" "$m" ;;
	1) must within 10 bash -c 'echo "$1" >"$2/same"' _ "$1" "$m" ;;
	2) must within $((60 * SLOW)) bash -c 'for k in $(seq 200); do
		echo "$1 $k" >>"$2/log" || exit 1; done' _ "$1" "$m" ;;
	esac
	power_cut
	launch_again
	wait_for 30 cluster_is_one || fail "run $1: no cluster after the power cut"
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

# What a daemon says of acknowledged bytes that are not there.
NAMED='lost its tail|is damaged|: damaged at offset|but the log begins after'
NAMED+='|state database in .* does not open'

# Shown in one of two ways: the key is read and is not what was acknowledged, or
# a daemon names what it has lost. That they are not back is no such thing.
loss_is_shown() {
	local text
	HOW=$(grep -m 1 -hE "$NAMED" "${LOG[@]}") && return
	cluster_is_one || return 1
	if text=$(within 5 cat "${MNT[1]}/key" 2>&1); then
		[ "$text" != precious ] || fail "nothing was lost: this shows nothing"
		HOW="the key reads '$text'"
	else
		HOW=$text
		[[ $text == *'No such file or directory' ]]
	fi
}
ends_in_order() { # N: whether it goes on, or has ended by itself
	local rc=0
	node_is_gone "$1" || kill -TERM "${PID[$1]}"
	wait_for 10 node_is_gone "$1" || fail "n$1 does not end"
	wait "${PID[$1]}" || rc=$?
	PID[$1]=''
	umount -l "${MNT[$1]}" 2>/dev/null
	[ "$rc" -lt 128 ] && ! grep -E "$COMPLAINTS" "${LOG[$1]}" ||
		fail "n$1 crashed, exit code $rc"
}
loses_it() { # WHAT: the same write is not there
	local i
	must within 10 bash -c 'echo precious >"$1/key"' _ "${MNT[1]}"
	power_cut
	for ((i = 1; i <= NODES; i++)); do
		! grep -hE "$NAMED" "${LOG[i]}" || fail "n$i had lost it before"
	done
	launch_again
	wait_for 20 loss_is_shown || fail "$1: neither read nor named as lost"
	echo "$1: lost, as it must be: $HOW"
	for ((i = 1; i <= NODES; i++)); do
		ends_in_order "$i"
		: >"${LOG[i]}"
	done
	layers_stop
}

cluster_begin 3
layers_start
cluster_start
for ((run = 1; run <= RUNS; run++)); do
	[ "$run" -le $((RUNS - RUNS_CUT)) ] || cut_all_logs
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

layers_start
RAFTFS=$RAFTFS_BUILD/tests/lib/raftfs-nodbsync
cluster_start
cut_all_logs
loses_it "a daemon whose database is not synced"
