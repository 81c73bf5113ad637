#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh - three nodes on this machine, from the first write to the return of
# a lost leader. `make demo` builds and then runs it.
#
# Each shell command is printed with what came back, and what came back is
# compared with what it should be: the first difference ends the demo with exit
# code 1. KEEP=1 leaves the cluster up, and says how to use and stop it.
#
# All of it lives in one temporary folder: n1 n2 n3, each with a mount (mnt)
# and a data folder (data). Nothing waits without a time limit.
set -u

TOP=$(cd "$(dirname "$0")/.." && pwd) || exit 1
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
KEEP=${KEEP:-}
[ "$KEEP" != 0 ] || KEEP=''
export PATH="$BUILD:$PATH"
NODES='n1 n2 n3'
DIR=''
declare -A PID PORT

say() { printf '\n%s\n' "$*"; }
fail() {
	printf '\nThe demo failed: %s\n' "$*" >&2
	for node in $NODES; do
		[ -s "$DIR/$node/data/raftfs.log" ] || continue
		printf -- '--- the last lines of the log of %s\n' "$node" >&2
		tail -n 5 "$DIR/$node/data/raftfs.log" >&2
	done
	exit 1
}

# wait_for SECONDS COMMAND...: until it succeeds; false at the deadline.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05 # between two looks
	done
}

# show EXPECTED COMMAND: print the command and its output, and compare.
show() {
	local output rc
	printf '  $ %s\n' "$2"
	output=$(cd "$DIR" && timeout --kill-after=5 20 bash -c "$2" 2>&1)
	rc=$?
	[ -z "$output" ] || printf '%s\n' "$output" | sed 's/^/  /'
	[ "$rc" = 0 ] || fail "'$2' ended with exit code $rc"
	[ "$output" = "$1" ] || fail "'$2' should have given '$1'"
}

# --- Nodes ---------------------------------------------------------------------

is_mounted() { grep -qF " $DIR/$1/mnt " /proc/self/mountinfo; }
pid_of() { # NODE: of the daemon that serves its mount; nothing: none does
	local place
	for place in /proc/[0-9]*; do
		[ "$(readlink "$place/exe" 2>/dev/null)" = "$BUILD/raftfs" ] &&
			cat "$place/cmdline" 2>/dev/null | tr '\0' ' ' |
			grep -qF " $DIR/$1/mnt " && echo "${place#/proc/}"
	done
}
is_alive() { [ -n "$(pid_of "$1")" ]; }
status_of() { # NODE KEY
	timeout 10 "$BUILD/raftfsctl" --data "$DIR/$1/data" status 2>/dev/null |
		sed -n "s/^$2: //p"
}
leader_of() { timeout 10 cat "$DIR/$1/mnt/.raftfs/leader" 2>/dev/null; }
has_quorum() { [ "$(status_of "$1" quorum)" = yes ]; }
has_new_leader() { # NODE OLD
	local leader
	leader=$(leader_of "$1")
	[ -n "$leader" ] && [ "$leader" != "$2" ]
}
reads() { # NODE FILE TEXT
	[ "$(timeout 10 cat "$DIR/$1/mnt/$2" 2>/dev/null)" = "$3" ]
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_ports() {
	local port=$((7101 + RANDOM % 20000))
	for node in $NODES; do
		until is_free "$port"; do
			port=$((port + 1))
		done
		PORT[$node]=$port
		port=$((port + 1))
	done
	PEERS=$(for node in $NODES; do
		printf '%s=127.0.0.1:%s,' "$node" "${PORT[$node]}"
	done)
	PEERS=${PEERS%,}
}

command_of() { # NODE: what starts it, typed anywhere
	printf 'raftfs --id %s --data %s --peers %s %s' \
		"$1" "$DIR/$1/data" "$PEERS" "$DIR/$1/mnt"
}

is_up() { is_mounted "$1" && has_quorum "$1"; }

wait_up() { # NODE
	local end=$((SECONDS + 30))
	until is_up "$1"; do
		is_alive "$1" || fail "$1 has ended"
		[ "$SECONDS" -lt "$end" ] || fail "$1 is not up after 30 s"
		sleep 0.05
	done
}

# Write what ends the cluster, for us and for whoever keeps it: also of nodes
# that were started again since.
write_stop() {
	cat >"$DIR/stop" <<'STOP'
#!/bin/sh
# Stop the demo cluster and remove its folder.
pid_of() { # MOUNT: of a raftfs that serves it
	for place in /proc/[0-9]*; do
		case $(readlink "$place/exe" 2>/dev/null) in
		*/raftfs | */raftfs\ *) ;; # it may have been built anew since
		*) continue ;;
		esac
		cat "$place/cmdline" 2>/dev/null | tr "\\0" " " |
			grep -qF " $1 " && echo "${place#/proc/}"
	done
}
is_mounted() { grep -qF " $1 " /proc/self/mountinfo; }
stop() { # MOUNT
	pid=$(pid_of "$1")
	[ -z "$pid" ] || kill "$pid"
	left=100
	while [ -n "$(pid_of "$1")" ] && [ "$left" -gt 0 ]; do
		sleep 0.1
		left=$((left - 1))
	done
	if is_mounted "$1"; then
		timeout 10 umount -l "$1" 2>/dev/null ||
			timeout 10 fusermount3 -uz "$1"
	fi
	pid=$(pid_of "$1")
	[ -z "$pid" ] || kill -KILL "$pid"
	is_mounted "$1" && exit 1
}
STOP
	for node in $NODES; do
		printf 'stop %s\n' "$DIR/$node/mnt"
	done >>"$DIR/stop"
	printf 'rm -rf %s\n' "$DIR" >>"$DIR/stop"
	chmod 700 "$DIR/stop"
}

