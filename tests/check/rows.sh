#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rows.sh - each row of the catalogue of real Raft bugs (1 to 62, in its own
# numbering, and one of ours, 63) has a test in tests/sim/mutants/TABLE, or the
# reason why it has none. Each test that is named there exists and is played
# with the others; and each scenario is there, under the row it is named by.
# (That a test fails on its row's mutant, tests/sim/mutants.sh sees.)
set -u
cd "$(dirname "$0")/../.." || exit 1

ROWS=63
table=tests/sim/mutants/TABLE
units=$("${MAKE:-make}" --no-print-directory -s unit-list)

test_exists() { # ROW KIND ARGUMENTS...: print what is wrong
	local row=$1 kind=$2 file name
	shift 2
	case $kind in
	scenario)
		[ -s "tests/scenarios/$1.txt" ] || echo "row $row: no scenario $1"
		[[ $1 =~ ^0*${row%[a-z]}- ]] || echo "row $row: $1 is of another"
		;;
	unit)
		file=${1%%:*} name=${1#*:}
		# A test, which is defined and listed.
		grep -qs "\<$name(void \*\*state)" "tests/unit/$file.c" &&
			[ "$(grep -cws "$name" "tests/unit/$file.c")" -ge 2 ] ||
			echo "row $row: no unit test $1"
		grep -qw "$file" <<<"$units" || echo "row $row: $file is not run"
		;;
	explore)
		[[ $* =~ ^[A-Z]+=[0-9]+(\ [A-Z]+=[0-9]+)*$ ]] ||
			echo "row $row: no bounds: $*"
		;;
	sim)
		[[ $* =~ ^[1-9][0-9]*-[1-9][0-9]*$ ]] ||
			echo "row $row: no seeds FIRST-LAST: $*"
		;;
	*) echo "row $row: what is $kind?" ;;
	esac
}

declare -A fine # what was found to exist

check() { # TABLE: print what is wrong
	local row kind rest words wrong
	comm -23 <(seq "$ROWS" | sort) \
		<(sed -nE 's/^([0-9]+)[a-z]? +[a-z].*/\1/p' "$1" | sort -u) |
		sed 's/.*/row &: neither a test nor a reason/'
	while read -r row kind rest; do
		case $row in '' | '#'*) continue ;; esac
		if [ "${row%[a-z]}" -gt "$ROWS" ]; then
			echo "row $row: there is none"
		fi
		if [ "$kind" = none ]; then
			[[ $rest == ": "?* ]] || echo "row $row: no reason"
			continue
		fi
		words=${rest%% : *} # a unit's has a colon of its own
		[ "$words" != "$rest" ] || echo "row $row: not what is wrong then"
		[ "$kind" != watched ] || read -r kind words <<<"$words"
		[ -z "${fine[$row $kind $words]:-}" ] || continue
		# shellcheck disable=SC2086 # arguments are words
		wrong=$(test_exists "$row" "$kind" $words)
		[ -n "$wrong" ] && echo "$wrong" || fine[$row $kind $words]=yes
	done <"$1"
	comm -23 <(cd tests/scenarios && printf '%s\n' *.txt | sort) \
		<(sed -nE 's/.* scenario ([^ ]+) : .*/\1.txt/p' "$1" | sort -u) |
		sed 's/$/: of no row/'
}

rc=0
scratch=$(mktemp "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -f "$scratch"' EXIT
check "$table" >"$scratch"
breaches=$(cat "$scratch")
[ -z "$breaches" ] || { echo "$breaches"; rc=1; }
planted() { # WHAT SED
	sed "$2" "$table" >"$scratch"
	[ "$(check "$scratch")" != "$breaches" ] && return
	echo "a planted breach was not found: $1"
	rc=1
}
planted "a row is gone" '/^26 /d'
planted "a row with letters is gone" '/^31/d'
planted "the last row is gone" '/^62/d'
planted "a row that there is not" '$a64 unit test_raft_quorum:nothing : x'
planted "no reason" 's/^6 *none .*/6 none/'
planted "an empty reason" 's/^6 *none .*/6 none : /'
planted "not done yet" 's/^26 .*/26 pending : later/'
planted "nothing is wrong then" 's/^\(26 .*\) : .*/\1/'
planted "a scenario that is not there" '$a7 scenario 07-nothing : x'
planted "a scenario of another row" \
	'$a8 scenario 07-logs-ordered-by-term-then-index : x'
planted "a scenario of no row" '/ scenario 17-/d'
planted "a unit test that is not there" \
	's/test_raft_quorum:value_agrees_with_brute_force/test_raft_quorum:x/'
planted "a unit test file that is not there" \
	's/test_raft_quorum:/test_raft_nothing:/'
planted "a helper for a test" \
	's/test_raft_snapshot:one_is_loaded_at_a_time/test_raft_snapshot:loaded/'
planted "a watched test that is not there" \
	'$a6 watched scenario 06-nothing : x'
planted "no bounds" 's/^1  *explore .*/1 explore : x/'
planted "no seeds" 's/^31  *sim .*/31 sim 7 : x/'
exit "$rc"
