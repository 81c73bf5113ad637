#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 120
# solo.sh - the mount above a map that has no Raft and whose quorum is a file
# (tests/lib/solokv.c), so that it goes and comes back at an exact moment: the
# deferred O_TRUNC, deadlines, signals, and readers beside a writer.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

solo_is_up() { mountpoint -q "${MNT[1]}"; }
solo_start() { # WORDS of environment
	env SOLOKV_CUT="$CLUSTER_DIR/cut" "$@" "$RAFTFS_BUILD/tests/lib/raftfs-solo" \
		-f --id solo --data "${DATA[1]}" --timeout 2 "${MNT[1]}" \
		>"${LOG[1]}" 2>&1 &
	PID[1]=$!
	cluster_state "mount ${MNT[1]}"
	cluster_state "pid ${PID[1]} raftfs-solo"
	wait_for 10 solo_is_up || fail "no mount: $(cat "${LOG[1]}")"
	cd "${MNT[1]}" || exit 1
}
solo_stop() { # its exit code says too that every hold was released
	cd "$TOP" || exit 1
	kill "${PID[1]}"
	wait "${PID[1]}" || fail "the end: rc $? $(tail -n 3 "${LOG[1]}")"
	! mountpoint -q "${MNT[1]}" || fail "the mount is left behind"
	[ ! -e "${DATA[1]}/control" ] || fail "the socket is left behind"
}
cut() { : >"$CLUSTER_DIR/cut"; }
heal() { rm -f "$CLUSTER_DIR/cut"; }
is() { # FILE CONTENT
	local got
	got=$(within 5 cat "$1") || fail "$1 can not be read"
	[ "$got" = "$2" ] || fail "$1 holds '$got', not '$2'"
}
refused() { # MESSAGE COMMAND...: fails with it
	local said=$1 out
	shift
	out=$(within 10 "$@" 2>&1) && fail "$*: was not refused"
	[[ $out == *"$said"* ]] || fail "$*: $out"
}

cluster_begin 1
[ -x "$RAFTFS_BUILD/tests/lib/raftfs-solo" ] || fail "raftfs-solo is not built"
export CUT=$CLUSTER_DIR/cut

note "without a quorum"
solo_start
echo old >f
cut
refused "Read-only file system" bash -c 'echo new >f'
refused "Read-only file system" bash -c 'echo new >g'
refused "Read-only file system" bash -c 'echo new >>f'
refused "Read-only file system" mkdir d
refused "Read-only file system" rm f
is f old
within 2 df . >/dev/null || fail df
[ "$(within 2 ls)" = f ] || fail ls
within 2 grep -q '^quorum: no' .raftfs/status || fail "status says nothing"
is .raftfs/leader ''
heal
echo back >f
is f back

note "the quorum goes between open and write"
for ((i = 0; i < 20; i++)); do # quick enough to be before the 100 ms are over
	took=$(bash -c 'start=${EPOCHREALTIME/[.,]/}; exec 3>f; : >"$CUT"
		echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))
		echo lost >&3' 2>/dev/null) &&
		fail "a write without a quorum was not refused"
	[ "$took" -ge 90 ] || break
	heal
	echo back >f
done
[ "$i" != 20 ] || note "too slow to cut before the truncation"
is f back
heal
is f back # closing it did not empty it
bash -c 'exec 3>f; : >"$CUT"; echo lost >&3; rm "$CUT"; echo kept >&3' 2>/dev/null
is f kept

note "O_TRUNC: until the first write the old content stands"
seen=''
for ((i = 0; i < 20; i++)); do # quick enough to be before the 100 ms are over
	echo kept >f
	start=$(date +%s%3N)
	seen=$(bash -c 'exec 3>f; cat f; echo new >&3; cat f')
	[ $(($(date +%s%3N) - start)) -ge 90 ] || break
done
[ "$i" = 20 ] || [ "$seen" = $'kept\nnew' ] || fail "seen before the write: $seen"
[ "$i" != 20 ] || note "too slow to look before the write"
[ "$(bash -c 'exec 3>f; echo child >>f; cat f')" = child ] ||
	fail "an append after the open was cut off"
: >f
[ ! -s f ] || fail "closing did not wait for the truncation"
emptied() { [ ! -s f ]; }
echo x >f
exec 4>f
wait_for 2 emptied || fail "nobody wrote, and it was never truncated"
exec 4>&-

note "signals"
cut
start=$(date +%s%3N)
timeout -s INT 0.3 mkdir d 2>/dev/null
(timeout -s KILL 0.3 mkdir d) 2>/dev/null
[ $(($(date +%s%3N) - start)) -lt $((1500 * SLOW)) ] || fail "signals do not end a wait"
heal
mkdir d || fail "what was interrupted was done"
solo_stop

note "before the cluster is founded"
solo_start SOLOKV_UNBORN=1
[ -z "$(within 2 ls -A)" ] || fail "the unborn root is not empty"
refused "No such file" cat f
within 2 df . >/dev/null || fail df
within 2 cat .raftfs/status >/dev/null || fail status
solo_stop

for way in "" "SOLOKV_ASYNC=1 SOLOKV_DELAY_MS=1"; do
	note "readers beside a writer ($way)"
	# shellcheck disable=SC2086
	solo_start SOLOKV_X= $way
	printf '%01000d\n' 0 >f
	for reader in 1 2 3; do
		while text=$(<f) && [ "$text" != "$(printf '%01000d' 400)" ]; do
			[ ${#text} = 1000 ] || { echo "${#text} bytes"; break; }
		done >"$CLUSTER_DIR/torn$reader" &
		readers[reader]=$!
	done
	for ((i = 1; i <= 400; i++)); do
		printf '%01000d\n' "$i" >f
	done
	wait "${readers[@]}"
	cat "$CLUSTER_DIR"/torn* | sort | uniq -c | grep . && fail "torn or empty"
	solo_stop
done
