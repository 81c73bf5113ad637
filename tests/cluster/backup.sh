#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# backup.sh - a backup is made under load, and a new cluster begins with it and
# grows; the last survivor of a cluster becomes a new one, explicitly, and the
# old nodes and the new one refuse each other.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

forget_mount() { umount -l "${MNT[$1]}" 2>/dev/null; }
writable() { within 6 touch "${MNT[$1]}/.w" 2>/dev/null; }
says_foreign() { grep -q "another cluster" "${LOG[$1]}"; }
write_on() { # until $CLUSTER_DIR/over
	local i=0
	while [ ! -e "$CLUSTER_DIR/over" ]; do
		within 10 sh -c "echo $i >\"$1/load.$((i % 50))\"" || return
		i=$((i + 1))
	done
}

cluster_begin 3
cluster_start
l=$(the_leader) && f=$(follower "$l") || exit 1
m=${MNT[l]}
must mkdir "$m/tree"
for ((i = 0; i < 200; i++)); do
	head -c $((i * 97)) /dev/urandom >"$m/tree/f$i" || fail "cannot write"
done
must ln -s f1 "$m/tree/link"
tree_of "${MNT[f]}/tree" >"$CLUSTER_DIR/before" || fail "cannot read"

note "a backup of a follower, under load"
write_on "$m" &
load=$!
cluster_state "pid $load backup.sh"
said=$(cd "$CLUSTER_DIR" && ctl "$f" snapshot save backup) || fail "no backup"
note "$said"
[[ $said == "saved up to index "* ]] || fail "it says: $said"
[ "$(stat -c %a "$CLUSTER_DIR/backup")" = 600 ] || fail "its mode"
touch "$CLUSTER_DIR/over"
wait "$load"
ctl "$f" snapshot save /no/such/folder/backup 2>"$CLUSTER_DIR/err" &&
	fail "saved nowhere"
grep -q "No such file" "$CLUSTER_DIR/err" || fail "$(cat "$CLUSTER_DIR/err")"
ctl "$f" snapshot 2>/dev/null
[ $? = 2 ] || fail "no usage error"
must mkfifo "$CLUSTER_DIR/pipe"
ctl "$f" snapshot save "$CLUSTER_DIR/pipe" 2>"$CLUSTER_DIR/err" &&
	fail "it replaced a pipe"
grep -q "pipe is a pipe: only a regular" "$CLUSTER_DIR/err" ||
	fail "$(cat "$CLUSTER_DIR/err")"
[ -p "$CLUSTER_DIR/pipe" ] || fail "the pipe is gone"
ctl "$f" snapshot save "${DATA[f]}/identity" 2>"$CLUSTER_DIR/err" &&
	fail "it replaced its own identity"
grep -q "is in the data folder" "$CLUSTER_DIR/err" ||
	fail "$(cat "$CLUSTER_DIR/err")"

note "two nodes are gone for good; the third saves what it has"
for ((i = 1; i <= 3; i++)); do
	[ "$i" = "$f" ] || node_kill9 "$i"
	[ "$i" = "$f" ] || forget_mount "$i"
done
is_alone() { [[ $(status_of "$f" quorum) == no* ]]; }
wait_for 10 is_alone || fail "n$f does not miss the others"
said=$(ctl "$f" snapshot save "$CLUSTER_DIR/late" 2>"$CLUSTER_DIR/err") ||
	fail "it saves nothing: $(cat "$CLUSTER_DIR/err")"
[[ $said == "saved up to index "* ]] || fail "it says: $said"
grep -q "^raftfsctl: snapshot: warning: this node is cut off .* heard at 20" \
	"$CLUSTER_DIR/err" || fail "no warning: $(cat "$CLUSTER_DIR/err")"

note "and is recovered"
node_kill9 "$f"
forget_mount "$f"
within 30 "$RAFTFSCTL" --data "${DATA[f]}" recover </dev/null \
	>"$CLUSTER_DIR/said" 2>"$CLUSTER_DIR/err" && fail "without a yes"
grep -q "nobody is there to say yes" "$CLUSTER_DIR/err" ||
	fail "$(cat "$CLUSTER_DIR/err")"
