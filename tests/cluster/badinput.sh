#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# badinput.sh - what bad input gets: one clear line on stderr, an exit code
# that is not 0, and nothing changed.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh
. tests/lib/refused.sh

# A node that starts, and then has to give up: the line is the last of its log.
gives_up() { # WHAT PATTERN COMMAND...
	local what=$1 pattern=$2 rc
	shift 2
	timeout --kill-after=5 $((20 * SLOW)) "$@" >"$CLUSTER_DIR/err" 2>&1 \
		</dev/null
	rc=$?
	[ "$rc" != 0 ] && [ "$rc" -lt 124 ] ||
		fail "$what: exit code $rc: $(tail -n 3 "$CLUSTER_DIR/err")"
	[ "$(grep -iE -- "$pattern" "$CLUSTER_DIR/err" |
		grep -cE '^raftfs: | (error|warn) ')" = 1 ] ||
		fail "$what: says it more than once: $(cat "$CLUSTER_DIR/err")"
	grep -iE -- "$pattern" "$CLUSTER_DIR/err" | tail -n 1 |
		sed "s|^|$what: |" | grep . ||
		fail "$what: says: $(cat "$CLUSTER_DIR/err")"
}

command_line() {
	local raftfs=("$RAFTFS" -f --data "$where/data")
	mkdir -p "$where/mnt" "$where/full" "$where/data-there"
	echo x >"$where/full/file"
	refused "an unknown option" 'option|unknown' \
		"${raftfs[@]}" --no-such-option "$where/mnt"
	refused "no mount point" 'mount ?point' "${raftfs[@]}"
	refused "a bad peer list" 'peer' \
		"${raftfs[@]}" --id n1 --peers 'n1=127.0.0.1' "$where/mnt"
	refused "a peer twice" 'peer|twice|n1' "${raftfs[@]}" --id n1 \
		--peers 'n1=127.0.0.1:1,n1=127.0.0.1:2' "$where/mnt"
	refused "a port out of range" 'port|peer' "${raftfs[@]}" --id n1 \
		--peers 'n1=127.0.0.1:70000' "$where/mnt"
	refused "an own id that is not in the list" 'n9' "${raftfs[@]}" \
		--id n9 --peers "$PEERS" "$where/mnt"
	refused "a bad read mode" 'reads' \
		"${raftfs[@]}" --reads=often "$where/mnt"
	refused "a bad timeout" 'timeout' \
		"${raftfs[@]}" --timeout=soon "$where/mnt"
	refused "a missing mount point" 'no such|missing|not found|exist' \
		"${raftfs[@]}" "$where/absent"
	refused "a mount point that is a file" 'director|folder' \
		"${raftfs[@]}" "$where/full/file"
	refused "a mount point that is not empty" 'empty' \
		"${raftfs[@]}" "$where/full"
	refused "a mount point inside the data folder" 'data|inside|within' \
		"$RAFTFS" -f --data "$where/mnt" "$where/mnt"
	refused "listening to the world" 'insecure' "${raftfs[@]}" --id n1 \
		--peers 'n1=0.0.0.0:7499' "$where/mnt"
	refused "raftfsctl: an unknown command" 'unknown|command|no-such' \
		"$RAFTFSCTL" --data "$where/data" no-such-command
	refused "raftfsctl: recover of a mount" '--data DIR' \
		"$RAFTFSCTL" "$where/mnt" recover
	refused "raftfsctl: recover of a socket" '--data DIR' \
		"$RAFTFSCTL" --socket "$where/socket" recover
	refused "raftfsctl: recover of no data folder" \
		'^raftfsctl: recover: .*no data folder' \
		"$RAFTFSCTL" --data "$where/full" recover --yes
	refused "raftfsctl: no daemon" 'raftfs|socket|daemon|no such' \
		"$RAFTFSCTL" --data "$where/data" status
}

usage_of() { # PATTERN COMMAND...: makes no sense, so exit code 2 and one line
	local pattern=$1 rc
	shift
	ctl 1 "$@" 2>"$CLUSTER_DIR/err" </dev/null
	rc=$?
	[ "$rc" = 2 ] || fail "$*: exit code $rc, not 2"
	[ "$(wc -l <"$CLUSTER_DIR/err")" = 1 ] ||
		fail "$*: not one line: $(cat "$CLUSTER_DIR/err")"
	grep -qE -- "^raftfsctl: $pattern" "$CLUSTER_DIR/err" ||
		fail "$*: says: $(cat "$CLUSTER_DIR/err")"
}

holds() { # VALUE WORD...: what set makes of the words, with "in" on stdin
	local value=$1
	shift
	echo in | ctl 1 set "$@" || fail "set $*"
	[ "$(ctl 1 get /v)" = "$value" ] || fail "set $*: $(ctl 1 get -- /v)"
}

