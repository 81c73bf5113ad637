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

cluster_begin 1
where=$CLUSTER_DIR/where
mkdir "$where" "$where/mnt"
for part in ${PARTS:-mounts users}; do
	"$part"
done
