#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 120
# refused.sh - a node that is refused for what it was given, or for what this
# machine allows, says so in one line and leaves nothing behind: no data folder
# was made, none that was there is changed.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh
. tests/lib/refused.sh

mounts() { # options of a mount
	local raftfs=("$RAFTFS" -f --data "$where/data")
	refused "a mount option that nobody knows" \
		"unknown mount option 'nosuch'" "${raftfs[@]}" -o nosuch "$where/mnt"
	refused "a caching mount option" "'attr_timeout=1' here: .*stale" \
		"${raftfs[@]}" -o ro,attr_timeout=1 "$where/mnt"
	refused "SELinux where there is none" 'SELinux' \
		"${raftfs[@]}" -o context=a "$where/mnt"
	refused "a session shorter than an election" 'at least 2 seconds' \
		"${raftfs[@]}" --session-timeout 0.001 "$where/mnt"
}

# A user who is not root, with a /dev/fuse of that mode.
as_user() { # MODE COMMAND...
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare --mount bash -c 'mode=$1; shift
		mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 &&
			mknod -m 666 /dev/urandom c 1 9 &&
			mknod -m 666 /dev/random c 1 8 &&
			mknod -m "$mode" /dev/fuse c 10 229 &&
			exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"' \
		_ "$@"
}
export -f as_user

users() { # what is for root
	# shellcheck disable=SC2016 # the inner shell expands it
	local as=(bash -c 'as_user "$@"' _)
	local raftfs=("$where/raftfs" -f --data "$where/home/data")
	cp "$RAFTFS" "$where/raftfs"
	mkdir "$where/home" "$where/home/mnt"
	chown -R 65534:65534 "$where/home"
	chmod 711 "$CLUSTER_DIR" "$where"
	refused "no right to /dev/fuse" 'no right to open /dev/fuse' \
		"${as[@]}" 600 "${raftfs[@]}" "$where/home/mnt"
	refused "a mount point of others" 'no right to mount at' \
		"${as[@]}" 666 "${raftfs[@]}" "$where/mnt"
	refused "devices for a user" "'dev' is for root" \
		"${as[@]}" 666 "${raftfs[@]}" -o rw,dev "$where/home/mnt"
	grep -qs '^ *user_allow_other' /etc/fuse.conf || refused "others for a user" \
		'user_allow_other. in /etc/fuse.conf' \
		"${as[@]}" 666 "${raftfs[@]}" -o allow_other "$where/home/mnt"
	chmod 700 "$CLUSTER_DIR"
}

full() { # stdout takes nothing
	local command
	for command in "$RAFTFS --help" "$RAFTFS --version" \
		"$RAFTFSCTL --help" "$RAFTFSCTL -V" "$RAFTFSCTL get --help" \
		"$RAFTFSCTL recover --help"; do
		refused "$command to a full disk" \
			'writing stdout: No space left on device' \
			bash -c "exec $command >/dev/full"
	done
	node_launch 1
	wait_for 15 node_is_up 1 || fail "n1 did not start"
	must within 5 touch "${MNT[1]}/file"
	for command in status "member list" "ls /"; do
		refused "raftfsctl $command to a full disk" \
			'No space left on device .writing stdout' \
			bash -c "exec $RAFTFSCTL --data ${DATA[1]} $command >/dev/full"
	done
	must node_stop 1
}

gone() { # the daemon goes away while it is asked
	local asker rc=0
	node_launch 1
	wait_for 15 node_is_up 1 || fail "n1 did not start"
	node_freeze 1
	within 20 "$RAFTFSCTL" --data "${DATA[1]}" member remove n3 \
		2>"$CLUSTER_DIR/err" &
	asker=$!
	wait_for 5 is_asked || fail "nobody asks"
	node_kill9 1
	wait "$asker" || rc=$?
	umount -l "${MNT[1]}"
	[ "$rc" = 1 ] || fail "exit code $rc"
	[ "$(cat "$CLUSTER_DIR/err")" = "raftfsctl: member remove n3: Connection \
reset by peer (the daemon is ending, or ended)" ] || fail "$(cat "$CLUSTER_DIR/err")"
	cat "$CLUSTER_DIR/err"
}
is_asked() { # besides the socket that listens, there is one that was not accepted
	[ "$(grep -c -- "${DATA[1]}/control" /proc/net/unix)" -gt 1 ]
}

unfounded() { # a node whose cluster was never founded has nothing to recover
	local peers="n1=${ADDR[1]},n2=${ADDR[1]%.*}.2:7420"
	"$RAFTFS" -f --id n1 --data "$where/lone" --peers "$peers" --no-mount \
		>"${LOG[1]}" 2>&1 </dev/null &
	PID[1]=$!
	cluster_state "pid $! $where/lone"
	wait_for 10 test -S "$where/lone/control" || fail "it does not start"
	must node_stop 1
	refused "recovering what was never founded" \
		'has never been a member of a cluster' \
		"$RAFTFSCTL" --data "$where/lone" recover --yes
}

cluster_begin 1
where=$CLUSTER_DIR/where
mkdir "$where" "$where/mnt"
for part in ${PARTS:-mounts users full gone unfounded}; do
	"$part"
done
