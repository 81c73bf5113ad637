#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mutants.sh - every bug of the catalogue, put back, is caught.
#
# usage: mutants.sh [ROW...]	a row's mutants, or one: mutants.sh 5 50b
#
# For each line of mutants/TABLE: what is to catch the bug passes without it;
# then the patch is applied to a copy of the tree, and it has to fail. Prints
# one line each; exit code 1 if a bug was not caught. KEEP=1 leaves the copies.
set -u
cd "$(dirname "$0")/../.." || exit 1
MAKE=${MAKE:-make}
JOBS=${JOBS:-$(nproc)}

work=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-mutants.XXXXXX") || exit 1
[ -n "${KEEP:-}" ] || trap 'rm -rf "$work"' EXIT
rc=0
declare -A passes # what is known to pass without a bug

# --- What catches -------------------------------------------------------------
# For each kind: target_KIND prints what to make of its arguments, short_KIND
# the arguments that do not take for ever where there is no bug. catch_KIND
# runs it in a tree's root and fails if it has found something: $evidence says
# what. $limit is how many seconds it may take.

target_explore() { echo tests/explore/explore; }
short_explore() { echo "$* STATES=100000"; }
catch_explore() { # BOUNDS...
	local out code
	out=$(timeout "$limit" build/tests/explore/explore QUIET=1 "$@" 2>&1)
	code=$?
	evidence=$(sed -n 's/^\([0-9]* states in [0-9.]* s\).*/\1;/p
		/^broken: /p' <<<"$out" | paste -s -d ' ')
	return "$code"
}

target_scenario() { echo tests/scenarios/scenario; }
short_scenario() { echo "$*"; }
catch_scenario() { # NAME
	local out code
	out=$(timeout "$limit" build/tests/scenarios/scenario \
		"tests/scenarios/$1.txt" 2>&1)
	code=$?
	evidence=$(tail -n 3 <<<"$out" | tr -s ' \t\n' ' ')
	return "$code"
}

target_unit() { echo "tests/unit/${1%%:*}"; }
short_unit() { echo "$*"; }
catch_unit() { # FILE:TEST: this very test fails, or is the one that never ended
	local out code
	out=$(timeout "$limit" "build/tests/unit/${1%%:*}" 2>&1)
	code=$?
	evidence=$(grep -m 1 -E "(FAILED|ERROR)  *] ${1#*:}$" <<<"$out")
	[ -z "$evidence" ] || return 1
	[ "$code" != 0 ] || return 0
	evidence=$(grep -F "[ RUN " <<<"$out" | tail -n 1)
	if ! grep -qE "(FAILED|ERROR)  *]" <<<"$out" && [[ $evidence == *" ${1#*:}" ]]; then
		evidence="exit code $code: $evidence"
		return 1
	fi
	evidence="another test: $(grep -m 1 -E "(FAILED|ERROR)  *]" <<<"$out")"
	return 0
}

target_sim() { echo tests/sim/sim; }
short_sim() { echo "$*"; }
catch_sim() { # FIRST-LAST: one of these seeds
	local out code
	out=$(timeout "$limit" build/tests/sim/sim --workers "$JOBS" \
		--from "${1%-*}" --count $((${1#*-} - ${1%-*} + 1)) 2>&1)
	code=$?
	evidence=$(grep -m 1 '^seed [0-9]* failed' <<<"$out")
	evidence=${evidence:-exit code $code}
	return "$code"
}

# --- The trees ------------------------------------------------------------------

build() { # TREE TARGET...
	local tree=$1
	shift
	"$MAKE" --no-print-directory -C "$tree" BUILD=build -j"$JOBS" \
		"${@/#/build/}" >"$work/log" 2>&1 && return
	echo "does not build:"
	tail -n 20 "$work/log"
	return 1
}

# The tree as it is, with what all catchers need already built: copies of it
# only build what is patched.
prepare() {
	local targets
	mkdir "$work/clean"
	cp -a Makefile base raft kv fs proto tests "$work/clean/" || exit 1
	targets=$(for line in "${lines[@]}"; do
		read -r _ kind arguments <<<"$line"
		# shellcheck disable=SC2086 # arguments are words
		"target_$kind" $arguments
	done | sort -u)
	# shellcheck disable=SC2086 # targets are words
	build "$work/clean" $targets || exit 1
}

judge() { # ROW KIND ARGUMENTS...
	local row=$1 kind=$2 patch what start=$SECONDS
	shift 2
	patch=$PWD/tests/sim/mutants/$(printf %02d "${row%[a-z]}")${row#"${row%[a-z]}"}.patch
	what="$row: $kind $*"
	limit=600
	# shellcheck disable=SC2046 # arguments are words
	if [ -z "${passes["$kind $*"]:-}" ] &&
		! (cd "$work/clean" && "catch_$kind" $("short_$kind" "$@")); then
		echo "$what: FAILS WITHOUT THE BUG"
		return 1
	fi
	passes["$kind $*"]=yes
	rm -rf "$work/mutant"
	cp -a "$work/clean" "$work/mutant" || exit 1
	if ! patch --directory="$work/mutant" --strip=1 --quiet <"$patch" ||
		! build "$work/mutant" "$("target_$kind" "$@")"; then
		echo "$what: NO SUCH MUTANT"
		return 1
	fi
	[ "$kind" = explore ] || [ "$kind" = sim ] || limit=60
	cd "$work/mutant" || exit 1
	evidence=
	if "catch_$kind" "$@"; then
		echo "$what: NOT CAUGHT; $evidence"
		cd "$OLDPWD" || exit 1
		return 1
	fi
	cd "$OLDPWD" || exit 1
	echo "$what: caught ($((SECONDS - start)) s): ${evidence:-no end}"
}

mapfile -t lines < <(
	sed 's/  *: .*//' tests/sim/mutants/TABLE |
		grep -E '^[0-9]+[a-z]? +[a-z]+ +[^ ]' | grep -v ' watched ' |
		while read -r row rest; do
		[ $# -eq 0 ] || [[ " $* " == *" ${row%[a-z]} "* ]] ||
			[[ " $* " == *" $row "* ]] || continue
		echo "$row $rest"
	done
)
[ "${#lines[@]}" -gt 0 ] || { echo "no such row"; exit 2; }
prepare
for line in "${lines[@]}"; do
	# shellcheck disable=SC2086 # the line is words
	judge $line || rc=1
done
exit "$rc"
