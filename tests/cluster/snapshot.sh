#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# snapshot.sh - a node that was away for longer than the log reaches gets the
# whole state, and whoever uses its mount meanwhile goes on.
#
# First it is frozen: a file that is open there, one that is deleted by others
# meanwhile, and a listing half read, live through the installation. Then it is
# killed, and killed again in the middle of the transfer, which goes on where it
# was. A writer elsewhere never stops, and loses nothing.
#
# limit: 240
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh
# shellcheck disable=SC2034 # of cluster.sh
NODE_OPTIONS='--session-timeout 100 --snapshot-rate 6'
NAMES=3000  # of the listing
HEAVY=24    # MiB of the state that do not compress
BEYOND=3600 # overwrites of 32 KiB: more than the log keeps for one away

write_beyond_the_log() { # of either node that may send it: more than it keeps
	local n
	"$BUILD/tests/bench/overwrite" "${MNT[lead]}/hot" 50 16 "$BEYOND" 32768 \
		>/dev/null || fail "overwriting"
	for n in "$lead" "$other"; do
		wait_for 20 log_was_cut "$n" || fail "the log of n$n was not cut"
	done
}
log_was_cut() { # N: its beginning is past what the one that is away has
	local base
	base=$(sed -n 's/.*log cut base=\([0-9]*\).*/\1/p' "${LOG[$1]}" | tail -n 1)
	[ "${base:-0}" -gt "$had" ]
}
installed() { # N COUNT: in its present life
	local count
	count=$(status_of "$1" snapshots-installed)
	[ "${count:-0}" -ge "$2" ]
}
taken() { # N BYTES
	local count
	count=$(status_of "$1" snapshot-bytes-taken)
	[ "${count:-0}" -ge "$2" ]
}
caught_up() { # N: it has applied all that the leader has
	local commit
	commit=$(status_of "$lead" commit)
	[ "$(status_of "$1" applied)" -ge "$commit" ]
}
sum_of() { # KEY: of both that may have sent
	echo $(($(status_of "$lead" "$1") + $(status_of "$other" "$1")))
}
writer() { # lines, each acknowledged, until $CLUSTER_DIR/over is there
	local line=0
	while [ ! -e "$CLUSTER_DIR/over" ]; do
		echo "$line" >>"${MNT[writing]}/lines" || exit 1
		line=$((line + 1))
		echo "$line" >"$CLUSTER_DIR/written"
	done
}

# A process that keeps files open: no other may have them, or it would wait for
# the frozen mount when it ends.
hold() {
	exec 7<"${MNT[away]}/deleted" 8<"${MNT[away]}/changed" \
		9>>"${MNT[away]}/appended"
	touch "$CLUSTER_DIR/held"
	read -r _ <"$CLUSTER_DIR/go"
	cmp - "$CLUSTER_DIR/deleted" <&7 || exit 1
	[ "$(cat <&8)" = after ] || exit 2
	echo appended >&9
}

cluster_begin 3
cluster_start
lead=$(the_leader) && away=$(follower "$lead") || exit 1
other=$((6 - lead - away))
writing=$other # is never away
must mkdir "${MNT[lead]}/many" "${MNT[lead]}/hot"
for ((i = 0; i < NAMES; i++)); do
	: >"${MNT[lead]}/many/name-with-some-length-$i" || fail "creating names"
done
must dd if=/dev/urandom of="${MNT[lead]}/heavy" bs=1M count="$HEAVY" status=none
must dd if=/dev/urandom of="$CLUSTER_DIR/deleted" bs=64k count=5 status=none
must cp "$CLUSTER_DIR/deleted" "${MNT[lead]}/deleted"
echo before >"${MNT[lead]}/changed"
writer &
writer=$!
cluster_state "pid $writer writer"

