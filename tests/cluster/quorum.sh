#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# alone
# quorum.sh - without a quorum a write gets the documented errno within the
# timeout, reads answer at once, the status says why, nothing is frozen; when
# the quorum is back, everything works without a restart. With --reads=strict
# reads fail instead, but the mount can still be looked at.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

TIMEOUT_MS=2000
export LC_ALL=C

# COMMAND ends by itself within MS milliseconds, by the clock of a shell that runs
# already. What it said is in $said; its exit code is passed on. Not for $(...): a
# failure there would end nothing.
in_time() { # MS WHAT COMMAND...
	local limit=$(($1 * SLOW)) what=$2 rc took=$CLUSTER_DIR/took
	shift 2
	rm -f "$took"
	timeout --kill-after=2 30 bash -c '
		took=$1 begun=${EPOCHREALTIME/[.,]/}
		shift
		"$@"
		rc=$?
		echo $(((${EPOCHREALTIME/[.,]/} - begun) / 1000)) >"$took"
		exit $rc' _ "$took" "$@" >"$CLUSTER_DIR/said" 2>&1
	rc=$?
	said=$(cat "$CLUSTER_DIR/said")
	[ -s "$took" ] || fail "$what does not end: $said"
	took=$(cat "$took")
	echo "$what: exit code $rc after $took ms"
	[ "$took" -le "$limit" ] || fail "$what took $took ms, limit $limit"
	return "$rc"
}

# The errno of an operation without a quorum is EROFS (certainly not proposed)
# or ETIMEDOUT (unknown), nothing else.
refused() { # N WHAT COMMAND, with the mount as $m
	m=${MNT[$1]} in_time $((TIMEOUT_MS + 300)) "$2" eval "$3" &&
		fail "$2: succeeded without a quorum"
	grep -qE 'Read-only file system|Connection timed out' <<<"$said" ||
		fail "$2: not the documented errno: $said"
	echo "$said"
}

says_why() { # N: its status; it is cut off
	in_time 300 "n$1: status" cat "${MNT[$1]}/.raftfs/status" || fail "status"
	grep '^quorum: no (..*)' <<<"$said" ||
		fail "the status does not say why: $said"
}

answers_at_once() { # N
	local m=${MNT[$1]}
	# The first read may wait for its barrier (1 s); from then on the node
	# counts as cut off and answers at once.
	in_time 1500 "n$1: first cat" cat "$m/dir/key" || fail "first cat: $said"
	in_time 300 "n$1: cat" cat "$m/dir/key" || fail "cat: $said"
	[ "$said" = value ] || fail "cat: $said"
	in_time 300 "n$1: ls" ls "$m/dir" || fail "ls: $said"
	[ "$said" = key ] || fail "ls: $said"
	in_time 300 "n$1: df" df "$m" || fail "df: $said"
	in_time 300 "n$1: stat" stat "$m/dir/key" || fail "stat: $said"
	says_why "$1"
}

writes_refused() { # N
	refused "$1" "n$1: echo to a new file" 'echo x >"$m/new"'
	refused "$1" "n$1: overwrite" 'echo lost >"$m/victim"'
	refused "$1" "n$1: append" 'echo lost >>"$m/victim"'
	refused "$1" "n$1: mkdir" 'mkdir "$m/folder"'
	refused "$1" "n$1: mv" 'mv "$m/victim" "$m/other"'
	refused "$1" "n$1: rm" 'rm -f "$m/victim"'
	refused "$1" "n$1: chmod" 'chmod 600 "$m/victim"'
	refused "$1" "n$1: touch" 'touch "$m/victim"'
}

# As writes: 5 s after the leader was lost, and at once from then on.
change_refused() { # MS N WORD...
	local ms=$1 n=$2
	shift 2
	in_time "$ms" "$*" "$RAFTFSCTL" --data "${DATA[n]}" "$@" &&
		fail "$*: done without a quorum"
	grep -q 'no quorum: 1 of 3 voters heard' <<<"$said" || fail "$*: $said"
}
changes_refused() { # N
	change_refused 6000 "$1" member remove n1
	change_refused 1000 "$1" member remove n2
	change_refused 1000 "$1" member add n9 "${ADDR[1]%:*}:7429"
	change_refused 1000 "$1" transfer
	change_refused 1000 "$1" transfer n3
}

# A strict read without a quorum is an error, never an old value.
unread() { # MS N WHAT COMMAND...
	local what=$3
	in_time "$1" "n$2: $what" "${@:4}" &&
		fail "$what: a strict read succeeded without a quorum: $said"
	grep -q 'Connection timed out' <<<"$said" ||
		fail "$what: not the documented errno: $said"
	echo "$said"
}

strict_reads() { # N
	local m=${MNT[$1]} round
	for round in 1 2; do
		unread 1500 "$1" cat cat "$m/dir/key"
		unread 300 "$1" stat stat "$m/dir/key"
		unread 300 "$1" ls ls "$m"
		in_time 300 "n$1: stat of the mount" stat "$m" ||
			fail "stat of the mount: $said"
		in_time 300 "n$1: df" df "$m" || fail "df: $said"
		says_why "$1"
		grep -qx 'reads: strict (cut off: they fail)' <<<"$said" ||
			fail "round $round: $said"
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
refused "$l" "the first write" 'echo x >"$m/first"'
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
refused "$alone" "the first write" 'echo x >"$m/first"'
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
