#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh - programs and manual pages into $DESTDIR$PREFIX.
#
# usage: DESTDIR= PREFIX=/usr/local packaging/install.sh BUILD
#
# mount -t fuse.raftfs (and so fstab) finds raftfs by its name on root's path.
set -eu

to=${DESTDIR:-}${PREFIX:-/usr/local}
install -d "$to/bin" "$to/share/man/man8"
install -m 755 "$1/raftfs" "$1/raftfsctl" "$to/bin/"
install -m 644 man/raftfs.8 man/raftfsctl.8 "$to/share/man/man8/"
