#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# reap.sh STATE - clear what a test left behind, as listed in the file STATE:
#   mount PATH | pid NUMBER TEXT | netns NAME | dir PATH
# Mounts go first: a process that waits in a mount can only die once its
# connection is gone. A pid is only ended while TEXT stands in its command line.
set -u
[ -s "${1:-}" ] || exit 0

connections=/sys/fs/fuse/connections
listed() { sed -n "s/^$1 //p" "$state" | tac; }
state=$1

listed mount | while read -r path; do
	# The connection's number is the minor number of the mount's device.
	minor=$(awk -v p="$path" '$5 == p { split($3, d, ":"); print d[2] }' \
		/proc/self/mountinfo | tail -n 1)
	[ -n "$minor" ] || continue
	timeout 10 umount -l "$path"
	abort=$connections/$minor/abort
	[ ! -w "$abort" ] || echo 1 >"$abort"
	echo "reaped: the mount $path"
done
listed pid | while read -r pid text; do
	{ tr '\0' " " <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$text" ||
		continue
	kill -CONT "$pid" 2>/dev/null
	kill -KILL "$pid" 2>/dev/null
	echo "reaped: process $pid ($text)"
done
listed netns | while read -r name; do
	[ ! -e "/run/netns/$name" ] || ip netns delete "$name"
done
listed dir | while read -r path; do
	case $path in
	*/raftfs-test.*)
		grep -qF " $path/" /proc/self/mountinfo || rm -rf "$path"
		;;
	esac
done
exit 0