words() { # options, what ends them, and names with newlines
	holds x /v x
	holds x /v -- x
	holds x -- /v x
	holds in /v --
	holds in /v -- -
	holds -5 /v -5
	holds -- /v -- --
	usage_of 'too many arguments: y' set /v x y
	usage_of 'no such option: --json' get --json /v
	usage_of "bad address '127.0.0.1': want HOST:PORT" \
		member add n4 127.0.0.1
	usage_of "bad address 'h:0': want HOST:PORT" member address n2 h:0
	usage_of "bad ID 'a/b': 1 to" member promote a/b
	usage_of "bad ID 'n:2': 1 to" member replace n:2 n4 h:1
	usage_of "bad ID 'n 2': 1 to" transfer 'n 2'
	ctl 1 get --help | grep -q '^  get  *PATH' || fail "get --help"
	ctl 1 member add -h | grep -q '^  member' || fail "member add -h"
	ctl 1 recover --help | grep -q '^  recover' || fail "recover --help"
	mkdir "${MNT[1]}/names" && touch "${MNT[1]}/names/"$'two\nlines' ||
		fail "no file of two lines"
	[ "$(ctl 1 ls /names)" = $'two\nlines' ] || fail "ls into a pipe"
	[ "$(ctl 1 ls /names -0 | tr '\n\0' '+!')" = 'two+lines!' ] ||
		fail "ls -0"
	script -qec "$RAFTFSCTL --data ${DATA[1]} ls /names" /dev/null \
		>"$CLUSTER_DIR/out" </dev/null
	grep -qF 'two\nlines' "$CLUSTER_DIR/out" || fail "ls on a terminal"
}

manual() { # it names all that a status says
	local key keys
	keys=$({
		ctl 1 status | sed 's/:.*//'
		ctl 1 status --json | sed -n 's/^ *"\([a-z_]*\)":.*/\1/p'
	} | sort -u)
	[ "$(wc -l <<<"$keys")" -gt 40 ] || fail "a status of few keys: $keys"
	for key in $keys; do
		grep -qE "^\.(It )?Cm (.* )?$key( |$)" man/raftfsctl.8 ||
			grep -qE "^\.(It )?Cm (.* )?${key//_/-}( |$)" man/raftfsctl.8 ||
			fail "the manual does not name $key"
	done
}

rights() { # as a user who may do nothing here
	local user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	cp "$RAFTFS" "$where/raftfs"
	chmod 711 "$CLUSTER_DIR" "$where"
	refused "no rights to the data folder" 'denied|permi|rights' \
		"${user[@]}" "$where/raftfs" -f --data "$where/data" --no-mount
	refused "no /dev/fuse" '/dev/fuse' unshare --mount bash -c '
		mount -t tmpfs none /dev && mknod /dev/null c 1 3 &&
			mknod /dev/urandom c 1 9 && mknod /dev/random c 1 8 &&
			exec "$@"' _ "$RAFTFS" -f --data "$where/data" "$where/mnt"
	chmod 700 "$CLUSTER_DIR"
}

folders() { # of another node, another cluster, or in use
	local elsewhere="--listen=${ADDR[1]%:*}:7497"
	refused "a data folder in use" 'use|lock|running' "$RAFTFS" -f --id n1 \
		--data "${DATA[1]}" --peers "$PEERS" "$elsewhere" "$where/mnt"
	refused "a port in use" 'in use' "$RAFTFS" -f --id n1 \
		--data "$where/data" --peers "n1=${ADDR[1]}" "$where/mnt"
	refused "a mount point in use" 'mount' "$RAFTFS" -f --id n1 \
		--data "$where/data" --peers "n1=${ADDR[1]%:*}:7498" "${MNT[1]}"
	must node_stop 3
	refused "the data folder of another node" 'n3' "$RAFTFS" -f --id n2 \
		--data "${DATA[3]}" --peers "$PEERS" "$elsewhere" "$where/mnt"

	gives_up "this name's data gone" 'was a member' "$RAFTFS" -f --id n3 \
		--data "$where/empty" --peers "$PEERS" "$where/mnt"
	gives_up "founding with a peer of a cluster" 'cluster' "$RAFTFS" -f \
		--id n4 --data "$where/empty4" \
		--peers "$PEERS,n4=${ADDR[3]%.*}.4:7420" "$where/mnt"
	gives_up "joining without an invitation" 'does not know n4' "$RAFTFS" -f \
		--id n4 --data "$where/empty4" --join "${ADDR[1]}" "$where/mnt"
	mkdir -m 700 "$where/there"
	if "$RAFTFS" --id n4 --data "$where/there" --join "${ADDR[1]}" \
		"$where/mnt" >"$CLUSTER_DIR/err" 2>&1 </dev/null; then
		fail "in the background it joins uninvited"
	fi
	[ "$(wc -l <"$CLUSTER_DIR/err")" = 1 ] &&
		grep -q '^raftfs: .*does not know n4' "$CLUSTER_DIR/err" ||
		fail "in the background: $(cat "$CLUSTER_DIR/err")"
	[ ! -e "$where/empty" ] && [ ! -e "$where/empty4" ] ||
		fail "it leaves $(find "$where"/empty*)"
	rmdir "$where/there" || fail "it leaves $(find "$where/there")"
	node_start 3
	must wait_for 10 cluster_is_one
}

