#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# quorum.sh - without a quorum a write gets the documented errno within the
# timeout, reads answer at once, the status says why, nothing is frozen; when
# the quorum is back, everything works without a restart. With --reads=strict
# reads fail instead, but the mount can still be looked at.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

TIMEOUT_MS=2000

# COMMAND ends by itself within MS milliseconds; its exit code is passed on.
in_time() { # MS WHAT COMMAND...
	local limit=$(($1 * SLOW)) what=$2 start rc took
	shift 2
	start=$(milliseconds)
	timeout --kill-after=2 30 "$@"
	rc=$?
	took=$(($(milliseconds) - start))
	echo "$what: exit code $rc after $took ms" >&2
	[ "$took" -le "$limit" ] || fail "$what took $took ms, limit $limit"
	return "$rc"
}

# The errno of an operation without a quorum is EROFS (certainly not proposed)
# or ETIMEDOUT (unknown), nothing else.
refused() { # N WHAT COMMAND
	local out
	if out=$(LC_ALL=C in_time $((TIMEOUT_MS + 300)) "$2" bash -c "$3" \
		_ "${MNT[$1]}" 2>&1); then
		fail "$2: succeeded without a quorum"
	fi
	grep -qE 'Read-only file system|Connection timed out' <<<"$out" ||
		fail "$2: not the documented errno: $out"
	echo "$out"
}

answers_at_once() { # N
	local m=${MNT[$1]}
	# The first read may wait for its barrier (1 s); from then on the node
	# counts as cut off and answers at once.
	in_time 1500 "n$1: first cat" cat "$m/dir/key" || fail "first cat"
	[ "$(in_time 300 "n$1: cat" cat "$m/dir/key")" = value ] || fail "cat"
	[ "$(in_time 300 "n$1: ls" ls "$m/dir")" = key ] || fail "ls"
	in_time 300 "n$1: df" df "$m" || fail "df"
	in_time 300 "n$1: stat" stat "$m/dir/key" >"$CLUSTER_DIR/out" ||
		fail "stat"
	in_time 300 "n$1: status" cat "$m/.raftfs/status" \
		>"$CLUSTER_DIR/status" || fail "status"
	grep -q '^quorum: no (..*)' "$CLUSTER_DIR/status" ||
		fail "the status does not say why: $(cat "$CLUSTER_DIR/status")"
	grep '^quorum' "$CLUSTER_DIR/status"
}

writes_refused() { # N
	refused "$1" "n$1: echo to a new file" 'echo x >"$1/new"'
	refused "$1" "n$1: overwrite" 'echo lost >"$1/victim"'
	refused "$1" "n$1: append" 'echo lost >>"$1/victim"'
	refused "$1" "n$1: mkdir" 'mkdir "$1/folder"'
	refused "$1" "n$1: mv" 'mv "$1/victim" "$1/other"'
	refused "$1" "n$1: rm" 'rm -f "$1/victim"'
	refused "$1" "n$1: chmod" 'chmod 600 "$1/victim"'
	refused "$1" "n$1: touch" 'touch "$1/victim"'
}

# A strict read without a quorum is an error, never an old value.
# As writes: 5 s after the leader was lost, and at once from then on.
change_refused() { # MS N WORD...
	local ms=$1 n=$2
	shift 2
	in_time "$ms" "$*" "$RAFTFSCTL" --data "${DATA[n]}" "$@" \
		2>"$CLUSTER_DIR/err" && fail "$*: done without a quorum"
	grep -q 'no quorum: 1 of 3 voters heard' "$CLUSTER_DIR/err" ||
		fail "$*: $(cat "$CLUSTER_DIR/err")"
}
changes_refused() { # N
	change_refused 6000 "$1" member remove n1
	change_refused 1000 "$1" member remove n2
	change_refused 1000 "$1" member add n9 "${ADDR[1]%:*}:7429"
	change_refused 1000 "$1" transfer
	change_refused 1000 "$1" transfer n3
}

unread() { # N WHAT COMMAND MS
	local out
	if out=$(LC_ALL=C in_time "$4" "$2" bash -c "$3" \
		_ "${MNT[$1]}" 2>&1); then
		fail "$2: a strict read succeeded without a quorum: $out"
	fi
	grep -q 'Connection timed out' <<<"$out" ||
		fail "$2: not the documented errno: $out"
	echo "$out"
}

