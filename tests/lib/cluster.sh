# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# sourced - a cluster of real daemons for a test script.
#
#   . tests/lib/cluster.sh
#   cluster_begin 3            folders, addresses, clearing up at exit
#   cluster_start              all nodes, until they are one cluster
#   node_start 1               (again); node_stop, node_kill9, node_freeze,
#   node_thaw, node_cut, node_heal 1
#
# Node N is called nN; its mount is ${MNT[N]}, its data ${DATA[N]}, its output
# ${LOG[N]}. Without CLUSTER_NET=netns the nodes listen on 127/8 addresses that
# only this test uses, so no port can be taken; with it each has a network
# namespace of its own, and links can be cut.
#
# Whatever is started is listed in $CLUSTER_STATE (see reap.sh) before it is
# started, and cleared at exit in any case, mounts first. Every wait has a
# deadline; every look into a mount is bounded by timeout(1).
#
# Options for every daemon: $NODE_OPTIONS (words). A node with ${JOIN[N]}, an
# address, joins there; the others found a cluster with $PEERS.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
RAFTFS_BUILD=${RAFTFS_BUILD:-$BUILD} # where the daemons are from
case $RAFTFS_BUILD in /*) ;; *) RAFTFS_BUILD=$TOP/$RAFTFS_BUILD ;; esac
RAFTFS=${RAFTFS:-$RAFTFS_BUILD/raftfs}
RAFTFSCTL=${RAFTFSCTL:-$RAFTFS_BUILD/raftfsctl}
SLOW=${SLOW:-1} # sanitizers: deadlines are so many times longer
NODE_OPTIONS=${NODE_OPTIONS:-}
COMPLAINTS='(ERROR|WARNING): [A-Za-z]*Sanitizer|runtime error:|raftfs: bug:'

declare -a MNT DATA LOG PID ADDR JOIN
NODES=0
CLUSTER_DIR=''

fail() {
	echo "FAILED: $*" >&2
	exit 1
}
note() { echo "$(date +%T.%3N) $*"; }
skip() {
	echo "$*"
	exit 77
}

# wait_for SECONDS COMMAND...: until it succeeds; false at the deadline.
wait_for() {
	local end
	end=$(($(date +%s%3N) + $1 * SLOW * 1000))
	shift
	until "$@"; do
		[ "$(date +%s%3N)" -lt "$end" ] || return 1
		sleep 0.03 # between two looks
	done
}
must() { "$@" || fail "$*"; }
# within SECONDS COMMAND...: bounded, however frozen a mount is.
within() {
	local seconds=$1
	shift
	timeout --kill-after=2 "$seconds" "$@"
}

cluster_state() { echo "$*" >>"$CLUSTER_STATE"; }

cluster_begin() { # COUNT
	local i
	[ "$(id -u)" = 0 ] || skip "needs root, to mount"
	[ -c /dev/fuse ] || skip "needs /dev/fuse"
	[ -x "$RAFTFS" ] || fail "$RAFTFS is not built"
	CLUSTER_DIR=$(mktemp -d "${CLUSTER_BASE:-${TMPDIR:-/tmp}}/raftfs-test.XXXXXX") ||
		exit 1
	CLUSTER_STATE=${CLUSTER_STATE:-$CLUSTER_DIR.state}
	trap cluster_end EXIT
	trap 'exit 1' INT TERM HUP
	cluster_state "dir $CLUSTER_DIR"
	NODES=$1
	CLUSTER_NET=${CLUSTER_NET:-}
	[ -z "$CLUSTER_NET" ] || net_begin
	for ((i = 1; i <= NODES; i++)); do
		MNT[i]=$CLUSTER_DIR/n$i
		DATA[i]=${DATA_BASE:-$CLUSTER_DIR}/d$i
		LOG[i]=$CLUSTER_DIR/n$i.log
		PID[i]=''
		mkdir "${MNT[i]}"
		if [ -n "$CLUSTER_NET" ]; then
			ADDR[i]=10.77.0.$i:7420
		else
			# Two numbers from the pid: no other test has them.
			ADDR[i]=127.$(($$ / 250 % 250 + 1)).$(($$ % 250 + 1)).$i:7420
		fi
	done
	PEERS=''
	for ((i = 1; i <= NODES; i++)); do
		PEERS+=${PEERS:+,}n$i=${ADDR[i]}
	done
}

cluster_end() {
	local rc=$? i
	trap - EXIT
	trap '' INT TERM HUP
	set +e
	for ((i = 1; i <= NODES; i++)); do
		[ -z "${PID[i]:-}" ] || kill -CONT "${PID[i]}" 2>/dev/null
		node_is_mounted "$i" && umount -l "${MNT[i]}"
	done
	for ((i = 1; i <= NODES; i++)); do
		[ -z "${PID[i]:-}" ] || kill -TERM "${PID[i]}" 2>/dev/null
	done
	for ((i = 1; i <= NODES; i++)); do
		wait_for 3 node_is_gone "$i" || kill -KILL "${PID[i]}" 2>/dev/null
	done
	# What a sanitizer or a CHECK had to say is a failure, also of a node that
	# was killed afterwards.
	if grep -m 1 -hE "$COMPLAINTS" "${LOG[@]}" 2>/dev/null; then
		grep -m 1 -A 40 -hE "$COMPLAINTS" "${LOG[@]}" | head -n 120
		rc=1
	fi
	if [ "$rc" != 0 ] && [ "$rc" != 77 ]; then
		for ((i = 1; i <= NODES; i++)); do
			echo "--- the last lines of n$i:"
			tail -n 15 "${LOG[i]}" 2>/dev/null
		done
	fi
	if [ -n "${KEEP:-}" ]; then
		echo "kept: $CLUSTER_DIR"
		sed -i '/^dir /d' "$CLUSTER_STATE"
	fi
	"$TOP/tests/lib/reap.sh" "$CLUSTER_STATE"
	rm -f "$CLUSTER_DIR.state"
	exit "$rc"
}

# --- Links that can be cut ----------------------------------------------------

net_name() { echo "raftfs-$$-$1"; }

net_begin() { # a bridge in a namespace of its own, a pair of ends a node
	local i hub
	hub=$(net_name 0)
	cluster_state "netns $hub"
	ip netns add "$hub" 2>/dev/null || skip "needs network namespaces"
	ip -n "$hub" link add hub type bridge || fail "no bridge"
	ip -n "$hub" link set hub up
	for ((i = 1; i <= NODES; i++)); do
		cluster_state "netns $(net_name "$i")"
		must ip netns add "$(net_name "$i")"
		must ip -n "$hub" link add "to$i" type veth peer name eth0 \
			netns "$(net_name "$i")"
		must ip -n "$hub" link set "to$i" master hub up
		must ip -n "$(net_name "$i")" address add "10.77.0.$i/24" dev eth0
		must ip -n "$(net_name "$i")" link set eth0 up
		must ip -n "$(net_name "$i")" link set lo up
	done
}
node_cut() { must ip -n "$(net_name 0)" link set "to$1" down; }
node_heal() { must ip -n "$(net_name 0)" link set "to$1" up; }

# --- One node -----------------------------------------------------------------

node_is_mounted() { grep -qF " ${MNT[$1]} " /proc/self/mountinfo; }
node_is_gone() {
	[ -z "${PID[$1]:-}" ] || ! kill -0 "${PID[$1]}" 2>/dev/null
}
node_answers() { [ -n "$(status_of "$1" role)" ]; }

# The value of a line "key: value" of the status file.
status_of() { # N KEY
	within 2 cat "${MNT[$1]}/.raftfs/status" 2>/dev/null |
		sed -n "s/^$2: *//p" | head -n 1
}