another_cluster() { # of the same names, founded elsewhere; its n3 comes here
	local pids=() i list='' net=${ADDR[1]%.*}
	list="n1=$net.11:7420,n2=$net.12:7420,n3=$net.13:7420"
	for i in 1 2 3; do
		mkdir -p "$where/mnt$i"
		cluster_state "mount $where/mnt$i"
		"$RAFTFS" -f --id "n$i" --data "$where/foreign$i" \
			--peers "$list" "$where/mnt$i" \
			>"$CLUSTER_DIR/foreign$i.log" 2>&1 &
		pids+=($!)
		cluster_state "pid $! $where/mnt$i"
	done
	wait_for 15 grep -qs '^quorum: yes' "$where/mnt3/.raftfs/status" ||
		fail "no other cluster: $(cat "$CLUSTER_DIR/foreign3.log")"
	kill -TERM "${pids[@]}"
	for i in 0 1 2; do
		wait "${pids[i]}" || fail "the other ended with $?:" \
			"$(cat "$CLUSTER_DIR"/foreign?.log)"
	done
	must node_stop 3
	gives_up "the data folder of another cluster" 'another cluster' \
		"$RAFTFS" -f --id n3 --data "$where/foreign3" \
		--peers "$PEERS" "$where/mnt3"
	node_start 3
	must wait_for 10 cluster_is_one
}

memory_kb() { sed -n 's/^VmRSS: *\([0-9]*\).*/\1/p' "/proc/${PID[1]}/status"; }

garbage() {
	local before
	before=$(memory_kb)
	must timeout $((100 * SLOW)) "$BUILD/tests/cluster/garbage" \
		"${ADDR[1]%:*}" "${ADDR[1]#*:}"
	node_is_gone 1 && fail "garbage ended the daemon"
	[ "$(($(memory_kb) - before))" -lt 65536 ] ||
		fail "garbage made it grow from $before to $(memory_kb) kB"
	[ "$(status_of 1 bad-frames)" -gt 100 ] ||
		fail "bad frames counted: $(status_of 1 bad-frames)"
	echo "garbage: $(status_of 1 bad-frames) bad frames," \
		"$(grep -ci 'bad\|malformed\|garbage' "${LOG[1]}") lines in the log"
	must wait_for 10 cluster_is_one
}

# A member of many repairs itself (repair.sh); one that can not know what it has
# promised, or has nobody to ask, refuses.
damage() { # WHAT FILE OFFSET PATTERN: n3 refuses, the others go on
	local keep=$CLUSTER_DIR/keep promise=$CLUSTER_DIR/promise
	[ -f "$2" ] || fail "$1: no file $2"
	cp -p "$2" "$keep"
	cp -p "${DATA[3]}/promise" "$promise"
	printf 'damaged by hand.' |
		dd of="$2" bs=1 seek="$3" conv=notrunc status=none
	printf 'damaged by hand.' |
		dd of="${DATA[3]}/promise" bs=1 conv=notrunc status=none
	gives_up "$1" "$4" "$RAFTFS" -f --id n3 --data "${DATA[3]}" \
		--peers "$PEERS" "${MNT[3]}"
	grep -q 'must be replaced' "$CLUSTER_DIR/err" ||
		fail "$1: $(cat "$CLUSTER_DIR/err")"
	must within 10 bash -c 'echo on >"$1"' _ "${MNT[1]}/on"
	[ "$(within 5 cat "${MNT[2]}/on")" = on ] || fail "the others stopped"
	cp -p "$keep" "$2"
	cp -p "$promise" "${DATA[3]}/promise"
}

damages() {
	local i
	for ((i = 0; i < 40; i++)); do
		head -c 20000 /dev/urandom >"${MNT[1]}/fill" || fail "fill"
	done
	must node_stop 3
	damage "a damaged log" \
		"$(find "${DATA[3]}/log" -type f | sort | head -n 1)" 100000 \
		'log-[0-9]*: damaged at offset'
	damage "a damaged state" \
		"$(find "${DATA[3]}" -path '*state*' -name CURRENT | head -n 1)" 0 \
		'state'
	node_start 3
	must wait_for 15 cluster_is_one
	trees_are_equal || fail "trees differ"
}

cluster_begin 3
where=$CLUSTER_DIR/where
mkdir "$where"
cluster_start
for part in ${PARTS:-command_line words manual rights folders garbage damages another_cluster}; do
	"$part"
done
