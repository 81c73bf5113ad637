#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 120
# frozen.sh - a node that was frozen (SIGSTOP) while the others went on, the
# leader and a follower in turn: a read that begins on it after the last write
# was acknowledged finds that write, from the moment at which it goes on. Or the
# node says that it is cut off, which one may be in all ROUNDS (8): a leader
# waits for it.
#
# The word of that leader waits for it in its sockets, so the moment before it
# has read that is short. Until it has answered, but for LONGER_MS at most, the
# threads that do not serve the mount run only when nobody else wants to: that
# makes the moment longer. Where all cores are busy they do not run at all
# meanwhile, and a read waits for a leader for 1 s.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

ROUNDS=${ROUNDS:-8}
FROZEN_MS=2500
LONGER_MS=300
READERS=4

microseconds() { echo "${EPOCHREALTIME/[.,]/}"; }

# Read on and on: a line "BEGUN ENDED VALUE" each, in microseconds.
reader() { # FILE
	local begun value
	while [ -e "$CLUSTER_DIR/reading" ]; do
		begun=${EPOCHREALTIME/[.,]/}
		value=none
		read -r value <"$1"
		echo "$begun ${EPOCHREALTIME/[.,]/} $value"
	done
}
has_read_since() { # MICROSECONDS: so has each reader
	local i
	for ((i = 1; i <= READERS; i++)); do
		tail -n 1 "$CLUSTER_DIR/read.$i" |
			awk -v since="$1" '{ found = $1 >= since } END { exit !found }' ||
			return 1
	done
}

others_run() { # N POLICY: of chrt(1)
	local thread name
	for thread in "/proc/${PID[$1]}/task/"*; do
		read -r name <"$thread/comm"
		[ "$name" != raftfs ] || must chrt "$2" --pid 0 "${thread##*/}"
	done
}

number=0
put() { # N: the next number; false: refused
	number=$((number + 1))
	within 10 bash -c 'echo "$1" >"$2"' _ "$number" "${MNT[$1]}/key"
}

one_run() { # ROUND
	local n other i end acknowledged='' since thawed before old
	n=$(leader)
	[ $(($1 % 2)) = 1 ] || n=$(follower)
	[ -n "$n" ] || fail "round $1: no leader"
	other=$((n % NODES + 1))
	must put "$n"
	touch "$CLUSTER_DIR/reading"
	for ((i = 1; i <= READERS; i++)); do
		: >"$CLUSTER_DIR/read.$i"
		reader "${MNT[n]}/key" >"$CLUSTER_DIR/read.$i" &
		cluster_state "pid $!"
	done
	wait_for 5 has_read_since 0 || fail "round $1: nothing is read"

	node_freeze "$n"
	before=$(grep -c 'reads fall back' "${LOG[n]}")
	end=$(($(milliseconds) + FROZEN_MS))
	while [ "$(milliseconds)" -lt "$end" ]; do
		if put "$other"; then
			acknowledged=$number since=$(microseconds)
		fi
		sleep 0.05 # between two writes
	done
	[ -n "$acknowledged" ] || fail "round $1: the survivors refused all writes"
	thawed=$(microseconds)
	others_run "$n" --idle
	node_thaw "$n"
	end=$(($(milliseconds) + LONGER_MS))
	until has_read_since "$thawed" || [ "$(milliseconds)" -ge "$end" ]; do
		sleep 0.03 # between two looks
	done
	others_run "$n" --other
	wait_for 10 has_read_since "$thawed" || fail "round $1: no read afterwards"
	rm "$CLUSTER_DIR/reading"
	wait_for 5 readers_ended || fail "round $1: a read does not end"

	old=$(cat "$CLUSTER_DIR"/read.? | awk -v since="$since" -v value="$acknowledged" \
		'$1 >= since && ($3 + 0 < value || $3 == "none")' | sort -n)
	if [ -n "$old" ] && [ "$(grep -c 'reads fall back' "${LOG[n]}")" -eq "$before" ]; then
		head -n 5 <<<"$old"
		fail "round $1: $(wc -l <<<"$old") reads of n$n, thawed at $thawed," \
			"miss $acknowledged, acknowledged at $since"
	fi
	[ -z "$old" ] || cut_off=$((cut_off + 1))
	wait_for 15 cluster_is_one || fail "round $1: no cluster afterwards"
}
readers_ended() { [ -z "$(jobs -rp | grep -vxF "$(printf '%s\n' "${PID[@]}")")" ]; }

cluster_begin 3
cluster_start
cut_off=0
for ((round = 1; round <= ROUNDS; round++)); do
	one_run "$round"
done
echo "$ROUNDS nodes frozen and thawed, $cut_off of them cut off for a moment"
[ "$cut_off" -le 1 ] || fail "nodes are cut off although a leader waits for them"