# Start the daemon; returns at once.
node_launch() { # N [OPTION...]
	local n=$1 run=() how=(--peers "$PEERS")
	shift
	[ -z "${JOIN[n]:-}" ] || how=(--join "${JOIN[n]}")
	[ -z "$CLUSTER_NET" ] ||
		run=(nsenter "--net=/run/netns/$(net_name "$n")")
	cluster_state "mount ${MNT[n]}"
	# shellcheck disable=SC2086 # options are words
	${run[@]+"${run[@]}"} "$RAFTFS" -f --id "n$n" --data "${DATA[n]}" \
		"${how[@]}" ${CLUSTER_NET:+--insecure} $NODE_OPTIONS "$@" \
		"${MNT[n]}" >>"${LOG[n]}" 2>&1 </dev/null &
	PID[n]=$!
	cluster_state "pid ${PID[n]} ${MNT[n]}"
}
node_start() { # N [OPTION...]: until its mount answers
	node_launch "$@"
	wait_for 15 node_is_up "$1" || fail "n$1 did not start"
}
node_is_up() {
	! node_is_gone "$1" || fail "n$1 ended at its start"
	node_is_mounted "$1" && node_answers "$1"
}
node_stop() { # N: as an administrator would
	kill -TERM "${PID[$1]}" || fail "n$1 does not run"
	wait_for 10 node_is_gone "$1" || fail "n$1 does not end"
	wait "${PID[$1]}"
	local rc=$?
	PID[$1]=''
	return "$rc"
}
node_kill9() {
	kill -KILL "${PID[$1]}" || fail "n$1 does not run"
	wait_for 10 node_is_gone "$1" || fail "n$1 survived SIGKILL"
	wait "${PID[$1]}" 2>/dev/null
	PID[$1]=''
}
node_freeze() { must kill -STOP "${PID[$1]}"; }
node_thaw() { must kill -CONT "${PID[$1]}"; }

