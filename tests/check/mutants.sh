#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mutants.sh - each bug of the catalogue that can be put back still can: its
# patch applies, and tests/sim/mutants/TABLE names what catches it. No row is
# forgotten. (That each is caught, tests/sim/mutants.sh sees.)
set -u
cd "$(dirname "$0")/../.." || exit 1

ROWS=63

check() { # FOLDER: with TABLE and patches; print what is wrong
	local row kind rest patch words
	for row in $(seq "$ROWS"); do
		grep -qE "^$row +[a-z]" "$1/TABLE" || echo "row $row: not in TABLE"
	done
	while read -r row kind rest; do
		case $row in '' | '#'*) continue ;; esac
		patch=$1/$(printf %02d "$row").patch
		words=${rest%% : *} # a unit's has a colon of its own
		case $kind in
		none | pending)
			[[ $rest == ": "* ]] || echo "row $row: no reason"
			[ ! -e "$patch" ] || echo "row $row: $kind, with a patch"
			continue
			;;
		explore)
			[ -n "$words" ] || echo "row $row: no arguments"
			;;
		sim)
			[[ $words =~ ^[1-9][0-9]*-[1-9][0-9]*$ ]] ||
				echo "row $row: no seeds FIRST-LAST"
			;;
		scenario)
			[ -s "tests/scenarios/${words%% *}.txt" ] ||
				echo "row $row: no scenario $words"
			;;
		unit)
			grep -qw "${words#*:}" "tests/unit/${words%%:*}.c" ||
				echo "row $row: no unit test $words"
			;;
		*) echo "row $row: what is $kind?" ;;
		esac
		[ -e "$patch" ] || echo "row $row: no patch"
	done <"$1/TABLE"
	for patch in "$1"/*.patch; do
		row=$(basename "$patch" .patch)
		grep -qE "^${row#0} +[a-z]" "$1/TABLE" ||
			echo "$patch: no such row in TABLE"
		patch --dry-run --strip=1 --force --quiet <"$patch" >/dev/null ||
			echo "$patch: applies no more"
	done
}

mutants=tests/sim/mutants
rc=0
breaches=$(check "$mutants")
[ -z "$breaches" ] || { echo "$breaches"; rc=1; }
echo "pending: $(sed -n 's/^\([0-9]*\)  *pending .*/\1/p' "$mutants/TABLE" |
	paste -s -d ' ')"

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
planted "a row is forgotten" 'sed -i "/^7 /d" TABLE'
planted "a patch is gone" 'rm 07.patch'
planted "a patch that does not apply" 'sed -i "s/^-	/-	x/" 07.patch'
planted "a catcher that is not there" 'sed -i "s/^7 .*/7 scenario nothing : x/" TABLE'
planted "no seeds" 'sed -i "s/^31 sim .*/31 sim 7 : x/" TABLE'
planted "no reason" 'sed -i "s/^6 .*/6 none/" TABLE'
exit "$rc"
