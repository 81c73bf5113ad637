#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# rounds.sh - 8 writers on random nodes, while a random node (every third time
# the leader) is killed with SIGKILL or stopped with SIGSTOP and brought back.
# After each round a program judges the writers' history against what every
# node holds, and all trees are compared.
#
# ROUNDS (20), ROUND_SECONDS (5, longer while there are fewer than MINIMUM),
# MINIMUM acknowledged changes a round (500), SEED, HISTORY (folder where
# histories are kept).
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

ROUNDS=${ROUNDS:-20}
ROUND_SECONDS=${ROUND_SECONDS:-5}
MINIMUM=${MINIMUM:-500}
SEED=${SEED:-$$}
WRITERS=8
history=$BUILD/tests/cluster/history
judge=$BUILD/tests/cluster/judge
HISTORY=${HISTORY:-$RAFTFS_BUILD/test-logs/history}
RANDOM=$((SEED % 32768))

start_round() { # ROUND: writers and watchers run in the background
	local w i least=$(((MINIMUM + WRITERS - 1) / WRITERS))
	mkdir -p "$kept"
	RUNNING=()
	within 30 "$history" setup "${MNT[1]}/work/$1" "$WRITERS" ||
		fail "round $1 could not be set up"
	for ((i = 1; i <= NODES; i++)); do
		timeout $((ROUND_SECONDS + 40)) "$history" watch \
			"${MNT[i]}/.raftfs/status" "$i" "$WRITERS" "$kept" \
			>"$kept/stale.$i" &
		RUNNING+=($!)
	done
	for ((w = 1; w <= WRITERS; w++)); do
		i=$((RANDOM % NODES + 1))
		timeout $((ROUND_SECONDS + 30)) "$history" write \
			"${MNT[i]}/work/$1" "$w" "$WRITERS" "$i" "$SEED$1" \
			"$ROUND_SECONDS" "$least" "$kept" &
		RUNNING+=($!)
	done
}

# Bring about the round's fault, and mend it, while the writers write.
fault() { # ROUND
	local victim=$((RANDOM % NODES + 1)) way=kill
	[ $(($1 % 3)) != 0 ] || victim=$(the_leader) || exit 1
	[ $((RANDOM % 2)) = 0 ] || way=stop
	what="$way n$victim"
	[ "$victim" != "$(leader)" ] || what+=" (leader)"
	sleep "1.$((RANDOM % 10))" # the writers' undisturbed time
	case $way in
	kill)
		node_kill9 "$victim"
		sleep "1.$((RANDOM % 10))" # its absence
		node_start "$victim"
		;;
	stop)
		node_freeze "$victim"
		sleep "2.$((RANDOM % 10))" # how long it is frozen
		node_thaw "$victim"
		;;
	esac
}

applied_equal() { # every node has applied the same, and nothing waits
	local i first=''
	for ((i = 1; i <= NODES; i++)); do
		[ "$(status_of "$i" lag)" = 0 ] || return 1
		: "${first:=$(status_of "$i" applied)}"
		[ "$(status_of "$i" applied)" = "$first" ] || return 1
	done
}

one_round() { # ROUND
	local pid i trees=()
	kept=$HISTORY/$1
	rm -rf "$kept"
	start_round "$1"
	fault "$1"
	for pid in "${RUNNING[@]}"; do
		wait "$pid" || fail "round $1: a writer did not end"
	done
	cat "$kept"/stale.* >"$kept/stale"
	wait_for 15 cluster_is_one || fail "round $1: no cluster afterwards"
	wait_for 15 applied_equal || fail "round $1: the nodes do not catch up"
	for ((i = 1; i <= NODES; i++)); do
		trees+=("${MNT[i]}/work/$1")
	done
	printf 'round %s: %s: ' "$1" "$what"
	within $((60 * SLOW)) "$judge" "$kept" "$MINIMUM" "${trees[@]}" ||
		fail "round $1: the judge (seed $SEED, history in $kept)"
	trees_are_equal "work/$1" || fail "round $1: the trees differ"
}

cluster_begin 3
echo "seed $SEED"
READS=${READS:-fresh}
cluster_start --reads="$READS"
must within 10 mkdir "${MNT[1]}/work"
for ((round = 1; round <= ROUNDS; round++)); do
	if [ "$round" = $((ROUNDS / 2 + 1)) ] && [ "$ROUNDS" -gt 1 ]; then
		# The second half in the other read mode: never stale, or refused.
		for ((n = 1; n <= NODES; n++)); do
			node_stop "$n" || fail "n$n ended badly"
		done
		cluster_start --reads=strict
	fi
	one_round "$round"
done
trees_are_equal || fail "the whole trees differ"
for ((n = 1; n <= NODES; n++)); do
	node_stop "$n" || fail "n$n ended with exit code $?"
done
