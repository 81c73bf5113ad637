#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deps.sh - install the Debian 12 packages that are missing.
#
# usage: packaging/deps.sh SET...     (build run test)
#
# Nothing is done, and no network used, when all are there. Otherwise apt-get
# runs as root, or through sudo; where neither works the script says what to
# type and ends with exit code 1.
set -u

declare -A sets=(
	[build]='gcc libc6-dev make pkg-config protobuf-compiler nanopb
		libnanopb-dev python3-protobuf libfuse3-dev librocksdb-dev
		libuv1-dev libxxhash-dev uthash-dev libjansson-dev'
	[run]='fuse3 procps'
	[test]='libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev
		shellcheck git patch vim ed rsync sqlite3 xxd file attr man-db
		python3 iproute2 util-linux debootstrap iptables'
)
# Docker may have come from elsewhere, and would be in the way.
command -v dockerd >/dev/null || sets[test]+=' docker.io'
command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 ||
	sets[test]+=' docker-compose'

wanted=()
for set in "$@"; do
	if [ -z "${sets[$set]:-}" ]; then
		echo "deps.sh: no set named $set (${!sets[*]})" >&2
		exit 2
	fi
	read -r -d '' -a words <<<"${sets[$set]}"
	wanted+=("${words[@]}")
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "deps.sh: no Debian here; install the equivalents of" >&2
	echo "    ${wanted[*]}" >&2
	exit 1
fi

installed=" $(dpkg-query --show \
	--showformat '${db:Status-Status} ${Package}\n' "${wanted[@]}" fuse \
	2>/dev/null | sed -n 's/^installed //p' | tr '\n' ' ')"
missing=()
for package in "${wanted[@]}"; do
	[[ $installed == *" $package "* ]] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

# fuse3 takes the place of fuse; apt does not always find that by itself.
[[ $installed != *' fuse '* ]] || missing+=('fuse-')

as_root=()
if [ "$(id -u)" != 0 ]; then
	as_root=(sudo)
	if ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && command -v sudo >/dev/null; }; then
		echo "deps.sh: packages are missing; as root, run" >&2
		echo "    apt-get update && apt-get install" \
			"--no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
fi

apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet \
		-o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@"
}

echo "deps.sh: installing ${missing[*]}"
apt update || echo "deps.sh: no fresh package lists; trying the old ones" >&2
if ! apt install --yes --no-install-recommends "${missing[@]}"; then
	echo "deps.sh: apt-get could not install ${missing[*]}" >&2
	exit 1
fi