# --- Frozen -------------------------------------------------------------------
wait_for 20 caught_up "$away" || fail "n$away is behind"
mkfifo "$CLUSTER_DIR/go"
hold &
holder=$!
cluster_state "pid $holder holder"
wait_for 10 test -e "$CLUSTER_DIR/held" || fail "nothing is held open"
inode=$(stat -c %i "${MNT[away]}/changed")
mkfifo "$CLUSTER_DIR/listing"
find "${MNT[away]}/many" -mindepth 1 -printf '%f\n' >"$CLUSTER_DIR/listing" &
find=$!
exec 6<"$CLUSTER_DIR/listing"
read -r first <&6
had=$(status_of "$away" applied)
node_freeze "$away"
# shellcheck disable=SC2034 # of cluster.sh
FROZEN=$away
must rm "${MNT[lead]}/deleted"
must sh -c "echo after >'${MNT[lead]}/changed'"
write_beyond_the_log
must mkdir "${MNT[lead]}/later"
began=$(milliseconds)
node_thaw "$away"
# shellcheck disable=SC2034
FROZEN=''
wait_for 60 installed "$away" 1 || fail "n$away did not install a snapshot"
wait_for 30 caught_up "$away" || fail "n$away did not catch up"
note "installed after $(($(milliseconds) - began)) ms"

echo >"$CLUSTER_DIR/go"
wait "$holder" || fail "files that were open do not go on"
[ "$(cat "${MNT[lead]}/appended")" = appended ] || fail "the append is not seen"
[ "$(stat -c %i "${MNT[away]}/changed")" = "$inode" ] ||
	fail "the inode's number changed"
[ -d "${MNT[away]}/later" ] || fail "a new folder is not seen"
{
	echo "$first"
	cat <&6
} | sort >"$CLUSTER_DIR/listed"
wait "$find" || fail "the listing failed"
[ "$(wc -l <"$CLUSTER_DIR/listed")" = "$NAMES" ] &&
	[ "$(uniq "$CLUSTER_DIR/listed" | wc -l)" = "$NAMES" ] ||
	fail "a listing across it has $(wc -l <"$CLUSTER_DIR/listed") names"
exec 6<&-

# --- Killed, and in the middle ------------------------------------------------
# Files of one leader's snapshots are kept for its next attempt; those of another
# are others. False: another one came to lead meanwhile.
killed_in_the_middle() {
	local now term sent kept
	now=$(the_leader) || exit 1
	[ "$now" != "$away" ] || away=$((6 - now - writing))
	lead=$now
	other=$((6 - lead - away))
	had=$(status_of "$away" applied)
	node_kill9 "$away"
	must dd if=/dev/urandom of="${MNT[lead]}/heavy" bs=1M count="$HEAVY" status=none
	write_beyond_the_log
	term=$(status_of "$lead" term)
	sent=$(sum_of snapshot-bytes-sent)
	kept=$(sum_of snapshot-bytes-kept)
	node_start "$away"
	wait_for 60 taken "$away" $((6 << 20)) || fail "n$away takes nothing"
	! installed "$away" 1 || fail "too fast to be killed in the middle"
	node_kill9 "$away"
	note "killed in the middle"
	node_start "$away"
	wait_for 60 installed "$away" 1 || fail "n$away did not install it after all"
	wait_for 30 caught_up "$away" || fail "n$away did not catch up after all"
	sent=$(($(sum_of snapshot-bytes-sent) - sent))
	kept=$(($(sum_of snapshot-bytes-kept) - kept))
	note "sent $sent bytes in all, kept $kept"
	[ "$(status_of "$lead" term)" = "$term" ] || return
	[ "$kept" -ge $((4 << 20)) ] || fail "what had been sent was sent again"
}
for ((try = 1; ; try++)); do
	! killed_in_the_middle || break
	note "another one leads"
	[ "$try" -lt 3 ] || fail "no leader stays for the time of a transfer"
done

touch "$CLUSTER_DIR/over"
wait "$writer" || fail "the writer was refused"
written=$(cat "$CLUSTER_DIR/written")
[ "$written" -gt 200 ] || fail "the writer wrote $written lines only"
seq 0 $((written - 1)) | cmp - "${MNT[away]}/lines" || fail "lines are lost"
note "$written lines were written meanwhile"
trees_are_equal || fail "the trees differ"