finish() {
	trap - EXIT INT TERM HUP
	[ -z "$DIR" ] || { write_stop && "$DIR/stop"; }
}

# --- The walk --------------------------------------------------------------------

check_machine() {
	[ -x "$BUILD/raftfs" ] || fail "no raftfs in $BUILD: run make first"
	if [ ! -c /dev/fuse ] && [ "$(id -u)" = 0 ]; then
		modprobe fuse 2>/dev/null
		[ -c /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229
	fi
	[ -c /dev/fuse ] || fail "no /dev/fuse: load the module fuse, or run as root"
	[ -w /dev/fuse ] || fail "no right to open /dev/fuse: run as root"
}

found_cluster() {
	say 'Three nodes on this machine; each command returns once its node has met'
	echo 'the others:'
	printf '  $ cd %s; PATH=%s:$PATH\n' "$DIR" "$BUILD"
	choose_ports
	for node in $NODES; do
		mkdir -p "$DIR/$node/mnt"
		printf '  $ %s &\n' "$(command_of "$node")"
		bash -c "$(command_of "$node")" >"$DIR/$node/said" 2>&1 </dev/null &
		PID[$node]=$!
	done
	for node in $NODES; do
		wait "${PID[$node]}" || fail "$node: $(cat "$DIR/$node/said")"
		wait_up "$node"
	done
}

write_and_read() {
	say 'What is written on one node is read on the others:'
	show '' "echo 'hello from n1' >n1/mnt/greeting"
	show 'hello from n1' 'cat n2/mnt/greeting'
	show 'hello from n1' 'cat n3/mnt/greeting'

	say 'Lines appended on different nodes do not get lost:'
	for node in $NODES; do
		show '' "echo 'line of $node' >>$node/mnt/log"
	done
	show $'line of n1\nline of n2\nline of n3' 'cat n1/mnt/log'

	say 'It is a filesystem: folders, renames, modes, links, equal everywhere:'
	show '' 'mkdir n1/mnt/etc && mv n2/mnt/greeting n2/mnt/etc/motd'
	show '' 'chmod 640 n3/mnt/etc/motd && ln -s etc/motd n3/mnt/motd'
	show 'hello from n1' 'cat n1/mnt/motd'
	show '640 14 etc/motd' 'cd n2/mnt && stat -c "%a %s %n" etc/motd'
	for node in $NODES; do
		show '' "find $node/mnt -printf '%P %i %m %s %T@\\n' | sort >$node/list"
	done
	show equal 'cmp n1/list n2/list && cmp n1/list n3/list && echo equal'
}

lose_leader() {
	LEADER=$(leader_of n1)
	case $LEADER in n1 | n2 | n3) ;; *) fail 'nobody leads' ;; esac
	SURVIVORS=$(for node in $NODES; do
		[ "$node" = "$LEADER" ] || printf '%s ' "$node"
	done)
	read -r A B <<<"$SURVIVORS"

	say "The leader is lost, without warning:"
	show "$LEADER" "cat n1/mnt/.raftfs/leader"
	local start_ms pid
	pid=$(pid_of "$LEADER")
	printf '  $ kill -KILL %s   # %s\n' "$pid" "$LEADER"
	kill -KILL "$pid" || fail "cannot kill $LEADER"
	start_ms=$(date +%s%3N)
	show '' "echo 'written without $LEADER' >$A/mnt/news"
	printf '  (that write returned %s ms after the kill)\n' \
		"$(($(date +%s%3N) - start_ms))"
	show "written without $LEADER" "cat $B/mnt/news"
	show 'hello from n1' "cat $B/mnt/etc/motd"
	wait_for 20 has_new_leader "$A" "$LEADER" || fail 'no new leader'
	show "$(leader_of "$A")" "cat $A/mnt/.raftfs/leader"
}