strict_reads() { # N
	local m=${MNT[$1]} round
	for round in 1 2; do
		unread "$1" "n$1: cat" 'cat "$1/dir/key"' 1500
		unread "$1" "n$1: stat" 'stat "$1/dir/key"' 300
		unread "$1" "n$1: ls" 'ls "$1"' 300
		in_time 300 "n$1: stat of the mount" stat "$m" \
			>"$CLUSTER_DIR/out" || fail "stat of the mount"
		in_time 300 "n$1: df" df "$m" || fail "df"
		in_time 300 "n$1: status" cat "$m/.raftfs/status" \
			>"$CLUSTER_DIR/status" || fail "status"
		grep -qx 'reads: strict (cut off: they fail)' "$CLUSTER_DIR/status" ||
			fail "round $round: $(cat "$CLUSTER_DIR/status")"
		grep -q '^quorum: no (..*)' "$CLUSTER_DIR/status" ||
			fail "the status does not say why: $(cat "$CLUSTER_DIR/status")"
	done
}

all_work() { # WHAT
	local i k
	wait_for 10 cluster_is_one || fail "$1: no cluster when all are back"
	for ((i = 1; i <= NODES; i++)); do
		within 5 bash -c 'echo "$1" >"$2"' _ "$1 $i" "${MNT[i]}/key.$i" ||
			fail "$1: n$i can not write"
	done
	for ((i = 1; i <= NODES; i++)); do
		for ((k = 1; k <= NODES; k++)); do
			[ "$(within 5 cat "${MNT[k]}/key.$i")" = "$1 $i" ] ||
				fail "$1: n$k does not see what n$i wrote"
		done
		grep -q '^quorum: yes' "${MNT[i]}/.raftfs/status" ||
			fail "$1: n$i still without a quorum"
	done
	trees_are_equal || fail "$1: trees differ"
}

cluster_begin 3
NODE_OPTIONS="--timeout 2"
cluster_start
must within 5 mkdir "${MNT[1]}/dir"
must within 5 bash -c 'echo value >"$1/dir/key"; echo v >"$1/victim"' \
	_ "${MNT[1]}"

l=$(the_leader) || exit 1
note "two followers are killed: the leader n$l is alone"
for ((n = 1; n <= NODES; n++)); do
	[ "$n" = "$l" ] || node_kill9 "$n"
done
# The first write may be proposed before the leader knows; its outcome is open.
refused "$l" "the first write" 'echo x >"$1/first"'
answers_at_once "$l"
writes_refused "$l"
changes_refused "$l"
answers_at_once "$l"
for ((n = 1; n <= NODES; n++)); do
	[ "$n" = "$l" ] || node_launch "$n"
done
for ((n = 1; n <= NODES; n++)); do
	wait_for 15 node_is_up "$n" || fail "n$n did not come back"
done
all_work "killed"
# What was refused with EROFS has not happened, however late one looks.
[ "$(within 5 cat "${MNT[1]}/dir/key")" = value ] || fail "the key changed"

# An operation of unknown outcome may have removed it.
must within 5 bash -c 'echo v >"$1/victim"' _ "${MNT[1]}"

l=$(the_leader) || exit 1
note "the leader n$l and a follower are stopped: a follower is alone"
for ((n = 1; n <= NODES; n++)); do
	[ "$n" = "$l" ] || alone=$n
done
for ((n = 1; n <= NODES; n++)); do
	[ "$n" = "$alone" ] || node_freeze "$n"
done
refused "$alone" "the first write" 'echo x >"$1/first"'
answers_at_once "$alone"
writes_refused "$alone"
for ((n = 1; n <= NODES; n++)); do
	[ "$n" = "$alone" ] || node_thaw "$n"
done
all_work "stopped"

alone=$(follower) || exit 1
note "n$alone reads strictly: the others are stopped"
node_stop "$alone"
node_start "$alone" --reads=strict
all_work "strict"
for ((n = 1; n <= NODES; n++)); do
	[ "$n" = "$alone" ] || node_freeze "$n"
done
strict_reads "$alone"
for ((n = 1; n <= NODES; n++)); do
	[ "$n" = "$alone" ] || node_thaw "$n"
done
all_work "strict again"
