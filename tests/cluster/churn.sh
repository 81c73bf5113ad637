#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 300
# churn.sh - nodes are added, removed, wiped and replaced, killed, stopped, and
# the leadership is given away, at random and without a pause, while writers
# write on one that stays. Nothing acknowledged is lost, every change of it
# succeeds, and in the end the members are those who run, all with one tree.
#
# STEPS (25), SEED.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh
CALM_MS=${CALM_MS:-20000} # voters may have to wait out a killed leader, twice
. tests/lib/load.sh

STEPS=${STEPS:-25}
SEED=${SEED:-$$}
RANDOM=$((SEED % 32768))

running() { # one of those who run
	local i list=()
	for ((i = 1; i <= NODES; i++)); do
		[ -z "${PID[i]:-}" ] || list+=("$i")
	done
	echo "${list[RANDOM % ${#list[@]}]}"
}
is_member() { [[ " $members " == *" n$1="* ]]; }
voters() { grep -o '=voter' <<<"$members" | wc -l; }

# Who was removed has ended by itself, before or after it had joined; so has who
# was to replace itself and whose invitation was taken back.
was_denied() { # N
	local lines="n$1 was removed from|does not know n$1"
	lines+="|this name was a member: node n$1 "
	grep -qE "$lines" "${LOG[$1]}"
}
reap() {
	local i
	for ((i = 2; i <= NODES; i++)); do
		if [ -n "${PID[i]:-}" ] && node_is_gone "$i"; then
			wait "${PID[i]}" && fail "n$i ended well"
			was_denied "$i" ||
				fail "n$i ended: $(tail -n 1 "${LOG[i]}")"
			PID[i]=''
		fi
	done
}

launch() { # N, joining if it is new
	JOIN[$1]=${ADDR[1]}
	node_launch "$1"
}
# One that was removed may end by itself at this very moment.
kill_it() { # N
	local rc=0
	if [ -n "${PID[$1]:-}" ]; then
		kill -KILL "${PID[$1]}" 2>/dev/null
		wait_for 10 node_is_gone "$1" || fail "n$1 survived SIGKILL"
		wait "${PID[$1]}" 2>/dev/null || rc=$?
		PID[$1]=''
		[ "$rc" = 137 ] || was_denied "$1" ||
			fail "n$1 ended with exit code $rc: $(tail -n 1 "${LOG[$1]}")"
	fi
	! node_is_mounted "$1" || umount -l "${MNT[$1]}"
}

# What is refused, or not done in time, is so for a reason.
ask() { # N COMMAND...
	ctl "$@" >/dev/null 2>>"$CLUSTER_DIR/refusals"
}
try_add() { # N
	local how=()
	! is_member "$1" && [ -z "${PID[$1]:-}" ] || return 0
	[ $((RANDOM % 3)) != 0 ] || how=(--learner)
	rm -rf "${DATA[$1]}"
	: >"${LOG[$1]}"
	note "add n$1 ${how[*]-}"
	ask "$by" member add "n$1" "${ADDR[$1]}" "${how[@]}" && launch "$1"
}
try_remove() { # N
	is_member "$1" || return 0
	note "remove n$1"
	ask "$by" member remove "n$1"
}
try_kill() { # N
	[ -n "${PID[$1]:-}" ] || return 0
	note "kill n$1"
	kill_it "$1"
	sleep "0.$((RANDOM % 10))" # its absence
	launch "$1"
}
try_stop() { # N
	local rc=0
	[ -n "${PID[$1]:-}" ] || return 0
	note "stop n$1"
	kill -TERM "${PID[$1]}"
	wait_for 10 node_is_gone "$1" || fail "n$1 does not end"
	wait "${PID[$1]}" || rc=$?
	PID[$1]=''
	[ "$rc" = 0 ] || was_denied "$1" ||
		fail "n$1 ended with exit code $rc"
	[ "$rc" != 0 ] || launch "$1"
}
try_transfer() {
	note "transfer"
	ask "$by" transfer
}
try_replace() { # N, whose disk is lost; a majority must stay
	is_member "$1" && [ "$(voters)" -ge 3 ] && is_settled || return 0
	note "wipe and replace n$1"
	kill_it "$1"
	rm -rf "${DATA[$1]}"
	: >"${LOG[$1]}"
	ask 1 member replace "n$1" "n$1" "${ADDR[$1]}" && launch "$1"
}
# A member that lost its disk and was not replaced, or no longer is to be.
is_invited() { [[ " $(members_of 1) " == *" n$1=invited "* ]]; }
may_come_back() { # N
	[ -e "${DATA[$1]}/identity" ] || is_invited "$1" ||
		ctl 1 member replace "n$1" "n$1" "${ADDR[$1]}" >/dev/null
}

step() {
	local n=$((RANDOM % (NODES - 1) + 2))
	by=$(running)
	members=$(members_of 1)
	case $((RANDOM % 7)) in
	0 | 1) try_add "$n" ;;
	2) try_remove "$n" ;;
	3) try_kill "$n" ;;
	4) try_stop "$n" ;;
	5) try_transfer ;;
	6) try_replace "$n" ;;
	esac || note "  it was refused"
}

is_settled() { # all members run, and are what they are to be
	reap
	ctl 1 member list >"$CLUSTER_DIR/members" &&
		! grep -qE ' (invited|incoming|outgoing|disconnected)' \
			"$CLUSTER_DIR/members" && [ "$(status_of 1 joint)" = no ]
}

cluster_begin 6
echo "seed $SEED"
NODES=1
PEERS=n1=${ADDR[1]}
cluster_start
NODES=6
by=1 members=''
for n in 2 3; do
	ctl 1 member add "n$n" "${ADDR[n]}" >/dev/null || fail "n$n is not added"
	launch "$n"
done
wait_for 20 members_are 1 "n1=voter n2=voter n3=voter" ||
	fail "three: $(members_of 1)"

load_start churn $((STEPS + 5)) 1
for ((s = 1; s <= STEPS; s++)); do
	step
	reap
	sleep "0.$((RANDOM % 9))" # between two steps
done
members=$(members_of 1)
for ((n = 2; n <= NODES; n++)); do
	is_member "$n" && [ -z "${PID[n]:-}" ] || continue
	wait_for 30 may_come_back "$n" || fail "n$n can not come back"
	launch "$n"
done
wait_for 60 is_settled || fail "not settled: $(cat "$CLUSTER_DIR/members")"
cat "$CLUSTER_DIR/members"
mapfile -t present < <(sed 's/^n\([0-9]*\) .*/\1/' "$CLUSTER_DIR/members")
for n in "${present[@]}"; do
	wait_for 20 node_is_up "$n" || fail "n$n does not serve"
done
for ((n = 2; n <= NODES; n++)); do # who was removed last is still ending
	[[ " ${present[*]} " == *" $n "* ]] || wait_for 20 node_is_gone "$n" ||
		fail "n$n is no member and goes on"
done
reap
load_judge churn "${present[@]}"
trees_are_equal work || fail "the trees differ"