bring_back() {
	say "$LEADER returns, over its own dead mount, and finds what it missed:"
	printf '  $ %s\n' "$(command_of "$LEADER")"
	bash -c "$(command_of "$LEADER")" >"$DIR/$LEADER/said" 2>&1 </dev/null ||
		fail "$LEADER: $(cat "$DIR/$LEADER/said")"
	sed 's/^/  /' "$DIR/$LEADER/said"
	wait_up "$LEADER"
	wait_for 20 reads "$LEADER" news "written without $LEADER" ||
		fail "$LEADER did not catch up"
	show "written without $LEADER" "cat $LEADER/mnt/news"
	show '' "echo 'all here' >$LEADER/mnt/news"
	for node in $NODES; do
		show 'all here' "cat $node/mnt/news"
	done
}

without_a_mount() {
	say 'The same without a mount:'
	show '' 'raftfsctl --data n2/data set /key value'
	show 'value' 'raftfsctl --data n3/data get /key'
	show 'quorum: yes' 'raftfsctl --data n1/data status | grep quorum'
}

keep() {
	write_stop
	trap - EXIT INT TERM HUP
	say "The cluster stays up. Use it through its mounts:"
	printf '    %s/n1/mnt  %s/n2/mnt  %s/n3/mnt\n' "$DIR" "$DIR" "$DIR"
	echo 'Ask it how it stands:'
	printf '    cat %s/n1/mnt/.raftfs/status\n' "$DIR"
	printf '    %s/raftfsctl --data %s/n1/data status\n' "$BUILD" "$DIR"
	echo 'Lose a node, and start it again:'
	printf '    kill -KILL %s\n' "$(pid_of n1)"
	printf '    %s/%s\n' "$BUILD" "$(command_of n1)"
	echo 'Stop it and remove everything:'
	printf '    %s/stop\n' "$DIR"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
check_machine
DIR=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-demo.XXXXXX") || exit 1
found_cluster
write_and_read
lose_leader
bring_back
without_a_mount
say 'Everything read back as it was written.'
[ -z "$KEEP" ] || keep