# raftfsctl of node N.
ctl() { # N COMMAND...
	local n=$1
	shift
	within 20 "$RAFTFSCTL" --data "${DATA[n]}" "$@"
}
# Node N's members and how they stand, in one line: "n1=voter n2=learner".
members_of() { # N
	ctl "$1" member list 2>/dev/null |
		awk '{ printf("%s%s=%s", (NR > 1 ? " " : ""), $1, $3) }'
}
members_are() { # N "n1=voter ..."
	[ "$(members_of "$1")" = "$2" ] && [ "$(status_of "$1" joint)" = no ]
}
# Removed or denied: it ends by itself, not well, and says one line.
node_ends() { # N TEXT
	local rc=0
	wait_for 10 node_is_gone "$1" || fail "n$1 goes on"
	wait "${PID[$1]}" || rc=$?
	PID[$1]=''
	[ "$rc" != 0 ] || fail "n$1 ended with exit code 0"
	grep -qF "$2" "${LOG[$1]}" || fail "n$1 does not say: $2"
}

# --- The cluster --------------------------------------------------------------

cluster_start() { # [OPTION...]
	local i
	for ((i = 1; i <= NODES; i++)); do
		node_launch "$i" "$@"
	done
	for ((i = 1; i <= NODES; i++)); do
		wait_for 20 node_is_up "$i" || fail "n$i did not start"
	done
	wait_for 20 cluster_is_one || fail "they did not become one cluster"
}

# The number of the leader as node N sees it; nothing if it knows none.
leader_by() {
	within 2 cat "${MNT[$1]}/.raftfs/leader" 2>/dev/null | sed -n 's/^n//p'
}
# The number of the leader, agreed on by it and by another running node; false if
# that is nobody at this moment.
leader() {
	local i l
	for ((i = 1; i <= NODES; i++)); do
		[ -n "${PID[i]:-}" ] && [ "${FROZEN:-}" != "$i" ] || continue
		l=$(leader_by "$i")
		[ -n "$l" ] && [ "$l" != "$i" ] && [ "$l" != "${FROZEN:-}" ] &&
			[ "$(leader_by "$l")" = "$l" ] && echo "$l" && return
	done
	[ "$NODES" = 1 ] && l=$(leader_by 1) && [ -n "$l" ] && echo "$l"
}
# The same, as soon as there is one: l=$(the_leader) || exit 1
the_leader() { wait_for 10 leader || fail "no leader"; }
leader_is_known() { leader >/dev/null; }
cluster_is_one() { # all running nodes know the same leader, and can write
	local i l
	l=$(leader)
	[ -n "$l" ] || return 1
	for ((i = 1; i <= NODES; i++)); do
		[ -z "${PID[i]:-}" ] || [ "$(leader_by "$i")" = "$l" ] || return 1
	done
	within 5 touch "${MNT[l]}/.is-one" 2>/dev/null &&
		within 5 rm -f "${MNT[l]}/.is-one"
}
# Some running node besides the leader: of the same look, if it is given.
follower() { # [LEADER]
	local i l=${1:-}
	[ -n "$l" ] || l=$(the_leader) || return
	for ((i = 1; i <= NODES; i++)); do
		[ -z "${PID[i]:-}" ] || [ "$i" = "$l" ] || { echo "$i"; return; }
	done
	fail "no follower"
}

# All that a user can see of a tree but its access times, one line a name. False
# if some of it does not read.
tree_of() { # FOLDER
	(
		set -o pipefail
		cd "$1" || exit 1
		find . -path ./.raftfs -prune -o \
			-printf '%P %y %m %U:%G n%n i%i s%s %T@ %C@ %l\n' | sort &&
			find . -path ./.raftfs -prune -o -type f -print0 | sort -z |
			xargs -0 -r cksum
	)
}
# Every running node's tree equals that of the first: contents, modes, owners,
# link and inode numbers, sizes, times in nanoseconds. There are several.
trees_are_equal() { # [FOLDER below the mount]
	local i first='' several=''
	for ((i = 1; i <= NODES; i++)); do
		[ -n "${PID[i]:-}" ] || continue
		within $((120 * SLOW)) bash -c "$(declare -f tree_of); tree_of \"\$1\"" \
			_ "${MNT[i]}/${1:-}" >"$CLUSTER_DIR/tree.$i" \
			2>"$CLUSTER_DIR/tree.errors" ||
			{ cat "$CLUSTER_DIR/tree.errors"; fail "n$i: its tree can not be read"; }
		if [ -z "$first" ]; then
			first=$i
			[ -s "$CLUSTER_DIR/tree.$i" ] || fail "n$i: empty tree"
			continue
		fi
		several=yes
		if ! cmp -s "$CLUSTER_DIR/tree.$first" "$CLUSTER_DIR/tree.$i"; then
			diff "$CLUSTER_DIR/tree.$first" "$CLUSTER_DIR/tree.$i" |
				head -n 20
			return 1
		fi
	done
	[ -n "$several" ] || fail "there is no second tree to compare"
}
milliseconds() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