grep -q "is lost" "$CLUSTER_DIR/said" || fail "$(cat "$CLUSTER_DIR/said")"
recover_says() { # RC TEXT INPUT [OPTION...]: on a terminal, to which INPUT is typed
	local rc=$1 text=$2 input=$3 got
	shift 3
	printf '%s' "$input" | within 30 script -qec \
		"$RAFTFSCTL --data ${DATA[f]} recover $*" /dev/null \
		>"$CLUSTER_DIR/said"
	got=$?
	[ "$got" = "$rc" ] || fail "recover $*: $got: $(cat "$CLUSTER_DIR/said")"
	grep -q -- "$text" "$CLUSTER_DIR/said" || fail "$(cat "$CLUSTER_DIR/said")"
}
recover_says 1 "raftfsctl: recover: nothing changed" $'no\n'
recover_says 1 "raftfsctl: recover: .* belongs to node n$f, not other" '' \
	--id other
recover_says 0 "Done. n$f is a new cluster" $'yes\n'
recover_says 1 "raftfsctl: recover: n$f is the only voter" '' --yes
recover_says 1 "NOT NEEDED" $'no\n' --again
all=$PEERS
PEERS=n$f=${ADDR[f]}
node_start "$f"
wait_for 20 writable "$f" || fail "the recovered node takes no write"
[ "$(status_of "$f" members)" = 1 ] || fail "it is not alone"
tree_of "${MNT[f]}/tree" >"$CLUSTER_DIR/after"
cmp "$CLUSTER_DIR/before" "$CLUSTER_DIR/after" || fail "the tree is another"

note "an old node refuses it, and is refused"
PEERS=$all
node_launch "$l"
wait_for 20 says_foreign "$l" || wait_for 5 says_foreign "$f" ||
	fail "the old node does not say that they are of two clusters"
node_kill9 "$l"
forget_mount "$l"
writable "$f" || fail "the old node harmed it"
must node_stop "$f"

note "a damaged backup makes nothing"
cp "$CLUSTER_DIR/backup" "$CLUSTER_DIR/damaged"
printf 'x' | dd of="$CLUSTER_DIR/damaged" bs=1 seek=5000 conv=notrunc \
	2>/dev/null
for ((i = 1; i <= 3; i++)); do
	rm -rf "${DATA[i]}"
done
PEERS=n1=${ADDR[1]}
node_launch 1 --restore "$CLUSTER_DIR/damaged"
wait_for 20 node_is_gone 1 || fail "it started on a damaged backup"
wait "${PID[1]}" 2>/dev/null
PID[1]=''
grep -q "is damaged at offset" "${LOG[1]}" || fail "it does not say why"
[ -z "$(ls "${DATA[1]}" 2>/dev/null)" ] || fail "it left $(ls "${DATA[1]}")"

note "the backup becomes a new cluster"
node_start 1 --restore "$CLUSTER_DIR/backup"
wait_for 20 writable 1 || fail "the restored node takes no write"
tree_of "${MNT[1]}/tree" >"$CLUSTER_DIR/after"
cmp "$CLUSTER_DIR/before" "$CLUSTER_DIR/after" || fail "the tree is another"
must node_stop 1
node_launch 1 --restore "$CLUSTER_DIR/backup"
wait_for 20 node_is_gone 1 || fail "it restored over a data folder"
wait "${PID[1]}" 2>/dev/null
PID[1]=''
grep -q "is not empty" "${LOG[1]}" || fail "it does not say why"
node_start 1

note "and grows"
must ctl 1 member add n2 "${ADDR[2]}"
JOIN[2]=${ADDR[1]}
node_start 2
wait_for 60 members_are 1 "n1=voter n2=voter" || fail "$(members_of 1)"
wait_for 20 writable 2 || fail "n2 takes no write"
tree_of "${MNT[2]}/tree" >"$CLUSTER_DIR/after"
cmp "$CLUSTER_DIR/before" "$CLUSTER_DIR/after" || fail "n2: the tree is another"
must node_stop 2
must node_stop 1
echo fine
