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

folders() { # a data folder that is none, or that others may write
	local raftfs=("$RAFTFS" -f --no-mount)
	mkdir -m 755 "$where/thesis"
	echo words >"$where/thesis/text"
	refused "somebody's folder" "thesis holds 'text' and is no data folder" \
		"${raftfs[@]}" --data "$where/thesis"
	mkdir -m 1777 "$where/tmp"
	refused "a folder that all may write" '.mode 1777.: chmod 700 it' \
		"${raftfs[@]}" --data "$where/tmp"
	refused "a file" 'Not a directory' "${raftfs[@]}" --data "$where/thesis/text"
	mkdir -m 755 "${DATA[1]}"
	node_launch 1
	wait_for 15 node_is_up 1 || fail "n1 did not start"
	[ "$(stat -c %a "${DATA[1]}")" = 700 ] || fail "others may read the data"
	must within 10 "$RAFTFSCTL" --data "${DATA[1]}" snapshot save "$where/backup"
	must node_stop 1
}

leaves_nothing() { # as refused; and no data folder
	refused "$@"
	[ ! -e "$CLUSTER_DIR/new" ] ||
		fail "$1: it leaves $(find "$CLUSTER_DIR/new")"
}

backups() { # that are none; after folders
	local raftfs=("$RAFTFS" -f --no-mount --data "$CLUSTER_DIR/new" --restore)
	leaves_nothing "no backup" 'No such file' "${raftfs[@]}" "$where/none"
	leaves_nothing "a backup of nothing" 'backup' "${raftfs[@]}" /dev/null
	leaves_nothing "a folder for a backup" 'backup|directory' "${raftfs[@]}" "$where"
	leaves_nothing "some file for a backup" 'backup' \
		"${raftfs[@]}" "$where/thesis/text"
	head -c 3000 "$where/backup" >"$where/short"
	leaves_nothing "half a backup" 'short.*(damaged|incomplete|ends|cut)' \
		"${raftfs[@]}" "$where/short"
	cp "$where/backup" "$where/rotten"
	printf 'rot' | dd of="$where/rotten" bs=1 seek=2000 conv=notrunc status=none
	leaves_nothing "a rotten backup" 'rotten.*damaged' "${raftfs[@]}" "$where/rotten"
	mkdir -m 700 "$CLUSTER_DIR/new"
	refused "no backup into a folder that is there" 'No such file' \
		"${raftfs[@]}" "$where/none"
	rmdir "$CLUSTER_DIR/new" || fail "it leaves $(find "$CLUSTER_DIR/new")"
}

resources() { # that this machine has too little of
	# shellcheck disable=SC2016 # the inner shell expands it
	leaves_nothing "12 open files" 'only 12 files may be open' \
		bash -c 'ulimit -n 12; exec "$@"' _ \
		"$RAFTFS" -f --no-mount --data "$CLUSTER_DIR/new"
	mkdir "$CLUSTER_DIR/disk"
	cluster_state "mount $CLUSTER_DIR/disk"
	must mount -t tmpfs -o size=8m raftfs-test "$CLUSTER_DIR/disk"
	refused "8 MiB of disk" \
		"in $CLUSTER_DIR/disk/few/log; a start takes 20 MiB there, and [0-9] MiB are" \
		"$RAFTFS" -f --no-mount --data "$CLUSTER_DIR/disk/few"
	[ -z "$(ls -A "$CLUSTER_DIR/disk")" ] || fail "it leaves $(find "$CLUSTER_DIR/disk")"
}

rot() { # of a single node: where, and the way out
	local file
	refused_rot "a damaged log" "$(find "${DATA[1]}/log" -type f | sort | head -n 1)" \
		4700 "damaged at offset .*in ${DATA[1]}/log.*raftfs --restore FILE"
	file=$(find "${DATA[1]}" -path '*/state-*/CURRENT')
	refused_rot "a damaged state" "$file" 0 "${file%/*} .*raftfs --restore FILE"
}
refused_rot() { # WHAT FILE OFFSET PATTERN
	cp -p "$2" "$CLUSTER_DIR/keep"
	printf 'damaged by hand.' | dd of="$2" bs=1 seek="$3" conv=notrunc status=none
	refused "$1" "$4" "$RAFTFS" -f --id n1 --data "${DATA[1]}" --no-mount
	cp -p "$CLUSTER_DIR/keep" "$2"
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
for part in ${PARTS:-mounts users folders backups resources rot full gone unfounded}; do
	"$part"
done
