#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mutants.sh - each bug of the catalogue that can be put back still can: its
# patch is there and applies. (What is to catch it, rows.sh looks at; that it
# does, tests/sim/mutants.sh sees.)
set -u
cd "$(dirname "$0")/../.." || exit 1

check() { # FOLDER: with TABLE and patches; print what is wrong
	local label row patch labels
	labels=$(grep -vE '^(#|[0-9]+[a-z]? +(none|watched) )' "$1/TABLE" |
		sed 's/ .*//' | sort -u)
	for label in $labels; do
		row=${label%[a-z]}
		patch=$1/$(printf %02d "$row")${label#"$row"}.patch
		[ -s "$patch" ] || echo "row $label: no patch"
	done
	for patch in "$1"/*.patch; do
		label=$(basename "$patch" .patch)
		grep -qx "${label#0}" <<<"$labels" ||
			echo "$patch: nothing in TABLE is to catch it"
		patch --dry-run --strip=1 --force --quiet <"$patch" >/dev/null ||
			echo "$patch: applies no more"
	done
}

mutants=tests/sim/mutants
rc=0
breaches=$(check "$mutants")
[ -z "$breaches" ] || { echo "$breaches"; rc=1; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
planted() { # WHAT SHELL: must be reported
	rm -rf "$scratch/m"
	cp -a "$mutants" "$scratch/m"
	(cd "$scratch/m" && eval "$2")
	[ "$(check "$scratch/m")" != "$breaches" ] && return
	echo "a planted breach was not found: $1"
	rc=1
}
planted "a mutant nothing catches" 'sed -i "/^7 /d" TABLE'
planted "a mutant is only watched" 'sed -i "s/^7 /7 watched /" TABLE'
planted "a patch is gone" 'rm 07.patch'
planted "a patch with a letter is gone" 'rm 31b.patch'
planted "a patch that does not apply" 'sed -i "s/^-	/-	x/" 07.patch'
exit "$rc"
